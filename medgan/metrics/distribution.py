"""How far two sets of images are apart as wholes, and how much one set varies within itself.

Features come from medgan/metrics/features.py; nothing here knows networks or files. Intervals resample
images, never pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm, t

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL, RESAMPLES
from medgan.metrics.pairwise import SMALLEST as SMALLEST_SIDE
from medgan.metrics.pairwise import check_images

SMALLEST = 10
"""Images a side below which no kernel distance is computed. At 10, reals against reals scatter by 0.1 to
0.26 in SqueezeNet's features (at 80 by 0.01 to 0.03), and a clearly visible blur is at 0.5 to 0.9."""
FEW = 50
"""Images a side below which it must be said that there are few: a collapse to 20 modes is found in 30 of
100 cases at 40 (reference measurements)."""
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five scales (Wang et al. 2003)."""
MS_SSIM_WINDOW = 11
_ROWS = 512


@dataclass(frozen=True)
class Kid:
    """A kernel distance with its bootstrap interval and standard error over images; lower is better."""

    value: float
    low: float
    high: float
    sd: float
    real: int
    fake: int


def kid(
    *,
    real: np.ndarray,
    fake: np.ndarray,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Kid:
    """Kernel Inception Distance (Binkowski et al. 2018) of features `(n, D)` and `(m, D)`; lower is better.

    The unbiased squared MMD with k(x, y) = (x.y / D + 1)^3 over the whole samples, no subsets:
        sum_{i!=j} k(x_i, x_j) / n(n-1)  +  sum_{i!=j} k(y_i, y_j) / m(m-1)  -  2 mean_{i,j} k(x_i, y_j).
    Its expectation is 0 for two samples of one distribution, so about half of such figures are negative.

    The interval draws images of both sides with replacement, an image being counted as often as it was
    drawn and never against itself. Each resample's deviation is split into the part that is linear in
    the counts and the rest. The linear part carries the noise of its own estimation, whose variance is
    twice that of the rest, and which would make the interval 1.7 times too wide for equal distributions;
    it is shrunk by that much. Percentiles are widened for small counts (Hesterberg 2015, the expanded
    percentile interval). `sd` is the standard deviation of the same resamples.

    MetricError below `SMALLEST` images a side (below `FEW` say so beside the figure), or for features
    that differ in length or are not finite.
    """
    check_features(real=real, fake=fake)
    if min(len(real), len(fake)) < SMALLEST:
        raise MetricError(
            f"A kernel distance needs {SMALLEST} images on each side; here are {len(real)} real and "
            f"{len(fake)} generated ones."
        )
    random = np.random.default_rng(seed)
    sides = [np.asarray(side, dtype=np.float64) for side in (real, fake)]
    counts = [_draws(len(side), resamples, random) for side in sides]
    within = [_within(side, drawn) for side, drawn in zip(sides, counts, strict=True)]
    across = _across(sides[0], sides[1], counts[0], counts[1])

    value = within[0].value + within[1].value - 2 * across.value
    deviations = within[0].drawn + within[1].drawn - 2 * across.drawn - value
    # How the figure moves with the count of each image.
    influences = [
        2 * (own.rows - rows) for own, rows in zip(within, (across.rows, across.columns), strict=True)
    ]
    linear = np.sum(
        [drawn @ (h - h.mean()) / len(h) for drawn, h in zip(counts, influences, strict=True)], axis=0
    )
    resampled = value + _shrunk(linear, deviations - linear)
    tail = 100 * _tail(min(len(real), len(fake)), level)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Kid(float(value), float(low), float(high), float(resampled.std(ddof=1)), len(real), len(fake))


def check_features(**sets: np.ndarray) -> None:
    """MetricError unless all are finite matrices of one width; the names are for the sentence."""
    for name, features in sets.items():
        if features.ndim != 2 or not np.isfinite(features).all():
            raise MetricError(f"The features of the {name} images are not a matrix of finite numbers.")
    if len({features.shape[1] for features in sets.values()}) > 1:
        raise MetricError("These features come from different networks and cannot be compared.")


@dataclass(frozen=True)
class _Mean:
    """Mean kernel value, its row and column means, and the mean in each resample."""

    value: float
    rows: np.ndarray
    columns: np.ndarray
    drawn: np.ndarray


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    values: np.ndarray = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _within(x: np.ndarray, drawn: np.ndarray) -> _Mean:
    """Over pairs of different images of one side, in blocks of rows: 10,000 images fit into memory."""
    n = len(x)
    rows, totals = np.empty(n), np.zeros(len(drawn))
    for start in range(0, n, _ROWS):
        block = slice(start, start + _ROWS)
        values = _kernel(x[block], x)
        values[np.arange(len(values)), np.arange(start, start + len(values))] = 0
        rows[block] = values.sum(axis=1) / (n - 1)
        totals += np.einsum("bn,bn->b", drawn[:, block] @ values, drawn)
    return _Mean(float(rows.mean()), rows, rows, totals / (n * n - np.square(drawn).sum(axis=1)))


def _across(x: np.ndarray, y: np.ndarray, drawn_x: np.ndarray, drawn_y: np.ndarray) -> _Mean:
    n, m = len(x), len(y)
    rows, columns, totals = np.empty(n), np.zeros(m), np.zeros(len(drawn_x))
    for start in range(0, n, _ROWS):
        block = slice(start, start + _ROWS)
        values = _kernel(x[block], y)
        rows[block] = values.mean(axis=1)
        columns += values.sum(axis=0) / n
        totals += np.einsum("bm,bm->b", drawn_x[:, block] @ values, drawn_y)
    return _Mean(float(rows.mean()), rows, columns, totals / (n * m))


def _draws(n: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def _shrunk(linear: np.ndarray, rest: np.ndarray) -> np.ndarray:
    noise = 2 * float(rest.var())
    spread = float(linear.var())
    share = np.sqrt(max(0.0, 1 - noise / spread)) if spread > 0 else 0.0
    deviations: np.ndarray = share * linear + rest
    return deviations


def _tail(n: int, level: float) -> float:
    """The share to cut off at each end, smaller than (1 - level) / 2 by what n images are too few."""
    wide = np.sqrt(n / (n - 1)) * t.ppf((1 - level) / 2, n - 1)
    return float(norm.cdf(wide))


def spread(features: np.ndarray) -> float:
    """Mean Euclidean distance of all pairs of rows of `(n, D)`, n 2 or more; higher is more varied."""
    check_features(given=features)
    n = len(features)
    if n < 2:
        raise MetricError("Diversity needs two images or more.")
    x = np.asarray(features, dtype=np.float64)
    total = sum(
        float(distances(x[start : start + _ROWS], x).sum()) for start in range(0, n, _ROWS)
    )  # an image is at distance 0 from itself, but for rounding
    return total / (n * (n - 1))


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances `(n, m)` of the rows of two matrices, computed in float64.

    Equal rows are at distance 0 but for rounding, about 1e-7 of their length.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    squares = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)[None] - 2 * (x @ y.T)
    roots: np.ndarray = np.sqrt(np.maximum(squares, 0))
    return roots


def ms_ssim(images: torch.Tensor, *, pairs: int, seed: int) -> float:
    """Mean multi-scale structural similarity of random pairs within one set; higher is more alike.

    `images` `(N, C, H, W)` float in [-1, 1], N 2 or more. Each image stands in about as many of the
    `pairs` as any other. Five scales with a window of 11 need sides of 161; smaller images are compared
    on as many scales as fit, their weights scaled to a sum of 1 (four at 128 pixels). Source:
    piq.multi_scale_ssim (Wang et al. 2003); as a measure of diversity, Odena et al. 2017.
    """
    import piq

    check_images(images)
    side = min(images.shape[2:])
    if len(images) < 2 or side < SMALLEST_SIDE:
        raise MetricError(f"MS-SSIM needs two images or more of {SMALLEST_SIDE} pixels or more a side.")
    scales = [k for k in range(5) if (MS_SSIM_WINDOW - 1) * 2**k + 1 <= side]
    weights = torch.tensor(MS_SSIM_WEIGHTS[: len(scales)])
    left, right = _balanced_pairs(len(images), pairs, seed)
    unit = ((images.float() + 1) / 2).clamp(0, 1)
    values = [
        piq.multi_scale_ssim(
            unit[left[start : start + 32]],
            unit[right[start : start + 32]],
            kernel_size=MS_SSIM_WINDOW,
            scale_weights=(weights / weights.sum()).to(unit),
            reduction="none",
        )
        for start in range(0, len(left), 32)
    ]
    return float(torch.cat(values).mean())


def _balanced_pairs(n: int, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours on a ring in random order, then those two apart, and so on; all pairs at most."""
    order = np.random.default_rng(seed).permutation(n)
    steps = np.arange(min(pairs, n * (n - 1) // 2))
    place, step = steps % n, 1 + steps // n
    return order[place], order[(place + step) % n]
