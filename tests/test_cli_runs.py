"""Settings of a training on the command line, and steering runs by `python -m medgan runs`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from medgan.data.prepare import store
from medgan.runs.launch import launch
from medgan.runs.queue import Queue
from medgan.runs.record import FINISHED, INTERRUPTED, PAUSED, RUNNING, STOPPED, Run, Status
from medgan.workspace import Workspace
from tests.test_cli import Caller, call

__all__ = ["call"]


SMALL = ("--preset", "demo", "--set", "ngf=4", "--set", "ndf=4")


@pytest.fixture
def data(call: Caller) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (14, 64, 64, 1), np.uint8)
    return store(images, ["a"] * 14, call.folder / "data", name="Noise", split="10/0/4").folder


def small(run: str, *more: object) -> tuple[object, ...]:
    return ("train", "data", "--run", run, *SMALL, "--device", "cpu", *more)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "lerning_rate=1"), "There is no setting 'lerning_rate'; valid are: architecture, "),
        (("--set", "lerning_rate=1"), "Did you mean 'learning_rate'?"),
        (("--set", "ngf"), "write --set key=value"),
        (("--set", "ngf=wide"), "ngf is 'wide'; it must be a whole number"),
        (("--set", "ngf=0"), "ngf is 0; it must be a whole number from 1"),
        (("--set", "learning_rate=inf"), "learning_rate is inf"),
        (("--set", "size=64"), "size follows from the data set"),
        (("--set", "kimg=1", "--set", "minutes=1"), "The goal is given twice, as kimg and minutes"),
        (("--kimg", "1", "--minutes", "1"), "not allowed with"),
        (("--minutes", "0"), "--minutes is 0.0; it must be above 0"),
        (("--minutes", "nan"), "--minutes is nan; it must be above 0"),
        (("--resume", "--set", "ngf=8", "--seed", "2"), "keeps its settings; leave --seed and --set away"),
    ],
)
def test_settings_that_cannot_be_get_one_sentence(
    arguments: tuple[str, ...], sentence: str, call: Caller, data: Path
) -> None:
    assert sentence in call.fails("train", "data", "--run", "run", *arguments)
    assert not Path("run").exists()


def test_any_setting_can_be_changed_by_name(call: Caller, data: Path) -> None:
    done = call.json(*small("run", "--set", "batch_size=5", "--set", "beta1=0.25", "--kimg", "0.02"))
    assert (done["state"], done["step"], done["images"]) == (FINISHED, 4, 20)
    config = Run("run").config()
    assert (config["model"]["ngf"], config["train"]["beta1"], config["train"]["kimg"]) == (4, 0.25, 0.02)


def test_a_finished_run_goes_on_to_a_new_goal(call: Caller, data: Path) -> None:
    call.json(*small("run", "--iterations", 2))
    more = call.json("train", "data", "--run", "run", "--resume", "--iterations", 4)
    assert (more["step"], more["device"]) == (4, "cpu")


def test_an_estimate_is_measured_and_leaves_nothing(call: Caller, data: Path) -> None:
    before = sorted(os.listdir())
    found = call.json("train", "data", "--estimate", *SMALL, "--iterations", 100)
    assert found["memory_suffices"]
    assert found["seconds"] > 0
    assert sorted(os.listdir()) == before


def test_without_a_run_folder_it_asks_for_one(call: Caller, data: Path) -> None:
    assert "--run FOLDER" in call.fails("train", "data")


def put(workspace: Path, name: str, **status: Any) -> Run:
    run = Run(workspace / "runs" / name)
    run.create({"preset": "demo", "dataset": {"path": str(workspace / "gone")}})
    run.write_status(
        Status(**({"state": STOPPED, "message": "Stopped.", "step": 3, "iterations": 9} | status))
    )
    return run


def test_runs_are_listed_and_shown_by_name_or_folder(call: Caller, workspace: Path) -> None:
    assert call.json("runs") == []
    run = put(workspace, "isic")
    run.add_event({"step": 3, "loss_d": 0.25})
    [listed] = call.json("runs")
    assert (listed["name"], listed["state"], listed["step"], listed["place"]) == ("isic", STOPPED, 3, 0)
    for spec in ("isic", run.folder):
        shown = call.json("runs", "show", spec)
        assert shown["newest"] == {"step": 3, "loss_d": 0.25}
        assert shown["config"]["preset"] == "demo"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show",), "Name the run"),
        (("show", "isik"), "Did you mean 'isic'?"),
        (("show", "../isic"), "There is no run"),
        (("pause", "isic"), "isic is not at work (stopped); resume it first."),
        (("sample", "isic"), "isic is not at work (stopped)"),
        (("resume", "done"), "--resume --iterations N"),
        (("first", "isic"), "does not wait for a device"),
        (("fly", "isic"), "invalid choice: 'fly'"),
    ],
)
def test_what_cannot_be_asked_of_a_run_gets_one_sentence(
    arguments: tuple[str, ...], sentence: str, call: Caller, workspace: Path
) -> None:
    put(workspace, "isic")
    put(workspace, "done", state=FINISHED)
    assert sentence in call.fails("runs", *arguments)


def test_a_stop_of_what_has_stopped_is_no_mistake(call: Caller, workspace: Path) -> None:
    run = put(workspace, "isic")
    for _ in range(2):
        assert call.json("runs", "stop", "isic")["state"] == STOPPED
    assert not (run.folder / "stop").exists()


def test_a_waiting_run_is_shown_with_its_place_and_can_be_moved_up(call: Caller, workspace: Path) -> None:
    first, second = put(workspace, "first", state="queued"), put(workspace, "second", state="queued")
    with Queue("cpu").standing("first", first.folder), Queue("cpu").standing("second", second.folder):
        assert call.json("runs", "show", "second")["place"] == 2
        assert call.json("runs", "first", "second")["place"] == 1
        assert call.json("runs", "show", "first")["place"] == 2


def until(run: Run, true: Callable[[Status], bool]) -> Status:
    end = time.monotonic() + 120
    while not true(status := run.status()):
        assert time.monotonic() < end, status
        time.sleep(0.05)
    return status


def test_a_run_of_the_dashboard_is_steered_killed_and_resumed_from_the_command_line(
    call: Caller, data: Path, workspace: Path
) -> None:
    run = Run(workspace / "runs" / "live")
    run.folder.mkdir(parents=True)
    settings = small(str(run.folder), "--iterations", 10**6)
    child = launch(
        run, [str(data) if word == "data" else str(word) for word in settings], Workspace(workspace)
    )
    try:
        until(run, lambda s: s.step > 3)
        call.json("runs", "pause", "live")
        paused = until(run, lambda s: s.state == PAUSED)
        assert call.json("runs", "pause", "live")["state"] == PAUSED
        call.json("runs", "resume", "live")
        until(run, lambda s: s.state == RUNNING and s.step > paused.step)
        call.json("runs", "save", "live")
        call.json("runs", "sample", "live")
        until(run, lambda s: not s.pending and len(run.checkpoints()) > 1)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert until(run, lambda s: s.state == INTERRUPTED).resumable

        call.json("runs", "resume", "live")
        until(run, lambda s: s.state == RUNNING and s.step > paused.step)
        assert call.json("runs", "show", "live")["device"] == "cpu"
        call.json("runs", "stop", "live")
        status = until(run, lambda s: not s.alive)
        assert status.state == STOPPED
    finally:
        for process in psutil.Process().children():
            process.kill()
            try:
                process.wait(timeout=10)
            except (psutil.Error, subprocess.TimeoutExpired):
                continue
