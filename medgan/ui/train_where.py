"""Where a new run is trained: here, or as a job of an engine that can be reached from here."""

from __future__ import annotations

import shutil

import streamlit as st

HERE = "here"
TITLES = {HERE: "on this machine", "slurm": "on the SLURM cluster"}


def choose_engine() -> tuple[str, ...]:
    """The options of `train` that say so; nothing is shown or said where there is no choice."""
    engines = [HERE, *(["slurm"] if shutil.which("sbatch") else [])]
    if len(engines) == 1:
        return ()
    with st.container():
        engine = st.selectbox(
            "Where", engines, format_func=TITLES.__getitem__, key="engine", persist_state="session"
        )
        st.caption("A job of the cluster waits in its line; the run shows here all the same.")
    if engine == HERE:
        return ()
    with st.container():
        partition = st.text_input("Partition", key="partition", persist_state="session").strip()
        st.caption("The part of the cluster; empty for the usual one.")
    with st.container():
        hours = st.number_input("Hours", 0.5, 720.0, 12.0, key="hours", persist_state="session")
        st.caption("The longest a job may take; a longer training goes on in a next one.")
    return (
        f"--on={engine}",
        f"--hours={hours:g}",
        *([f"--partition={partition}"] if partition else []),
    )
