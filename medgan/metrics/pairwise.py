"""Figures of one image against another, and which image is compared with which.

PSNR and MS-GMSD are `piq`'s. `real` are held-out images, `fake` are those that are judged (generated, or
a reference row such as the mean image); each figure is one number a pair, never averaged here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medgan.errors import MetricError

PSNR_CAP = 80.0
"""dB. The PSNR of identical images is infinite, and one such pair would make every mean infinite; piq
adds 1e-8 to the squared error, so it ends at 80 dB. Only copies come near it: one grey level of
difference everywhere is 48 dB."""
SMALLEST = 17
"""Shortest side in pixels that MS-GMSD's four scales need."""
_ROUNDING = 1e-3
_BLOCK = 64


@dataclass(frozen=True)
class Pairs:
    """Pair k is image `fake[k]` against held-out image `real[k]`; integers of shape `(P,)`."""

    fake: np.ndarray
    real: np.ndarray

    def __len__(self) -> int:
        return len(self.fake)


def psnr(*, real: Tensor, fake: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair in dB, higher is better, at most `PSNR_CAP`.

    `real` and `fake` are `(N, C, H, W)` float in [-1, 1], C 1 or 3; returns `(N,)`. The peak is the
    whole width of the range: taking 1 for images in [-1, 1] would be 6.02 dB too low. MetricError if
    shapes or ranges do not fit. Source: piq.psnr on [0, 1], `10 log10(1 / (MSE + 1e-8))`.
    """
    import piq

    real, fake = _unit_range(real, fake)
    values: Tensor = piq.psnr(fake, real, data_range=1.0, reduction="none")
    return values


def ms_gmsd(*, real: Tensor, fake: Tensor) -> Tensor:
    """Multi-scale gradient magnitude similarity deviation of each pair, lower is better, 0 if identical.

    `real` and `fake` are `(N, C, H, W)` float in [-1, 1], C 1 or 3, sides of 17 or more; returns `(N,)`.
    Colour is judged by its luminance alone. MetricError if shapes or ranges do not fit. Source:
    piq.multi_scale_gmsd with its defaults (Zhang et al. 2017, not chromatic).
    """
    import piq

    real, fake = _unit_range(real, fake)
    if min(real.shape[2:]) < SMALLEST:
        raise MetricError(f"MS-GMSD needs images of {SMALLEST} x {SMALLEST} pixels or more.")
    values: Tensor = piq.multi_scale_gmsd(fake, real, data_range=1.0, reduction="none")
    return values


def random_pairs(*, real: int, fake: int, per_image: int, seed: int) -> Pairs:
    """Each of `fake` images against `per_image` different ones of `real` held-out images (all of them
    where there are no more), drawn by `seed`."""
    if real < 1 or fake < 1:
        raise MetricError("Nothing to compare: there must be at least one image on each side.")
    rng = np.random.default_rng(seed)
    per_image = min(per_image, real)
    chosen = rng.permuted(np.tile(np.arange(real), (fake, 1)), axis=1)[:, :per_image]
    return Pairs(np.repeat(np.arange(fake), per_image), chosen.reshape(-1))


def nearest_pairs(*, real: Tensor, fake: Tensor) -> Pairs:
    """Each image of `fake` `(N, C, H, W)` against that of `real` `(M, C, H, W)` with the smallest mean
    squared pixel difference; float in [-1, 1]."""
    check_images(real)
    check_images(fake)
    if real.shape[1:] != fake.shape[1:] or not len(real) or not len(fake):
        raise MetricError(f"Images of {tuple(real.shape)} and {tuple(fake.shape)} cannot be compared.")
    # |a - b|^2 = |a|^2 + |b|^2 - 2ab, and |a|^2 is the same for all candidates b.
    flat = real.reshape(len(real), -1)
    squares = flat.square().sum(dim=1)
    nearest = []
    for start in range(0, len(fake), _BLOCK):
        block = fake[start : start + _BLOCK]
        nearest.append((squares - 2 * block.reshape(len(block), -1) @ flat.T).argmin(dim=1))
    return Pairs(np.arange(len(fake)), torch.cat(nearest).cpu().numpy())


def check_images(images: Tensor) -> None:
    """MetricError unless `images` is `(N, C, H, W)`, floating, C 1 or 3, finite and within [-1, 1]."""
    if images.dim() != 4 or images.shape[1] not in (1, 3) or not images.is_floating_point():
        raise MetricError(
            f"Images must be float of shape (N, 1 or 3, H, W), not {images.dtype} of {tuple(images.shape)}."
        )
    if not len(images):
        return
    low, high = (float(value) for value in images.aminmax())
    if not (low >= -1 - _ROUNDING and high <= 1 + _ROUNDING):  # also false for NaN
        raise MetricError(f"Images must be in [-1, 1]; these go from {low:g} to {high:g}.")


def _unit_range(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    check_images(real)
    check_images(fake)
    if real.shape != fake.shape:
        raise MetricError(f"Pairs need equal shapes, not {tuple(real.shape)} and {tuple(fake.shape)}.")
    return ((real + 1) / 2).clamp(0, 1), ((fake + 1) / 2).clamp(0, 1)
