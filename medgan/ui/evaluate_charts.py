"""Plotly figures of a scorecard: intervals against what real images and noise have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas  # noqa: F401  (see medgan/ui/charts.py)
import plotly.graph_objects as go

from medgan.evaluation.html_words import Axis, Figure, axis, interval, references, title
from medgan.ui.charts import COLOURS

ROW = 70
"""Pixels of one figure."""
MARKS = {"real images": ("diamond", "#3f78d8"), "noise": ("x", "#c94a4a")}
LEVELS = (("warn_at", "#c0861a"), ("fail_at", "#c94a4a"))


def intervals(figures: Sequence[Figure]) -> go.Figure:
    """One row a figure that has a value, each on an axis of its own: value and interval, a diamond for what
    real images have among themselves, a cross for noise, dashed lines where it warns and fails."""
    chart = go.Figure()
    shown = [figure for figure in figures if figure.get("value") is not None]
    height = max(1, len(shown)) * ROW  # without the margins
    for number, figure in enumerate(shown):
        where = axis(figure)
        top = 1 - number * ROW / height
        suffix = "" if number == 0 else str(number + 1)
        names = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
        _draw(chart, figure, where, names)
        chart.update_layout(
            {
                f"xaxis{suffix}": {
                    "domain": [0, 1],
                    "anchor": f"y{suffix}",
                    "range": [where.left, where.right],
                    "nticks": 5,
                    "fixedrange": True,
                    "tickfont": {"size": 10},
                },
                f"yaxis{suffix}": {
                    "domain": [top - 0.62 * ROW / height, top - 0.38 * ROW / height],
                    "anchor": f"x{suffix}",
                    "range": [-1, 1],
                    "visible": False,
                    "fixedrange": True,
                },
            }
        )
        chart.add_annotation(
            text=f"<b>{_safe(title(figure))}</b> {_safe(interval(figure))}",
            x=0,
            y=top,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="top",
            showarrow=False,
            font={"size": 12},
        )
    for words, (symbol, colour) in {"value, 95 % interval": ("circle", COLOURS[0]), **MARKS}.items():
        looks = {"symbol": symbol, "color": colour, "size": 10}
        chart.add_scatter(x=[None], y=[None], mode="markers", name=words, marker=looks)
    chart.update_layout(
        height=height + 44,
        margin={"l": 4, "r": 10, "t": 4, "b": 40},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yanchor": "top",
            "xanchor": "left",
            "font": {"size": 11},
        },
        hovermode="closest",
    )
    return chart


def _draw(chart: go.Figure, figure: Figure, where: Axis, names: Mapping[str, str]) -> None:
    for key, colour in LEVELS:
        at = figure.get(key)
        if at is not None and where.left <= at <= where.right:
            line = {"color": colour, "width": 1.5, "dash": "dot"}
            chart.add_shape(type="line", x0=at, x1=at, y0=-1, y1=1,
                            xref=names["xaxis"], yref=names["yaxis"], line=line)  # fmt: skip
    value = figure["value"]
    low, high = (figure[key] if figure.get(key) is not None else value for key in ("low", "high"))
    chart.add_scatter(
        x=[value],
        y=[0],
        mode="markers",
        marker={"size": 11, "color": COLOURS[0]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "thickness": 3,
        },
        showlegend=False,
        hovertemplate=f"{_safe(interval(figure))}<extra>{_safe(title(figure))}</extra>",
        **names,
    )
    known = references(figure)
    for words, (symbol, colour) in MARKS.items():
        if words not in known:
            continue
        side = where.beyond.get(words)
        edge = where.left if (side or 1) < 0 else where.right
        at = edge if side else known[words]
        arrow = "triangle-left" if (side or 1) < 0 else "triangle-right"
        chart.add_scatter(
            x=[at],
            y=[0],
            mode="markers",
            marker={"size": 10, "symbol": arrow if side else symbol, "color": colour},
            showlegend=False,
            cliponaxis=False,
            hovertemplate=f"{words}: {known[words]:.4g}<extra></extra>",
            **names,
        )


def _safe(text: str) -> str:
    """Plotly reads some HTML in texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
