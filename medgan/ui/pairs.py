"""Pictures that are alike, shown two by two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from medgan.ui.text import plain, short

SHOWN = 6
Picture = Callable[[str], bytes | None]
"""The PNG of a picture by its name in the report; None if there is none to show."""


def show_pairs(pairs: Sequence[Mapping[str, Any]], picture: Picture, key: str) -> None:
    """Pairs (`first`, `second`, and where known `labels`, `turned`, `distance`), a page at a time."""
    pages = -(-len(pairs) // SHOWN)
    page = st.pagination(pages, key=key) if pages > 1 else 1
    with st.grid(min_column_width=260, gap="small"):
        for pair in pairs[(page - 1) * SHOWN : page * SHOWN]:
            with st.container(border=True):
                show_pair(pair, picture)


def show_pair(pair: Mapping[str, Any], picture: Picture) -> None:
    """Two pictures side by side, each with its name and class, and how they differ."""
    labels = [str(label) for label in pair.get("labels") or ("", "")]
    # Side by side on a telephone too: one below the other they cannot be compared.
    with st.grid(columns=2, min_column_width=60, gap="xsmall", wrap=False):
        for name, label in zip((pair["first"], pair["second"]), labels, strict=True):
            with st.container(gap="xxsmall"):
                picture_or_note(picture(name), name)
                if label:
                    st.badge(plain(label, 24), color="orange" if labels[0] != labels[1] else "gray")
    words = _difference(pair)
    if words:
        st.caption(words)


def picture_or_note(data: bytes | None, name: str, more: str = "") -> None:
    """A picture with its name and `more` below, or only the name and why it cannot be shown."""
    if data is None:
        st.caption(f"{short(name)}: {more or 'cannot be shown'}")
    else:
        st.image(data, caption=short(name) + more, width="stretch", output_format="PNG", alt=name)


def _difference(pair: Mapping[str, Any]) -> str:
    words = []
    if pair.get("turned"):
        words.append(f"the second is {pair['turned']}")
    if pair.get("distance"):
        words.append(f"mean difference {float(pair['distance']):.1f} of 255")
    elif pair.get("kind") == "exact" or pair.get("distance") == 0:
        words.append("the same pixels")
    text = ", ".join(words)
    return text[:1].upper() + text[1:]
