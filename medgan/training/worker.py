"""What the processes do that train with the main one: the same steps, on their part of each batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import DataError, MedGANError, RunError
from medgan.training.request import digest, labels_of
from medgan.training.saving import apply_state, training_state
from medgan.training.setting import Setting
from medgan.training.step import GanStep
from medgan.training.stepper import Stepper
from medgan.training.together import Together
from medgan.training.trial import free, is_out_of_memory

REST = "rest"
"""What the main process says when it pauses: the memory that is not needed meanwhile is for others."""


@dataclass(frozen=True)
class Job:
    """What is trained, and from where: `state` holds networks and optimisers of a run that goes on, or begins
    with a model; `done` is how many steps it has done."""

    dataset: Path
    train_sha256: str
    model: ModelConfig
    train: TrainConfig
    precision: torch.dtype
    done: int
    state: dict[str, Tensor] | None

    @classmethod
    def of(cls, setting: Setting, step: GanStep, *, done: int) -> Job:
        """The job of a training whose main process has `step`, which has done so many steps."""
        alone = setting.together.count == 1
        begun = done > 0 or setting.request.init is not None  # no longer as it was made
        return cls(
            dataset=setting.data.folder.resolve(),
            train_sha256="" if alone else digest(setting.images),
            model=setting.request.model,
            train=setting.request.train,
            precision=setting.precision,
            done=done,
            state=training_state(step) if begun and not alone else None,
        )

    def hand_out(self, together: Together) -> None:
        """Give it to the other processes. RunError with the words of one that cannot do it."""
        together.share(self)
        for words in filter(None, together.gather("")):
            raise RunError(words)


def follow(together: Together) -> None:
    """Do what the main process says, until it says that it is over or is gone."""
    job: Job | None = together.share()
    if job is None:
        return
    try:
        stepper, words = _ready(job, together), ""
    except MedGANError as error:
        stepper, words = None, f"Process {together.rank}: {error}"
    if any(together.gather(words)) or stepper is None:
        return
    while (word := together.share()) is not None:
        if word == REST:
            free(stepper.device)
        else:
            _do(stepper, word)


def _do(stepper: Stepper, k: int) -> None:
    try:
        stepper(k)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise RunError(
            f"Process {stepper.together.rank} has no memory left on {stepper.device}; start a new run with a "
            "smaller --batch-size."
        ) from error


def _ready(job: Job, together: Together) -> Stepper:
    data = Dataset(job.dataset)
    images = data.part(TRAIN)
    if digest(images) != job.train_sha256:
        raise DataError(f"{job.dataset} holds other images than the main process has; copy the set there.")
    device = together.device or torch.device("cpu")
    labels = labels_of(data, job.model)
    stepper = Stepper(job.model, job.train, images, device, job.precision, together, labels)
    if job.state is not None:
        apply_state(stepper.step, job.state, "the main process's state", stepped=job.done > 0)
    return stepper
