"""A new data set, step by step: where from, the scan, what it found and what is chosen, Make."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.errors import DataError, MedGANError
from medgan.runs.record import FAILED, FINISHED, INTERRUPTED, STOPPED, Run
from medgan.ui import findings, intake
from medgan.ui.classes import choose_classes
from medgan.ui.components import plain_errors
from medgan.ui.intake import Intake
from medgan.ui.jobs import explained, jobs
from medgan.ui.looks import choose_look
from medgan.ui.parts import choose_parts
from medgan.ui.pictures import records, thumbnail
from medgan.ui.sources import choose_source, free_folder, start_scan
from medgan.ui.text import parts, plain

if TYPE_CHECKING:
    from medgan.data.settings import Settings

REFRESH = 1.0
"""Seconds between two looks at a process."""


def new_dataset() -> None:
    """The step that is due."""
    with plain_errors():
        current = intake.current()
        if current is None:
            choose_source()
        elif current.make.status().alive:
            _title(current, "is becoming a data set")
            _watch(current.make)
        elif _ended_well(current.make):
            _announce(current)
        elif current.about().get("demo"):
            _demo_ended(current)
        elif _ended_well(current.scan) and current.report():
            review(current)
        else:
            _scanning(current)


def _ended_well(record: Run) -> bool:
    return record.status().state == FINISHED


def _scanning(current: Intake) -> None:
    """The scan at work, or how it ended without a report."""
    if current.scan.status().alive:
        _title(current, "is being checked")
        _watch(current.scan)
        return
    _title(current, "could not be checked")
    _explain(current.scan, "Cancelled. The files are still here.")
    if current.scan.status().state == FAILED and _has_images(current):
        # There are images, so it may be the division of them that cannot be.
        current.choose(choose_parts({}, current.settings(), current.id))
    with st.container(horizontal=True):
        if st.button("Check again", icon=":material/refresh:", type="primary"):
            start_scan(current)
            st.rerun()
        if current.labels and st.button("Check again without the table of classes"):
            current.note(labels="")
            start_scan(current)
            st.rerun()
        _start_over(current)


def _has_images(current: Intake) -> bool:
    try:
        return bool(records(current))
    except DataError:
        return False


def _watch(record: Run) -> None:
    st.fragment(_progress, run_every=REFRESH)(record)


def _progress(record: Run) -> None:
    """How far a process is, and Cancel; the whole page is drawn anew once it has ended."""
    status = record.status()
    if not status.alive:
        st.rerun()
    cancelling = record.stopping(status.pid_started)
    step = f": {status.step:,} of {status.iterations:,}" if status.iterations > 1 else "…"
    st.progress(status.progress, text="Cancelling…" if cancelling else f"{plain(status.message, 200)}{step}")
    if st.button("Cancel", icon=":material/close:", key=f"cancel-{record.name}", disabled=cancelling):
        jobs().cancel(record)
        st.rerun(scope="fragment")


def _explain(record: Run, cancelled: str) -> None:
    """How a process ended that did not finish."""
    status = explained(record)
    asked = status.state == INTERRUPTED and status.pid > 0 and record.stopping(status.pid_started)
    if status.state == STOPPED or asked:
        st.info(cancelled, icon=":material/info:")
    elif status.state == INTERRUPTED and not status.pid:
        st.info("It has not begun yet.", icon=":material/info:")
    elif status.state == INTERRUPTED and status.message.startswith("The process ended"):
        st.error(findings.plain_sentence(_sudden_end(record)), icon=":material/error:")
    else:
        st.error(findings.plain_sentence(status.message), icon=":material/error:")


def _sudden_end(record: Run) -> str:
    """Why a process ended that could not say so itself."""
    try:
        lines = (record.folder / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    if any(line.startswith("Traceback") for line in lines[-60:]):
        return f"A bug ended it: {lines[-1][:300]}"
    return (
        "The process was ended from outside, perhaps for want of memory. Close other programs, or give it "
        "fewer or smaller files."
    )


def _announce(current: Intake) -> None:
    """The set is ready: say so, show it below, and delete what it was made of."""
    out = Path(str(current.about().get("out", "")))
    current.delete()
    intake.show(None)
    st.session_state["data_made"] = _announcement(_open(out))
    st.session_state["data"] = out.name
    st.rerun()


def _open(out: Path) -> Dataset:
    try:
        return Dataset(out)
    except DataError as error:
        raise MedGANError(f"The data set {out.name} was made and is gone again.") from error


def _announcement(data: Dataset) -> str:
    report = data.report
    away = len(report.get("rejected", [])) + len(report.get("left_out", []))
    lost = f" {away:,} files were left out; see below why." if away else ""
    name = plain(data.folder.name)
    return f"The data set {name} is ready: {parts(data.info['splits'])}.{lost}"


def _demo_ended(current: Intake) -> None:
    _title(current, "was not made")
    _explain(current.make, "Cancelled; nothing was made.")
    _start_over(current)


@st.fragment
def review(current: Intake) -> None:
    """What was found, what is to be done with it, and Make."""
    report, key = current.report(), current.id
    _title(current, "is here. This is what it holds.", over=True)
    if current.make.folder.is_dir():
        _explain(current.make, "Cancelled; no data set was made.")
    with plain_errors():
        findings.numbers(report)
        findings.advice(report)
        settings = _choose(current, report, key)
        settings.check()
        current.choose(settings)
        _check_again(current)
        _make(current, report)


def _choose(current: Intake, report: dict[str, Any], key: str) -> Settings:
    settings = current.settings()
    picture = partial(thumbnail, current, window=settings.window)
    findings.flagged(report, picture, key)
    kept = findings.copies(report, vars(settings), picture, key)
    settings = replace(
        settings, duplicates=kept["duplicates"], near=kept["near"], conflicts=kept["conflicts"]
    )
    settings = replace(settings, exclude=findings.exclude(report, settings.exclude, key))
    findings.left_out(report, key)
    findings.personal(report)
    choose_classes(current, report)
    if report.get("accepted"):
        settings = choose_look(current, report, settings, key)
        settings = choose_parts(report, settings, key)
        findings.leak(report.get("leak_check"), picture)
    return settings


def _check_again(current: Intake) -> None:
    """What was found holds for the settings of the scan; others may find other things."""
    if current.settings() == current.scanned_with():
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The figures above are those of the last check; what you chose since may change them.")
        if st.button("Check again with these settings", icon=":material/refresh:", type="tertiary"):
            start_scan(current)
            st.rerun()


def _make(current: Intake, report: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the data set", value=current.title, key=f"{current.id}-name", width=320)
        usable = int(report.get("accepted", 0))
        if st.button("Make this data set", type="primary", disabled=not usable):
            out = free_folder(name)
            current.note(out=str(out))
            jobs().prepare(
                current.make,
                current.sources,
                current.settings(),
                out=out,
                name=name.strip(),
                labels=current.labels,
                count=current.count,
            )
            st.rerun()


def _title(current: Intake, words: str, *, over: bool = False) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(current.title)}** {words}")
        if over:
            st.space("stretch")
            _start_over(current)


def _start_over(current: Intake) -> None:
    if st.button("Start over", icon=":material/restart_alt:", type="tertiary", key="start-over"):
        current.delete()
        intake.show(None)
        st.rerun()
