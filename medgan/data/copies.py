"""Pictures that are in a set more than once: exact copies, near copies, and copies in two classes.

How near copies are found, and why the numbers in this file are what they are: `docs/splits.md`. Sums are
of whole numbers that float64 holds exactly, so that every machine finds the same pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from medgan.data.alignment import SIDE, same_picture
from medgan.errors import DataError
from medgan.images import to_pil

Array = np.ndarray

HASH_BITS = 12
"""Candidates differ in at most this many of the 64 bits of their perceptual hashes. Among re-encoded,
resized, cropped and brightened copies of real images 99.5 % do, and 1 in 130 pairs of CT slices."""
LIKENESS = 0.5
"""Candidates also have at least this squared correlation as 16x16 pictures (those copies: 0.8 or more)."""
MOST, LEAST, IN_ALL = 32, 4, 100_000
"""For each picture so many candidates among those after it are compared, the most alike: at most 32, and
100,000 in all, but at least 4. It bounds the time where all are alike, as slices of one body are. Many
copies of one picture stay connected: each still meets one of those after it."""

_TURNS: tuple[str, ...] = (
    "",
    "mirrored",
    "upside down",
    "turned by 180 degrees",
    "mirrored and turned by 270 degrees",
)
_TURNS += ("turned by 270 degrees", "turned by 90 degrees", "mirrored and turned by 90 degrees")
"""How the second picture stands, degrees clockwise; `_turned` says how it is laid on the first again."""
_BACK = (0, 1, 2, 3, 4, 6, 5, 7)
"""The turn that undoes each turn."""
_BLOCK = 32


@dataclass(frozen=True)
class Pair:
    """Two pictures that are the same. `first` < `second` are their indices; `turned` says how the second
    stands (one of `_TURNS`); `distance` is the root mean square difference that is left when they lie on
    each other, 0-255, 0 for exact copies."""

    first: int
    second: int
    distance: float = 0.0
    turned: str = ""


@dataclass(frozen=True)
class Choices:
    """What is done with copies. DataError for other words than these.

    `duplicates` (exact copies): drop (the first stays) or keep. `near`: keep (all, on one side of the
    split) or drop (the first stays). `conflicts` (copies in two classes): drop (all of them) or keep.
    """

    duplicates: str = "drop"
    near: str = "keep"
    conflicts: str = "drop"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value not in ("drop", "keep"):
                raise DataError(f"--{name} {value} is not known; choose drop or keep.")


@dataclass(frozen=True)
class Resolution:
    """What was found and what leaves the set; indices count all pictures.

    `dropped` gives the reason, which reads on after the file's name ("is an exact copy of b.png").
    `duplicates` and `near_duplicates` are of one class, `conflicts` are exact or near copies in two.
    """

    kept: list[int]
    dropped: dict[int, str]
    duplicates: list[Pair]
    near_duplicates: list[Pair]
    conflicts: list[Pair]
    clusters: list[int]

    def together(self) -> list[Pair]:
        """Pairs of kept pictures that must stand on one side, numbered by their position in `kept`."""
        first: dict[int, int] = {}
        links = []
        for position, index in enumerate(self.kept):
            cluster = self.clusters[index]
            if first.setdefault(cluster, position) != position:
                links.append(Pair(first[cluster], position))
        return links


def exact_copies(hashes: Sequence[str]) -> list[Pair]:
    """Every later picture with the hash of an earlier one, paired with the first of them."""
    first: dict[str, int] = {}
    return [
        Pair(first[digest], index)
        for index, digest in enumerate(hashes)
        if first.setdefault(digest, index) != index
    ]


def near_copies(thumbs: Array, pixels: Callable[[int], Array], exact: Sequence[Pair] = ()) -> list[Pair]:
    """Pairs that are the same picture re-encoded, resized, cropped a little, brightened, mirrored or turned.

    `thumbs` is uint8 `(N, 32, 32, 3)`; `pixels(k)` gives prepared picture k, uint8 `(H, W, C)`, and is asked
    for candidates alone. The seconds of `exact` are passed over: their firsts stand for them. Of a picture
    that is there many times the pairs join all, but not each with each. Sorted.
    """
    later = {pair.second for pair in exact}
    index = np.array([k for k in range(len(thumbs)) if k not in later], dtype=np.int64)
    clusters = Clusters(len(thumbs))

    @lru_cache(maxsize=8192)
    def small(k: int) -> Array:
        return _grey(pixels(k), SIDE)

    pairs = []
    for i, j, turn in _candidates(thumbs[index]):
        first, second = int(index[i]), int(index[j])
        if clusters.find(first) != clusters.find(second):
            distance = same_picture(small(first), _turned(small(second), turn))
            if distance is not None:
                clusters.join(first, second)
                pairs.append(Pair(first, second, distance, _TURNS[turn]))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def resolve(
    exact: Sequence[Pair], near: Sequence[Pair], labels: Sequence[str], names: Sequence[str], choices: Choices
) -> Resolution:
    """What stays and what goes. With the default choices copies in two classes are all left out, since
    nobody can tell which class is right; of exact copies the first stays; near copies all stay."""
    every = [*exact, *near]
    conflicts = [pair for pair in every if labels[pair.first] != labels[pair.second]]
    clusters = _clusters(len(labels), every)
    dropped = _conflicting(clusters, conflicts, labels, names) if choices.conflicts == "drop" else {}
    if choices.duplicates == "drop":
        _drop_later(dropped, _clusters(len(labels), exact), labels, names, "is an exact copy of")
    if choices.near == "drop":
        _drop_later(dropped, clusters, labels, names, "is a near copy of")
    return Resolution(
        kept=[k for k in range(len(labels)) if k not in dropped],
        dropped=dict(sorted(dropped.items())),
        duplicates=[pair for pair in exact if labels[pair.first] == labels[pair.second]],
        near_duplicates=[pair for pair in near if labels[pair.first] == labels[pair.second]],
        conflicts=sorted(conflicts, key=lambda pair: (pair.first, pair.second)),
        clusters=clusters,
    )


class Clusters:
    """What is joined with what; the smallest index stands for all that are joined."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        """The smallest index that `index` is joined with."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Put the two, and all that they are joined with, together."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low


