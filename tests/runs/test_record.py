"""The run folder tells the truth, whatever became of the process that wrote it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from medgan.errors import RunError
from medgan.runs.record import (
    ALIVE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    SILENCE,
    STOPPED,
    Run,
    Status,
    find_runs,
    step_name,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    run.create({"preset": "demo"})
    return run


def put_status(run: Run, **values: Any) -> None:
    """A status as another process would have left it."""
    me = psutil.Process()
    status = Status(
        RUNNING, "Training.", me.pid, me.create_time(), socket.gethostname(), time.time(), step=40
    )
    (run.folder / "status.json").write_text(json.dumps(asdict(status) | values), "utf-8")


def test_a_status_comes_back_as_it_was_written_with_this_process(run: Run) -> None:
    run.write_status(Status(state=RUNNING, message="Training.", step=3, iterations=12))
    status = run.status()
    assert (status.state, status.message, status.pid) == (RUNNING, "Training.", os.getpid())
    assert status.progress == 0.25
    assert status.alive
    assert not status.resumable


@pytest.mark.parametrize("state", ALIVE)
def test_a_dead_process_is_interrupted_and_never_running(run: Run, state: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = psutil.Process(child.pid).create_time()
        put_status(run, state=state, pid=child.pid, pid_started=started)
        assert run.status().state == state
        child.kill()
    status = run.status()
    assert (status.state, status.step) == (INTERRUPTED, 40)
    assert status.resumable
    assert not status.alive
    assert status.message == "The process ended unexpectedly. Nothing was saved yet."
    (run.folder / "checkpoints" / "step-000040").mkdir(parents=True)
    assert "can resume from step 40, its last checkpoint" in run.status().message


def test_a_process_that_ended_but_was_not_collected_is_interrupted(run: Run) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = psutil.Process(child.pid)
    put_status(run, pid=child.pid, pid_started=process.create_time())
    child.kill()
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert run.status().state == INTERRUPTED
    child.communicate()


def test_a_pid_that_another_process_has_now_is_interrupted(run: Run) -> None:
    put_status(run, pid=os.getpid(), pid_started=psutil.Process().create_time() - 1000)
    assert run.status().state == INTERRUPTED


def test_on_another_machine_the_heartbeat_counts(run: Run) -> None:
    put_status(run, host="gpu-box", pid=1, heartbeat=time.time() - SILENCE / 2)
    assert run.status().state == RUNNING
    put_status(run, host="gpu-box", pid=1, heartbeat=time.time() - SILENCE - 1)
    assert run.status().state == INTERRUPTED


@pytest.mark.parametrize("state", [FINISHED, STOPPED, FAILED])
def test_a_training_that_ended_by_itself_keeps_its_word(run: Run, state: str) -> None:
    put_status(run, state=state, pid=2**22 + 1, message="As it was.")
    assert (run.status().state, run.status().message) == (state, "As it was.")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"unknown": 1}'])
def test_a_missing_or_broken_status_is_interrupted(run: Run, text: str | None) -> None:
    if text is not None:
        (run.folder / "status.json").write_text(text)
    assert run.status().state == INTERRUPTED


def test_progress_without_a_goal_is_nothing_and_never_above_one() -> None:
    assert Status(step=5).progress == 0.0
    assert Status(step=5, iterations=4).progress == 1.0


def test_a_line_that_is_being_written_is_left_out(run: Run) -> None:
    assert run.events() == []
    run.add_event({"step": 10, "loss_d": 0.5})
    run.add_event({"step": 20, "loss_d": 0.4})
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.write('{"step": 30, "loss')
    assert [event["step"] for event in run.events()] == [10, 20]


def test_rewinding_drops_what_came_after_and_the_half_line(run: Run) -> None:
    for step in (10, 20, 30):
        run.add_event({"step": step})
        (run.folder / "samples" / f"{step_name(step)}.png").touch()
    with (run.folder / "events.jsonl").open("a") as stream:
        stream.write('{"step": 40, "loss')
    run.rewind(20)
    run.add_event({"step": 30, "again": True})
    assert run.events() == [{"step": 10}, {"step": 20}, {"step": 30, "again": True}]
    assert [path.name for path in run.samples()] == ["step-000010.png", "step-000020.png"]


def test_a_run_is_never_created_twice(run: Run) -> None:
    with pytest.raises(RunError, match="holds a run already; add --resume to go on, or choose another name"):
        run.create({"preset": "paper"})
    assert run.config() == {"preset": "demo"}


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_folder_without_a_readable_config_is_no_run(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"is not a run folder: it has no readable config\.json"):
        Run(tmp_path).config()


def test_checkpoints_are_ordered_by_step_and_the_oldest_are_pruned(run: Run) -> None:
    assert run.latest() is None
    for step in (999_999, 2, 1_000_000, 30):
        (run.folder / "checkpoints" / step_name(step)).mkdir()
    (run.folder / "checkpoints" / f".{step_name(7)}-3f2a").mkdir()  # left by a crash while saving
    names = ["step-000002", "step-000030", "step-999999", "step-1000000"]
    assert [path.name for path in run.checkpoints()] == names
    run.prune(2)
    assert [path.name for path in run.checkpoints()] == names[2:]
    latest = run.latest()
    assert latest is not None
    assert latest.name == "step-1000000"


def test_a_stop_is_meant_for_the_process_that_runs_and_not_for_a_later_one(run: Run) -> None:
    assert not run.stop_requested()
    run.request_stop()
    assert run.stop_requested()
    now = time.time()
    assert run.stopping(started=now - 100)
    assert not run.stopping(started=now + 100)


def test_runs_are_found_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "older", "oldest")):
        run = Run(tmp_path / name)
        run.create({})
        run.write_status(Status())
        os.utime(run.folder / "config.json", (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "not-a-run").mkdir()
    assert [run.name for run in find_runs(tmp_path)] == ["newest", "older", "oldest"]
