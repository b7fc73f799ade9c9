"""What a run would take, measured before it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from medgan.training import estimate as module
from medgan.training.devices import reserve
from medgan.training.estimate import estimate
from medgan.training.step import GanStep, StepResult
from medgan.training.trial import Trial, available_memory, try_steps
from tests.training.watching import MakeRequest

CPU = torch.device("cpu")


def test_it_measures_time_memory_and_disk_and_makes_no_run(request_for: MakeRequest) -> None:
    request = request_for(iterations=100)
    found = estimate(request)
    assert found.memory_suffices and found.disk_suffices
    assert (found.device, found.precision, found.iterations) == ("cpu", "float32", 100)
    assert found.seconds is not None and found.images_per_second is not None
    # 100 steps of 10 images in batches of 4, 4 and 2: 334 images.
    assert found.seconds == pytest.approx(334 / found.images_per_second * 1.05, rel=0.1, abs=0.2)
    assert not request.run.exists()
    assert found.to_json()["words"].startswith("About ")


def test_the_disk_that_it_names_is_what_checkpoints_take(request_for: MakeRequest) -> None:
    from medgan.runs.record import Run
    from medgan.training.loop import train

    request = request_for(iterations=1)
    train(request)
    latest = Run(request.run).latest()
    assert latest is not None
    size = sum(path.stat().st_size for path in latest.iterdir())
    assert estimate(replace(request, run=request.run / "x")).disk == pytest.approx(5 * size, rel=0.1)


def test_memory_that_does_not_suffice_is_said_with_the_batch_that_fits(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_step = GanStep.__call__

    def limited(step: GanStep, real: torch.Tensor, *given: Any, **named: Any) -> StepResult:
        if len(real) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return do_step(step, real, *given, **named)

    monkeypatch.setattr(GanStep, "__call__", limited)
    found = estimate(request_for(batch_size=32))
    assert not found.memory_suffices
    assert found.batch_that_fits == 8
    assert found.seconds is None
    assert "does not suffice for batch size 32; 8 fits" in found.words()


def test_more_memory_than_there_is_does_not_suffice(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "try_steps", lambda *_, **__: Trial(1.0, 10**12, 10**9, 1000))
    monkeypatch.setattr(module, "smaller_batch_that_fits", lambda *_, **__: 2)
    assert not estimate(request_for()).memory_suffices


def test_a_larger_batch_needs_more_memory(request_for: MakeRequest) -> None:
    request = request_for()
    small, large = (
        try_steps(request.model, replace(request.train, batch_size=n), CPU, torch.float32).needed
        for n in (2, 2048)
    )
    assert large > small + 10_000_000
    assert available_memory(CPU) > 0


def test_a_device_in_use_is_said(request_for: MakeRequest) -> None:
    with reserve(CPU, lambda _: True, name="paper-isic"):
        assert "paper-isic is using cpu now" in estimate(request_for()).words()