def _clusters(count: int, pairs: Sequence[Pair]) -> list[int]:
    clusters = Clusters(count)
    for pair in pairs:
        clusters.join(pair.first, pair.second)
    return [clusters.find(k) for k in range(count)]


def _conflicting(
    clusters: Sequence[int], conflicts: Sequence[Pair], labels: Sequence[str], names: Sequence[str]
) -> dict[int, str]:
    """All pictures of clusters with two classes, each with the picture that contradicts it."""
    against: dict[int, dict[str, int]] = defaultdict(dict)  # cluster -> class -> its first picture
    torn = {clusters[pair.first] for pair in conflicts}
    for index, cluster in enumerate(clusters):
        if cluster in torn:
            against[cluster].setdefault(labels[index], index)
    dropped = {}
    for index, cluster in enumerate(clusters):
        if cluster in torn:
            label, other = next(item for item in against[cluster].items() if item[0] != labels[index])
            dropped[index] = (
                f"is a copy of {names[other]}, though their classes are {labels[index]} and {label}"
            )
    return dropped


def _drop_later(
    dropped: dict[int, str], clusters: Sequence[int], labels: Sequence[str], names: Sequence[str], words: str
) -> None:
    """Keep the first of each cluster and class."""
    first: dict[tuple[int, str], int] = {}
    for index, key in enumerate(zip(clusters, labels, strict=True)):
        if index not in dropped and first.setdefault(key, index) != index:
            dropped[index] = f"{words} {names[first[key]]}"


