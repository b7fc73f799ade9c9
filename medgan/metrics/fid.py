"""Frechet distance of feature sets, beside what real images score against real images.

FID is biased upwards by the number of images, and more so the fewer there are: 100 real images are tens
or hundreds away from 100 others. A figure alone therefore says nothing, and figures at different counts
cannot be compared. Here generated and real images are compared at the very count at which real images
are compared with each other, and what counts is the ratio of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import check_features
from medgan.metrics.estimate import Estimate, Subsets, positive

SMALLEST = 20
"""Real images below which there is no floor, and generated ones below which there is no figure."""
MOST = 256
"""Images a side that are compared at once; more only cost time."""
ROUNDS = 20
"""Halvings of the real images, at least."""
WARN, FAIL = 0.75, 0.5
"""Levels of the ratio: see the measurements at `fid`."""
_TURNS = 3
"""How often each generated image should stand in a comparison, at least."""


@dataclass(frozen=True)
class Fid:
    """Frechet distance of generated to real images at `count` images a side (lower is better), the same
    of real to other real images at the same count (`floor`), and floor / value (`ratio`: 1 as good as
    real, near 0 far from it)."""

    value: Estimate
    floor: Estimate
    ratio: Estimate
    count: int


def frechet(*, real: np.ndarray, fake: np.ndarray) -> float:
    """Frechet distance (Heusel et al. 2017) of features `(n, D)` and `(m, D)`; 0 or more, lower is better.

        |mu_r - mu_f|^2 + tr S_r + tr S_f - 2 tr (S_r S_f)^(1/2),   S with n - 1 in the denominator.

    With centred features A, B (divided by the root of n - 1), S_r S_f = A'A B'B has the eigenvalues of
    (AB')'(AB'), so the last trace is the sum of the singular values of AB': no D x D root, nothing to
    stabilise, and exact where n < D. float64. MetricError below two images a side or for features that do
    not fit. Only for comparison with published figures, and only at thousands of images: see `fid`.
    """
    check_features(real=real, fake=fake)
    if min(len(real), len(fake)) < 2:
        raise MetricError("A Frechet distance needs two images or more on each side.")
    a, b = _side(real), _side(fake)
    # A set of more images than features is replaced by D rows with the same covariance.
    rows = [np.asarray(np.linalg.qr(x, mode="r")) if len(x) > x.shape[1] else x for x in (a.rows, b.rows)]
    cross = float(np.linalg.svd(rows[0] @ rows[1].T, compute_uv=False).sum())
    apart = a.mean - b.mean
    return max(0.0, float(apart @ apart + np.square(a.rows).sum() + np.square(b.rows).sum() - 2 * cross))


def fid(*, real: np.ndarray, fake: np.ndarray, seed: int, level: float = LEVEL) -> Fid:
    """FID of features `(n, D)` and `(m, D)` with its real-real floor and ratio, at matched counts.

    The reals are halved at random again and again; each half is compared with as many generated images
    (value) and with the other half (floor); values are means over the halvings. So bias is the same in
    both and stays in both: what is estimated is the expected FID of `count` images against `count`, and
    the interval holds that, not the FID of infinitely many. The bootstrap would move it upwards (each
    resample has fewer distinct images); the interval is made of the influence of each image instead.
    Generated images that are copies of these very reals have a ratio above 1: compare with held-out ones.

    Measured in SqueezeNet's features on two sets (54 and 84 held-out images; FID of the floor 140 and 55):
    other held-out images 1.02 and .90, copies of training images 1.00 and .92, 20 images repeated .71 and
    .59, one image .38 and .29, images blurred to 1/8 .27 and .11, noise .17 and .06.

    MetricError below `SMALLEST` images a side, or where all real images are the same.
    """
    check_features(real=real, fake=fake)
    if min(len(real), len(fake)) < SMALLEST:
        raise MetricError(
            f"FID and its floor need {SMALLEST} images on each side; here are {len(real)} real and "
            f"{len(fake)} generated ones."
        )
    count = min(len(real) // 2, len(fake), MOST)
    value, floor = Subsets(len(real), len(fake)), Subsets(len(real))
    for first, second, chosen in _halvings(len(real), len(fake), count, np.random.default_rng(seed)):
        generated = _side(fake[chosen])
        halves = [_side(real[first]), _side(real[second])]
        for places, half in zip((first, second), halves, strict=True):
            distance, of_half, of_fake = _influences(half, generated)
            value.add(distance, [(places, of_half)], [(chosen, of_fake)])
        distance, of_first, of_second = _influences(*halves)
        floor.add(distance, [(first, of_first), (second, of_second)])
    return _judged(value, floor, count, level)


def _judged(value: Subsets, floor: Subsets, count: int, level: float) -> Fid:
    distance, moves = value.result(count)
    usual, (of_reals,) = floor.result(count)
    if usual <= 0 or distance <= 0:
        raise MetricError("All real images have the same features, so there is nothing to compare with.")
    n, m = len(moves[0]), len(moves[1])
    # To first order log(floor / value) moves by the relative moves of the two.
    ratio = usual / distance
    together = [ratio * (of_reals / usual - moves[0] / distance), -ratio * moves[1] / distance]
    return Fid(
        value=positive(distance, *moves, n=m, level=level),
        floor=positive(usual, of_reals, n=n, level=level),
        ratio=positive(ratio, *together, n=m, level=level),
        count=count,
    )


@dataclass(frozen=True)
class _Side:
    """Mean `(D,)`, and the rows around it divided by the root of n - 1."""

    mean: np.ndarray
    rows: np.ndarray


def _side(features: np.ndarray) -> _Side:
    x = np.asarray(features, dtype=np.float64)
    average = x.mean(axis=0)
    return _Side(average, (x - average) / np.sqrt(len(x) - 1))


def _influences(a: _Side, b: _Side) -> tuple[float, np.ndarray, np.ndarray]:
    """Frechet distance, and its derivative towards the weight of each image of both sides."""
    left, roots, right = np.linalg.svd(a.rows @ b.rows.T, full_matrices=False)
    cross, apart = float(roots.sum()), a.mean - b.mean
    sizes = [np.square(side.rows).sum(axis=1) for side in (a, b)]
    distance = float(apart @ apart + sizes[0].sum() + sizes[1].sum() - 2 * cross)
    moves = []
    for side, size, vectors, towards in zip((a, b), sizes, (left, right.T), (apart, -apart), strict=True):
        n = len(size)
        shift = 2 * np.sqrt(n - 1) * (side.rows @ towards)
        # Row i of AB' grows with the root of its weight: the trace moves by half of ((AB' BA')^(1/2))_ii.
        trace = n * (np.square(vectors) @ roots) - cross
        moves.append(shift + n * size - size.sum() - trace)
    return max(0.0, distance), moves[0], moves[1]


def _halvings(
    reals: int, fakes: int, count: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two disjoint sets of `count` reals and one of `count` generated images, these in turns."""
    left = np.empty(0, int)
    for _ in range(max(ROUNDS, -(-_TURNS * fakes // count))):
        if len(left) < count:
            left = random.permutation(fakes)
        order = random.permutation(reals)
        yield order[:count], order[count : 2 * count], left[:count]
        left = left[count:]
