"""Which generated images are copies of training images, and which of each other?

A copy is nearer to a training image than real images of different patients ever are: than all but 1 % of
them. It must be so in two ways, by its distance and by its distance over the mean of its five smallest
ones. The mean image, for one, is near to all images and a copy of none: on 252 skin lesions it passes the
first and not the second. Flips and quarter turns of an image are the same image here.

Measured on two sets of real images (252 and 390 to train on) in `contrast_free` plain pixels, share of
copies: held-out images .00 and .006, these blurred to 1/8 .00, the mean image and noise .00; training
images 1.00, with noise of 12 grey levels 1.00, mirrored with other brightness and contrast 1.00, blurred
to 1/8 .99 and .53; two training images blended 70 : 30 .56 and .37. Without `contrast_free` mirrored
brightened copies are found in .47 and .01 only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import check_features, distances
from medgan.metrics.estimate import Estimate, Subsets, counted, share

TURNS = tuple(f"{flip}{turn}" for flip in ("", "mirrored, ") for turn in ("as it is", "90°", "180°", "270°"))
"""Names of what `turns` yields: perhaps mirrored left to right, then turned counterclockwise."""
PERCENTILE = 1.0
WARN, FAIL = 0.03, 0.1
"""Shares of copies from which to warn and to fail; about 0.01 is usual."""
NEIGHBOURS = 5
SMALLEST = 20
"""Training images below which no level for copies is set, and generated ones for `repeats`."""
FEW = 100
"""Training images below which that level is little more than their smallest distance."""
GALLERY = 24
ROUNDS = 10
_ROWS = 512


@dataclass(frozen=True)
class Levels:
    """What is usual among training images: an image nearer to one of them than `near`, and relatively nearer
    than `relative`, is a copy of it."""

    near: float
    relative: float

    def copies(self, best: np.ndarray) -> np.ndarray:
        """Which rows are copies, `(m,)` bool; `best` `(m, n)` are the smallest distances to each training
        image over all turns."""
        near, relative = _nearness(best)
        found: np.ndarray = (near < self.near) & (relative < self.relative)
        return found


@dataclass(frozen=True)
class Pair:
    """Generated image number `generated`, turned as `turn` says, and its nearest training image."""

    generated: int
    train: int
    distance: float
    turn: str
    copy: bool


@dataclass(frozen=True)
class Copies:
    """Share of copies among generated and among held-out images (lower is better), the distance below which
    an image may be one, and the nearest pairs, closest first, each generated image at most once."""

    share: Estimate
    heldout: Estimate
    threshold: float
    pairs: tuple[Pair, ...]


def turns(images: np.ndarray) -> Iterator[np.ndarray]:
    """uint8 square images `(N, S, S, C)` in the eight ways of `TURNS`, one after another."""
    if images.ndim != 4 or images.shape[1] != images.shape[2]:
        raise MetricError(f"Quarter turns need square images (N, S, S, C), not {images.shape}.")
    for flipped in (images, images[:, :, ::-1]):
        for quarter in range(4):
            yield np.ascontiguousarray(np.rot90(flipped, quarter, axes=(1, 2)))


def turned(pixels: np.ndarray, channels: int = 3) -> Iterator[np.ndarray]:
    """Features of medgan.metrics.features.pixels `(n, channels * S * S)` of the same images in the eight ways
    of `TURNS`. Resizing does not mind turns, so the turned images need not be made."""
    n = len(pixels)
    side = round((pixels.shape[1] / channels) ** 0.5)
    planes = pixels.reshape(n, channels, side, side)
    for flipped in (planes, planes[:, :, :, ::-1]):
        for quarter in range(4):
            yield np.rot90(flipped, quarter, axes=(2, 3)).reshape(n, -1)


def contrast_free(features: np.ndarray) -> np.ndarray:
    """Rows of `(N, D)` less their mean, at unit length: brightness and contrast no longer count. Meant for
    `medgan.metrics.features.pixels`; the squared distance of two is 2 - 2 times their correlation."""
    centred = np.asarray(features, np.float64)
    centred = centred - centred.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    rows: np.ndarray = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-9)
    return rows.astype(np.float32)


def copies(
    *,
    generated: Iterable[np.ndarray],
    train: Sequence[np.ndarray],
    heldout: Sequence[np.ndarray],
    groups: Sequence[str] | np.ndarray | None = None,
    gallery: int = GALLERY,
    level: float = LEVEL,
) -> Copies:
    """Share of images that are copies of training images, with the nearest pairs.

    Each set is one array of features `(n, D)` for each turn of its images, the images as they are first;
    `generated` may be made as it is read, so that eight arrays of 10,000 never stand in memory together.
    The level is the 1st percentile of the distances from each training image to the nearest other one, of
    another group where `groups` names them (patients, near copies). About 1 % of new images are expected
    below it, and what held-out images have stands beside. Intervals are over the images of either set.
    MetricError below `SMALLEST` training images or ten others (below `FEW` say so), or where more than
    1 % of the training images have a copy in another group.
    """
    usual = levels(train, groups)
    found, ways = nearest_over_turns(generated, train)
    other, _ = nearest_over_turns(heldout, train)
    hits = []
    for block in (found, other):
        if len(block) < 2 * NEIGHBOURS:
            raise MetricError(f"A share of copies needs {2 * NEIGHBOURS} images; here are {len(block)}.")
        hits.append(usual.copies(block))
    return Copies(
        share=counted(hits[0], level=level),
        heldout=counted(hits[1], level=level),
        threshold=usual.near,
        pairs=_closest(found, ways, hits[0], gallery),
    )


def levels(train: Sequence[np.ndarray], groups: Sequence[str] | np.ndarray | None = None) -> Levels:
    """From which nearness on an image is a copy: the 1st percentile of that of each training image to those
    of other groups. MetricError as for `copies`."""
    members = _members(groups, len(train[0]))
    if len(train[0]) < SMALLEST or len(np.unique(members)) <= NEIGHBOURS:
        raise MetricError(
            f"Copies need {SMALLEST} training images in more than {NEIGHBOURS} groups; "
            f"here are {len(train[0])} in {len(np.unique(members))}."
        )
    usual, _ = nearest_over_turns(train, train)
    usual[members[:, None] == members] = np.inf
    near, relative = _nearness(usual)
    limits = float(np.percentile(near, PERCENTILE)), float(np.percentile(relative, PERCENTILE))
    if limits[0] <= 1e-5 * np.median(near):
        raise MetricError(
            "More than 1 % of the training images are copies of others, so they cannot tell what a copy is; "
            "prepare the data set again with copies removed or grouped."
        )
    return Levels(*limits)


def repeats(
    *,
    generated: np.ndarray,
    train: np.ndarray,
    seed: int,
    groups: Sequence[str] | np.ndarray | None = None,
    level: float = LEVEL,
) -> Estimate:
    """Share of generated images `(m, D)` with a near duplicate among the generated ones; lower is better.

    Nearer than the 1st percentile of the distances between nearest training images `(n, D)` (of another
    group, see `copies`), about 1 % for new images. More images lie closer, so where there are more
    generated than training images, as many are drawn, up to `ROUNDS` times. 1 for a generator that makes
    20 images again and again. The interval is of what the share becomes without each image (a bootstrap
    would itself repeat images). Use `contrast_free` pixels: there held-out images have .00 and .02, those
    blurred to 1/8 .00 and .10, noise .00, 20 images repeated 1.00, while SqueezeNet takes all blurred and
    all noisy images for each other (.23 to 1.00). MetricError as for `copies`.
    """
    check_features(generated=generated, train=train)
    if min(len(generated), len(train)) < SMALLEST:
        raise MetricError(
            f"Repeated images need {SMALLEST} images on each side; here are {len(generated)} generated and "
            f"{len(train)} training ones."
        )
    limit = level_of_repeats(train, groups)
    count, random = min(len(generated), len(train)), np.random.default_rng(seed)
    repeated = Subsets(len(generated))
    for _ in range(1 if len(generated) == count else ROUNDS):
        chosen = random.permutation(len(generated))[:count]
        close = distances(generated[chosen], generated[chosen]) < limit
        np.fill_diagonal(close, False)
        partners = close.sum(axis=1)
        alone = close[partners == 1].sum(axis=0)  # whose only near duplicate is this one
        left = ((partners > 0).sum() - (partners > 0) - alone) / (count - 1)
        repeated.add(float((partners > 0).mean()), [(chosen, (count - 1) * (left.mean() - left))])
    value, (moves,) = repeated.result(count)
    return share(value, moves, n=len(generated), level=level)


def level_of_repeats(train: np.ndarray, groups: Sequence[str] | np.ndarray | None = None) -> float:
    """The distance below which two images are near duplicates: the 1st percentile of the distances between
    nearest training images `(n, D)` of different groups. MetricError where these repeat themselves."""
    members = _members(groups, len(train))
    usual = distances(train, train)
    usual[members[:, None] == members] = np.inf
    near = usual.min(axis=1)
    limit = float(np.percentile(near[np.isfinite(near)], PERCENTILE)) if np.isfinite(near).any() else 0.0
    if limit <= 1e-5 * float(np.linalg.norm(train - train.mean(axis=0), axis=1).mean()):
        raise MetricError("Too many training images are copies of others to tell what a near duplicate is.")
    return limit


def _members(groups: Sequence[str] | np.ndarray | None, images: int) -> np.ndarray:
    """The number of each training image's group; each image's own without groups."""
    return np.arange(images) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]


def nearest_over_turns(
    images: Iterable[np.ndarray], train: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest distance of each image to each training image over all turns, and which turn that was."""
    best, ways, number = np.empty((0, 0)), np.empty((0, 0), np.int8), 0
    for number, features in enumerate(images, start=1):
        check_features(compared=features, train=train[0])
        if number == 1:
            best = np.full((len(features), len(train[0])), np.inf)
            ways = np.zeros(best.shape, np.int8)
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            block = distances(features[rows], train[0])
            closer = block < best[rows]
            best[rows][closer] = block[closer]
            ways[rows][closer] = number - 1
    if number != len(train):
        raise MetricError(f"Images in {number} turns cannot be compared with images in {len(train)}.")
    return best, ways


def _nearness(best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest distance of each row, and that over the mean of the five smallest."""
    nearest = np.sort(np.partition(best, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS], axis=1)
    yardstick = nearest.mean(axis=1)
    near = nearest[:, 0]
    # Where all five are the image itself there is no yardstick, and no doubt either.
    return near, np.divide(near, yardstick, out=np.zeros(len(near)), where=yardstick > 0)


def _closest(best: np.ndarray, ways: np.ndarray, hits: np.ndarray, gallery: int) -> tuple[Pair, ...]:
    which = best.argmin(axis=1)
    near = best[np.arange(len(best)), which]
    return tuple(
        Pair(int(k), int(which[k]), float(near[k]), TURNS[ways[k, which[k]]], bool(hits[k]))
        for k in np.argsort(near, kind="stable")[:gallery]
    )