def _candidates(thumbs: Array) -> Iterator[tuple[int, int, int]]:
    """(i, j, turn) with i < j: picture j, turned, may be picture i. The most alike first for each i."""
    if len(thumbs) < 2:
        return
    grey = np.stack([_grey(thumb, 32) for thumb in thumbs])
    hashes, coarse = perceptual_hashes(grey), _centred(grey)
    spread = (coarse.astype(np.float64) ** 2).sum(axis=(1, 2))
    most = min(MOST, max(LEAST, IN_ALL // len(thumbs)))
    for start in range(0, len(thumbs), _BLOCK):
        for row, scores in enumerate(_likeness(start, hashes, coarse, spread), start):
            for turn, other in _highest(scores, most):
                yield row, start + other, turn


def _likeness(start: int, hashes: Array, coarse: Array, spread: Array) -> Array:
    """`(rows, 8, N - start)`: squared correlation of each row's picture with those from `start` on in each
    turn; 0 for those that are no candidates."""
    rows = slice(start, min(start + _BLOCK, len(spread)))
    others = coarse[start:].reshape(-1, 256).T
    scale = spread[rows, None] * spread[None, start:]
    after = np.arange(len(spread) - start) > np.arange(rows.stop - start)[:, None]
    scores = np.zeros((rows.stop - start, len(_TURNS), others.shape[1]))
    for turn, back in enumerate(_BACK):
        product = (_turned(coarse[rows], back).reshape(-1, 256) @ others).astype(np.float64)
        bits = np.bitwise_count(hashes[0, rows, None] ^ hashes[turn, None, start:])
        likely = after & (bits <= HASH_BITS) & (product > 0) & (product * product >= LIKENESS * scale)
        scores[:, turn][likely] = product[likely] ** 2 / scale[likely]
    return scores


def _highest(scores: Array, most: int) -> list[tuple[int, int]]:
    """(turn, other) of the `most` highest scores above 0, the highest first; of equals the first ones."""
    flat = scores.ravel()
    places = np.flatnonzero(flat)
    if len(places) > most:
        limit = np.partition(flat[places], -most)[-most]
        places = places[flat[places] >= limit]
    best = places[np.argsort(-flat[places], kind="stable")][:most]
    return [divmod(place, scores.shape[1]) for place in best.tolist()]


def _centred(grey: Array) -> Array:
    """uint8 `(N, 32, 32)` to float32 `(N, 16, 16)` less each picture's rounded mean: whole numbers, whose
    products sum up to less than 2^24, so that float32 adds them exactly, in any order."""
    coarse = grey.reshape(-1, 16, 2, 16, 2).sum(axis=(2, 4), dtype=np.int16) // 4
    means = np.rint(coarse.mean(axis=(1, 2), keepdims=True)).astype(np.int16)
    centred: Array = (coarse - means).astype(np.float32)
    return centred


def perceptual_hashes(grey: Array) -> Array:
    """uint8 `(N, 32, 32)` to uint64 `(8, N)`: the pHash (Zauner 2010, as `imagehash.phash`) of each picture
    in each turn, as `_turned` turns it.

    The cosines are rounded to whole numbers, so that a coefficient next to the median falls on the same
    side on every machine; a mirrored picture's coefficients are the same with other signs, and one turned
    by 90 degrees has them in columns instead of rows.
    """
    position = np.arange(32)
    cosines = np.rint(4096 * np.cos(np.pi / 64 * np.outer(np.arange(8), 2 * position + 1)))
    waves = np.empty((len(grey), 8, 8))
    for start in range(0, len(grey), 1024):
        block = slice(start, start + 1024)
        waves[block] = cosines @ grey[block].astype(np.float64) @ cosines.T  # whole numbers below 2^53
    odd = np.where(np.arange(8) % 2, -1.0, 1.0)
    signs = (1.0, odd, odd[:, None], odd * odd[:, None])
    turns = [way * sign for way in (waves, waves.swapaxes(1, 2)) for sign in signs]
    return np.stack([_bits(turn.reshape(-1, 64)) for turn in turns])


def _bits(waves: Array) -> Array:
    middle = np.sort(waves, axis=1)[:, 31:33].sum(axis=1, keepdims=True)
    weights = np.left_shift(np.uint64(1), np.arange(64, dtype=np.uint64))
    packed: Array = ((2 * waves > middle) * weights).sum(axis=1, dtype=np.uint64)
    return packed


def _grey(picture: Array, side: int) -> Array:
    """uint8 `(H, W, C)` as grey uint8 `(side, side)`, averaged over boxes."""
    image = to_pil(picture).convert("L").resize((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def _turned(pictures: Array, turn: int) -> Array:
    """`(..., S, S)`, each picture with rows and columns exchanged (4), then mirrored (1) and upside down (2),
    as the bits of `turn` say."""
    pictures = pictures.swapaxes(-1, -2) if turn & 4 else pictures
    pictures = pictures[..., ::-1] if turn & 1 else pictures
    return pictures[..., ::-1, :] if turn & 2 else pictures
