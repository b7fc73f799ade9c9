"""What the classifier of each arm of a study learns from: a list of images, each named by where it comes
from, so that features are computed once and any arm can be made again alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medgan.errors import ConfigError

REAL, SYNTHETIC, AUGMENTED = "real", "synthetic", "augmented"
"""Where an image comes from: the training part, a model, or classical augmentation of the training part."""
SPARE = 2
"""The pool holds so many times the images of the largest arm, so that seeds see different ones."""


@dataclass(frozen=True)
class Arm:
    """Real images so many times over, and so many times their number of others, class by class.

    `real` is 0 or more whole copies; `extra` and `source` say what is added.
    """

    name: str
    title: str
    real: int = 1
    extra: int = 0
    source: str = SYNTHETIC

    @property
    def judged(self) -> bool:
        """Whether the verdict is about it: real images and synthetic ones."""
        return bool(self.real and self.extra and self.source == SYNTHETIC)


BASE = Arm("real", "real images alone")
AUGMENTATION = Arm("augmented", "real + classical augmentation x5", extra=5, source=AUGMENTED)
ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        BASE,
        AUGMENTATION,
        Arm("duplicated", "real images twice", real=2),
        Arm("synthetic-x1", "real + synthetic x1", extra=1),
        Arm("synthetic-x2", "real + synthetic x2", extra=2),
        Arm("synthetic-x5", "real + synthetic x5", extra=5),
        Arm("synthetic-only", "synthetic x5 alone", real=0, extra=5),
    )
}
"""Augmentation has as many images as the largest synthetic arm: it is no straw man."""


@dataclass(frozen=True)
class Member:
    """An image: its class, where it comes from, and which one it is there."""

    label: int
    source: str
    index: int


def chosen(names: str) -> list[Arm]:
    """The arms in a comma-separated list, `real` always among them; ConfigError listing the valid names."""
    wanted = [name.strip() for name in names.split(",") if name.strip()] if names else list(ARMS)
    for name in wanted:
        if name not in ARMS:
            raise ConfigError(f"There is no arm {name!r}; valid are: {', '.join(ARMS)}.")
    return [arm for arm in ARMS.values() if arm.name in wanted or arm is BASE]


def pool_size(source: str, count: int) -> int:
    """How many images of a source there are to draw from for a class with `count` real ones."""
    largest = max(arm.extra for arm in ARMS.values() if arm.source == source)
    return SPARE * largest * count


def members(arm: Arm, counts: Sequence[int], *, seed: int) -> list[Member]:
    """The training images of `arm` at classifier seed `seed`, class by class.

    Of the pools, a seed takes the first of its own random order, so that x1 is part of x2 and x2 of x5.
    The order does not depend on which other arms there are.
    """
    found = []
    for label, count in enumerate(counts):
        found += [Member(label, REAL, k) for k in range(count)] * arm.real
        if arm.extra:
            order = np.random.default_rng([seed, label]).permutation(pool_size(arm.source, count))
            found += [Member(label, arm.source, int(k)) for k in order[: arm.extra * count]]
    return found
