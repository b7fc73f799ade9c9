"""The leak check: the two most alike images that stand on two sides of the split.

Groups are made by how much thumbnails differ, so that measure alone would find nothing where they are. The
check therefore looks at something else as well: the fine detail of two images, whatever their brightness,
contrast and orientation. How the level was found: `docs/splits.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medgan.data.distances import NEAR, VALUES, squared_distances, typical_square
from medgan.data.split import TRAIN

Array = np.ndarray

ALIKE = 0.84
"""From this correlation of their details up two images usually show the same body. Of a chest CT set without
patients every pair above it that was looked at does; of a dermoscopy set none comes near (0.76; 0.80 if
prepared at 64 pixels)."""
_BLOCK = 1024
_AROUND = 3
"""Detail is what differs from the mean of the 7x7 pixels around."""
_FAINT = 4 * 32 * 32
"""A sum of squares below this (two grey levels a pixel) is noise, which says nothing."""


@dataclass(frozen=True)
class Leak:
    """The most alike pair across the split: image `first` trains, `second` is in `part`.

    `likeness` is the correlation of their details, 0 to 1. `distance` is the root mean square difference of
    their 32x32 thumbnails in grey levels, 0-255; `typical` is the median between two images of the set.
    """

    first: int
    second: int
    part: str
    distance: float
    typical: float
    likeness: float = 0.0

    @property
    def ratio(self) -> float:
        """`distance` as a share of `typical`; 0 is the same picture, below `NEAR` they look alike."""
        return self.distance / self.typical if self.typical else 0.0

    @property
    def warning(self) -> str:
        """What it means if the two look alike, else ""."""
        if self.likeness >= ALIKE:
            how = f"agree in their details to {self.likeness:.2f} of 1, as two images of one body do"
        elif self.ratio <= NEAR:
            how = f"differ by only {self.ratio:.0%} of what two images of this set usually differ by"
        else:
            return ""
        return (
            f"The two most alike images of training and {self.part} {how}. If they show the same patient, "
            f"figures on the {self.part} part flatter; look at them, and name the patients if you can."
        )

    @property
    def words(self) -> str:
        """The finding in one sentence."""
        return (
            f"The two most alike images of training and {self.part} agree in their details to "
            f"{self.likeness:.2f} of 1 (from {ALIKE:.2f} up they may show the same body or lesion) and "
            f"differ by {self.distance:.1f} of 255 grey levels, {self.ratio:.0%} of the usual "
            f"{self.typical:.1f} between two images (at or below {NEAR:.0%} they may, too)."
        )


def nearest_across(thumbs: Array, splits: Sequence[str]) -> Leak | None:
    """The most alike pair of a training image and one of another part: by their details, or by their
    difference where that alone is small; of equals the first. None if one side is empty. `thumbs` is uint8
    `(N, 32, 32, 3)`."""
    sides = np.asarray(splits)
    train, others = np.flatnonzero(sides == TRAIN), np.flatnonzero(sides != TRAIN)
    if not len(train) or not len(others):
        return None
    details = _details(thumbs)
    typical = math.sqrt(typical_square(thumbs) / VALUES)

    def leak(first: int, second: int) -> Leak:
        pair = np.array([first]), np.array([second])
        square = float(squared_distances(thumbs[pair[0]], thumbs[pair[1]])[0, 0])
        likeness = math.sqrt(float(_likeness(details, *pair)[0, 0]))
        return Leak(first, second, splits[second], math.sqrt(square / VALUES), typical, likeness)

    alike = leak(*_best(train, others, lambda rows, columns: -_likeness(details, rows, columns)))
    near = leak(*_best(train, others, lambda rows, columns: squared_distances(thumbs[rows], thumbs[columns])))
    return alike if alike.warning or not near.warning else near


def _best(train: Array, others: Array, measure: Callable[[Array, Array], Array]) -> tuple[int, int]:
    """The pair for which `measure` is lowest."""
    best = (math.inf, -1, -1)
    for rows in (train[k : k + _BLOCK] for k in range(0, len(train), _BLOCK)):
        for columns in (others[k : k + _BLOCK] for k in range(0, len(others), _BLOCK)):
            values = measure(rows, columns)
            i, j = divmod(int(values.argmin()), len(columns))
            best = min(best, (float(values[i, j]), int(rows[i]), int(columns[j])))
    return best[1:]


def _details(thumbs: Array) -> Array:
    """float32 `(N, 32, 32)`: each grey pixel less the mean of those around it, in whole grey levels up to
    127, so that float32 adds 1,024 products exactly, in any order (below 2^24)."""
    details = np.empty((len(thumbs), 32, 32), dtype=np.float32)
    width = 2 * _AROUND + 1
    for k, thumb in enumerate(thumbs):
        grey = np.asarray(Image.fromarray(thumb).convert("L"), dtype=np.int64)
        sums = np.pad(np.pad(grey, _AROUND, mode="edge").cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        around = sums[width:, width:] - sums[:-width, width:] - sums[width:, :-width] + sums[:-width, :-width]
        details[k] = np.clip((2 * (width**2 * grey - around) + width**2) // (2 * width**2), -127, 127)
    return details


def _likeness(details: Array, rows: Array, columns: Array) -> Array:
    """float64 `(rows, columns)`: the squared correlation of details in the best of eight orientations. Both
    sides of the one division are whole numbers below 2^53, so it comes out the same everywhere."""
    first, second = details[rows].reshape(len(rows), -1), details[columns]
    best = np.zeros((len(rows), len(columns)), dtype=np.float32)
    for way in (second, second.swapaxes(1, 2)):
        for turned in (way, way[:, ::-1], way[:, :, ::-1], way[:, ::-1, ::-1]):
            np.maximum(best, first @ turned.reshape(len(columns), -1).T, out=best)
    squares = (details[rows] ** 2).sum(axis=(1, 2)), (second**2).sum(axis=(1, 2))
    ours, theirs = (np.where(each >= _FAINT, each.astype(np.float64), 0.0) for each in squares)
    scale = np.outer(ours, theirs)
    product = best.astype(np.float64) ** 2
    likeness: Array = np.divide(product, scale, out=np.zeros_like(scale), where=scale > 0)
    return likeness
