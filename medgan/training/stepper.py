"""Step k of a training: its images and latents, this process's part of them, and the update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from medgan.config import ModelConfig, TrainConfig
from medgan.training.augment import DRAWS
from medgan.training.batches import Batches, chances, latents
from medgan.training.graphs import as_one_launch
from medgan.training.step import GanStep, StepResult
from medgan.training.together import ALONE, Together

FIGURES = tuple(f.name for f in fields(StepResult))
"""What a row of figures holds."""


class Stepper:
    """The networks, and the images `(N, H, W, C)` uint8 that they learn from; `labels` `(N,)` are the
    numbers of their classes where the model tells them apart."""

    def __init__(
        self,
        model: ModelConfig,
        train: TrainConfig,
        images: np.ndarray,
        device: torch.device,
        precision: torch.dtype,
        together: Together = ALONE,
        labels: np.ndarray | None = None,
    ) -> None:
        self.model, self.train, self.device, self.together = model, train, device, together
        self.step = GanStep(model, train, device, precision, together)
        self.batches = Batches(images, train.batch_size, train.seed, device)
        self.labels = None if labels is None else torch.from_numpy(labels.astype(np.int64)).to(device)
        self._graphed = as_one_launch(self.step, train, min(train.batch_size, len(images)))

    @property
    def note(self) -> str:
        """A sentence where it cannot be as fast as it should be, else empty."""
        return self._graphed.note if self._graphed else ""

    def __call__(self, k: int) -> Tensor:
        """Do step `k` and return its row of `FIGURES`, over the whole batch, still on the device: reading
        it would make the device wait."""
        index = self.batches.indices(k)
        noise = latents(self.train.seed, k, len(index), self.model.latent)
        mine = self.together.part(len(index))
        more: dict[str, Tensor] = {}
        if self.step.augmentation is not None:
            draws = chances(self.train.seed, k, len(index), DRAWS)
            more["draws"] = draws[mine].to(self.device, non_blocking=True)
        if self.labels is not None:
            more["labels"] = self.labels[torch.from_numpy(index[mine]).to(self.device)]
        real = self.batches.pick(index[mine])
        step: Callable[..., StepResult] = self._graphed or self.step
        result = step(real, noise[mine].to(self.device, non_blocking=True), len(index), **more)
        row = torch.stack([getattr(result, name) for name in FIGURES])
        self.together.average([row])
        return row
