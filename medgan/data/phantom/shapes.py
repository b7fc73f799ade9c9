"""What the phantoms are drawn with: smooth curves, a canvas in physical values, and smooth noise.

Everything is drawn once at `DRAWN` pixels a side and reduced to the size that is asked for, so that a
seed shows the same phantom at every size. Coordinates run from -1 (left, top) to 1 (right, bottom).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw

DRAWN = 256
OVERSAMPLED = 2 * DRAWN
"""Shapes are filled without antialiasing at this size, then averaged to `DRAWN`."""

Points = np.ndarray
"""float `(n, 2)`: x and y."""


def closed(corners: Iterable[Iterable[float]], steps: int = 8) -> Points:
    """The smooth closed curve through `corners` (a Catmull-Rom spline)."""
    p = np.asarray(list(corners), dtype=np.float64)
    return _spline(np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0), steps)


def opened(corners: Iterable[Iterable[float]], steps: int = 8) -> Points:
    """The smooth open curve through `corners`."""
    p = np.asarray(list(corners), dtype=np.float64)
    padded = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    curve = _spline(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], steps)
    return np.concatenate([curve, p[-1:]])


def _spline(before: Points, start: Points, end: Points, after: Points, steps: int) -> Points:
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (q[:, None] for q in (before, start, end, after))
    cubic = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    return np.asarray(cubic / 2).reshape(-1, 2)


def blob(
    rng: np.random.Generator,
    centre: tuple[float, float] | Points,
    radii: tuple[float, float],
    *,
    rough: float = 0.0,
    waves: int = 5,
    turn: float = 0.0,
) -> Points:
    """An ellipse turned by `turn` radians whose radius wavers by about the share `rough`."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    k = np.arange(2, waves + 1)[:, None]
    weight = rng.standard_normal(k.shape) / k
    radius = 1 + rough * (weight * np.cos(k * angle + rng.uniform(0, 2 * np.pi, k.shape))).sum(axis=0) * 2
    shape = np.stack([radii[0] * radius * np.cos(angle), radii[1] * radius * np.sin(angle)], axis=1)
    return turned(shape, turn) + centre


def turned(points: Points, angle: float) -> Points:
    """`points` turned about the origin by `angle` radians."""
    return np.asarray(points @ _rotation(angle))


def squared(points: Points, radii: tuple[float, float], power: float = 2.35) -> Points:
    """An ellipse bulged towards its box, as a rib cage is."""
    unit = points / radii
    bulge = ((unit**2).sum(axis=1) ** 0.5) / ((np.abs(unit) ** power).sum(axis=1) ** (1 / power))
    return np.asarray(points * bulge[:, None])


