"""An axial slice through a chest, as computed tomography shows it, drawn in Hounsfield units.

Orientation is the radiological one: the patient's left is on the right of the picture (heart, descending
aorta), the spine and the table are below. This is a picture to try a GAN on, not an anatomical reference.
"""

from __future__ import annotations

import numpy as np

from medgan.data.phantom.anatomy import AIR, BACK, FAT, IN_LUNG, MUSCLE, NODULE, Chest
from medgan.data.phantom.lungs import lungs, nodule, vessels
from medgan.data.phantom.organs import diaphragm, mediastinum
from medgan.data.phantom.shapes import Canvas, Points, blob, closed, fractal, grid, noise, squared
from medgan.data.phantom.skeleton import skeleton


def draw_chest(rng: np.random.Generator, label: str) -> np.ndarray:
    """One slice, float32 `(DRAWN, DRAWN, 1)` in [0, 255]; `label` says whether a nodule lies in a lung."""
    chest = Chest.drawn(rng)
    scale = rng.uniform(0.9, 1.12)
    canvas = Canvas(
        AIR,
        turn=float(rng.normal(0, 0.05)),
        stretch=(scale, scale * rng.uniform(0.95, 1.07)),
        shift=(float(rng.normal(0, 0.03)), float(rng.normal(-0.03, 0.05))),
    )
    _table(canvas, chest, rng)
    _wall(canvas, chest, rng)
    both = lungs(canvas, chest, rng)
    vessels(canvas, chest, rng, both)
    mediastinum(canvas, chest, rng)
    diaphragm(canvas, chest, rng)
    if label == NODULE:
        nodule(canvas, rng.spawn(1)[0], both)  # so that the rest of the slice is the same without it
    skeleton(canvas, chest, rng)
    return _scanned(canvas.array(), rng)


def _table(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    top, sag = chest.height + BACK + rng.uniform(0.02, 0.06), rng.uniform(0.06, 0.2)
    x = np.linspace(-1.3, 1.3, 40)
    for depth, width, value in ((0.0, 0.028, -250.0), (rng.uniform(0.07, 0.13), 0.02, -450.0)):
        canvas.stroke(np.stack([x, top + depth - sag * x**2], axis=1), width, value)


def _wall(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """Skin, fat, the muscles around the rib cage."""
    body = _outline(chest, rng)
    canvas.fill(body, 10.0)
    canvas.fill(body * (1 - 0.016 / np.abs(body).max()), FAT)
    (cx, cy), thick = chest.cage, rng.uniform(0.8, 1.2)
    for side in (-1, 1):
        if chest.breasts:
            centre = (side * 0.5 * chest.width, -0.85 * chest.height)
            gland = blob(rng, centre, (0.12, 0.5 * chest.breasts), rough=0.25, turn=side * 0.35)
            canvas.fill(gland, rng.uniform(-40, 25))
        pectoral = [(0.1, -1.0), (0.45, -1.05), (0.78, -0.84), (0.95, -0.5), (0.75, -0.72), (0.45, -0.9)]
        back = [(0.08, 0.9), (0.12, 1.1), (0.3, 1.12), (0.5, 1.02), (0.42, 0.92)]
        flank = [(0.98, -0.5), (1.07, -0.1), (1.06, 0.35), (0.88, 0.78), (0.6, 1.0), (0.8, 0.7), (0.97, 0.3)]
        for muscle in (pectoral, back, flank):
            curve = closed([(side * x * cx, y * cy) for x, y in muscle])
            canvas.fill(curve * (1 + 0.015 * thick), MUSCLE + rng.normal(0, 6))
    cage = blob(rng, (0, 0), (cx + 0.022 * thick, cy + 0.022 * thick), rough=0.004)
    canvas.fill(squared(cage, (cx, cy)), MUSCLE - 5)


def _outline(chest: Chest, rng: np.random.Generator) -> Points:
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    power = rng.uniform(2.3, 2.8)  # between an ellipse and a box
    radius = (np.abs(x) ** power + np.abs(y) ** power) ** (-1 / power)
    for side in (-1, 1):
        away = np.angle(np.exp(1j * (angle - np.arctan2(-0.85, side * 0.62))))
        radius += chest.breasts * np.exp(-((away / 0.36) ** 2))
    groove = np.angle(np.exp(1j * (angle - np.pi / 2)))
    radius -= 0.035 * np.exp(-((groove / 0.12) ** 2))
    radius += 0.012 * np.cos(3 * angle + rng.uniform(0, 6)) + 0.008 * np.cos(5 * angle + rng.uniform(0, 6))
    return np.stack([x * radius * chest.width, y * radius * chest.height + BACK], axis=1)


def _scanned(hounsfield: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the scanner and the reading window make of it: blur, texture, noise, grey levels."""
    from scipy.ndimage import gaussian_filter

    lung = (hounsfield > IN_LUNG[0]) & (hounsfield < IN_LUNG[1])
    parenchyma = 26 * fractal(rng, 30, 2, 0.8) + rng.uniform(0, 70) * grid()[1]  # denser below: gravity
    hounsfield = hounsfield + np.where(lung, parenchyma, 7 * noise(rng, 60))
    hounsfield = gaussian_filter(hounsfield, rng.uniform(0.5, 0.9), truncate=2.5)
    hounsfield += noise(rng, 190) * np.float32(rng.uniform(8, 38))
    low, width = rng.uniform(-1060, -960), rng.uniform(1400, 2150)
    shown = np.clip((hounsfield - low) / width, 0, 1) ** rng.uniform(0.9, 1.15)
    if rng.uniform() < 0.15:  # the round field of view of some scanners
        x, y = grid()
        shown = np.where(x**2 + y**2 < rng.uniform(0.98, 1.1) ** 2, shown + 0.03, 0)
    return np.asarray(255 * np.clip(shown, 0, 1)[:, :, None])
