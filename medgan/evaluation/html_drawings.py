"""Inline pictures of the HTML report: intervals and the map as SVG, grids as PNG in base64."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from medgan.evaluation.html_words import SETS, Figure, axis, number, references
from medgan.images import grid, png

WIDTH, HEIGHT = 300, 34
MAP_WIDTH, MAP_HEIGHT = 640, 400
MARGIN = 14
LOOKS = {
    "train": ("#8a9699", "square"),
    "heldout": ("#0f8b8d", "circle"),
    "generated": ("#d9722e", "triangle"),
}
"""Colour and shape of each set, so that it does not hang on colour alone."""


def interval_svg(figure: Figure) -> str:
    """The interval of a figure as a bar with a dot, a diamond for real images, a cross for noise; empty
    where it has no value."""
    if figure.get("value") is None:
        return ""
    where = axis(figure)
    value = _x(where.place(float(figure["value"])))
    low, high = (figure[k] if figure.get(k) is not None else figure["value"] for k in ("low", "high"))
    parts = [f'<line class="base" x1="{MARGIN}" y1="17" x2="{WIDTH - MARGIN}" y2="17"/>']
    for name, mark in references(figure).items():
        x = _x(where.place(mark))
        side = where.beyond.get(name)
        parts.append(_arrow(side) if side else _diamond(x) if name == "real images" else _cross(x))
    parts.append(f'<rect class="bar" x="{_x(where.place(low)):.1f}" y="13" rx="3" height="8" '
                 f'width="{max(2.0, _x(where.place(high)) - _x(where.place(low))):.1f}"/>')  # fmt: skip
    parts.append(f'<circle class="dot" cx="{value:.1f}" cy="17" r="5"/>')
    words = escape(f"{number(figure['value'])}, from {number(low)} to {number(high)}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="interval" role="img" aria-label="{words}">'
        f"{''.join(parts)}</svg>"
    )


def _x(share: float) -> float:
    return MARGIN + share * (WIDTH - 2 * MARGIN)


def _diamond(x: float) -> str:
    return f'<path class="floor" d="M{x:.1f} 8 l6 9 l-6 9 l-6 -9 z"/>'


def _cross(x: float) -> str:
    return f'<path class="noise" d="M{x - 5:.1f} 12 l10 10 m0 -10 l-10 10"/>'


def _arrow(side: int) -> str:
    tip = WIDTH - 2 if side > 0 else 2
    return f'<path class="noise" d="M{tip - side * 7} 12 L{tip} 17 L{tip - side * 7} 22"/>'


def map_svg(points: Sequence[Mapping[str, Any]]) -> str:
    """The embedding map, `data-k` of each mark being its place in `points`; empty without points."""
    places = [k for k, p in enumerate(points) if all(isinstance(p.get(key), int | float) for key in "xy")]
    if not places:
        return ""
    known = [points[k] for k in places]
    xs, ys = (np.array([p[key] for p in known], float) for key in ("x", "y"))
    across = _scaled(xs, MAP_WIDTH)
    down = MAP_HEIGHT - _scaled(ys, MAP_HEIGHT)
    parts = []
    for name in SETS:
        colour, shape = LOOKS[name]
        marks = [
            _mark(shape, x, y, f"{SETS[name].removesuffix('s')} {point.get('index', '')}", k)
            for k, point, x, y in zip(places, known, across, down, strict=True)
            if point.get("set") == name
        ]
        parts.append(f'<g fill="{colour}" fill-opacity="0.75">{"".join(marks)}</g>')
    return (
        f'<svg viewBox="0 0 {MAP_WIDTH} {MAP_HEIGHT}" class="map" role="img" aria-label="Embedding map">'
        f"{''.join(parts)}</svg>"
    )


def _scaled(values: np.ndarray, size: int) -> np.ndarray:
    low, span = float(values.min()), float(np.ptp(values)) or 1.0
    scaled: np.ndarray = 12 + (values - low) / span * (size - 24)
    return scaled


def _mark(shape: str, x: float, y: float, words: str, place: int | None = None) -> str:
    name = f"<title>{escape(words)}</title>"
    k = "" if place is None else f' data-k="{place}"'
    if shape == "circle":
        return f'<circle{k} cx="{x:.1f}" cy="{y:.1f}" r="4">{name}</circle>'
    if shape == "square":
        return f'<rect{k} x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6">{name}</rect>'
    return f'<path{k} d="M{x:.1f} {y - 5:.1f} l5 9 l-10 0 z">{name}</path>'


def legend() -> str:
    """What the marks of the map mean."""
    return "".join(
        f'<span><svg viewBox="-6 -6 12 12" class="key" fill="{LOOKS[name][0]}">'
        f"{_mark(LOOKS[name][1], 0, 0, words)}</svg> {words}</span>"
        for name, words in SETS.items()
    )


def picture(images: np.ndarray, words: str, *, columns: int) -> str:
    """uint8 `(n, H, W, C)` as one picture that is part of the file; empty without images."""
    if not len(images):
        return ""
    data = base64.b64encode(png(grid(images, columns))).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'
