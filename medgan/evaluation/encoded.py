"""All images of a scorecard as features, each computed once and kept on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medgan.evaluation.judged import Judged
from medgan.evaluation.reals import Reals
from medgan.evaluation.references import blurred
from medgan.evaluation.watch import Watch
from medgan.metrics.copies import contrast_free
from medgan.metrics.feature_cache import cached, cached_stream
from medgan.metrics.features import FeatureNetwork

KEPT = 256
"""Generated images that stay in memory: for pictures, for LPIPS, MS-SSIM and the paper's figures. As many of
noise and of blurred images stand beside."""
_ROWS = 1024


@dataclass(frozen=True)
class Features:
    """Features `(n, D)` of each set of images in one network."""

    name: str
    sha256: str
    generated: np.ndarray
    train: np.ndarray
    heldout: np.ndarray
    noise: np.ndarray
    blurred: np.ndarray

    def shuffled_train(self, count: int, seed: int) -> np.ndarray:
        """At most `count` of the training images, which stand for generated ones where reals are compared
        with reals."""
        return self.train[np.random.default_rng(seed).permutation(len(self.train))[:count]]


@dataclass(frozen=True)
class References:
    """Images that no generator made, uint8: uniform noise, and the training images blurred."""

    noise: np.ndarray
    blurred: np.ndarray


def references(reals: Reals, *, count: int, seed: int) -> References:
    """At most `KEPT` of each; the same for the same data set and seed."""
    random = np.random.default_rng(seed)
    count = min(count, KEPT)
    noise = random.integers(0, 256, size=(count, *reals.train.shape[1:]), dtype=np.uint8)
    chosen = np.sort(random.permutation(len(reals.train))[:count])
    return References(noise, blurred(reals.train[chosen]))


def encode(
    network: FeatureNetwork, judged: Judged, reals: Reals, beside: References, *, folder: Path, watch: Watch
) -> Features:
    """Features of all sets by `network`, through the cache in `folder`."""
    stage = f"Features ({network.name})"
    sets = {
        "train": reals.train,
        "heldout": reals.heldout,
        "noise": beside.noise,
        "blurred": beside.blurred,
    }
    total = len(judged) + sum(len(images) for images in sets.values())
    advance = watch.counter(stage, total)
    with watch.stage(stage):
        found = {
            name: cached(network, images, folder=folder, advance=advance) for name, images in sets.items()
        }
        key = f"{judged.key} 0-{len(judged)}"
        generated = cached_stream(
            network, key, judged.batches, count=len(judged), folder=folder, advance=advance
        )
    return Features(network.name, network.weights_hash, generated=generated, **found)


def without_contrast(features: Features) -> Features:
    """Pixels in which brightness and contrast no longer count."""
    return Features(
        f"{features.name}, brightness and contrast removed",
        features.sha256,
        *(
            _blockwise(getattr(features, name))
            for name in ("generated", "train", "heldout", "noise", "blurred")
        ),
    )


def _blockwise(values: np.ndarray) -> np.ndarray:
    found = np.empty(values.shape, np.float32)
    for start in range(0, len(values), _ROWS):
        found[start : start + _ROWS] = contrast_free(values[start : start + _ROWS])
    return found
