"""Curves of a run that may be growing: its events, read on from where the last look ended, and charts."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from medgan.runs.events import Event, Follower
from medgan.runs.record import Run
from medgan.ui.charts import curves

POINTS = 500
"""A curve has up to twice as many; a browser shows no more in the width it has."""
PIECES = 8
"""Pieces of a file that one look reads at most; the next look goes on."""
LOSSES = {"loss_d": "discriminator", "loss_g": "generator"}
SCORES = {"d_real": "D(real)", "d_fake": "D(generated)"}


class Events:
    """What a run has logged so far, thinned out; several visitors may look at once."""

    def __init__(self, path: Path) -> None:
        self._follower = Follower(path, POINTS)
        self._lock = threading.Lock()

    def read(self) -> tuple[list[Event], list[Event]]:
        """The figures of training, and what observers found."""
        with self._lock:
            for _ in range(PIECES):
                if not self._follower.update():
                    break
            return _placed(self._follower.rows), _placed(self._follower.findings)


def _placed(events: list[Event]) -> list[Event]:
    """Those that say at which step they are; the file may have been edited by hand."""
    return [event for event in events if type(event.get("step")) is int]


@st.cache_resource(show_spinner=False, max_entries=64)
def _events(path: str) -> Events:
    return Events(Path(path))


def events_of(run: Run) -> tuple[list[Event], list[Event]]:
    """The figures of training and the findings of a run, each at most about 1,000 and the newest included."""
    return _events(str(run.events_file)).read()


@dataclass(frozen=True)
class Look:
    """How charts are drawn. `smoothing` is the share of each point that comes from those before it."""

    smoothing: float = 0.0
    log: bool = False
    paused: bool = False


def choose_look(alive: bool) -> Look:
    """The switches above the charts."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.95,
            0.5,
            0.05,
            width=220,
            key="smoothing",
            persist_state="session",
            help="Behind the smooth line stays, pale, what was measured.",
        )
        log = st.toggle("Log scale", key="log_scale", persist_state="session", help="For the losses.")
        paused = alive and st.toggle(
            "Pause live updates", key="pause_updates", help="To zoom into a chart in peace. Training goes on."
        )
    return Look(smoothing, log, paused)


def charts(run: Run, look: Look) -> None:
    """Losses, and what the discriminator believes."""
    rows, _ = events_of(run)
    if not rows:
        st.caption("The first figures come after a few steps.")
        return
    with st.grid(min_column_width=340):
        losses = curves(rows, LOSSES, title="Losses", unit="loss", smoothing=look.smoothing, log=look.log)
        st.plotly_chart(losses, key="losses", alt="Losses of both networks over the steps")
        scores = curves(rows, SCORES, title="What D believes", unit="probability", smoothing=look.smoothing)
        st.plotly_chart(scores, key="scores", alt="What the discriminator says of real and generated images")
    if look.log and any(row.get(name) is not None and row[name] <= 0 for row in rows for name in LOSSES):
        st.caption("A logarithmic scale has no place for losses of 0 and below; they are left out.")
    with st.expander("How to read this"):
        st.markdown(
            "The **generator** draws, the **discriminator** D tells drawn from real. The losses do not "
            "fall as in other trainings: they balance. D(real) near 1 and D(generated) near 0 for long "
            "means that D wins and the generator learns little. **Trust the samples and the distance to "
            "unseen images more than the losses.**"
        )
