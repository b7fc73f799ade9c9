"""The first thing a visitor sees: what this is, what it makes, where to go."""

from __future__ import annotations

import streamlit as st

from medgan.runs.record import find_runs
from medgan.ui.components import dataset_names, picture
from medgan.ui.navigation import link
from medgan.ui.session import workspace
from medgan.workspace import CHECKPOINTS

STEPS = (
    ("data", "1. Data", "Bring 100 to 1000 images, or take the built-in ones. A part is kept for judging."),
    ("train", "2. Train", "Start, watch the curves and the samples, stop and go on whenever you like."),
    ("generate", "3. Generate", "Move a seed, see new images at once, download as many as you need."),
    ("evaluate", "4. Evaluate", "Good, varied, copied, useful? Four verdicts with the figures behind them."),
    ("models", "5. Models", "What ships with MedGAN, what you trained, and what is on the Hub."),
)


def introduction() -> None:
    """One sentence on what this is."""
    st.title("MedGAN")
    st.markdown(
        "Train a generative model on **your own small set of medical images**, watch what it learns, "
        "make synthetic images, and judge honestly how good they are. Everything stays on this machine."
    )


def shipped_samples() -> None:
    """Samples of the models that ship, drawn when they were made, so that they show at once."""
    with st.grid(min_column_width=380, gap="small"):
        for folder in sorted(path.parent for path in CHECKPOINTS.glob("*/samples.png")):
            data = picture(folder / "samples.png")
            if not data:
                continue
            with st.container():
                st.image(data, width="stretch", output_format="PNG", alt=f"Samples of {folder.name}")
                st.caption(f"Drawn by `{folder.name}`, a model that ships: none of these is a photograph.")


def steps() -> None:
    """The five stations, each with a link."""
    with st.grid(min_column_width=210, gap="small"):
        for page, title, text in STEPS:
            with st.container(border=True, height="stretch"):
                link(page, f"**{title}**")
                st.caption(text)


def at_work() -> None:
    """Trainings that are going on."""
    for run in find_runs(workspace().runs):
        status = run.status()
        if status.alive:
            st.progress(status.progress, text=f"{run.name}: step {status.step:,} of {status.iterations:,}")


def workspace_counts() -> None:
    """How much there is in the workspace."""
    space = workspace()
    st.caption(
        f"Data sets here: {len(dataset_names())} · runs: {len(find_runs(space.runs))} · "
        f"folder: `{space.root}`"
    )
