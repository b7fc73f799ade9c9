"""Intervals that resample images, not pairs.

Pairs share images, so they are not independent: resampling them as if they were gives an interval
that is several times too narrow. Here images are drawn with replacement, and a pair counts as often as
its two images were drawn together, the product of their multiplicities (Owen 2007, the pigeonhole
bootstrap; slightly too wide rather than too narrow).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medgan.errors import MetricError

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean over pairs with its bootstrap interval; `low` and `high` are None where one image alone
    leaves nothing to resample."""

    value: float
    low: float | None
    high: float | None


def image_bootstrap(
    values: np.ndarray,
    *,
    fake: np.ndarray,
    real: np.ndarray | None,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Mean of `values` `(P,)` and its percentile interval over images.

    `fake` and `real` `(P,)` name the two images of each pair. With `real=None` the held-out images stay
    as they are and only `fake` is resampled. MetricError if there are no values or one is not finite.
    """
    if not len(values) or not np.isfinite(values).all():
        raise MetricError("The figure is not a finite number for every pair of images.")
    values = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    sides = [fake] if real is None else [fake, real]
    weights = np.ones((resamples, len(values)))
    for side in sides:
        weights *= _multiplicities(side, resamples, rng)
    mean = float(values.mean())
    if max(len(np.unique(side)) for side in sides) < 2:
        return Interval(mean, None, None)
    totals = weights.sum(axis=1)
    drawn = totals > 0  # with very few images a draw may hold no pair at all
    means = (weights[drawn] @ values) / totals[drawn]
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(mean, float(low), float(high))


def _multiplicities(images: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often the image of each pair is drawn in each resample, `(resamples, P)`."""
    names, position = np.unique(images, return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.asarray(counts[:, position])
