"""What is asked of an engine, and what an engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from medgan.hub.jobs import Hardware

PENDING, RUNNING, ENDED = "pending", "running", "ended"


@dataclass(frozen=True)
class Order:
    """A training to be done elsewhere. `arguments` follow `train` on the command line the first time, `again`
    whenever the job begins anew and there is a run to go on with; both name `dataset` and `run` (absolute).
    `gpus` is 0 for a training on processors, `hours` the longest that one job may take, `settings` are the
    engine's own."""

    dataset: Path
    run: Path
    arguments: tuple[str, ...]
    again: tuple[str, ...]
    gpus: int = 1
    hours: float = 12.0
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobState:
    """How far a job is: one of `PENDING`, `RUNNING`, `ENDED`, and the engine's own word for it."""

    stage: str
    word: str = ""


class Launcher(ABC):
    """Starts trainings with one engine. A job is known by the engine's name for it.

    What the training writes has to come into the run folder here: by itself where both see the same disk,
    else `sync` fetches it. All methods raise a MedGANError with a sentence where the engine refuses.
    """

    name: ClassVar[str]
    """As on the command line: `--on NAME`."""
    title: ClassVar[str]
    """In a sentence."""

    @abstractmethod
    def needs(self, order: Order) -> list[str]:
        """What is missing before it can start, a sentence each; empty if nothing is. Nothing is started."""

    @abstractmethod
    def plan(self, order: Order) -> list[str]:
        """What `start` will do and take, a sentence each, with the cost where the engine tells it."""

    def hardware(self) -> list[Hardware]:
        """What a job may run on, where the engine tells it and has prices."""
        return []

    def asks(self, order: Order) -> bool:
        """Whether a person has to agree before it starts: it costs money, or images leave the machine."""
        return False

    @abstractmethod
    def start(self, order: Order) -> str:
        """Start it; returns the job."""

    @abstractmethod
    def state(self, order: Order, job: str) -> JobState:
        """How far the job is, asked of the engine."""

    @abstractmethod
    def cancel(self, order: Order, job: str) -> None:
        """End the job, wherever it stands; a training that runs gets the time to save."""

    def sync(self, order: Order, job: str) -> None:
        """Bring what the training wrote into the run folder, and requests to the training."""
        return
