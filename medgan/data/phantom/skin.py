"""A pigmented lesion on skin, as a dermatoscope shows it.

The two classes differ in what the ABCD rule looks at: asymmetry, border, colours and structures. They
are something to try a GAN on, not a model of the disease.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medgan.data.phantom.shapes import DRAWN, Canvas, enlarged, fractal, grid, noise, opened, smoothstep

MELANOMA, NEVUS = "melanoma-like", "nevus-like"

SKINS = ((226, 172, 160), (222, 200, 188), (180, 192, 216), (214, 172, 138), (206, 186, 158), (176, 130, 102))
"""Pink, pale, pale under polarised light, tan, sallow, brown."""

BROWNS = ((150, 88, 52), (176, 108, 66), (120, 70, 44), (134, 96, 72), (104, 52, 32))
DARKS = ((66, 36, 26), (48, 28, 26), (84, 44, 28))
OTHERS = ((86, 92, 112), (28, 22, 26), (178, 92, 80), (214, 178, 160), (96, 84, 84))
"""Blue-grey veil, black, red, white regression, grey."""

Field = np.ndarray
"""float32 `(DRAWN, DRAWN)`."""


@dataclass(frozen=True)
class Lesion:
    """Where the lesion is and how it looks."""

    label: str
    centre: tuple[float, float]
    radius: float
    stretch: float
    turn: float
    border: float
    softness: float
    network: float
    strength: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, label: str) -> Lesion:
        """A lesion by chance."""
        bad = label == MELANOMA
        return cls(
            label=label,
            centre=(float(rng.normal(0, 0.1)), float(rng.normal(0, 0.1))),
            radius=float(rng.uniform(0.42, 0.8) if bad else rng.uniform(0.3, 0.68)),
            stretch=float(rng.uniform(1.0, 1.5)),
            turn=float(rng.uniform(0, np.pi)),
            border=float(rng.uniform(0.16, 0.3) if bad else rng.uniform(0.03, 0.11)),
            softness=float(rng.uniform(0.1, 0.5)),
            network=float(rng.choice([0.0, rng.uniform(0.2, 0.75)], p=[0.35, 0.65])),
            strength=float(rng.uniform(0.72, 1.0)),
        )


def draw_skin(rng: np.random.Generator, label: str) -> np.ndarray:
    """One photograph, float32 `(DRAWN, DRAWN, 3)` in [0, 255] of class `label`."""
    lesion = Lesion.drawn(rng, label)
    depth = _depth(rng, lesion)
    cover = smoothstep(depth, -0.3 * lesion.softness, lesion.softness) * np.float32(lesion.strength)
    picture = _skin(rng)
    picture -= smoothstep(depth, -0.7, 0.1) * _colour((6, 22, 24)) * np.float32(rng.uniform(0, 1))  # redness
    picture += cover * (_pigment(rng, lesion, depth) - picture)
    picture *= 1 - _structures(rng, lesion, depth) * _colour((0.46, 0.56, 0.58))
    picture = _hairs(picture, rng)
    return np.asarray(_photographed(picture, rng).transpose(1, 2, 0))


def _colour(rgb: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """A colour as `(3, 1, 1)`, to be laid over planes `(3, DRAWN, DRAWN)`, which numpy adds fastest."""
    return np.asarray(rgb, np.float32)[:, None, None]


def _skin(rng: np.random.Generator) -> np.ndarray:
    tone = np.array(SKINS[rng.integers(len(SKINS))]) + rng.normal(0, 6) + rng.normal(0, 4, 3)
    light = fractal(rng, 4, 3, 0.6) * np.float32(rng.uniform(1.5, 5))
    light += noise(rng, int(rng.integers(40, 70))) * np.float32(rng.uniform(1, 3.5))  # pores
    flush = np.maximum(noise(rng, int(rng.integers(3, 6))), 0) * np.float32(rng.uniform(0, 9))
    return np.asarray(_colour(tone) + light - flush * _colour((0.0, 1.0, 0.8)))


def _depth(rng: np.random.Generator, lesion: Lesion) -> Field:
    """How far inside the border a pixel lies: 0 on it, 1 in the middle, negative outside."""
    x, y = grid()
    x, y = x - np.float32(lesion.centre[0]), y - np.float32(lesion.centre[1])
    cos, sin = float(np.cos(lesion.turn)), float(np.sin(lesion.turn))
    along, across = (cos * x + sin * y) / lesion.stretch**0.5, (cos * y - sin * x) * lesion.stretch**0.5
    depth = 1 - np.sqrt(along**2 + across**2) / np.float32(lesion.radius)
    if lesion.label == MELANOMA:  # a second part grows out of one side
        angle, size = rng.uniform(0, 2 * np.pi), lesion.radius * rng.uniform(0.45, 0.75)
        dx, dy = (float(lesion.radius * rng.uniform(0.5, 0.8) * f(angle)) for f in (np.cos, np.sin))
        lobe = (np.float32(size) - np.sqrt((x - dx) ** 2 + (y - dy) ** 2)) / np.float32(lesion.radius)
        depth = (depth + lobe + np.sqrt((depth - lobe) ** 2 + np.float32(0.02))) / 2  # a smooth maximum
    depth += np.float32(lesion.border) * fractal(rng, int(rng.integers(3, 6)), 4, 0.6)
    return np.asarray(depth)


def _pigment(rng: np.random.Generator, lesion: Lesion, depth: Field) -> np.ndarray:
    """The colours of the lesion: one or two browns in a nevus, up to five in a melanoma."""
    bad = lesion.label == MELANOMA
    brown = _colour(np.array(BROWNS[rng.integers(len(BROWNS))]) + rng.normal(0, 8))
    dark = _colour(DARKS[rng.integers(len(DARKS))])
    uneven = noise(rng, 3) * np.float32(0.6 if bad else 0.12) + fractal(rng, 8, 3, 0.8) * np.float32(0.2)
    reach = rng.uniform(0.15, 0.6) if bad else rng.uniform(0.35, 1.2)
    colour = brown + smoothstep(depth + uneven, reach - 0.6, reach + 0.45) * (dark - brown)
    for _ in range(int(rng.integers(1, 4)) if bad else 0):
        other = _colour(OTHERS[rng.integers(len(OTHERS))])
        patch = smoothstep(noise(rng, int(rng.integers(2, 5))) + 0.25 * uneven, 0.2, 1.5)
        colour += patch * np.float32(rng.uniform(0.4, 0.8)) * (other - colour)
    mottle = 1 + fractal(rng, int(rng.integers(14, 26)), 2, 0.7) * np.float32(rng.uniform(0.05, 0.13))
    return np.asarray(colour * mottle)


def _structures(rng: np.random.Generator, lesion: Lesion, depth: Field) -> Field:
    """Pigment network, dots and globules: how dark they are, in [0, 1]."""
    dark = _dots(rng, lesion) * smoothstep(depth, -0.02, 0.12)
    if lesion.network:
        where = smoothstep(depth, -0.15, 0.1) * smoothstep(-depth, -0.8, -0.2)  # strongest near the border
        if lesion.label == MELANOMA:
            where = where * smoothstep(noise(rng, 3), -0.4, 0.5)  # only in parts
        dark = np.maximum(dark, _mesh(rng) * where * np.float32(lesion.network))
    return np.asarray(dark)


def _mesh(rng: np.random.Generator) -> Field:
    """A net of lines around irregular holes, in [0, 1]: the borders between the cells of a Voronoi
    diagram with one seed in each square of a grid."""
    cells = float(rng.uniform(22, 38))
    axis = (np.arange(DRAWN // 2, dtype=np.float32) + 0.5) * np.float32(2 * cells / DRAWN)
    x, y = np.meshgrid(axis, axis)
    seeds = rng.uniform(0.1, 0.9, (2, int(cells) + 4, int(cells) + 4)).astype(np.float32)
    column, row = x.astype(np.intp), y.astype(np.intp)
    nearest, second = np.full_like(x, 9), np.full_like(x, 9)
    for i in (0, 1, 2):
        for j in (0, 1, 2):
            dx = seeds[0, row + i, column + j] + (column + (j - 1)).astype(np.float32) - x
            dy = seeds[1, row + i, column + j] + (row + (i - 1)).astype(np.float32) - y
            distance = dx * dx + dy * dy
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    return np.asarray(enlarged(1 - smoothstep(np.sqrt(second) - np.sqrt(nearest), 0.0, 0.6), DRAWN))


def _dots(rng: np.random.Generator, lesion: Lesion) -> Field:
    canvas = Canvas(0.0)
    wide, largest = 1.1 * lesion.radius, 0.03 if lesion.label == MELANOMA else 0.017
    count = rng.integers(15, 90) if rng.uniform() < 0.5 else 0
    for place in rng.uniform(-wide, wide, (count, 2)) + lesion.centre:
        canvas.disc(place, rng.uniform(0.008, largest), rng.uniform(0.3, 0.9))
    return canvas.array()


def _hairs(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.uniform() < 0.6:
        return picture
    canvas, main = Canvas(0.0), rng.uniform(0, np.pi)
    for _ in range(int(rng.choice([rng.integers(1, 7), rng.integers(8, 24)], p=[0.75, 0.25]))):
        angle = main + rng.normal(0, 0.5)
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        middle, half, bend = rng.uniform(-0.9, 0.9, 2), rng.uniform(0.3, 1.2), rng.normal(0, 0.2)
        path = opened([middle - half * along, middle + bend * across, middle + half * along], 12)
        canvas.stroke(path, rng.uniform(0.006, 0.016), rng.uniform(0.5, 0.95))
    brown = _colour((58, 40, 32)) * np.float32(rng.uniform(0.6, 1.5))
    return np.asarray(picture + canvas.array() * (brown - picture))


def _photographed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light from one side, dark corners, white balance, exposure and noise."""
    x, y = grid()
    away = np.sqrt(x**2 + y**2)
    slope, angle = rng.uniform(0, 0.1), rng.uniform(0, 2 * np.pi)
    light = 1 + slope * (float(np.cos(angle)) * x + float(np.sin(angle)) * y) - rng.uniform(0, 0.14) * away**2
    if rng.uniform() < 0.15:  # the round opening of the dermatoscope
        edge = rng.uniform(1.0, 1.3)
        light = light * (1 - smoothstep(away, edge - 0.03, edge + 0.03))
    balance = _colour(rng.normal(1, 0.015, 3) * rng.uniform(0.88, 1.1))
    grain = rng.standard_normal((DRAWN, DRAWN), dtype=np.float32) * np.float32(rng.uniform(1, 3.5))
    return np.asarray(np.clip(picture * light * balance + grain, 0, 255), dtype=np.float32)
