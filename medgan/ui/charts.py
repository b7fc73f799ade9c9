"""Plotly figures. They take plain rows and return figures; the theme is Streamlit's.

Plotly takes a pandas that another thread is just importing (the warm-up does) for a whole one, and fails;
importing it here waits until it is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas  # noqa: F401
import plotly.graph_objects as go

COLOURS = ("#0f8b8d", "#d9722e", "#5b6ee1", "#b0417f", "#7a9e1f", "#c0a016", "#3f88c5", "#8d5a97")
"""As in `.streamlit/config.toml`; written here where two lines must be of one colour."""
FAINT = 0.25

Rows = Sequence[Mapping[str, Any]]


def smoothed(values: Sequence[float | None], share: float) -> list[float | None]:
    """A running mean in which `share` (0 to below 1) of each value comes from those before it; the first
    ones are not pulled towards 0, and a gap stays a gap."""
    total = weight = 0.0
    means: list[float | None] = []
    for value in values:
        if value is None or not math.isfinite(value):
            means.append(None)
            continue
        total, weight = share * total + (1 - share) * value, share * weight + (1 - share)
        means.append(total / weight)
    return means


def curves(
    rows: Rows,
    names: Mapping[str, str],
    *,
    title: str,
    unit: str,
    smoothing: float = 0.0,
    log: bool = False,
) -> go.Figure:
    """One line a name over the training steps; `names` maps event fields to what the legend says. With
    `smoothing` the figures themselves stay visible behind the running mean."""
    steps = [row["step"] for row in rows]
    figure = go.Figure()
    for (name, label), colour in zip(names.items(), COLOURS, strict=False):
        values = [row.get(name) for row in rows]
        line = {"color": colour}
        if smoothing:
            faint = {"opacity": FAINT, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(x=steps, y=values, mode="lines", line=line, **faint)
        shown = smoothed(values, smoothing) if smoothing else values
        figure.add_scatter(x=steps, y=shown, mode=_mode(steps), line=line, name=label)
    _lay_out(figure, title, "step", unit)
    if log:
        figure.update_yaxes(type="log")
    return figure


def with_interval(rows: Rows, *, title: str, unit: str, best: int | None = None) -> go.Figure:
    """`kid` over the steps with the band from `kid_low` to `kid_high`, and the best step marked."""
    steps = [row["step"] for row in rows]
    figure = go.Figure()
    edge = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low, high = ([row.get(key, row["kid"]) for row in rows] for key in ("kid_low", "kid_high"))
    figure.add_scatter(x=steps, y=high, **edge)
    figure.add_scatter(x=steps, y=low, fill="tonexty", fillcolor="rgba(15, 139, 141, 0.2)", **edge)
    middle = [row["kid"] for row in rows]
    figure.add_scatter(x=steps, y=middle, mode=_mode(steps), line={"color": COLOURS[0]}, showlegend=False)
    if best in steps:
        marker = {"symbol": "star", "size": 14, "color": COLOURS[1]}
        value = middle[steps.index(best)]
        figure.add_scatter(x=[best], y=[value], mode="markers", marker=marker, name="best")
    _lay_out(figure, title, "step", unit)
    return figure


def with_levels(
    rows: Rows, names: Mapping[str, str], levels: Mapping[str, float], *, title: str, unit: str
) -> go.Figure:
    """As `curves`, with a dashed line at each of `levels`, which maps what it says to its height."""
    figure = curves(rows, names, title=title, unit=unit)
    looks = ((COLOURS[5], "top left"), ("#a03030", "bottom left"))
    for (label, height), (colour, place) in zip(levels.items(), looks, strict=False):
        line = {"dash": "dash", "width": 1, "color": colour}
        figure.add_hline(y=height, line=line, annotation_text=label, annotation_position=place)
    figure.update_yaxes(rangemode="tozero")
    return figure


def comparison(lines: Mapping[str, Rows], name: str, *, title: str, smoothing: float = 0.0) -> go.Figure:
    """The figure `name` of several runs over the images that each has seen."""
    figure = go.Figure()
    for run, rows in lines.items():
        known = [row for row in rows if row.get(name) is not None]
        values = smoothed([row[name] for row in known], smoothing)
        images = [row.get("images", row["step"]) for row in known]
        figure.add_scatter(x=images, y=values, mode=_mode(images), name=run)
    _lay_out(figure, title, "images seen", "")
    below = {"yanchor": "top", "y": -0.25, "xanchor": "left", "x": 0}
    figure.update_layout(height=360, showlegend=True, margin={"b": 60}, legend=below)
    return figure


def _mode(steps: Sequence[int]) -> str:
    """A few points are seen better with dots, a single one only so."""
    return "lines+markers" if len(steps) < 30 else "lines"


def _lay_out(figure: go.Figure, title: str, x: str, y: str) -> None:
    figure.update_layout(
        title=title,
        height=300,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis_title=x,
        yaxis_title=y,
        hovermode="x unified",
        uirevision="keep",
    )


def intervals(figures: Sequence[dict[str, Any]], *, title: str, paper: dict[str, float]) -> go.Figure:
    """One figure of several rows as points with their intervals, the paper's values as crosses."""
    figure = go.Figure()
    shown = [f for f in figures if f["value"] is not None]
    figure.add_scatter(
        x=[f["value"] for f in shown],
        y=[f["row"] for f in shown],
        mode="markers",
        marker={"size": 10},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_length(f["value"], f["high"]) for f in shown],
            "arrayminus": [_length(f["low"], f["value"]) for f in shown],
        },
        name="here",
        showlegend=False,
    )
    figure.add_scatter(
        x=list(paper.values()),
        y=list(paper),
        mode="markers",
        marker={"size": 10, "symbol": "x"},
        name="paper",
        showlegend=False,
    )
    figure.update_layout(
        title=title,
        height=110 + 34 * (len(shown) + len(paper)),
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        yaxis={"autorange": "reversed"},
    )
    return figure


def _length(low: float | None, high: float | None) -> float:
    return high - low if low is not None and high is not None else 0.0
