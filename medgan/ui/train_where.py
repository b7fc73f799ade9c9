"""Where a new run is trained: here, or as a job of an engine that can be reached from here."""

from __future__ import annotations

import shutil

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.ui.train_away import HUGGING_FACE, Where, choose_job

HERE, SLURM = "here", "slurm"
TITLES = {HERE: "on this machine", HUGGING_FACE: "on Hugging Face", SLURM: "on the SLURM cluster"}


def choose_where(data: Dataset) -> Where:
    """This machine, unless another engine is chosen and what it asks is answered."""
    offered = [HERE, HUGGING_FACE, *([SLURM] if shutil.which("sbatch") else [])]
    if st.session_state.get("engine") not in offered:
        st.session_state["engine"] = HERE
    engine = st.segmented_control(
        "Where",
        offered,
        format_func=TITLES.__getitem__,
        key="engine",
        required=True,
        wrap=True,
        persist_state="session",
    )
    if engine == HUGGING_FACE:
        return choose_job(data)
    return _cluster() if engine == SLURM else Where()


def _cluster() -> Where:
    st.caption("A job of the cluster waits in its line; the run shows here all the same.")
    with st.grid(min_column_width=260):
        with st.container():
            partition = st.text_input("Partition", key="partition", persist_state="session").strip()
            st.caption("The part of the cluster; empty for the usual one.")
        with st.container():
            hours = st.number_input("Hours", 0.5, 720.0, 12.0, key="hours", persist_state="session")
            st.caption("The longest a job may take; a longer training goes on in a next one.")
    named = [f"--partition={partition}"] if partition else []
    return Where((f"--on={SLURM}", f"--hours={hours:g}", *named))
