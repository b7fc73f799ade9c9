"""Pictures of a scorecard: the closest pairs, and the map with the image of the mark that was clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.errors import DataError
from medgan.evaluation.html_words import COPY, SETS, Report, flagged_first, pair_words
from medgan.images import grid, png
from medgan.ui.evaluate_charts import embedding
from medgan.ui.text import count, plain, sentence

if TYPE_CHECKING:
    import numpy as np

    from medgan.evaluation.pictures import Pictures

MANY = 6
"""Pairs in sight; the others are folded away."""
CLICK = "Click a mark to see its image and what lies nearest to it."


def closest_pairs(report: Report, folder: Path) -> None:
    """Generated images beside the training images that they resemble most, copies first."""
    pairs = flagged_first(report.get("pairs") or [])
    pictures = _pictures(report, folder)
    if not pairs or pictures is None:
        return
    flagged = sum(bool(pair.get("flagged")) for _, pair in pairs)
    st.markdown("##### Closest pairs")
    found = f"**{count(flagged, 'copy', 'copies')} among these {len(pairs)}.**"
    st.caption(f"{found} Left a generated image, right the training image most like it. {COPY}")
    in_sight = max(MANY, flagged)
    _gallery(pairs[:in_sight], pictures.pairs)
    if pairs[in_sight:]:
        with st.expander(f"{len(pairs) - in_sight} more"):
            _gallery(pairs[in_sight:], pictures.pairs)


def _gallery(pairs: Sequence[tuple[int, Mapping[str, Any]]], images: np.ndarray) -> None:
    with st.grid(min_column_width=190, gap="small"):
        for place, pair in pairs:
            with st.container(border=True, gap="xsmall", height="stretch"):
                if place < len(images):
                    data = png(grid(images[place], 2))
                    st.image(data, width="stretch", output_format="PNG", alt=pair_words(pair))
                if pair.get("flagged"):
                    st.badge("Copy", icon=":material/content_copy:", color="red")
                st.caption(sentence(pair_words(pair), 200))


def embedding_map(report: Report, folder: Path) -> None:
    """Training, held-out and generated images as the network sees them."""
    values = report.get("map") or {}
    points = values.get("points") or []
    if not points:
        return
    st.markdown("#### Map")
    st.caption(
        f"Each mark is an image; what lies near looks alike to the network "
        f"({plain(str(values.get('method') or ''))}, two dimensions of many). {CLICK}"
    )
    _map(points, report, folder)


@st.fragment
def _map(points: Sequence[Mapping[str, Any]], report: Report, folder: Path) -> None:
    chart, beside = st.columns([5, 2], vertical_alignment="top")
    chosen = chart.plotly_chart(
        embedding(points),
        key=f"map-{folder.name}",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False, "scrollZoom": False},
        alt="Map of training, held-out and generated images",
    )
    place = chosen_place(chosen, len(points))
    pictures = _pictures(report, folder)
    with beside:
        if place is None or pictures is None or len(pictures.map) < len(points):
            st.caption(CLICK if pictures is not None and len(pictures.map) else "Its pictures are not here.")
            return
        _show(points, place, "chosen", pictures.map)
        st.caption("Nearest on the map")
        with st.grid(columns=3, min_column_width=60, gap="xsmall", wrap=False):
            for name, words in SETS.items():
                near = nearest(points, place, name)
                if near is not None:
                    _show(points, near, words.split(" ")[0], pictures.map)


def _show(points: Sequence[Mapping[str, Any]], place: int, words: str, images: np.ndarray) -> None:
    point = points[place]
    name = SETS.get(str(point.get("set")), "image").removesuffix("s")
    caption = f"{name} {plain(str(point.get('index', '')), 24)}" if words == "chosen" else words
    width: Any = 144 if words == "chosen" else "stretch"
    st.image(png(images[place]), caption=caption, width=width, output_format="PNG", alt=caption)


def chosen_place(selection: Any, points: int) -> int | None:
    """Which point of the report was clicked; None if none was."""
    try:
        place = int(selection["selection"]["points"][0]["customdata"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return place if 0 <= place < points else None


def nearest(points: Sequence[Mapping[str, Any]], place: int, name: str) -> int | None:
    """The point of the set `name` that lies nearest to point `place` and is another one."""
    x, y = points[place]["x"], points[place]["y"]
    others = [k for k, point in enumerate(points) if point.get("set") == name and k != place]
    return min(others, key=lambda k: (points[k]["x"] - x) ** 2 + (points[k]["y"] - y) ** 2, default=None)


def _pictures(report: Report, folder: Path) -> Pictures | None:
    """The pictures beside a report; None, with the reason shown, where they do not fit it."""
    try:
        return _loaded(str(folder), _changed(folder), report)
    except DataError as error:
        st.caption(f":orange[:material/warning:] {sentence(str(error))}")
        return None


def _changed(folder: Path) -> int:
    try:
        return (folder / "report.json").stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_resource(show_spinner=False, max_entries=4)
def _loaded(folder: str, changed: int, _report: Report) -> Pictures:
    from medgan.evaluation.pictures import load_pictures

    return load_pictures(Path(folder), _report)
