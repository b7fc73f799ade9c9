"""The real images that generated ones resemble most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN, VALIDATION
from medgan.generation.gate import comparable
from medgan.metrics.copies import nearest_over_turns, turned


@dataclass(frozen=True)
class Nearest:
    """A real image uint8 `(H, W, C)`, its place in the data set, and its distance (0: the same, about 1.4: as
    unlike as noise; brightness, contrast, flips and quarter turns do not count)."""

    image: np.ndarray
    place: int
    distance: float


class Reals:
    """The training and the held-out images of a data set, to look for the nearest of each."""

    def __init__(self, dataset: Dataset) -> None:
        parts = np.array(dataset.column("split"))
        self._images = dataset.images
        self._sides = {}
        for side, names in (("training", [TRAIN]), ("held-out", [TEST, VALIDATION])):
            places = np.flatnonzero(np.isin(parts, names))
            if len(places):
                rows = comparable(np.asarray(self._images[places]))
                self._sides[side] = (places, list(turned(rows)))

    def nearest(self, image: np.ndarray) -> dict[str, Nearest]:
        """The nearest `training` and `held-out` image of uint8 `(S, S, C)`, of those sides that have any."""
        row = comparable(image[None])
        found = {}
        for side, (places, reals) in self._sides.items():
            best, _ = nearest_over_turns(turned(row), reals)
            k = int(best[0].argmin())
            place = int(places[k])
            found[side] = Nearest(np.asarray(self._images[place]), place, float(best[0, k]))
        return found
