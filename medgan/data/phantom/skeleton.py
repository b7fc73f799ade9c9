"""The bones of the chest phantom: ribs, vertebra, breastbone, shoulder blades."""

from __future__ import annotations

import numpy as np

from medgan.data.phantom.anatomy import BONE, MARROW, Chest
from medgan.data.phantom.shapes import Canvas, blob, closed, opened, squared

STERNUM = np.array(
    [(-1, -0.01), (-0.5, -0.03), (0.5, -0.03), (1, -0.01), (0.8, 0.03), (0, 0.022), (-0.8, 0.03)]
)
BODY = np.array(
    [(-0.115, -0.03), (-0.06, -0.105), (0.06, -0.105), (0.115, -0.03)]
    + [(0.085, 0.045), (0, 0.035), (-0.085, 0.045)]
)
SPINOUS = np.array([(-0.022, 0.15), (0.022, 0.15), (0.014, 0.22), (0, 0.245), (-0.014, 0.22)])
SIDEWAYS = np.array([(0.07, 0.09), (0.15, 0.09), (0.2, 0.12)])
LAMINA = np.array([(0.075, 0.03), (0.075, 0.1), (0.03, 0.155), (0, 0.17)])
"""Corners of the bones: the vertebra's are relative to the middle of its body."""


def skeleton(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """Paint every bone; they are drawn last, over the lungs' edge."""
    _ribs(canvas, chest, rng)
    _spine(canvas, chest, rng)
    cy = chest.cage[1]
    breadth = rng.uniform(0.09, 0.13) * (1.5 if chest.level < 0.2 else 1.0)
    sternum = closed(STERNUM * (breadth, 1) + (0, -cy - 0.015))
    canvas.fill(sternum, MARROW - 60)
    canvas.outline(sternum, 0.014, BONE - 250)
    if chest.level < 0.32:
        for side in (-1, 1):
            _scapula(canvas, chest, rng, side)


def _ribs(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    """Each rib crosses the slice at a slant, so it shows as a piece of the cage."""
    cx, cy = chest.cage
    for side in (-1, 1):
        start = -1.2 + rng.uniform(0, 0.3)
        while start < 1.25:
            length = rng.uniform(0.08, 0.34)
            angle = np.linspace(start, start + length, 8)
            ring = np.stack([cx * 0.99 * np.cos(angle), cy * 0.99 * np.sin(angle)], axis=1)
            slant = rng.uniform(0.005, 0.02)
            rib = squared(ring, (cx, cy)) * (side, 1) * np.linspace(1 + slant, 1 - slant, 8)[:, None]
            width = rng.uniform(0.028, 0.042)
            hard = 1.0 if start > -0.85 else 0.4  # cartilage in front
            canvas.stroke(rib, width, hard * (BONE + rng.normal(0, 60)))
            canvas.stroke(rib, 0.5 * width, hard * MARROW)
            start += length + rng.uniform(0.12, 0.3)


def _spine(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> None:
    y = chest.cage[1] * 0.8
    size = rng.uniform(0.88, 1.05)
    bone = BONE + rng.normal(0, 50)
    for side in (-1, 1):
        canvas.stroke(opened(SIDEWAYS * (side * size, size) + (0, y)), 0.034, bone - 220)
        canvas.stroke(opened(LAMINA * (side * size, size) + (0, y)), 0.022, bone - 50)
    canvas.fill(closed(SPINOUS * size + (0, y)), bone - 100)
    body = closed(BODY * size + (0, y))
    canvas.fill(body, MARROW + rng.normal(0, 30))
    canvas.outline(body, 0.013, bone - 100)
    canvas.fill(blob(rng, (0, y + 0.085 * size), (0.052 * size, 0.045 * size)), 15.0)
    canvas.fill(blob(rng, (0, y + 0.085 * size), (0.028 * size, 0.022 * size)), 45.0)


def _scapula(canvas: Canvas, chest: Chest, rng: np.random.Generator, side: int) -> None:
    cx, cy = chest.cage
    blade = opened(
        [(side * 1.1 * cx, -0.15 * cy), (side * 1.07 * cx, 0.35 * cy), (side * 0.85 * cx, 0.85 * cy)]
    )
    blade = blade + rng.normal(0, 0.012, 2)
    canvas.stroke(blade, 0.035, BONE - 150)
    canvas.stroke(blade, 0.014, MARROW)
