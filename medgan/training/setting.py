"""What a training is of, and where it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from medgan import __version__
from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN, VALIDATION
from medgan.runs.info import origin_of
from medgan.runs.record import Run
from medgan.training.request import Request, labels_of
from medgan.training.together import ALONE, Together


@dataclass(frozen=True)
class Setting:
    """What a training is of: settings, images for training `(N, H, W, C)` uint8, and where it happens.
    `note` is a sentence where the device is not the one to expect."""

    run: Run
    request: Request
    data: Dataset
    images: np.ndarray
    device: torch.device
    precision: torch.dtype
    note: str
    together: Together = ALONE

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each of `images` by number, `(N,)`; None where the model tells none apart."""
        return labels_of(self.data, self.request.model)

    def about(self, done: int, images_seen: int) -> dict[str, Any]:
        """What a model of step `done` says of itself."""
        data, splits = self.data, self.data.info["splits"]
        return {
            "name": self.run.name,
            "preset": self.request.preset,
            "step": done,
            "images_seen": images_seen,
            "train": self.request.train.to_json(),
            "init": origin_of(self.run.config().get("init")),
            "dataset": {
                "name": data.name,
                "modality": data.modality,
                "train": splits.get(TRAIN, 0),
                "heldout": splits.get(VALIDATION, 0) + splits.get(TEST, 0),
                "classes": data.info["classes"],
                "content_sha256": data.info["content_sha256"],
            },
            "versions": {"medgan": __version__, "torch": torch.__version__},
        }
