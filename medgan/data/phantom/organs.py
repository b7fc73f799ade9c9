"""What lies between the lungs of the chest phantom, from the great vessels down to the liver."""

from __future__ import annotations

import numpy as np

from medgan.data.phantom.anatomy import AIR, FAT, MUSCLE, ORGAN, Chest
from medgan.data.phantom.shapes import Canvas, blob, closed, opened


def mediastinum(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """The organs between the lungs at this level."""
    if chest.level < 0.17:
        _inlet(canvas, chest, rng)
    elif chest.level < 0.33:
        _arch(canvas, chest, rng)
    elif chest.level < 0.52:
        _trunk(canvas, chest, rng)
    else:
        _heart(canvas, chest, rng)
    y = 0.3 * chest.cage[1] / 0.5
    canvas.fill(blob(rng, (0.03 + rng.normal(0, 0.01), y - 0.02), (0.03, 0.022), rough=0.1), MUSCLE)
    if chest.level >= 0.33:
        _tube(canvas, rng, (0.125, y + 0.03), rng.uniform(0.052, 0.068), chest.blood)


def _tube(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], radius: float, value: float
) -> None:
    """A great vessel cut across, with its wall."""
    place = (centre[0] + rng.normal(0, 0.008), centre[1] + rng.normal(0, 0.008))
    shape = (radius * rng.uniform(0.92, 1.08), radius * rng.uniform(0.92, 1.08))
    canvas.fill(blob(rng, place, (shape[0] + 0.008, shape[1] + 0.008)), MUSCLE - 15)
    canvas.fill(blob(rng, place, shape, rough=0.02), value + rng.normal(0, 8))


def _airway(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float]
) -> None:
    canvas.fill(blob(rng, centre, (radii[0] + 0.013, radii[1] + 0.013), rough=0.02), 0.0)
    canvas.fill(blob(rng, centre, radii, rough=0.03), AIR + 20)


def _inlet(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    canvas.fill(blob(rng, (0, -0.1), (0.2, 0.3), rough=0.05), -40.0)
    for x, y, radius in ((-0.14, -0.2, 0.05), (0.1, -0.25, 0.05), (0.02, -0.12, 0.04), (0.13, -0.03, 0.04)):
        _tube(canvas, rng, (x, y), radius * rng.uniform(0.8, 1.2), chest.blood)
    _airway(canvas, rng, (rng.normal(0, 0.012), 0.07), (rng.uniform(0.042, 0.055), rng.uniform(0.045, 0.06)))


def _arch(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    canvas.fill(
        closed([(-0.16, -0.3), (0.0, -0.42), (0.14, -0.3), (0.2, 0.1), (0.1, 0.4), (-0.16, 0.2)]), FAT + 60
    )
    arch = opened([(-0.04, -0.2), (0.06, -0.12), (0.13, 0.05), (0.15, 0.24)])
    arch = arch + rng.normal(0, 0.01, 2)
    width = rng.uniform(0.13, 0.17)
    canvas.stroke(arch, width + 0.016, MUSCLE - 15)
    canvas.stroke(arch, width, chest.blood)
    _tube(canvas, rng, (-0.15, -0.12), rng.uniform(0.042, 0.055), chest.blood * rng.uniform(0.8, 1.4))
    _airway(
        canvas,
        rng,
        (-0.015 + rng.normal(0, 0.01), 0.12),
        (rng.uniform(0.045, 0.06), rng.uniform(0.045, 0.058)),
    )


def _trunk(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """Ascending aorta, pulmonary trunk with its two arteries, main bronchi."""
    fat = closed([(-0.2, -0.2), (-0.05, -0.42), (0.12, -0.36), (0.22, -0.1), (0.18, 0.25), (-0.16, 0.25)])
    canvas.fill(fat, FAT + 70)
    blood = chest.blood * rng.uniform(0.9, 1.1)
    right = opened([(0.1, -0.2), (0.04, -0.04), (-0.1, 0.02), (-0.25, 0.05)]) + rng.normal(0, 0.012, 2)
    left = opened([(0.1, -0.2), (0.15, -0.05), (0.22, 0.08)]) + rng.normal(0, 0.012, 2)
    for artery, width in ((right, rng.uniform(0.08, 0.11)), (left, rng.uniform(0.1, 0.12))):
        canvas.stroke(artery, width + 0.014, MUSCLE - 15)
        canvas.stroke(artery, width, blood)
    _tube(canvas, rng, (-0.07, -0.19), rng.uniform(0.085, 0.105), chest.blood)
    _tube(canvas, rng, (-0.19, -0.1), rng.uniform(0.04, 0.05), chest.blood * rng.uniform(0.8, 1.4))
    spread = (chest.level - 0.3) * 0.8
    for side in (-1, 1):
        centre = (side * (0.05 + spread) + rng.normal(0, 0.008), 0.14 + rng.normal(0, 0.01))
        _airway(canvas, rng, centre, (rng.uniform(0.045, 0.07), rng.uniform(0.03, 0.042)))


def _heart(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    growth = float(np.interp(chest.level, [0.52, 0.7, 1.0], [0.85, 1.02, 1.1])) * chest.heart
    centre = np.array([0.09 + rng.normal(0, 0.02), -0.13 + rng.normal(0, 0.02)])
    turn = float(rng.normal(-0.35, 0.12))  # the apex points to the patient's left and forwards
    stretch = rng.uniform(0.95, 1.12)

    def place(x: float, y: float) -> tuple[float, float]:
        return float(centre[0] + growth * x), float(centre[1] + growth * y)

    size = (0.32 * growth * stretch, 0.26 * growth)
    canvas.fill(blob(rng, place(0, 0), (size[0] + 0.022, size[1] + 0.022), rough=0.06, turn=turn), FAT + 40)
    canvas.fill(blob(rng, place(0, 0.01), size, rough=0.05, turn=turn), ORGAN + 10 + 0.25 * chest.contrast)
    bright, dim = chest.blood * rng.uniform(0.9, 1.1), chest.blood * rng.uniform(0.6, 1.0)
    chambers = (
        ((0.13, 0.03), (0.12, 0.075), -0.5, bright),  # left ventricle
        ((0.02, -0.12), (0.15, 0.07), -0.3, dim),  # right ventricle
        ((-0.17, 0.01), (0.08, 0.1), 0.2, dim),  # right atrium
        ((-0.03, 0.16), (0.13, 0.065), 0.0, bright),  # left atrium
    )
    for (x, y), (a, b), angle, value in chambers:
        if chest.level > 0.85 and y > 0.1:
            continue  # below the left atrium
        curve = blob(rng, place(x, y), (a * growth, b * growth), rough=0.06, turn=angle + turn + 0.35)
        canvas.fill(curve, value)


def diaphragm(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """The dome of the liver, and of the spleen, where the slice is low enough."""
    if chest.level < 0.84:
        return
    grown = (chest.level - 0.84) / 0.16
    cx, cy = chest.cage
    liver = (0.2 + 0.16 * grown, 0.2 + 0.14 * grown)  # larger than any nodule
    centre = (-0.5 * cx + rng.normal(0, 0.02), rng.normal(0.02, 0.04))
    canvas.fill(blob(rng, centre, liver, rough=0.04), 60 + 0.3 * chest.contrast)
    if grown > 0.5:  # the spleen, too large and too near the wall for a nodule
        centre = ((1.05 - 0.25 * grown) * cx, 0.48 * cy)
        canvas.fill(blob(rng, centre, (0.2, 0.26), rough=0.05), 50 + 0.3 * chest.contrast)
