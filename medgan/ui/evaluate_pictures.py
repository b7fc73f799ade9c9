"""Pictures of a scorecard: the closest pairs, and what lies beside a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.errors import DataError
from medgan.evaluation.html_words import COPY, Report, flagged_first, pair_words
from medgan.images import grid, png
from medgan.ui.text import count, sentence

if TYPE_CHECKING:
    import numpy as np

    from medgan.evaluation.pictures import Pictures

MANY = 6
"""Pairs in sight; the others are folded away."""


def closest_pairs(report: Report, folder: Path) -> None:
    """Generated images beside the training images that they resemble most, copies first."""
    pairs = flagged_first(report.get("pairs") or [])
    pictures = pictures_of(report, folder)
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


def pictures_of(report: Report, folder: Path) -> Pictures | None:
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
