"""Everything that the parts of a scorecard compute from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from medgan.evaluation.encoded import Features, References
from medgan.evaluation.figures import Basis
from medgan.evaluation.judged import Judged
from medgan.evaluation.reals import Reals
from medgan.evaluation.remembered import remembered
from medgan.evaluation.watch import Watch
from medgan.metrics.features import FeatureNetwork

T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """`features` are the network's, `pixels` plain pixels without brightness and contrast, `kept` the first
    generated images; `key` says all that figures of these images depend on."""

    judged: Judged
    reals: Reals
    beside: References
    network: FeatureNetwork
    features: Features
    pixels: Features
    kept: np.ndarray
    seed: int
    resamples: int
    lpips: str
    watch: Watch
    key: str

    def remembered(self, name: str, compute: Callable[[], T]) -> T:
        """The JSON value that `compute` gives, or gave for the same images and settings (`key`) before."""
        return remembered(f"{self.key} {name}", compute)

    def basis(self, features: Features | None = None, *, reals: int | None = None) -> Basis:
        """What a figure of all generated images against the held-out ones (or `reals` others) stands on."""
        count = len(self.reals.heldout) if reals is None else reals
        named = (features.name, features.sha256) if features else (None, None)
        return Basis(len(self.judged), count, self.seed, *named)

    @property
    def real_sample(self) -> np.ndarray:
        """Training images in the place of the generated ones: what other reals have."""
        return self.features.shuffled_train(len(self.judged), self.seed)
