"""The built-in demo sets: two kinds of procedural images, drawn by seed with no network and no real patient.

Image k of a set depends on the set's seed and on k alone, and shows the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medgan.config import SIZES
from medgan.data.phantom.anatomy import NODULE, NORMAL
from medgan.data.phantom.chest import draw_chest
from medgan.data.phantom.shapes import reduced
from medgan.data.phantom.skin import MELANOMA, NEVUS, draw_skin
from medgan.errors import DataError

MINIMUM, MAXIMUM = 4, 20_000
"""A smaller set cannot be split into a training and a held-out part; a larger one has no use."""

Progress = Callable[[int, int], None]
"""Called with (done, total) while a set is drawn."""


@dataclass(frozen=True)
class Phantom:
    """A kind of procedural image. `paint` draws one of a class, float `(256, 256, C)` in [0, 255]."""

    name: str
    title: str
    summary: str
    channels: int
    classes: tuple[str, ...]
    paint: Callable[[np.random.Generator, str], np.ndarray]


PHANTOMS: dict[str, Phantom] = {
    phantom.name: phantom
    for phantom in (
        Phantom(
            "chest-ct",
            "Chest CT phantom",
            "Axial slices through drawn chests, half of them with a nodule in a lung.",
            1,
            (NODULE, NORMAL),
            draw_chest,
        ),
        Phantom(
            "dermoscopy",
            "Dermoscopy phantom",
            "Drawn pigmented lesions on skin, half of them irregular in border and colour.",
            3,
            (MELANOMA, NEVUS),
            draw_skin,
        ),
    )
}


def draw(kind: str, seed: int, size: int = 128) -> tuple[np.ndarray, str]:
    """One phantom as uint8 `(size, size, C)`, and its class; neighbouring seeds take turns in class.

    DataError for an unknown kind (listing the valid ones), a negative seed or an impossible size.
    """
    phantom = _checked(kind, seed, size)
    return _draw(phantom, seed, (seed,), size)


def draw_set(
    kind: str, count: int, *, seed: int = 0, size: int = 128, progress: Progress | None = None
) -> tuple[np.ndarray, list[str]]:
    """`count` phantoms as uint8 `(count, size, size, C)`, and their classes, each as often as the others.

    DataError as for `draw`, and if `count` is not from 4 to 20,000.
    """
    phantom = _checked(kind, seed, size)
    if not MINIMUM <= count <= MAXIMUM:
        raise DataError(f"--count is {count}; it must be from {MINIMUM} to {MAXIMUM:,}.")
    images, labels = np.empty((count, size, size, phantom.channels), np.uint8), []
    for k in range(count):
        images[k], label = _draw(phantom, k, (seed, k), size)
        labels.append(label)
        if progress:
            progress(k + 1, count)
    return images, labels


def _draw(phantom: Phantom, turn: int, entropy: tuple[int, ...], size: int) -> tuple[np.ndarray, str]:
    label = phantom.classes[turn % len(phantom.classes)]
    return reduced(phantom.paint(np.random.default_rng(entropy), label), size), label


def _checked(kind: str, seed: int, size: int) -> Phantom:
    if kind not in PHANTOMS:
        raise DataError(f"There is no phantom {kind!r}; valid are: {', '.join(PHANTOMS)}.")
    if seed < 0:
        raise DataError(f"--seed is {seed}; it must be at least 0.")
    if size not in SIZES:
        raise DataError(f"--size {size} is not possible; choose {', '.join(map(str, SIZES))}.")
    return PHANTOMS[kind]
