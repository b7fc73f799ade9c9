"""The lungs of the chest phantom: outline, vessels, bronchi, and the nodule or none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medgan.data.phantom.anatomy import AIR, IN_LUNG, LUNG, Chest
from medgan.data.phantom.shapes import Canvas, Points, blob, closed


def lungs(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> dict[int, Points]:
    """Both lungs; -1 is the patient's right lung, on the left of the picture."""
    apex = float(np.clip(0.35 - chest.level, 0, 0.35)) / 0.35
    middle = 0.13 + 0.07 * apex
    value = LUNG + rng.normal(0, 30)
    both = {}
    for side in (-1, 1):
        corners = np.array(
            [(middle, -0.72), (0.34, -0.9), (0.68, -0.74), (0.9, -0.32), (0.95, 0.12), (0.86, 0.52)]
            + [(0.64, 0.84), (0.4, 0.92), (0.22, 0.74), (middle + 0.03, 0.42), (middle, 0.0), (middle, -0.4)]
        )
        corners += rng.normal(0, 0.012, corners.shape)
        shrink = 1 - apex * rng.uniform(0.2, 0.38)
        corners = (corners - (0.5, 0.12)) * (shrink, shrink) + (0.5, 0.12)
        both[side] = closed(corners * (side * chest.cage[0], chest.cage[1]))
        canvas.fill(both[side], value)
    return both


def vessels(canvas: Canvas, chest: Chest, rng: np.random.Generator, both: dict[int, Points]) -> None:
    """Arteries and veins that branch from the hila towards the pleura, those cut across, bronchi."""
    in_lung = canvas.between(*IN_LUNG)
    near = float(np.clip(1 - abs(chest.level - 0.6) / 0.6, 0.15, 1))  # largest at the level of the hila
    roots = 7
    left = np.linspace(-1.3, 1.3, roots) + rng.normal(0, 0.15, roots)
    right = np.pi - np.linspace(-1.3, 1.3, roots) + rng.normal(0, 0.15, roots)
    start = np.repeat([[0.2, 0.08], [-0.2, 0.08]], roots, 0) + rng.normal(0, 0.03, (2 * roots, 2))
    width = rng.uniform(0.016, 0.036, 2 * roots) * (0.5 + 0.5 * near)
    _tree(canvas, rng, start, np.concatenate([left, right]), width, in_lung)
    for side, lung in both.items():
        dots = rng.uniform(lung.min(axis=0), lung.max(axis=0), (50, 2))
        for dot in dots[in_lung(dots) & in_lung(dots * 1.05)]:
            canvas.disc(dot, rng.uniform(0.005, 0.013), rng.uniform(-400, 0))
        for _ in range(int(rng.integers(1, 4))):  # bronchi: a dark lumen with a thin wall
            point = rng.uniform((0.24, -0.12), (0.4, 0.38)) * (side, 1)
            radius = rng.uniform(0.012, 0.022)
            canvas.disc(point, radius + 0.009, -200.0)
            canvas.disc(point, radius, AIR + 40)


def _tree(
    canvas: Canvas,
    rng: np.random.Generator,
    tip: Points,
    heading: np.ndarray,
    width: np.ndarray,
    in_lung: Callable[[Points], np.ndarray],
) -> None:
    """Grow all twigs at once, a step at a time. A twig ends near the pleura, when it is too thin, or by
    chance, since vessels leave the plane of the slice."""
    for step in range(20):
        heading = heading + rng.normal(0, 0.15, len(tip))
        reach = rng.uniform(0.03, 0.055, len(tip))[:, None]
        end = tip + reach * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        stays = rng.uniform(size=len(tip)) > (0.09 if step > 2 else 0.0)
        grows = (width > 0.0045) & (in_lung(end * 1.05) | (step < 3)) & stays
        tip, end, heading, width = tip[grows], end[grows], heading[grows], width[grows]
        if not len(tip):
            return
        canvas.segments(tip, end, width, np.clip(70 - 1.4 / width, -400, 40) + rng.normal(0, 40, len(tip)))
        forks = rng.uniform(size=len(tip)) < (0.36 if step > 0 else 0.0)
        turn = rng.uniform(0.3, 0.8, len(tip)) * rng.choice([-1, 1], len(tip))
        heading = np.concatenate([heading - 0.4 * turn * forks, (heading + turn)[forks]])
        width = np.concatenate([width * np.where(forks, 0.8, 0.95), 0.65 * width[forks]])
        tip = np.concatenate([end, end[forks]])


def nodule(canvas: Canvas, rng: np.random.Generator, both: dict[int, Points]) -> None:
    """Solid, spiculated or part-solid, in the free lung and sometimes against the pleura."""
    radius = rng.uniform(0.05, 0.125)
    place = _free_place(canvas, rng, both, radius)
    shape = (radius, radius * rng.uniform(0.75, 1))
    kind = rng.choice(["solid", "spiculated", "part-solid"])
    if kind == "spiculated":
        angle = rng.uniform(0, 2 * np.pi, int(rng.integers(9, 16)))
        reach = radius * rng.uniform(1.3, 1.9, len(angle))
        ends = place + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        canvas.segments(np.repeat(place[None], len(angle), 0), ends, 0.01 + 0 * angle, -250 + 0 * angle)
    rim = place + 1.6 * radius * _ring(32)
    if kind == "part-solid" and canvas.between(*IN_LUNG)(rim).mean() > 0.85:  # a veil lies on lung alone
        canvas.fill(blob(rng, place, (shape[0] * 1.5, shape[1] * 1.5), rough=0.12), rng.uniform(-720, -570))
    rough = 0.14 if kind == "spiculated" else 0.05
    turn = float(rng.uniform(0, np.pi))
    canvas.fill(blob(rng, place, shape, rough=rough, waves=8, turn=turn), rng.uniform(-10, 70))


def _free_place(canvas: Canvas, rng: np.random.Generator, both: dict[int, Points], radius: float) -> Points:
    """Where a disc of `radius` meets most lung, of places drawn by chance in both lungs."""
    in_lung = canvas.between(*IN_LUNG)
    places = np.concatenate([rng.uniform(c.min(axis=0), c.max(axis=0), (40, 2)) for c in both.values()])
    rng.shuffle(places)
    around = radius * np.concatenate([0.9 * _ring(16), 0.45 * _ring(16)])
    share = in_lung((places[:, None] + around).reshape(-1, 2)).reshape(len(places), -1).mean(axis=1)
    return np.asarray(places[np.argmax(np.minimum(share, 0.75))])  # the first that is free enough


def _ring(count: int) -> Points:
    """Points on a circle of radius 1."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
