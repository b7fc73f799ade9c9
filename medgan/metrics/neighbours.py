"""Does the generator copy? Distances of generated images to the nearest training image, beside the same
distances of held-out real images, which nobody can have copied.

A ratio of 1 is as near as another patient's image is; near 0 is a copy. Features are float `(N, D)`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL, RESAMPLES, Interval
from medgan.metrics.distribution import check_features, distances

WARN, FAIL = 0.8, 0.5
"""Levels of a ratio: below `WARN` images are nearer to the training images than they should be, below
`FAIL` they are copies. Source: the project's reference on evaluation."""
SMALLEST = 10
"""Images a side below which a median of nearest distances says nothing."""
NEIGHBOURS = 5
"""Nearest training images whose mean distance is the yardstick of `copy_ratio`."""
_ROWS = 512


def nearest_ratio(
    *,
    generated: np.ndarray,
    train: np.ndarray,
    heldout: np.ndarray,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Median distance of `generated` to the nearest of `train`, over the same median of `heldout`.

    About 1 for new images, 0 for copies; above 1 for images unlike any real one, which is no merit. The
    percentile interval resamples generated and held-out images; the training images stand as they are.

    What it cannot see, measured on real images in SqueezeNet's features: copies that are also noisy or
    blurred (.7 to 1.7), since these features take the texture for more than the content. `copy_ratio` on
    plain pixels sees those (.02 to .4), but not mirrored copies, which this one sees (.3 to .4): watch both.

    MetricError below `SMALLEST` images each, or where held-out images are themselves copies of training
    images. Source: the project's reference on evaluation.
    """
    _check(generated, train, heldout)

    def nearest(x: np.ndarray) -> np.ndarray:
        values: np.ndarray = _nearest(x, train, 1)[:, 0]
        return values

    # Rounding puts equal images at 1e-7 of their length instead of 0.
    zero = 1e-6 * float(np.sqrt(np.square(train.astype(np.float64)).sum(axis=1)).mean())
    return _ratio(nearest, generated, heldout, zero, seed, resamples, level)


def copy_ratio(
    *,
    generated: np.ndarray,
    train: np.ndarray,
    heldout: np.ndarray,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """As `nearest_ratio`, each distance being divided by the mean distance to the five nearest of `train`.

    What all distances have in common, a different sharpness or contrast, drops out: real images that are
    blurred to 1/8, and the mean image, have 1.0, which by distance alone would pass for copies (.6). Meant
    for the features of `medgan.metrics.features.pixels`.
    """
    _check(generated, train, heldout)
    k = min(NEIGHBOURS, len(train))

    def measure(x: np.ndarray) -> np.ndarray:
        near = _nearest(x, train, k)
        yardstick = near.mean(axis=1)
        # Where all five are the image itself there is no yardstick, and no doubt either.
        relative: np.ndarray = np.divide(near[:, 0], yardstick, out=np.zeros(len(x)), where=yardstick > 0)
        return relative

    return _ratio(measure, generated, heldout, 1e-3, seed, resamples, level)


def _check(generated: np.ndarray, train: np.ndarray, heldout: np.ndarray) -> None:
    check_features(generated=generated, train=train, heldout=heldout)
    if min(len(generated), len(train), len(heldout)) < SMALLEST:
        raise MetricError(
            f"Whether images are copies needs {SMALLEST} images each; here are {len(generated)} generated, "
            f"{len(train)} training and {len(heldout)} held-out ones."
        )


def _ratio(
    measure: Callable[[np.ndarray], np.ndarray],
    generated: np.ndarray,
    heldout: np.ndarray,
    zero: float,
    seed: int,
    resamples: int,
    level: float,
) -> Interval:
    above, below = measure(generated), measure(heldout)
    usual = float(np.median(below))
    if usual <= zero:
        raise MetricError(
            "The held-out images are copies of the training images, so they cannot tell what is a copy; "
            "split the data set again with copies kept together."
        )
    random = np.random.default_rng(seed)
    tops = _medians(above, resamples, random)
    bottoms = _medians(below, resamples, random)
    drawn = tops[bottoms > 0] / bottoms[bottoms > 0]
    tail = 50 * (1 - level)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(float(np.median(above)) / usual, float(low), float(high))


def _nearest(x: np.ndarray, train: np.ndarray, k: int) -> np.ndarray:
    """Distances to the k nearest rows of `train`, ascending, `(n, k)`; in blocks, so that 10,000 fit."""
    parts = []
    for start in range(0, len(x), _ROWS):
        block = distances(x[start : start + _ROWS], train)
        parts.append(np.sort(np.partition(block, k - 1, axis=1)[:, :k], axis=1))
    return np.concatenate(parts)


def _medians(values: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """The median of each resample, a row at a time, so that 10,000 values take no gigabyte."""
    n = len(values)
    return np.array([np.median(values[random.integers(0, n, n)]) for _ in range(resamples)])
