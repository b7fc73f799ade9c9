"""Heat maps as pictures: where an image is not what a model of normal ones makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from medgan.images import grid, to_channels

RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=float)
"""From nothing to much: dark, violet, red, orange, pale yellow (after matplotlib's inferno)."""
NORMAL, OTHER = (70, 130, 180), (200, 60, 50)
MARK = 3


def ramp(heat: np.ndarray, top: float) -> np.ndarray:
    """Float `(H, W)` from 0 to `top` (more is cut) as uint8 `(H, W, 3)`."""
    place = np.clip(heat / top, 0, 1) * (len(RAMP) - 1)
    colours = [np.interp(place, np.arange(len(RAMP)), RAMP[:, c]) for c in range(3)]
    picture: np.ndarray = np.rint(np.stack(colours, axis=-1)).astype(np.uint8)
    return picture


def sheet(
    images: np.ndarray, rebuilt: np.ndarray, heat: np.ndarray, top: float, other: Sequence[bool]
) -> Image.Image:
    """Images, what the model makes of them, and the heat maps, in triples, two of them a row.

    uint8 `(N, H, W, C)` twice and float `(N, H, W)`. A bar on the left of each image says whether it is of
    another class (red) or normal (blue).
    """
    cells = []
    for k, image in enumerate(images):
        first = to_channels(image, 3).copy()
        first[:, :MARK] = OTHER if other[k] else NORMAL
        cells += [first, to_channels(rebuilt[k], 3), ramp(heat[k], top)]
    return grid(np.stack(cells), columns=6)
