"""The sheets of fixed seeds, with a slider back through training."""

from __future__ import annotations

import streamlit as st

from medgan.runs.record import Run, step_of
from medgan.ui.components import picture, sheet


def samples(run: Run) -> None:
    """The newest sheet, or the one that was chosen; it follows the newest until one looks back."""
    paths = {step_of(path): path for path in run.samples()}
    if not paths:
        return
    steps = list(paths)
    st.markdown("**Samples of 36 fixed seeds**: the same 36 random inputs, drawn as the generator learns.")
    chosen = steps[-1]
    if len(steps) > 1:
        key, newest = f"sheet-{run.name}", f"newest-{run.name}"
        wanted = st.session_state.get(key)
        if wanted not in paths or wanted == st.session_state.get(newest):
            wanted = steps[-1]
        st.session_state[key], st.session_state[newest] = wanted, steps[-1]
        chosen = st.select_slider(
            "Back through training", steps, key=key, format_func=lambda s: f"step {s:,}"
        )
    data = picture(paths[chosen])
    if data:
        sheet(data, f"Step {chosen:,}")
