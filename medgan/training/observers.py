"""The hook for whoever looks at a training from outside of the step: figures, warnings, the best so far,
an early end.

An observer is called every `every` steps, between two steps, and at the end. What it remembers goes into
each checkpoint, so that a resumed training observes as an uninterrupted one would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.errors import MedGANError
from medgan.runs.events import OBSERVER
from medgan.training.saving import Progress
from medgan.training.step import GanStep


@dataclass(frozen=True)
class Scene:
    """What is known before the first step; observers are made of it. `images` is the training part,
    uint8 `(N, H, W, C)`."""

    model: ModelConfig
    train: TrainConfig
    data: Dataset
    images: np.ndarray
    device: torch.device


@dataclass(frozen=True)
class Moment:
    """What an observer sees. `sampler()` gives the network to sample from, in eval mode, made when first
    asked for and shared by all; change nothing in `step`. Give up with `CutShort` when `called_away()`:
    somebody wants the training to stop or pause, and the observer is asked again when it goes on."""

    done: int
    images_seen: int
    step: GanStep
    sampler: Callable[[], nn.Module]
    called_away: Callable[[], bool]


class CutShort(Exception):
    """An observation that was given up because the training is wanted elsewhere."""


@dataclass(frozen=True)
class Finding:
    """What an observer found: `figures` are logged; `warnings` are sentences for a person; `score` (lower
    is better) makes this the best checkpoint if it is the lowest; `end` is the sentence with which the
    training should end now, empty to go on."""

    figures: Mapping[str, float | None] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    score: float | None = None
    end: str = ""


class Observer(Protocol):
    """Looks at a training every `every` steps."""

    name: str
    every: int

    def observe(self, moment: Moment) -> Finding:
        """Look. A MedGANError is logged as a warning; CutShort is asked again later."""

    def state(self) -> dict[str, Any]:
        """What it remembers, as JSON values."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""


class Watch:
    """All observers of a training: who is due, what they found, and what they remember."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = observers
        self.end = ""

    def look(self, moment: Moment, progress: Progress, *, last: bool) -> Iterator[dict[str, Any]]:
        """Ask those who are due and have not looked at this step yet, and yield what goes into the log.

        `progress` learns who has looked, and the best so far. `end` is the sentence of who wants it to end.
        """
        for observer in self.observers:
            due = last or moment.done % observer.every == 0
            if not due or progress.observed.get(observer.name, 0) >= moment.done:
                continue
            try:
                finding = observer.observe(moment)
            except CutShort:
                return
            except MedGANError as error:
                finding = Finding(warnings=[str(error)])
            progress.observed[observer.name] = moment.done
            if finding.score is not None and finding.score < progress.best.get("score", math.inf):
                progress.best = {"step": moment.done, "score": finding.score, "observer": observer.name}
            self.end = self.end or finding.end
            if finding.figures or finding.warnings:
                yield {OBSERVER: observer.name, **finding.figures, "warnings": list(finding.warnings)}

    def remember(self, progress: Progress) -> None:
        """Put what the observers remember into `progress`."""
        progress.observers = {observer.name: observer.state() for observer in self.observers}

    def restore(self, progress: Progress) -> None:
        """Give the observers back what `progress` holds."""
        for observer in self.observers:
            if observer.name in progress.observers:
                observer.restore(progress.observers[observer.name])


MakeObservers = Callable[[Scene], Sequence[Observer]]


def nobody(scene: Scene) -> Sequence[Observer]:
    """No observers."""
    return ()
