"""Are generated images nearer to the training images than they should be? Three tests by ranks.

Each stands beside its value for held-out images, which nobody can have copied: what is usual depends on
the set, on its size and on the features. The training images stand as they are; intervals are over the
generated and held-out images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import check_features, distances
from medgan.metrics.estimate import Estimate, counted, plain, share

SMALLEST = 10
"""Images a side below which no share or rank is computed: at 10 a share is uncertain by 30 points."""
FLAG = -3.0
"""`ct` below which generated images are nearer to the training images than held-out ones (Meehan et al.)."""
WARN, FAIL = -0.2, -0.4
"""Levels of `Authenticity.difference`. In SqueezeNet's features on two sets, training images themselves have
-0.65 and -0.46 (minus what held-out images have), other held-out images -0.02 and 0.02; in plain pixels
(`contrast_free`) copies with noise have -0.56 and -0.51, but in SqueezeNet's 0.10 and 0.52, unseen."""
_ROWS = 512


@dataclass(frozen=True)
class Authenticity:
    """Share of authentic images among generated and among held-out ones, and generated minus held-out."""

    value: Estimate
    heldout: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Ct:
    """The statistic, and the share of (held-out, generated) pairs in which the generated image is farther
    from the training set: 0.5 is usual, 0 for copies. Unlike `z`, the share does not grow with the counts."""

    z: Estimate
    share: Estimate


def authenticity(
    *, generated: np.ndarray, train: np.ndarray, heldout: np.ndarray, level: float = LEVEL
) -> Authenticity:
    """Share of images farther from their nearest training image than that one is from its own nearest one.

    Features `(n, D)`; higher is better, 0 for copies. Its usual value is not one half: a training image
    that is nearest to many is often one with near neighbours. So what counts is the difference to held-out
    images. Near duplicates within the training set make copies look authentic. Source: Alaa et al. 2022;
    `AuthPct` of fld is 50 less. MetricError below `SMALLEST` images each.
    """
    _check(generated=generated, train=train, heldout=heldout)
    own, _ = _nearest(train, None)
    found = []
    for images in (generated, heldout):
        near, which = _nearest(images, train)
        found.append(near > own[which])
    values = [counted(hits, level=level) for hits in found]
    apart = values[0].value - values[1].value
    moves = found[0] - values[0].value, values[1].value - found[1]
    return Authenticity(values[0], values[1], plain(apart, *moves, n=len(generated), level=level))


def ct(*, generated: np.ndarray, train: np.ndarray, heldout: np.ndarray, level: float = LEVEL) -> Ct:
    """Do generated images lie nearer to the training images than held-out ones do? (Meehan et al. 2020.)

    U counts the pairs in which the generated image is the farther one, ties as half; of m generated and n
    held-out images z = (U - mn/2) / sqrt(mn(m + n + 1) / 12), the global statistic, without cells. About 0
    for new images, below `FLAG` for copies; far above 0 for images unlike any real one, which is no merit.
    It grows with the counts: with thousands of images a nearness that nobody would mind is flagged, so
    read the share beside it. The mean image and blurred images are nearer too, without being copies.
    Measured: other held-out images -0.2 to 0.3, copies -11 to -14, noise and blur in a network's features
    9 to 14. MetricError below `SMALLEST` images each. U agrees with scipy.stats.mannwhitneyu.
    """
    _check(generated=generated, train=train, heldout=heldout)
    far, usual = (_nearest(images, train)[0] for images in (generated, heldout))
    found = auc(above=far, below=usual, level=level)
    m, n = len(generated), len(heldout)
    scale = m * n / np.sqrt(m * n * (m + n + 1) / 12)
    z = [float((value - 0.5) * scale) for value in (found.value, found.low, found.high)]
    return Ct(Estimate(z[0], z[1], z[2], m), found)


def membership_auc(*, train: np.ndarray, heldout: np.ndarray, level: float = LEVEL) -> Estimate:
    """How well the discriminator's scores tell training from held-out images: 0.5 not at all, 1 always.

    `train` and `heldout` are its outputs `(n,)`, higher for what it takes to be real. A discriminator that
    remembers scores training images higher (LOGAN, Hayes et al. 2019). Below 0.5 means nothing more.
    MetricError below `SMALLEST` scores a side or where one is not finite.
    """
    if min(len(train), len(heldout)) < SMALLEST:
        raise MetricError(
            f"Membership needs {SMALLEST} scores on each side; here are {len(train)} of training and "
            f"{len(heldout)} of held-out images."
        )
    if not (np.isfinite(train).all() and np.isfinite(heldout).all()):
        raise MetricError("The discriminator's scores are not all finite numbers.")
    return auc(above=np.ravel(train), below=np.ravel(heldout), level=level)


def auc(*, above: np.ndarray, below: np.ndarray, level: float = LEVEL) -> Estimate:
    """Share of pairs in which the value of `above` `(m,)` is the greater one, ties as half.

    The interval is over the values of both sides (DeLong et al. 1988), with a width at 0 and 1 too.
    """
    m, n = len(above), len(below)
    ranks = rankdata(np.concatenate([above, below]))
    # The rank among all less the rank among its own kind: how many of the other kind are below.
    beaten = (ranks[:m] - rankdata(above)) / n
    losing = 1 - (ranks[m:] - rankdata(below)) / m
    value = float(beaten.mean())
    # Where both are distributed alike an AUC varies as little as a share of this many images.
    most = 3 * m * n / (m + n)
    return share(value, beaten - value, losing - value, n=m, most=most, level=level)


def _check(**sets: np.ndarray) -> None:
    check_features(**sets)
    if min(map(len, sets.values())) < SMALLEST:
        raise MetricError(
            f"Nearness to training images needs {SMALLEST} images each; here are {len(sets['generated'])} "
            f"generated, {len(sets['train'])} training and {len(sets['heldout'])} held-out ones."
        )


def _nearest(x: np.ndarray, train: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest row of `train`, and which; of `x` itself, another row, if that is None."""
    near, which = np.empty(len(x)), np.empty(len(x), int)
    for start in range(0, len(x), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(x)))
        block = distances(x[rows], x if train is None else train)
        if train is None:
            block[np.arange(len(rows)), rows] = np.inf
        which[rows] = block.argmin(axis=1)
        near[rows] = block[np.arange(len(rows)), which[rows]]
    return near, which
