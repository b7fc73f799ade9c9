"""The leak check: the two most alike images that stand on two sides of the split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medgan.data.distances import NEAR, VALUES, squared_distances, typical_square
from medgan.data.split import TRAIN

Array = np.ndarray
_BLOCK = 1024


@dataclass(frozen=True)
class Leak:
    """The nearest pair across the split: image `first` trains, `second` is in `part`.

    Distances are root mean square differences of 32x32 thumbnails in grey levels, 0-255; `typical` is the
    median between two images of the set.
    """

    first: int
    second: int
    part: str
    distance: float
    typical: float

    @property
    def ratio(self) -> float:
        """`distance` as a share of `typical`; 0 is the same picture, below `NEAR` they look alike."""
        return self.distance / self.typical if self.typical else 0.0

    @property
    def warning(self) -> str:
        """What it means if the two look alike, else ""."""
        if self.ratio > NEAR:
            return ""
        return (
            f"The two most alike images of training and {self.part} differ by only {self.ratio:.0%} of what "
            "two images of this set usually differ by. If they show the same patient, figures on the "
            f"{self.part} part flatter; look at them, and name the patients if you can."
        )

    @property
    def words(self) -> str:
        """The finding in one sentence."""
        return (
            f"The two most alike images of training and {self.part} differ by {self.distance:.1f} of 255 "
            f"grey levels, {self.ratio:.0%} of the usual {self.typical:.1f} between two images "
            f"(at or below {NEAR:.0%} they may show the same body or lesion)."
        )


def nearest_across(thumbs: Array, splits: Sequence[str]) -> Leak | None:
    """The most alike pair of a training image and one of another part; of equals the first. None if one
    side is empty. `thumbs` is uint8 `(N, 32, 32, 3)`."""
    sides = np.asarray(splits)
    train, others = np.flatnonzero(sides == TRAIN), np.flatnonzero(sides != TRAIN)
    if not len(train) or not len(others):
        return None
    best = (math.inf, -1, -1)
    for rows in (train[k : k + _BLOCK] for k in range(0, len(train), _BLOCK)):
        for columns in (others[k : k + _BLOCK] for k in range(0, len(others), _BLOCK)):
            distances = squared_distances(thumbs[rows], thumbs[columns])
            i, j = divmod(int(distances.argmin()), len(columns))
            best = min(best, (float(distances[i, j]), int(rows[i]), int(columns[j])))
    square, first, second = best
    distance, typical = (math.sqrt(value / VALUES) for value in (square, typical_square(thumbs)))
    return Leak(first, second, splits[second], distance, typical)
