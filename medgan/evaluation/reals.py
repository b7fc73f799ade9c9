"""The real images of a data set that a scorecard compares with: training and held-out ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN, VALIDATION
from medgan.errors import DataError

FEWEST = 2
"""Images on either side below which there is nothing to compare."""
SPLITS = (TEST, VALIDATION)


@dataclass(frozen=True)
class Reals:
    """`train` and `heldout` uint8 `(n, H, W, C)`, each with the places of its images in the data set and
    their classes by name, and the group (patient, near copies) of each training image."""

    train: np.ndarray
    heldout: np.ndarray
    train_index: np.ndarray
    heldout_index: np.ndarray
    groups: np.ndarray
    train_classes: np.ndarray
    heldout_classes: np.ndarray


def read_reals(dataset: Dataset, split: str) -> Reals:
    """The training part and the part `split`; DataError if one of them has fewer than two images."""
    parts = np.array(dataset.column("split"))
    places = {name: np.flatnonzero(parts == name) for name in (TRAIN, split)}
    for name, found in places.items():
        if len(found) < FEWEST:
            raise DataError(
                f"{dataset.name} holds {len(found)} images "
                f"{'out' if name == TEST else f'for {name}'}, and {FEWEST} or more are needed; prepare it "
                "again with a larger part (--split) or more images."
            )
    labels = np.array(dataset.column("class"))
    groups = np.array(dataset.groups())
    return Reals(
        train=np.asarray(dataset.images[places[TRAIN]]),
        heldout=np.asarray(dataset.images[places[split]]),
        train_index=places[TRAIN],
        heldout_index=places[split],
        groups=groups[places[TRAIN]],
        train_classes=labels[places[TRAIN]],
        heldout_classes=labels[places[split]],
    )
