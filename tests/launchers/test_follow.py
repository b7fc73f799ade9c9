"""Following a job: what the run folder says while it waits, trains, is given back, ends or is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from medgan.errors import Interrupted, RunError
from medgan.launchers import follow
from medgan.launchers.follow import Follower, begin, check, known_job
from medgan.launchers.order import ENDED, PENDING, RUNNING, JobState, Launcher, Order
from medgan.runs.launch import read_note
from medgan.runs.record import FAILED, FINISHED, INTERRUPTED, QUEUED, STARTING, STOPPED, Run, Status
from medgan.runs.record import RUNNING as TRAINING


class Scripted(Launcher):
    """Says one state after another, and does what the script does at that moment."""

    name, title = "scripted", "the engine"

    def __init__(self, *script: tuple[JobState, Callable[[], object]], missing: tuple[str, ...] = ()) -> None:
        self.script, self.missing, self.cancelled = list(script), list(missing), False

    def needs(self, order: Order) -> list[str]:
        return self.missing

    def plan(self, order: Order) -> list[str]:
        return []

    def start(self, order: Order) -> str:
        return "77"

    def state(self, order: Order, job: str) -> JobState:
        state, act = self.script[0]
        if len(self.script) > 1:
            self.script.pop(0)
        act()
        return state

    def cancel(self, order: Order, job: str) -> None:
        self.cancelled = True


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LOOK", 0.01)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(tmp_path / "data", tmp_path / "run", ("a",), ("b",))


def nothing() -> None: ...


def followed(launcher: Launcher, order: Order) -> tuple[Status, list[str]]:
    job = begin(launcher, order)
    seen: list[str] = []

    def note(status: Status) -> None:
        if seen[-1:] != [status.state]:
            seen.append(status.state)

    return Follower(launcher, order, job, ask=0.05).follow(report=note), seen


def trains(run: Run, state: str, **facts: object) -> None:
    """A status by another process, as a training's is."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run.write_status(Status(state=state, **facts), psutil.Process(child.pid))  # type: ignore[arg-type]
    if state not in (TRAINING, STARTING):
        child.communicate()


def test_a_job_waits_loads_trains_and_finishes(order: Order) -> None:
    run = Run(order.run)
    script = (
        (JobState(PENDING), nothing),
        (JobState(RUNNING), nothing),
        (JobState(RUNNING), nothing),
        (JobState(RUNNING), lambda: trains(run, FINISHED, step=7, message="Done.")),
    )
    status, seen = followed(Scripted(*script), order)
    assert (status.state, status.step, status.message) == (FINISHED, 7, "Done.")
    assert seen == [QUEUED, STARTING]
    assert read_note(run) == {"engine": "scripted", "job": "77", "hours": 12.0, "settings": {}}


def test_what_is_missing_is_said_and_nothing_is_started(order: Order) -> None:
    with pytest.raises(RunError, match=r"^No key\. No door\.$"):
        check(Scripted(missing=("No key.", "No door.")), order)
    assert not order.run.exists()


def test_a_stop_while_it_waits_cancels_the_job(order: Order) -> None:
    launcher = Scripted((JobState(PENDING), nothing), (JobState(PENDING), Run(order.run).request_stop))
    status, _ = followed(launcher, order)
    assert launcher.cancelled
    assert (status.state, status.message) == (STOPPED, "Job 77 was cancelled before the training began.")
    assert not (order.run / "stop").exists()


def test_a_job_that_is_given_back_waits_again(order: Order) -> None:
    run = Run(order.run)
    script = (
        (JobState(RUNNING), lambda: trains(run, STOPPED, step=3)),
        (JobState(RUNNING), nothing),  # the engine does not know yet
        (JobState(PENDING, "REQUEUED"), nothing),
        (JobState(RUNNING), lambda: trains(run, FINISHED, step=9)),
    )
    status, seen = followed(Scripted(*script), order)
    assert (status.state, status.step) == (FINISHED, 9)
    assert seen == [STOPPED, QUEUED]


def test_a_job_that_is_stopped_ends_as_stopped(order: Order) -> None:
    run = Run(order.run)
    script = ((JobState(RUNNING), lambda: trains(run, STOPPED, step=3)), (JobState(ENDED), nothing))
    status, _ = followed(Scripted(*script), order)
    assert (status.state, status.step) == (STOPPED, 3)


def test_a_job_that_ends_before_it_trains_says_its_last_words(order: Order) -> None:
    def ends() -> None:
        (order.run / "log.txt").write_text("medgan: preset nope does not exist.\n")

    script = ((JobState(RUNNING), nothing), (JobState(ENDED, "COMPLETED"), ends))
    status, _ = followed(Scripted(*script), order)
    assert (status.state, status.message) == (FAILED, "preset nope does not exist.")


def test_a_job_that_ends_without_a_word_says_where_to_look(order: Order) -> None:
    status, _ = followed(Scripted((JobState(ENDED, "NODE_FAIL"), nothing)), order)
    assert status.state == FAILED
    assert "ended (NODE_FAIL) before the training began; see " in status.message


def test_a_training_that_is_killed_with_its_job_is_interrupted(order: Order) -> None:
    run = Run(order.run)
    script = (
        (JobState(RUNNING), lambda: trains(run, TRAINING, step=5)),
        (JobState(ENDED, "OUT_OF_MEMORY"), nothing),
    )
    status, _ = followed(Scripted(*script), order)
    assert (status.state, status.step) == (INTERRUPTED, 5)
    assert "(OUT_OF_MEMORY) before the training did" in status.message
    psutil.Process(_child()).kill()


def test_a_training_at_work_is_never_written_over(order: Order) -> None:
    # The engine's own books may be a minute behind.
    run = Run(order.run)
    script = (
        (JobState(PENDING), lambda: trains(run, TRAINING, step=5)),
        (JobState(PENDING), nothing),
        (JobState(RUNNING), lambda: trains(run, FINISHED)),
    )
    status, seen = followed(Scripted(*script), order)
    assert status.state == FINISHED
    assert seen == [TRAINING]
    psutil.Process(_child()).kill()


def test_whoever_leaves_leaves_the_job_and_finds_it_again(order: Order) -> None:
    launcher = Scripted((JobState(PENDING), nothing))
    job = begin(launcher, order)
    with pytest.raises(Interrupted, match="goes on without this window"):
        Follower(launcher, order, job, ask=0.05).follow(interrupted=lambda: True)
    assert Run(order.run).status().state == STOPPED
    assert not launcher.cancelled
    assert known_job(order, launcher) == "77"
    assert known_job(order, Scripted((JobState(ENDED), nothing))) is None


def test_a_run_that_goes_on_keeps_what_it_has_done(order: Order) -> None:
    run = Run(order.run)
    run.create({"any": 1})
    run.write_status(Status(state=STOPPED, step=40, seconds=12.0))
    begin(Scripted(), order)
    status = run.status()
    assert (status.state, status.step, status.seconds) == (QUEUED, 40, 12.0)


def _child() -> int:
    """The process that `trains` left at work."""
    time.sleep(0.05)
    children = psutil.Process(os.getpid()).children()
    # What earlier tests left behind may have ended without anybody asking: it has no words any more.
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return next(child.pid for child in alive if "input()" in child.cmdline())
