"""The images that the arms of a study are made of, made again by name whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN
from medgan.generation.sampling import sample
from medgan.metrics.utility import Jury
from medgan.studies.arms import AUGMENTED, REAL, Member, pool_size
from medgan.studies.augment import augmented

BATCH = 32


@dataclass(frozen=True)
class Sources:
    """`labels` names the classes; `real` are the training images of each, uint8 `(n, H, W, C)`, `test` and
    `jury` the images that judge, and `generators` a model of each class, in eval mode."""

    labels: tuple[str, ...]
    real: tuple[np.ndarray, ...]
    test: np.ndarray
    jury: Jury
    generators: tuple[nn.Module, ...] = ()

    def counts(self) -> list[int]:
        """Real training images of each class."""
        return [len(images) for images in self.real]

    def size(self, source: str, label: int) -> int:
        """How many images there are of a source and a class."""
        return len(self.real[label]) if source == REAL else pool_size(source, len(self.real[label]))

    def images(self, source: str, label: int, indices: Sequence[int]) -> np.ndarray:
        """Images by their indices, uint8 `(len(indices), H, W, C)`."""
        real = self.real[label]
        if source == REAL:
            return real[list(indices)]
        if source == AUGMENTED:
            return np.stack(
                [augmented(real[k % len(real)], np.random.default_rng([label, k])) for k in indices]
            )
        return sample(self.generators[label], list(indices))

    def batches(self, source: str, label: int) -> Iterator[np.ndarray]:
        """All images of a source and a class, a few at a time."""
        total = self.size(source, label)
        for start in range(0, total, BATCH):
            yield self.images(source, label, range(start, min(start + BATCH, total)))

    def of(self, members: Sequence[Member]) -> np.ndarray:
        """The images of an arm, in order."""
        found = np.empty((len(members), *self.test.shape[1:]), np.uint8)
        for source, label in sorted({(member.source, member.label) for member in members}):
            places = [k for k, m in enumerate(members) if (m.source, m.label) == (source, label)]
            found[places] = self.images(source, label, [members[k].index for k in places])
        return found


def of_dataset(data: Dataset, labels: Sequence[str], generators: Sequence[nn.Module] = ()) -> Sources:
    """The images of the classes `labels` of a prepared set; its validation part is left alone."""
    rows = {part: {label: list[int]() for label in labels} for part in (TRAIN, TEST)}
    groups = dict[int, str]()
    for k, row in enumerate(data.manifest):
        if row["split"] in rows and row["class"] in labels:
            rows[row["split"]][row["class"]].append(k)
            groups[k] = row["group"]
    test = [k for label in labels for k in rows[TEST][label]]
    truth = [position for position, label in enumerate(labels) for _ in rows[TEST][label]]
    return Sources(
        labels=tuple(labels),
        real=tuple(np.asarray(data.images[rows[TRAIN][label]]) for label in labels),
        test=np.asarray(data.images[test]),
        jury=Jury(np.array(truth, dtype=int), np.array([groups[k] for k in test]), len(labels)),
        generators=tuple(generators),
    )
