"""The release gate: which generated images may leave, because they are neither copies of training images nor
of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import MedGANError
from medgan.metrics.copies import (
    Levels,
    contrast_free,
    level_of_repeats,
    levels,
    nearest_over_turns,
    turned,
)
from medgan.metrics.distribution import distances
from medgan.metrics.features import pixels
from medgan.runs.info import ModelInfo, trained_on
from medgan.workspace import Workspace

PASSED, COPY, REPEAT, UNCHECKED = "passed", "copy", "repeat", "unchecked"
OUT_OF_REACH = (
    "The data set that this model was trained on is not at hand, so nobody can check whether its images are "
    "copies; prepare it on the Data page, or name its folder with --dataset."
)


@dataclass(frozen=True)
class Judgement:
    """Whether an image may leave, and its distance to the nearest training image (0: the same, about 1.4: as
    unlike as noise; brightness, contrast, flips and quarter turns do not count), and which one that is."""

    verdict: str
    distance: float
    train: int


class Gate:
    """Judges images one after another. A copy is what the scorecard calls one (`medgan.metrics.copies`). A
    repeat is a near duplicate of one of the images that passed last, as many as there are training images:
    among more, some are near each other by chance, and the memory stays bounded.

    `train` is uint8 `(n, S, S, C)`, `groups` names each image's patient or near copies. MetricError where
    there are too few training images to say what a copy is. `content` is the hash of their data set.
    """

    def __init__(self, train: np.ndarray, groups: Sequence[str] | np.ndarray, content: str = "") -> None:
        self.content = content
        self._train = list(turned(comparable(train)))
        self._levels: Levels = levels(self._train, groups)
        self._repeat = level_of_repeats(self._train[0], groups)
        self.forget()

    def forget(self) -> None:
        """Forget which images passed."""
        self._last = np.empty((0, self._train[0].shape[1]), np.float32)

    def judge(self, images: np.ndarray, most: int | None = None) -> list[Judgement]:
        """uint8 `(N, S, S, C)`, in the order in which they would leave. After the one that is the `most`th to
        pass no more are judged: what nobody wants is not to be remembered as having left."""
        rows = comparable(images)
        best, _ = nearest_over_turns(turned(rows), self._train)
        copies = self._levels.copies(best)
        found = []
        for k, row in enumerate(rows):
            verdict = COPY if copies[k] else REPEAT if self._seen(row) else PASSED
            if verdict == PASSED:
                self._last = np.concatenate([self._last, row[None]])[-len(self._train[0]) :]
            found.append(Judgement(verdict, float(best[k].min()), int(best[k].argmin())))
            if most is not None and sum(one.verdict == PASSED for one in found) >= most:
                break
        return found

    def remember(self, images: np.ndarray) -> None:
        """Images that passed earlier, uint8 `(N, S, S, C)`, the last ones last."""
        rows = np.concatenate([self._last, comparable(images)])
        self._last = rows[-len(self._train[0]) :]

    @property
    def memory(self) -> int:
        """How many of the images that passed last are remembered."""
        return len(self._train[0])

    def _seen(self, row: np.ndarray) -> bool:
        return len(self._last) > 0 and bool((distances(row[None], self._last) < self._repeat).any())


def comparable(images: np.ndarray) -> np.ndarray:
    """uint8 `(N, S, S, C)` as rows whose distances tell copies, however bright they are."""
    return contrast_free(pixels().extract(images))


def gate_of(dataset: Dataset) -> Gate:
    """The gate before images of a model that was trained on the training part of `dataset`."""
    parts = np.array(dataset.column("split"))
    groups = np.array(dataset.groups())
    return Gate(dataset.part(TRAIN), groups[parts == TRAIN], str(dataset.info.get("content_sha256", "")))


def training_set(info: ModelInfo, workspace: Workspace) -> Dataset | None:
    """The data set in the workspace that the model was trained on, known by its content; None if it is not
    there."""
    wanted = trained_on(info.about)
    for folder in sorted(workspace.datasets.glob("*/dataset.json")) if wanted else ():
        try:
            dataset = Dataset(folder.parent)
        except MedGANError:
            continue
        if dataset.info.get("content_sha256") == wanted:
            return dataset
    return None
