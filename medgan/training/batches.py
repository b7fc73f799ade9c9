"""What each iteration sees: a function of the seed and the step alone, so that a resumed run sees what
an uninterrupted one would have seen, with no random state to save."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from medgan.images import to_float

ORDER, LATENTS, CHANCE = 0, 1, 2  # independent random streams


class Batches:
    """Real batches out of uint8 images `(N, H, W, C)` that stay on the device."""

    def __init__(
        self, images: np.ndarray, batch_size: int, seed: int, device: torch.device | None = None
    ) -> None:
        self.images = torch.from_numpy(np.ascontiguousarray(images)).to(device or "cpu")
        self.batch_size = batch_size
        self.seed = seed
        self.per_epoch = -(-len(images) // batch_size)

    def to(self, device: torch.device) -> None:
        """Move the images to `device`, where they stay."""
        self.images = self.images.to(device)

    def indices(self, step: int) -> np.ndarray:
        """Which images step `step` (from 0) sees; the last batch of an epoch may be smaller."""
        epoch, k = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, ORDER, epoch]).permutation(len(self.images))
        return order[k * self.batch_size : (k + 1) * self.batch_size]

    def real(self, step: int) -> Tensor:
        """float `(n, C, H, W)` in [-1, 1] on the device."""
        return self.pick(self.indices(step))

    def pick(self, indices: np.ndarray) -> Tensor:
        """These images, as `real` gives them."""
        index = torch.from_numpy(indices).to(self.images.device, non_blocking=True)
        return to_float(self.images[index])

    def images_seen(self, step: int) -> int:
        """Real images shown in the first `step` iterations."""
        epochs, rest = divmod(step, self.per_epoch)
        return epochs * len(self.images) + min(rest * self.batch_size, len(self.images))


def latents(seed: int, step: int, count: int, size: int) -> Tensor:
    """Training latents `(count, size)` of step `step`, N(0, 1), on the CPU."""
    return torch.randn(count, size, generator=_stream(seed, LATENTS, step))


def chances(seed: int, step: int, count: int, size: int) -> Tensor:
    """Uniform numbers `(count, 2, size)` for the augmentation of the real and the generated images of step
    `step`, in [0, 1), on the CPU."""
    return torch.rand(count, 2, size, generator=_stream(seed, CHANCE, step))


def _stream(seed: int, which: int, step: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, which, step]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
