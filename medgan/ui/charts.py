"""Plotly figures. They take plain rows and return figures; the theme is Streamlit's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

POINTS = 800
"""Points a curve at most; a browser draws no more in the width it has."""


def thin(rows: Sequence[dict[str, Any]], points: int = POINTS) -> list[dict[str, Any]]:
    """At most about `points` rows, evenly taken, the last one included."""
    step = max(1, len(rows) // points)
    kept = list(rows[::step])
    if rows and kept[-1] is not rows[-1]:
        kept.append(rows[-1])
    return kept


def curves(rows: Sequence[dict[str, Any]], names: dict[str, str], *, title: str, unit: str) -> go.Figure:
    """One line a name over the training steps; `names` maps event fields to what the legend says."""
    rows = thin(rows)
    steps = [row["step"] for row in rows]
    figure = go.Figure()
    for name, label in names.items():
        figure.add_scatter(x=steps, y=[row.get(name) for row in rows], mode="lines", name=label)
    figure.update_layout(
        title=title,
        height=300,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "xanchor": "right", "x": 1.0},
        xaxis_title="step",
        yaxis_title=unit,
        hovermode="x unified",
        uirevision="keep",
    )
    return figure


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
