"""Whether a class-conditional generator makes the class that it is asked for, and each one well."""

from __future__ import annotations

import numpy as np

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import SMALLEST, kid
from medgan.metrics.estimate import Estimate, share
from medgan.metrics.utility import choose_strength, probabilities


def recognised(
    *,
    train: np.ndarray,
    train_labels: np.ndarray,
    sets: dict[str, tuple[np.ndarray, np.ndarray]],
    seed: int,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """For each of `sets`, features `(n, D)` with the labels `(n,)` that they should have: the share that a
    logistic regression on real training images recognises, the mean over classes, so that chance is 1 /
    classes.

    Higher is better. The interval is over the images of the set. MetricError if a class has fewer than two
    training images, or a set lacks one.
    """
    strength = choose_strength(train, train_labels, seed=seed)
    known = np.unique(train_labels)
    found = {}
    for name, (features, labels) in sets.items():
        chances = probabilities(train=train, labels=train_labels, test=features, strength=strength, seed=seed)
        found[name] = _balanced(known[chances.argmax(axis=1)] == labels, labels, known, level)
    return found


def _balanced(hits: np.ndarray, labels: np.ndarray, classes: np.ndarray, level: float) -> Estimate:
    counts = {k: int((labels == k).sum()) for k in classes}
    if not all(counts.values()):
        raise MetricError("Of a class there is no image to recognise; judge more images.")
    rates = {k: float(hits[labels == k].mean()) for k in classes}
    value = float(np.mean(list(rates.values())))
    weights = np.array([len(hits) / (len(classes) * counts[k]) for k in labels])
    moves = (hits - np.array([rates[k] for k in labels])) * weights
    return share(value, moves, n=len(hits), level=level)


def class_kids(
    *, real: np.ndarray, real_labels: np.ndarray, fake: np.ndarray, fake_labels: np.ndarray, seed: int
) -> dict[int, Estimate]:
    """The kernel distance of each class on its own, by label; lower is better. Classes with fewer than
    `SMALLEST` images on a side are left out."""
    found = {}
    for k in np.unique(real_labels):
        sides = real[real_labels == k], fake[fake_labels == k]
        if min(map(len, sides)) >= SMALLEST:
            one = kid(real=sides[0], fake=sides[1], seed=seed)
            found[int(k)] = Estimate(one.value, one.low, one.high, one.fake)
    return found
