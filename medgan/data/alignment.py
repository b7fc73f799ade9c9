"""Whether two pictures are the same once one is moved and brightened a little to lie on the other.

Sums are of whole numbers, so that every machine decides alike; `docs/splits.md` has the measurements.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray

SIDE = 64
"""Pictures are compared at this side: enough to tell a slice from the next, while JPEG noise averages out."""
LEFT_OVER = 0.18
"""The difference that is left may be this share of the picture's contrast (standard deviation)."""
LOCAL, NOISE = 0.5, 3.0
"""In a field of 8x8 pixels it may be this share of the field's contrast, and so many grey levels."""
FIELDS = 44
"""So many of the 49 fields must agree. A body before black, or the disc of a dermatoscope, has so much
contrast that it hides other differences in the figure for the whole picture; the fields show them. Some
may differ: there are copies with a mark drawn by hand."""

_FINE = 16  # grey levels and moves are counted in sixteenths
_FAR = 4 * _FINE  # pixels; what is cropped by more than some 6 % is not brought together
_PROMISE = (1.0, 0.6, 0.3, 0.3, 0.3)  # what may be left at each step, or it will not become a copy
_EDGE = slice(4, SIDE - 4)  # beyond it a moved picture has nothing to show
_CENTRED = 2.0 * np.arange(SIDE) - (SIDE - 1)
_INSIDE = _CENTRED[_EDGE]
_PIXELS = len(_INSIDE) ** 2


def same_picture(first: Array, second: Array) -> float | None:
    """The root mean square difference that is left (0-255) if the two are the same picture, else None.

    Both are uint8 `(64, 64)`. The second is shifted and zoomed along both axes by up to four pixels to
    where it fits best (least squares of the linearised difference, repeated: Lucas and Kanade 1981);
    its contrast may be 0.8 to 1.25 times that of the first, its brightness anything.
    """
    target = (first[_EDGE, _EDGE].astype(np.float64) * _FINE).ravel()
    source = second.astype(np.float64) * _FINE
    move = np.zeros(4, dtype=np.int64)
    best: _Fit | None = None
    for promise in _PROMISE:
        fit = _Fit(target, _moved(source, move))
        if best and fit.left >= best.left:
            break
        best = fit
        if fit.left > promise or not fit.left:
            break
        move = np.clip(move + fit.step(), -_FAR, _FAR)
    return best.distance if best and best.agrees() else None


class _Fit:
    """The first picture as gain times the second plus an offset, by least squares.

    The sums are of whole numbers below 2^53, which float64 adds exactly in any order.
    """

    def __init__(self, target: Array, moved: Array) -> None:
        self.target, self.columns = target, _columns(moved)
        self.normal, self.aims = self.columns @ self.columns.T, self.columns @ target
        self.total, self.moved_total = int(self.aims[1]), int(self.normal[0, 1])
        self.variance = _PIXELS * int(target @ target) - self.total**2
        self.moved_variance = _PIXELS * int(self.normal[0, 0]) - self.moved_total**2
        self.covariance = _PIXELS * int(self.aims[0]) - self.total * self.moved_total
        both = self.variance * self.moved_variance
        self.left = math.sqrt((both - self.covariance**2) / both) if both else 1.0

    @property
    def distance(self) -> float:
        return round(self.left * math.sqrt(self.variance) / _PIXELS / _FINE, 3)

    def agrees(self) -> bool:
        least, most = 4 * self.moved_variance, 5 * self.moved_variance
        gain_fits = least <= 5 * self.covariance and 4 * self.covariance <= most
        return gain_fits and self.left <= LEFT_OVER and self._agreeing_fields() >= FIELDS

    def _agreeing_fields(self) -> int:
        gain = 1024 * self.covariance // self.moved_variance
        offset = (1024 * self.total - gain * self.moved_total) // _PIXELS
        difference = 1024 * self.target - gain * self.columns[0] - offset
        power = (_fields(difference) ** 2).sum(axis=1) / 1024**2
        fields = _fields(self.target)
        contrast = (fields**2).sum(axis=1) - fields.sum(axis=1) ** 2 / 64
        return int((power <= LOCAL**2 * contrast + 64 * (NOISE * _FINE) ** 2).sum())

    def step(self) -> Array:
        """How to move on: shift and zoom downwards, shift and zoom to the right, in sixteenths of a pixel
        (of the zoom: at the edge). Whole numbers, so that last bits of the solution make no difference."""
        normal = self.normal.copy()
        normal[range(2, 6), range(2, 6)] *= 1 + 1 / 1024  # stripes and flat areas do not say where they lie
        normal[range(6), range(6)] += 1
        gain, _, *motion = np.linalg.solve(normal, self.aims).tolist()
        scale = 2 * _FINE / max(gain, 0.5)
        step = np.rint(np.array(motion) * [scale, scale * SIDE, scale, scale * SIDE])
        bounded: Array = np.clip(step, -_FAR, _FAR).astype(np.int64)
        return bounded


def _fields(picture: Array) -> Array:
    """The 56 x 56 pixels as `(49, 64)`: fields of 8x8."""
    return picture.reshape(7, 8, 7, 8).swapaxes(1, 2).reshape(49, 64)


def _columns(moved: Array) -> Array:
    """`(6, 3136)`: the picture, ones, and its change by a shift and a zoom downwards and to the right."""
    columns = np.empty((6, len(_INSIDE), len(_INSIDE)))
    columns[0] = moved[_EDGE, _EDGE]
    columns[1] = 1
    np.subtract(moved[5 : SIDE - 3, _EDGE], moved[3 : SIDE - 5, _EDGE], out=columns[2])
    np.subtract(moved[_EDGE, 5 : SIDE - 3], moved[_EDGE, 3 : SIDE - 5], out=columns[4])
    np.multiply(columns[2], _INSIDE[:, None], out=columns[3])
    np.multiply(columns[4], _INSIDE, out=columns[5])
    return columns.reshape(6, -1)


def _moved(picture: Array, move: Array) -> Array:
    """The picture shifted and zoomed, with linear interpolation in whole numbers."""
    if not move.any():
        return picture
    down, zoom_down, right, zoom_right = move.tolist()
    return _moved_down(_moved_down(picture, down, zoom_down).T, right, zoom_right).T


def _moved_down(picture: Array, shift: int, zoom: int) -> Array:
    unit = _FINE * SIDE
    place = np.clip(np.arange(SIDE) * unit + shift * SIDE + zoom * _CENTRED, 0, (SIDE - 1) * unit)
    row = np.minimum(place // unit, SIDE - 2).astype(np.int64)
    part = (place - row * unit)[:, None]
    above = picture[row]
    moved: Array = np.rint(above + (picture[row + 1] - above) * (part / unit))
    return moved
