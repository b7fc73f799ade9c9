"""What images show, and what that lets a training do with them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.modalities import MODALITIES


def choose_modality(key: str, *, on_change: Callable[[], None] | None = None) -> str:
    """A select box that holds the modality which the session has under `key`, and what it allows."""
    chosen = st.selectbox(
        "What the images show",
        list(MODALITIES),
        format_func=lambda name: MODALITIES[name].title,
        key=key,
        width=320,
        on_change=on_change,
    )
    st.caption(allowed(chosen))
    return chosen


def allowed(name: str) -> str:
    """What the discriminator may see of images of this modality."""
    return f"In training: {MODALITIES[name].words()}"


def correct_modality(data: Dataset) -> None:
    """The modality of a set that there is, to be changed at once. DataError if it cannot be written."""
    key = f"modality-{data.folder.name}"
    if st.session_state.pop(f"{key}-chosen", False):
        data.set_modality(st.session_state[key])
    st.session_state[key] = data.modality  # the file counts, whatever was chosen in another tab before
    choose_modality(key, on_change=lambda: st.session_state.update({f"{key}-chosen": True}))
