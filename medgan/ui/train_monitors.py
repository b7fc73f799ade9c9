"""What the observer of a run found: figures beside unseen images, warnings in words, the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from medgan.runs.events import Event
from medgan.runs.record import Run, step_name
from medgan.ui.charts import with_interval, with_levels
from medgan.ui.text import sentence
from medgan.ui.train_curves import events_of

CLOSE, COPIES = 0.8, 0.5
"""Of the ratios below: nearer than it should be, and a copy. As in `metrics/neighbours.py`, which would
load PyTorch to tell."""
GRAVE = ("The generated images are copies", "The model has collapsed")
"""How the sentences begin that want an end of the run."""


@dataclass(frozen=True)
class Figure:
    """How a monitor is called and shown."""

    title: str
    help: str
    digits: int = 2


FIGURES = {
    "kid": Figure(
        "To unseen images",
        "Kernel distance (KID) between samples and held-out real images. Lower is better. Its trend counts, "
        "not its single steps.",
        4,
    ),
    "diversity": Figure(
        "Variety",
        "How much samples differ from each other, beside real images. 1 is as much; below 0.8 is low.",
    ),
    "ms_ssim_excess": Figure(
        "Same layout",
        "How much more alike pairs of samples are than pairs of real images. Above 0.1 is much.",
    ),
    "nearest_ratio": Figure(
        "To training images",
        "Distance of samples, beside that of unseen real images. 1 is new; below 0.8 is close, below 0.5 "
        "is a copy.",
    ),
    "copy_ratio": Figure(
        "To them in pixels", "As the distance to training images, but pixel by pixel. Below 0.5 is a copy."
    ),
    "real_sign": Figure(
        "D sees through",
        "How surely the discriminator knows real images: 1 is always, about 0.6 is healthy.",
    ),
    "gap": Figure(
        "D memorises",
        "0: it takes unseen real images for as real as those it trained on. 1: for as false as generated "
        "ones. Above 0.5 it learns your images by heart.",
    ),
}
NEARNESS = {"nearest_ratio": "by features", "copy_ratio": "by pixels"}


def monitors(run: Run) -> None:
    """The newest finding as figures and warnings, and how they developed."""
    _, all_findings = events_of(run)
    findings = [event for event in all_findings if event.get("warnings") or FIGURES.keys() & event.keys()]
    if not findings:
        return
    newest = findings[-1]
    st.markdown(f"**Beside unseen images**, after step {newest.get('step', 0):,}")
    known = {name: figure for name, figure in FIGURES.items() if newest.get(name) is not None}
    if known:
        with st.grid(min_column_width=170):
            for name, figure in known.items():
                _metric(figure, newest[name])
    show_warnings(newest)
    measured = [event for event in findings if event.get("kid") is not None]
    if measured:
        with st.grid(min_column_width=340):
            _charts(run, measured)


def _metric(figure: Figure, value: float) -> None:
    st.metric(figure.title, f"{value:.{figure.digits}f}", help=figure.help, border=True)


def show_warnings(finding: Event) -> None:
    """The sentences of a finding: red for what wants an end, blue where there was nothing to measure."""
    for text in finding.get("warnings") or []:
        if text.startswith(GRAVE):
            st.error(sentence(text), icon=":material/error:")
        elif finding.get("kid") is None:
            st.info(sentence(text), icon=":material/info:")
        else:
            st.warning(sentence(text), icon=":material/warning:")


def _charts(run: Run, measured: list[Event]) -> None:
    best = run.best_facts().get("step")
    distance = with_interval(measured, title="Distance to unseen images", unit="KID", best=best)
    st.plotly_chart(distance, key="kid", alt="Distance of samples to unseen images over the steps")
    if any(event.get(name) is not None for event in measured for name in NEARNESS):
        levels = {"close": CLOSE, "a copy": COPIES}
        near = with_levels(
            measured, NEARNESS, levels, title="Distance to training images", unit="1: as new as unseen ones"
        )
        st.plotly_chart(near, key="nearest", alt="Distance of samples to training images over the steps")


def best_so_far(run: Run) -> None:
    """Which checkpoint was judged best."""
    facts = run.best_facts()
    if not facts:
        return
    kept = run.best()
    where = f", kept as `checkpoints/{step_name(facts['step'])}`" if kept else " (being saved)"
    st.markdown(f":material/star: **Best so far: step {facts['step']:,}**{_score(facts)}{where}.")


def _score(facts: dict[str, Any]) -> str:
    score = facts.get("score")
    return f", distance {score:.4f}" if isinstance(score, int | float) else ""
