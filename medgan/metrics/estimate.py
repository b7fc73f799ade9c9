"""A figure with its interval over images, where images cannot simply be drawn with replacement.

A resample of n images holds only 63 % of them, and some twice. An image beside its twin has a neighbour
at distance 0, and a covariance of fewer images is another covariance: balls shrink, FID grows, and the
bootstrap answers another question. So each figure says how it moves when one image counts a little more
(its influence: derivative or leave-one-out), and the interval is made of those: the bootstrap over images
to first order (the infinitesimal jackknife, Efron 1982), without its draws. Pairs are never resampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval over images, and the number of images that it judges."""

    value: float
    low: float
    high: float
    n: int


def mean(values: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """The mean of one value an image, `(n,)`, n 2 or more, with Student's interval."""
    if len(values) < 2:
        raise MetricError("An interval needs two values or more.")
    return plain(float(values.mean()), values - values.mean(), n=len(values), level=level)


def plain(value: float, *influences: np.ndarray, n: int, level: float = LEVEL) -> Estimate:
    """An interval of equal widths to both sides. `influences` is an array for each independent set of
    images, `(images,)`: what the figure gains, to first order, for each unit of weight moved to an image."""
    half = _half_width(influences, level)
    return Estimate(value, value - half, value + half, n)


def positive(value: float, *influences: np.ndarray, n: int, level: float = LEVEL) -> Estimate:
    """As `plain`, of equal factors to both sides, for a figure that cannot be below 0; 0 has no width."""
    if value <= 0:
        return Estimate(0.0, 0.0, 0.0, n)
    half = _half_width([influence / value for influence in influences], level)
    return Estimate(value, float(value * np.exp(-half)), float(value * np.exp(half)), n)


def share(
    value: float, *influences: np.ndarray, n: int, most: float | None = None, level: float = LEVEL
) -> Estimate:
    """As `plain`, for a share in [0, 1] of `n` images: Wilson's interval (1927) for as many independent
    images as would vary that much, at most `most` (`n` without it). It has a width at 0 and at 1, where
    nothing varies."""
    variance, _ = _variance(influences)
    effective = float(n) if most is None else most
    if variance > 0:
        inner = (value * effective + 2) / (effective + 4)  # at 0 and 1 themselves nothing could vary
        effective = min(effective, inner * (1 - inner) / variance)
    z2 = float(norm.ppf((1 + level) / 2)) ** 2 / max(effective, 1.0)
    centre = (value + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * value * (1 - value) + z2**2 / 4) / (1 + z2)
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Estimate(value, min(value, low), max(value, high), n)


def counted(hits: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """The share of images for which `hits` `(n,)` is true, with Wilson's interval."""
    if not len(hits):
        raise MetricError("A share needs at least one image.")
    value = float(np.mean(hits))
    return share(value, hits - value, n=len(hits), level=level)


def _half_width(influences: list[np.ndarray] | tuple[np.ndarray, ...], level: float) -> float:
    variance, freedom = _variance(influences)
    return float(np.sqrt(variance) * t.ppf((1 + level) / 2, freedom)) if variance > 0 else 0.0


def _variance(influences: list[np.ndarray] | tuple[np.ndarray, ...]) -> tuple[float, float]:
    """Variance of the figure, and the degrees of freedom of that (Welch and Satterthwaite)."""
    if any(len(influence) < 2 for influence in influences):
        raise MetricError("An interval needs two images or more on each side.")
    parts = np.array([influence.var(ddof=1) / len(influence) for influence in influences])
    total = float(parts.sum())
    if total == 0:
        return 0.0, 1.0
    weights = np.array([len(influence) - 1 for influence in influences])
    return total, total**2 / float((parts**2 / weights).sum())


class Subsets:
    """A figure that is the mean over comparisons of subsets of equal size, and how it moves with each image
    of the sets, of `sizes` images, from which those are drawn."""

    def __init__(self, *sizes: int) -> None:
        self._values: list[float] = []
        self._moves = [np.zeros(size) for size in sizes]

    def add(self, value: float, *influences: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """One comparison: its value and, for each set, which images stood in it, with their influences."""
        self._values.append(value)
        for moves, parts in zip(self._moves, influences, strict=True):
            for places, influence in parts:
                moves[places] += influence

    def result(self, count: int) -> tuple[float, list[np.ndarray]]:
        """Mean and influences. Weight moved to one of n images is n / count times as much in those
        subsets of `count` images in which it stands, and none in the others."""
        scale = 1 / (len(self._values) * count)
        return float(np.mean(self._values)), [moves * len(moves) * scale for moves in self._moves]
