"""Which images train and which are held out: by group, so that near-copies never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence

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
    squares = (thumbs**2).sum(axis=1)
    limit = near**2 * _median_square_distance(thumbs)
    pairs: list[np.ndarray] = []
    for start in range(0, len(thumbs), 512):  # in blocks: 10,000 images need no 10,000 x 10,000 matrix
        block = slice(start, start + 512)
        distance = squares[block, None] + squares[None] - 2 * thumbs[block] @ thumbs.T
        near = np.argwhere(distance <= limit + 1e-3 * squares[block, None])  # rounding
        pairs.append(near + [start, 0])
    edges = np.concatenate(pairs)
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(thumbs),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])


def heldout_count(heldout: float, images: int) -> int:
    """How many images `--heldout` means: a fraction below 1, or a count. DataError if out of range."""
    count = round(heldout * images) if heldout < 1 else round(heldout)
    if heldout <= 0 or not 1 <= count <= images - 2:
        raise DataError(
            f"--heldout {heldout:g} of {images} images leaves too few on one side; "
            f"give a fraction such as 0.25 or a count from 1 to {images - 2}."
        )
    return count


def split(labels: Sequence[str], groups: np.ndarray, heldout: float, seed: int) -> list[str]:
    """`train` or `heldout` for every image: whole groups, in each class its share, seeded.

    The number held out is met exactly where the group sizes allow it, and never exceeded.
    """
    wanted = heldout_count(heldout, len(labels))
    share = wanted / len(labels)
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.unique(groups))
    members = {group: np.flatnonzero(groups == group) for group in order}
    quota = {label: share * list(labels).count(label) for label in set(labels)}
    chosen: set[int] = set()

    def take(limit_by_class: bool) -> None:
        nonlocal wanted
        for group in order:
            label = labels[members[group][0]]
            size = len(members[group])
            fits = size <= wanted and (not limit_by_class or size <= round(quota[label]))
            if group not in chosen and fits:
                chosen.add(group)
                wanted -= size
                quota[label] -= size

    take(limit_by_class=True)
    take(limit_by_class=False)  # what rounding and group sizes left over
    if not chosen:
        raise DataError(
            "All images look alike, so none can be held out without a near-copy staying in training; "
            "add images that differ."
        )
    return [HELDOUT if group in chosen else TRAIN for group in groups]


def _median_square_distance(vectors: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    sample = vectors[:: max(1, len(vectors) // 500)]
    return float(np.median(pdist(sample, "sqeuclidean"))) if len(sample) > 1 else 0.0


def _thumbnails(images: np.ndarray) -> np.ndarray:
    from PIL import Image

    from medgan.images import to_pil

    thumbs = [to_pil(image).resize((32, 32), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(t, dtype=np.float32).reshape(-1) for t in thumbs])
