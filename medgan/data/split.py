"""Which images train and which are held out: by group, so that near-copies never stand on both sides."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from medgan.errors import DataError

TRAIN, HELDOUT = "train", "heldout"
NEAR = 0.3
"""Two images are near-copies (adjacent slices, crops of one photograph) when their thumbnails differ by
less than this share of the median difference between two images of the set. Chosen by looking at the
closest pairs of a chest CT and a dermoscopy set: up to here they show the same body or lesion."""


def near_duplicate_groups(images: np.ndarray, near: float = NEAR) -> np.ndarray:
    """uint8 `(N, H, W, C)` to a group number for each image `(N,)`; near-copies share a group, and so
    do the neighbours of neighbours. Differences are root mean squares of 32x32 thumbnails."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    thumbs = _thumbnails(images)
    thumbs -= thumbs.mean(axis=0)  # small numbers, so that their squares lose nothing to rounding
    squares = (thumbs**2).sum(axis=1)
    limit = near**2 * _median_square_distance(thumbs)
    pairs: list[np.ndarray] = []
    for start in range(0, len(thumbs), 512):  # in blocks: 10,000 images need no 10,000 x 10,000 matrix
        block = slice(start, start + 512)
        distance = squares[block, None] + squares[None] - 2 * thumbs[block] @ thumbs.T
        close = np.argwhere(distance <= limit + 1e-4 * squares[block, None])  # rounding
        pairs.append(close + [start, 0])
    edges = np.concatenate(pairs)
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(thumbs),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])


def heldout_count(heldout: float, images: int) -> int:
    """How many images `--heldout` means: a fraction below 1, or a count. DataError if out of range."""
    share = heldout * images if heldout < 1 else heldout
    count = round(share) if math.isfinite(share) and heldout > 0 else 0
    if not 1 <= count <= images - 2:
        raise DataError(
            f"--heldout {heldout:g} of {images} images leaves too few on one side; "
            f"give a fraction such as 0.25 or a count from 1 to {images - 2}."
        )
    return count


def split(labels: Sequence[str], groups: np.ndarray, heldout: float, seed: int) -> list[str]:
    """`train` or `heldout` for every image: whole groups, in each class its share, seeded.

    The number held out is never exceeded, and met exactly where enough images stand alone. A class with
    two groups or more is present on both sides, if the number held out has room for it. DataError if
    nothing can be held out.
    """
    choice = _Choice(labels, groups, heldout_count(heldout, len(labels)))
    order = np.random.default_rng(seed).permutation(np.unique(groups)).tolist()
    choice.take_one_of_each(order)
    choice.take(order, lambda group: choice.in_share(group) and choice.leaves_some(group))
    choice.take(order, choice.leaves_some)  # what rounding and group sizes left over
    choice.take(order, lambda _: True)
    if not choice.chosen:
        raise DataError(
            "All images look alike, so none can be held out without a near-copy staying in training; "
            "add images that differ."
        )
    return [HELDOUT if group in choice.chosen else TRAIN for group in groups.tolist()]


class _Choice:
    """The groups that are held out, as they are chosen one by one."""

    def __init__(self, labels: Sequence[str], groups: np.ndarray, wanted: int) -> None:
        self.wanted = wanted
        self.chosen: set[int] = set()
        self.members: dict[int, Counter[str]] = defaultdict(Counter)
        for label, group in zip(labels, groups.tolist(), strict=True):
            self.members[group][label] += 1
        self.training = Counter(labels)
        self.quota = {label: wanted / len(labels) * count for label, count in self.training.items()}

    def size(self, group: int) -> int:
        return self.members[group].total()

    def in_share(self, group: int) -> bool:
        """Whether its classes still have their share to give."""
        return all(count <= round(self.quota[label]) for label, count in self.members[group].items())

    def leaves_some(self, group: int) -> bool:
        """Whether every class keeps an image to train on."""
        return all(count < self.training[label] for label, count in self.members[group].items())

    def take(self, groups: Iterable[int], allowed: Callable[[int], bool], most: int | None = None) -> None:
        """Hold out those of `groups` that fit and are `allowed`, at most `most` of them."""
        for group in groups:
            if most == 0:
                return
            if group not in self.chosen and self.size(group) <= self.wanted and allowed(group):
                self.chosen.add(group)
                self.wanted -= self.size(group)
                self.training -= self.members[group]
                for label, count in self.members[group].items():
                    self.quota[label] -= count
                most = None if most is None else most - 1

    def take_one_of_each(self, order: Sequence[int]) -> None:
        """A group of every class: the first that is in its share, or else the smallest."""
        by_class: dict[str, list[int]] = defaultdict(list)
        for group in order:
            for label in self.members[group]:
                by_class[label].append(group)
        for label in sorted(by_class):
            share = max(1, round(self.quota[label]))
            ranked = sorted(by_class[label], key=lambda g: max(share, self.size(g)))
            if self.chosen.isdisjoint(ranked):
                self.take(ranked, self.leaves_some, most=1)


def _median_square_distance(vectors: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    sample = vectors[:: max(1, len(vectors) // 500)]
    return float(np.median(pdist(sample, "sqeuclidean"))) if len(sample) > 1 else 0.0


def _thumbnails(images: np.ndarray) -> np.ndarray:
    from PIL import Image

    from medgan.images import to_pil

    thumbs = [to_pil(image).resize((32, 32), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(t, dtype=np.float32).reshape(-1) for t in thumbs])
