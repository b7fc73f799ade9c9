"""Precision, recall, density and coverage: do generated images lie where real ones do, and everywhere?

Around each image of a set lies a ball that reaches to its k-th nearest neighbour in that set; the balls
of all images stand for the region of the set. All four depend on how many images there are (coverage of
40 reals by 1,000 images is 1 whatever these are), so the larger set is reduced to the size of the smaller
one, several times, and the figures are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import check_features, distances
from medgan.metrics.estimate import Estimate, Subsets, positive, share

NEIGHBOURS = 5
SMALLEST = 20
"""Images a side below which balls of 5 neighbours reach over a quarter of the set and tell nothing."""
MOST = 1024
"""Images a side that are compared at once: the balls of 1,000 images need 8 MB a matrix."""
ROUNDS = 20
"""Subsets of the larger set that are compared, at most."""


@dataclass(frozen=True)
class Manifold:
    """All four at `count` images a side; higher is better, and 1 is what density and coverage approach
    (coverage: 1 - 2^-k) for generated images that are distributed as the reals are.

    precision: share of generated images within a ball of a real one (Kynkaanniemi et al. 2019).
    recall: share of real images within a ball of a generated one.
    density: how many real balls hold a generated image, over k (Naeem et al. 2020); may exceed 1.
    coverage: share of real images whose ball holds a generated one.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    k: int
    count: int


def manifold(
    *, real: np.ndarray, fake: np.ndarray, seed: int, k: int = NEIGHBOURS, level: float = LEVEL
) -> Manifold:
    """The four figures of features `(n, D)` and `(m, D)`.

    A ball's edge is outside, as in `prdc`. Intervals are made of what each figure becomes without each
    image in turn, radii included (jackknife): a bootstrap would put images beside their own twins, and
    balls would shrink. MetricError below `SMALLEST` images a side, or for a `k` that is not from 1 to a
    quarter of them.
    """
    check_features(real=real, fake=fake)
    count = min(len(real), len(fake), MOST)
    if count < SMALLEST:
        raise MetricError(
            f"Precision and recall need {SMALLEST} images on each side; here are {len(real)} real and "
            f"{len(fake)} generated ones."
        )
    if not 1 <= k <= count // 4:
        raise MetricError(f"k is {k}; with {count} images on each side it must be from 1 to {count // 4}.")
    names = ("precision", "recall", "density", "coverage")
    means = {name: Subsets(len(real), len(fake)) for name in names}
    for reals, fakes in _subsets(len(real), len(fake), count, np.random.default_rng(seed)):
        balls, other = _balls(real[reals], fake[fakes], k), _balls(fake[fakes], real[reals], k)
        for name, one in zip(
            names, (balls.covered, other.covered.swapped(), balls.density, balls.held), strict=True
        ):
            means[name].add(one.value, [(reals, one.of_balls)], [(fakes, one.of_points)])

    def figure(name: str, make: Callable[..., Estimate]) -> Estimate:
        value, moves = means[name].result(count)
        return make(value, *moves, n=len(real) if name in ("recall", "coverage") else len(fake), level=level)

    return Manifold(
        precision=figure("precision", share),
        recall=figure("recall", share),
        density=figure("density", positive),
        coverage=figure("coverage", share),
        k=k,
        count=count,
    )


@dataclass(frozen=True)
class _Figure:
    """A value, and how it moves with each image that has a ball and with each that is a point."""

    value: float
    of_balls: np.ndarray
    of_points: np.ndarray

    def swapped(self) -> _Figure:
        return _Figure(self.value, self.of_points, self.of_balls)


@dataclass(frozen=True)
class _Balls:
    """Share of points that are covered, balls a point over k, and share of balls that hold a point."""

    covered: _Figure
    density: _Figure
    held: _Figure


def _balls(centres: np.ndarray, points: np.ndarray, k: int) -> _Balls:
    """Figures of the balls around `centres` `(n, D)` at `points` `(m, D)`, and each without each image."""
    n = len(centres)
    own = distances(centres, centres)
    np.fill_diagonal(own, np.inf)
    nearest = np.argpartition(own, k, axis=1)[:, : k + 1]
    radii = np.sort(np.take_along_axis(own, nearest, axis=1), axis=1)[:, -2:]
    # Without one of its k neighbours a ball reaches to the next one.
    among = own <= radii[:, :1]
    across = distances(centres, points)
    inside, wider = across < radii[:, :1], across < radii[:, 1:]
    counts, grown = inside.sum(axis=0), (wider & ~inside).astype(np.float32)
    without = counts - inside + among.T.astype(np.float32) @ grown

    holds, kept = inside.sum(axis=1), wider.any(axis=1)
    held = (holds > 0).sum()
    regained = among.T @ (kept & (holds == 0)).astype(np.float64)
    lost = inside[holds == 1].sum(axis=0)
    return _Balls(
        covered=_Figure(
            float((counts > 0).mean()), _left_out((without > 0.5).mean(axis=1)), _centred(counts > 0)
        ),
        density=_Figure(float(counts.mean() / k), _left_out(without.mean(axis=1) / k), _centred(counts / k)),
        held=_Figure(
            held / n, _left_out((held - (holds > 0) + regained) / (n - 1)), _left_out((held - lost) / n)
        ),
    )


def _centred(values: np.ndarray) -> np.ndarray:
    centred: np.ndarray = values - values.mean()
    return centred


def _left_out(values: np.ndarray) -> np.ndarray:
    """Influences from the figure without each image."""
    influences: np.ndarray = (len(values) - 1) * (values.mean() - values)
    return influences


def _subsets(
    reals: int, fakes: int, count: int, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`count` of each, all images in turn; one pair of subsets where the sets are equal."""
    larger = max(reals, fakes)
    rounds = 1 if larger == count == min(reals, fakes) else min(ROUNDS, max(ROUNDS // 2, -(-larger // count)))
    left = [np.empty(0, int), np.empty(0, int)]
    for _ in range(rounds):
        for side, total in enumerate((reals, fakes)):
            if len(left[side]) < count:
                left[side] = random.permutation(total)
        yield left[0][:count], left[1][:count]
        left = [order[count:] for order in left]
