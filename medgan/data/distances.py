"""How much the thumbnails of two images differ, exact to the last bit.

Groups and the leak check decide by these distances, so they must be the same on every machine, whatever
order its processor adds in: values are whole numbers, and no sum grows beyond what its type holds exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Array = np.ndarray

NEAR = 0.3
"""Two images look alike (adjacent slices, two photographs of one lesion) when their thumbnails differ by
less than this share of the median difference between two images of the set. Chosen by looking at the
closest pairs of a chest CT and a dermoscopy set: up to here they show the same body or lesion."""
VALUES = 32 * 32 * 3
"""Numbers in a thumbnail; a squared distance divided by this, then its root, is in grey levels of 255."""

_BLOCK = 1024
_SAMPLE = 500


def squared_distances(first: Array, second: Array) -> Array:
    """uint8 `(N, 32, 32, 3)` and `(M, 32, 32, 3)` to float64 `(N, M)`: sums of squared differences, exact."""
    return _products_to_distances(_planes(first), _planes(second))


def blocks(thumbs: Array) -> Iterator[tuple[int, int, Array]]:
    """All pairs of images, some 1,000 x 1,000 at a time, so that 20,000 images need no 20,000 x 20,000
    matrix: (first row, first column, squared distances), the column's block never before the row's."""
    for row in range(0, len(thumbs), _BLOCK):
        rows = _planes(thumbs[row : row + _BLOCK])
        for column in range(row, len(thumbs), _BLOCK):
            columns = rows if column == row else _planes(thumbs[column : column + _BLOCK])
            yield row, column, _products_to_distances(rows, columns)


def typical_square(thumbs: Array) -> float:
    """The median squared distance between two images, from 500 to 1,000 of them spread over the set; 0 if
    there are fewer than two."""
    sample = thumbs[:: max(1, len(thumbs) // _SAMPLE)]
    if len(sample) < 2:
        return 0.0
    return float(np.median(squared_distances(sample, sample)[np.triu_indices(len(sample), 1)]))


def alike_below(thumbs: Array) -> float:
    """The squared distance up to which two images of the set look alike (`NEAR`)."""
    return NEAR * NEAR * typical_square(thumbs)


def _planes(thumbs: Array) -> Array:
    """float32 `(3, N, 1024)`, or `(1, N, 1024)` if all are grey; values -128 to 127. The sum of 1,024
    products of them is at most 2^24, so float32 adds them exactly, twice as fast as float64."""
    flat = thumbs.reshape(len(thumbs), -1, 3)
    if (flat[:, :, :1] == flat[:, :, 1:]).all():
        flat = flat[:, :, :1]
    planes: Array = np.ascontiguousarray(np.moveaxis(flat, 2, 0), dtype=np.float32)
    np.subtract(planes, 128, out=planes)
    return planes


def _products_to_distances(first: Array, second: Array) -> Array:
    if len(first) != len(second):  # grey images against coloured ones
        first, second = (np.broadcast_to(planes, (3, *planes.shape[1:])) for planes in (first, second))
    distances: Array = np.add.outer(_squares(first), _squares(second))
    for a, b in zip(first, second, strict=True):
        np.subtract(distances, 2.0 * (a @ b.T), out=distances)
    np.multiply(distances, 3 // len(first), out=distances)
    return distances


def _squares(planes: Array) -> Array:
    squares: Array = np.einsum("cnk,cnk->n", planes, planes, dtype=np.float64)
    return squares
