"""Long work that ends by itself (an evaluation, a study), live: how far it is, and Cancel."""

from __future__ import annotations

import streamlit as st

from medgan.runs.record import Run
from medgan.ui.components import state_badge
from medgan.ui.text import sentence

REFRESH = 1.5


def follow(record: Run) -> bool:
    """Show it while it is at work, and run the page again when it ends; returns whether it is at work."""
    alive = record.status().alive
    if alive:
        st.fragment(_progress, run_every=REFRESH)(record)
    return alive


def _progress(record: Run) -> None:
    status = record.status()
    if not status.alive:
        st.rerun()
    asked = record.stopping(status.pid_started)
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(status)
        st.space("stretch")
        st.button(
            "Cancelling…" if asked else "Cancel",
            icon=":material/close:",
            key="cancel",
            disabled=asked,
            on_click=record.request_stop,
        )
    st.progress(status.progress, text=sentence(status.message.rstrip(".")) + "…")