def _rotation(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


class Canvas:
    """A picture of physical values that shapes are painted on, later ones over earlier ones.

    `pose` maps a shape's coordinates to the picture: turn, stretch (x, y), then shift (x, y).
    """

    def __init__(
        self,
        background: float = 0.0,
        *,
        turn: float = 0.0,
        stretch: tuple[float, float] = (1.0, 1.0),
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.picture = Image.new("F", (OVERSAMPLED, OVERSAMPLED), background)
        self._draw = ImageDraw.Draw(self.picture)
        self._turn, self._stretch, self._shift = _rotation(turn), np.array(stretch), np.array(shift)

    def fill(self, points: Points, value: float) -> None:
        """Fill a closed curve."""
        self._draw.polygon(self._pixels(points), fill=value)

    def stroke(self, points: Points, width: float, value: float) -> None:
        """Draw an open curve `width` wide with round ends."""
        pixels = max(1.0, width * self._stretch[0] * OVERSAMPLED / 2)
        path = self._pixels(points)
        self._draw.line(path, fill=value, width=round(pixels), joint="curve" if pixels > 12 else None)
        if pixels > 2.5:
            for x, y in (path[0], path[-1]):
                self._draw.circle((x, y), pixels / 2, fill=value)

    def outline(self, points: Points, width: float, value: float) -> None:
        """Draw a closed curve's line."""
        self.stroke(np.concatenate([points, points[:2]]), width, value)

    def disc(self, centre: Points, radius: float, value: float) -> None:
        """Fill a small circle."""
        self._draw.circle(
            self._pixels(centre[None])[0], radius * self._stretch[0] * OVERSAMPLED / 2, fill=value
        )

    def segments(self, starts: Points, ends: Points, widths: np.ndarray, values: np.ndarray) -> None:
        """Draw straight pieces `(n, 2)` to `(n, 2)`, each with its own width and value, round ends."""
        pixels = np.maximum(1.0, widths * self._stretch[0] * OVERSAMPLED / 2).tolist()
        for a, b, width, value in zip(
            self._pixels(starts), self._pixels(ends), pixels, values.tolist(), strict=True
        ):
            self._draw.line((a, b), fill=value, width=round(width))
            if width > 2.5:
                self._draw.circle(b, width / 2, fill=value)

    def between(self, low: float, high: float) -> Callable[[Points], np.ndarray]:
        """What is painted now, as a question: which of the points `(n, 2)` lie on values in this range?"""
        painted = np.asarray(self.picture)

        def inside(points: Points) -> np.ndarray:
            x, y = self._placed(points).astype(int).T
            seen = (x >= 0) & (x < OVERSAMPLED) & (y >= 0) & (y < OVERSAMPLED)
            values = painted[y.clip(0, OVERSAMPLED - 1), x.clip(0, OVERSAMPLED - 1)]
            return np.asarray(seen & (low < values) & (values < high))

        return inside

    def array(self) -> np.ndarray:
        """What was painted, float32 `(DRAWN, DRAWN)`."""
        return np.asarray(self.picture.reduce(OVERSAMPLED // DRAWN), dtype=np.float32)

    def _placed(self, points: Points) -> Points:
        return np.asarray(((points @ self._turn) * self._stretch + self._shift + 1) * (OVERSAMPLED / 2))

    def _pixels(self, points: Points) -> list[tuple[float, float]]:
        return [(x, y) for x, y in self._placed(points).tolist()]


def noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise with about `cells` bumps a side, float32 `(DRAWN, DRAWN)`, mean 0, deviation near 1."""
    return fractal(rng, cells, 1)


def fractal(rng: np.random.Generator, cells: int, octaves: int, gain: float = 0.5) -> np.ndarray:
    """Sum of `octaves` layers of noise, each twice as fine and `gain` times as strong; as `noise`."""
    field = np.zeros((1, 1), np.float32)
    for k in range(octaves):  # each layer is enlarged with the next, so that only the last is costly
        side = cells * 2**k
        field = enlarged(field, side) + np.float32(gain**k) * rng.standard_normal((side, side), np.float32)
    scale = 1.4 / sum(gain ** (2 * k) for k in range(octaves)) ** 0.5
    return np.asarray(enlarged(field * np.float32(scale), DRAWN))


def enlarged(field: np.ndarray, side: int) -> np.ndarray:
    """A float32 field stretched smoothly to `(side, side)`."""
    return np.asarray(Image.fromarray(field).resize((side, side), Image.Resampling.BICUBIC))


def grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel's middle, float32 `(DRAWN, DRAWN)`."""
    axis = ((np.arange(DRAWN) + 0.5) * (2 / DRAWN) - 1).astype(np.float32)
    return np.meshgrid(axis, axis)


def smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def reduced(pixels: np.ndarray, size: int) -> np.ndarray:
    """float `(DRAWN, DRAWN, C)` in [0, 255] to uint8 `(size, size, C)`, averaging blocks."""
    step = DRAWN // size
    blocks = pixels.reshape(size, step, size, step, -1).mean(axis=(1, 3))
    return np.asarray(np.clip(np.rint(blocks), 0, 255).astype(np.uint8))
