"""Seeded sampling. A seed names an image: seed k is the same picture alone, in any batch, in any order.

Two things make it so: each seed draws its latent from a generator of its own, and images are computed
in eval mode, in fp32, in batches of one fixed shape (a convolution may round differently in batches of
another size).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from medgan.errors import ConfigError
from medgan.images import to_uint8

BATCH = 8
"""Seeds computed together; the last batch is filled up, so that its shape is the same."""
MAX_SEED = 2**31 - 1


def latents_of(seeds: Sequence[int], size: int) -> Tensor:
    """`(len(seeds), size)` float32, N(0, 1): `torch.manual_seed(seed); torch.randn(size)` for each."""
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"Seed {seed} is not possible; seeds are 0 to {MAX_SEED}.")
    rows = [torch.randn(size, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, size)


def sample(generator: nn.Module, seeds: Sequence[int]) -> np.ndarray:
    """Images of `seeds`, uint8 `(len(seeds), H, W, C)`. `generator` is in eval mode. ConfigError if there
    are no seeds."""
    if not len(seeds):
        raise ConfigError("No seeds given; name at least one.")
    batches = list(sample_batches(generator, seeds))
    return np.concatenate(batches)


@torch.inference_mode()
def sample_batches(generator: nn.Module, seeds: Sequence[int]) -> Iterator[np.ndarray]:
    """As `sample`, `BATCH` images at a time, for counts that do not fit into memory."""
    device = next(generator.parameters()).device
    for start in range(0, len(seeds), BATCH):
        chunk = list(seeds[start : start + BATCH])
        latents = latents_of(chunk + [chunk[-1]] * (BATCH - len(chunk)), int(generator.latent))  # type: ignore[arg-type]
        yield to_uint8(generator(latents.to(device)))[: len(chunk)]


@torch.no_grad()
def with_standing_statistics(generator: nn.Module, batch_size: int, batches: int = 16) -> nn.Module:
    """A copy of `generator` in eval mode, its batch norm set to the mean statistics of `batches` fixed
    batches.

    The paper (like the DCGAN tutorial) draws samples with batch norm in train mode, where an image
    depends on the others in its batch and a seed names nothing. Averaging the statistics of such
    batches and freezing them (BigGAN's standing statistics, Brock 2019) keeps the look and gives every
    seed one image. The running average of training is not that: it lags behind the weights.
    """
    copied = copy.deepcopy(generator)
    norms = [m for m in copied.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches that follow
    copied.train()
    device = next(copied.parameters()).device
    for k in range(batches):
        seeds = range(MAX_SEED - (k + 1) * batch_size, MAX_SEED - k * batch_size)  # seldom asked for
        copied(latents_of(seeds, int(copied.latent)).to(device))  # type: ignore[arg-type]
    return copied.eval()
