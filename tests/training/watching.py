"""Following a training by its reports, and reading what it left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from medgan.runs.checkpoint import read_tensors
from medgan.runs.record import Run, Status
from medgan.training.loop import Request, train
from medgan.training.saving import TENSORS

MakeRequest = Callable[..., Request]
LOSSES = ("loss_d", "loss_g", "d_real", "d_fake")


class Killed(BaseException):
    """As if the process had been killed: nothing can be saved any more."""


class Watcher:
    """Follows a training by its reports, and interrupts it (or crashes it) at a step."""

    def __init__(self, stop_at: int | None = None, crash_at: int | None = None) -> None:
        self.stop_at, self.crash_at = stop_at, crash_at
        self.reports: list[Status] = []

    def report(self, status: Status) -> None:
        self.reports.append(replace(status))

    def interrupted(self) -> bool:
        step = self.reports[-1].step if self.reports else 0
        if self.crash_at is not None and step >= self.crash_at:
            raise Killed
        return self.stop_at is not None and step >= self.stop_at


def watch(request: Request, stop_at: int | None = None, crash_at: int | None = None) -> Status:
    watcher = Watcher(stop_at, crash_at)
    return train(request, interrupted=watcher.interrupted, report=watcher.report)


def training_tensors(run: Path) -> dict[str, Tensor]:
    latest = Run(run).latest()
    assert latest is not None
    return read_tensors(latest / TENSORS)


def losses(run: Path) -> list[tuple[float, ...]]:
    return [(e["step"], e["images"], *(e[name] for name in LOSSES)) for e in Run(run).events()]
