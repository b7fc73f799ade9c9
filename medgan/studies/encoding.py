"""f-AnoGAN's second stage (Schlegl et al. 2019): an encoder learns to find the latent of a normal image,
the generator and the discriminator being frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.errors import CheckpointError, ConfigError, Interrupted
from medgan.images import to_float, to_uint8
from medgan.metrics.anomaly import residual
from medgan.models.encoder import Encoder, Features, build_encoder
from medgan.runs.discriminator import load_discriminator
from medgan.runs.info import has_discriminator

BATCH = 16
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)
ITERATIONS = 1000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Judge:
    """All frozen, in eval mode: the generator, its encoder, and the discriminator's features if there are."""

    generator: nn.Module
    encoder: Encoder
    features: Features | None

    @property
    def method(self) -> str:
        """`izi_f` with the discriminator's features, else `izi`."""
        return "izi" if self.features is None else "izi_f"

    def residuals(self, images: Tensor) -> Tensor:
        """The loss and score of float `(N, C, H, W)` in [-1, 1], `(N,)`."""
        rebuilt = self.generator(self.encoder(images))
        if self.features is None:
            return residual(images, rebuilt)
        return residual(images, rebuilt, self.features(images), self.features(rebuilt))

    @torch.no_grad()
    def scores(self, images: np.ndarray) -> np.ndarray:
        """Scores of uint8 `(N, H, W, C)`, `(N,)`; each is the same in any batch."""
        return torch.cat([self.residuals(to_float(some)) for some in _batches(images)]).double().numpy()

    @torch.no_grad()
    def rebuilt(self, images: np.ndarray) -> np.ndarray:
        """G(E(x)), uint8 `(N, H, W, C)`."""
        return np.concatenate(
            [to_uint8(self.generator(self.encoder(to_float(some)))) for some in _batches(images)]
        )


def discriminator_features(folder: Path) -> Features | None:
    """The features of a checkpoint's discriminator; None where the folder holds none (a packed model)."""
    if not has_discriminator(folder):
        return None
    try:
        return Features(load_discriminator(folder))
    except (CheckpointError, ConfigError):
        return None  # pixels alone then, which the result says


def train_encoder(
    images: np.ndarray,
    *,
    generator: nn.Module,
    features: Features | None,
    config: ModelConfig,
    iterations: int,
    seed: int,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Progress = lambda what, done, total: None,
) -> Judge:
    """Train on normal images, uint8 `(N, H, W, C)`; the loss is the mean of their scores.

    The same seed gives the same encoder. Interrupted where `interrupted()` turns true; nothing is kept.
    """
    encoder = build_encoder(config, seed)
    judge = Judge(generator, encoder, features)
    optimizer = torch.optim.Adam(encoder.parameters(), LEARNING_RATE, betas=BETAS)
    random = np.random.default_rng(seed)
    encoder.train()
    for step in range(iterations):
        if interrupted():
            raise Interrupted("Stopped; nothing was written.")
        chosen = random.choice(len(images), min(BATCH, len(images)), replace=False)
        loss = judge.residuals(to_float(images[chosen])).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress("Encoder step", step + 1, iterations)
    encoder.eval().requires_grad_(False)
    return judge


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[at : at + BATCH] for at in range(0, len(images), BATCH)]
