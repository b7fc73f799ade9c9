"""How long a run would take here, and whether memory suffices: a few measured steps in a process.

What was measured is kept while the server runs, so that coming back to the page shows it again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from medgan.runs.launch import complaint
from medgan.ui.components import duration
from medgan.ui.jobs import ROOT
from medgan.ui.text import sentence

LABEL = "Measure how long it takes here"
REFRESH = 1.0

Key = tuple[str, ...]


@dataclass
class Measurement:
    """What came of it: `found` as `Estimate.to_json` gives it, or a sentence on why there is none."""

    found: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Measurements:
    """Measures one set of choices at a time; two at once would each find the other's slowness."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Key, Measurement] = {}
        self._key: Key = ()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, options: Sequence[str]) -> None:
        """Measure the run that these options of `train` mean; another measuring is given up."""
        with self._lock:
            self._take()
            if self._process and self._key == tuple(options):
                return
            self._give_up()
            self._key = tuple(options)
            self._known.pop(self._key, None)
            command = [sys.executable, "-m", "medgan", "train", *options, "--estimate", "--json"]
            # Both ends of what it says fit into a pipe, so nobody has to read along.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=ROOT,
            )

    def cancel(self) -> None:
        """Give up what is being measured."""
        with self._lock:
            self._give_up()

    def busy(self, options: Sequence[str]) -> bool:
        """Whether just this is being measured."""
        with self._lock:
            self._take()
            return self._process is not None and self._key == tuple(options)

    def of(self, options: Sequence[str]) -> Measurement | None:
        """What is known of this, if anything."""
        with self._lock:
            self._take()
            return self._known.get(tuple(options))

    def newest(self, dataset: Path, preset: str) -> Measurement | None:
        """What was measured last of a preset on a data set, whatever the other choices."""
        known = [m for key, m in self._known.items() if key[:2] == (str(dataset), f"--preset={preset}")]
        return next((m for m in reversed(known) if m.found), None)

    def _take(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._known[self._key] = _read(*self._process.communicate())
            self._process = None

    def _give_up(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _read(out: bytes, words: bytes) -> Measurement:
    try:
        return Measurement(found=dict(json.loads(out)))
    except ValueError:
        said = complaint(words.decode("utf-8", "replace").splitlines())
        return Measurement(problem=said or "It could not be measured; start the run to see why.")


@st.cache_resource(show_spinner=False)
def measurements() -> Measurements:
    """The same for all visitors: the machine is one."""
    return Measurements()


def measured_words(dataset: Path, preset: str) -> str:
    """`Measured here: 12 min.` for the preset's line, or empty."""
    known = measurements().newest(dataset, preset)
    if known is None or known.found.get("seconds") is None:
        return ""
    return f"Measured here: {duration(known.found['seconds'])} for {known.found['iterations']:,} steps."


def measuring(options: Sequence[str], models: int = 1) -> None:
    """The button, and what comes of it; `models` are to be trained so, one after the other."""
    busy = measurements().busy(options)
    st.fragment(_measuring, run_every=REFRESH if busy else None)(tuple(options), busy, models)


def _measuring(options: Key, was_busy: bool, models: int) -> None:
    if measurements().busy(options) != was_busy:
        st.rerun()
    if was_busy:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(":material/timer: Measuring a few steps; this can take a minute…")
            if st.button("Cancel", key="cancel_measure", type="tertiary"):
                measurements().cancel()
                st.rerun()
        return
    if st.button(LABEL, icon=":material/timer:", key="measure"):
        measurements().start(options)
        st.rerun()
    known = measurements().of(options)
    if known is not None:
        _show(known, models)


def _show(known: Measurement, models: int) -> None:
    if known.problem:
        st.error(sentence(known.problem), icon=":material/error:")
        return
    found = known.found
    speed, fits = found["images_per_second"], found["memory_suffices"] and found["disk_suffices"]
    with st.grid(min_column_width=150):
        whole = found["seconds"] and models * found["seconds"]
        st.metric(f"{models} models" if models > 1 else "In all", duration(whole), border=True)
        st.metric("Seconds per image", f"{1 / speed:.3g}" if speed else "–", border=True)
        st.metric("Memory", "suffices" if found["memory_suffices"] else "too little", border=True)
        st.metric("Disk", "suffices" if found["disk_suffices"] else "too little", border=True)
    box, icon = (st.success, ":material/check_circle:") if fits else (st.error, ":material/error:")
    each = "Each model: " if models > 1 else ""
    box(sentence(each + found["words"]), icon=icon)
