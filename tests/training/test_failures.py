"""A training that cannot go on keeps what it learned and says in a sentence what to do."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from medgan.errors import DataError, RunError
from medgan.runs.record import FAILED, FINISHED, Run
from medgan.training import saving
from medgan.training.loop import train
from medgan.training.step import GanStep, StepResult
from medgan.training.trial import is_out_of_memory
from tests.training.watching import MakeRequest, losses, training_tensors, watch


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["system", "safetensors"],
)
def test_a_full_disk_costs_older_checkpoints_and_not_what_was_learned(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    request = request_for(checkpoint_every=2, iterations=9)
    run, save = Run(request.run), saving.save_file

    def limited(tensors: dict[str, Any], path: Path) -> None:
        if len(run.checkpoints()) >= 3:
            raise error
        save(tensors, path)

    with (
        monkeypatch.context() as full,
        pytest.raises(
            RunError, match=r"is full .*Everything up to step \d is saved\. Make room, then .*--resume"
        ),
    ):
        full.setattr(saving, "save_file", limited)
        train(request)
    status, latest = run.status(), run.latest()
    assert status.state == FAILED
    assert status.resumable
    assert latest is not None
    assert latest.name == f"step-{status.step:06d}" and status.step >= 8
    assert "is full" in status.message

    assert train(request_for(iterations=9, resume=True)).state == FINISHED
    whole = request_for("whole", iterations=9)
    train(whole)
    found = training_tensors(request.run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())
    assert losses(request.run) == losses(whole.run)


def test_events_that_cannot_be_written_lose_nothing(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(log_every=3, iterations=9)
    add = Run.add_event

    def full(run: Run, event: dict[str, Any]) -> None:
        if event["step"] == 6:
            with run.events_file.open("a") as stream:
                stream.write('{"step": 6, "lo')
            raise OSError(errno.ENOSPC, "No space left on device")
        add(run, event)

    monkeypatch.setattr(Run, "add_event", full)
    with pytest.raises(RunError, match=r"Everything up to step 6 is saved"):
        train(request)
    monkeypatch.setattr(Run, "add_event", add)
    train(request_for(resume=True, iterations=9))
    whole = request_for("whole", log_every=3, iterations=9)
    train(whole)
    assert losses(request.run) == losses(whole.run)


def test_memory_that_runs_out_later_names_the_last_checkpoint(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_step, steps = GanStep.__call__, []

    def limited(step: GanStep, real: torch.Tensor, *given: Any, **named: Any) -> StepResult:
        steps.append(len(real))
        if len(steps) == 6 or (len(steps) > 6 and len(real) > 2):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return do_step(step, real, *given, **named)

    monkeypatch.setattr(GanStep, "__call__", limited)
    words = r"batch size 4; batch size 2 fits.*step 4 is saved.*end that and add --resume"
    with pytest.raises(RunError, match=words):
        train(request_for(checkpoint_every=2))
    assert Run(request_for().run).status().resumable


def test_other_errors_are_no_lack_of_memory() -> None:
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_a_device_that_fails_says_how_to_go_on(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCUDA kernel errors might …")

    monkeypatch.setattr(GanStep, "__call__", broken)
    with pytest.raises(
        RunError, match=r"device failed \(CUDA error: unspecified launch failure\).*--device cpu"
    ):
        train(request_for())


def test_a_bug_between_two_steps_loses_nothing(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Run.add_event

    def buggy(run: Run, event: dict[str, Any]) -> None:
        if event["step"] == 5:
            raise ZeroDivisionError("division by zero")
        add(run, event)

    monkeypatch.setattr(Run, "add_event", buggy)
    with pytest.raises(ZeroDivisionError):
        train(request_for())
    status = Run(request_for().run).status()
    assert status.message == (
        "A bug ended it: ZeroDivisionError: division by zero. Everything up to step 5 is saved."
    )
    monkeypatch.setattr(Run, "add_event", add)
    train(request_for(resume=True))
    train(request_for("whole"))
    assert losses(request_for().run) == losses(request_for("whole").run)


def test_a_bug_inside_of_a_step_leaves_nothing_half_learned(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = GanStep._update_generator

    def buggy(step: GanStep, *given: Any) -> torch.Tensor:
        if float(next(iter(step.optimizer_d.state.values()))["step"]) == 4:
            raise ZeroDivisionError
        return update(step, *given)

    monkeypatch.setattr(GanStep, "_update_generator", buggy)
    with pytest.raises(ZeroDivisionError):
        train(request_for(checkpoint_every=2))
    latest = Run(request_for().run).latest()
    assert latest is not None
    assert latest.name == "step-000002"


def test_a_data_set_that_is_gone_or_moved_is_asked_for(request_for: MakeRequest, tmp_path: Path) -> None:
    request = request_for()
    watch(request, stop_at=2)
    shutil.move(request.dataset, tmp_path / "moved")
    with pytest.raises(
        DataError, match=r"data set of run is no longer in .*data-1-0; put it back, or say where"
    ):
        train(_resumed(request_for, request.dataset))
    assert Run(request.run).status().resumable
    assert train(_resumed(request_for, tmp_path / "moved")).state == FINISHED
    assert Run(request.run).dataset() == (tmp_path / "moved").resolve()


def _resumed(request_for: MakeRequest, dataset: Path) -> Any:
    from medgan.config import ModelConfig, TrainConfig
    from medgan.training.request import Request

    return Request(dataset, dataset.parent / "run", "", ModelConfig(), TrainConfig(), resume=True)


def test_pixels_that_were_changed_under_the_same_name_are_noticed(request_for: MakeRequest) -> None:
    request = request_for()
    watch(request, stop_at=2)
    images = np.load(request.dataset / "images.npy")
    np.save(request.dataset / "images.npy", 255 - images)
    with pytest.raises(
        DataError, match=r"is not the data set that .* was trained on, though it may have its name"
    ):
        train(request_for(resume=True))


def test_a_data_set_that_vanishes_during_a_training_does_no_harm(request_for: MakeRequest) -> None:
    request = request_for()

    def report(status: Any) -> None:
        if status.step == 3:
            shutil.rmtree(request.dataset, ignore_errors=True)

    assert train(request, report=report).state == FINISHED


def test_a_training_without_training_images_is_refused(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "medgan.data.dataset.Dataset.part", lambda *_: np.zeros((0, 64, 64, 1), dtype=np.uint8)
    )
    with pytest.raises(DataError, match="no images for training"):
        train(request_for())
