"""A convolutional network with random weights: features where nothing can be downloaded.

Random filters, untrained, still tell distributions apart (Naeem et al. 2020 judge by an untrained VGG),
but with plain random weights everything drowns in brightness. So filters have zero mean and unit norm
here, and what is kept is the logarithm of how strongly each filter answers at each scale, and the steps
from scale to scale: those move with blur, noise and checkerboards whatever the contrast is.

The weights are the same on every machine: whole numbers from numpy's RandomState, whose stream is frozen
for good (NEP 19), made zero-mean in integer arithmetic, and then one square root and one division, which
IEEE 754 rounds correctly. Features agree but for the rounding of the convolutions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d

SEED = 0
WIDTHS = (32, 64)
LEVELS = 4
PLACES = 4
"""The image itself enters as a grid of 4 x 4 mean colours."""
LOUDNESS = 0.005
"""Added before the logarithm: answers far below it, a fraction of a grey level, count as none."""
USUAL = -3.0
"""About the logarithm of an answer to real images; subtracted so that features vary around zero."""
COLOUR_GAIN, STRENGTH_GAIN, STEP_GAIN = 2.0, 0.6, 2.0
"""Chosen on two sets of real images so that blur, noise, checkerboards and collapse all stand out."""


class RandomPyramid(nn.Module):
    """`(B, 3, 128, 128)` in [-1, 1] to `(B, dimensions)`: colours, strengths, and steps between scales."""

    first: Tensor
    second: Tensor
    dimensions = 3 * PLACES**2 + sum(WIDTHS) * (2 * LEVELS - 1)

    def __init__(self, seed: int = SEED) -> None:
        super().__init__()
        random = np.random.RandomState(seed)
        self.register_buffer("first", _filters(random, WIDTHS[0], 3, 5))
        self.register_buffer("second", _filters(random, WIDTHS[1], WIDTHS[0], 3))

    def forward(self, images: Tensor) -> Tensor:
        """Features `(B, dimensions)`."""
        levels = []
        scaled = images
        for _ in range(LEVELS):
            levels.append(self._strengths(scaled))
            scaled = avg_pool2d(scaled, 2)
        colours = adaptive_avg_pool2d(images, PLACES).flatten(1) * COLOUR_GAIN
        strengths = [(level - USUAL) * STRENGTH_GAIN for level in levels]
        steps = [(fine - coarse) * STEP_GAIN for fine, coarse in zip(levels, levels[1:], strict=False)]
        return torch.cat([colours, *strengths, *steps], dim=1)

    def _strengths(self, images: Tensor) -> Tensor:
        """Log of the mean answer of every filter. No padding: its edge would be the strongest edge."""
        one = conv2d(images, self.first).relu()
        two = conv2d(avg_pool2d(one, 2), self.second).relu()
        return (torch.cat([one.mean(dim=(2, 3)), two.mean(dim=(2, 3))], dim=1) + LOUDNESS).log()


def _filters(random: np.random.RandomState, count: int, channels: int, side: int) -> Tensor:
    """`(count, channels, side, side)` with zero mean and unit norm each."""
    shape = (count, channels * side * side)
    whole = random.randint(-128, 129, size=shape, dtype=np.int64)
    centred = whole * shape[1] - whole.sum(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1, keepdims=True).astype(np.float64))
    weights = (centred / norms).astype(np.float32)
    return torch.from_numpy(weights.reshape(count, channels, side, side))
