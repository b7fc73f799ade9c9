"""A new data set, step by step: where from, the scan, what it found and what is chosen, Make."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.modalities import OTHER
from medgan.runs.record import FINISHED, INTERRUPTED, STOPPED, Run
from medgan.ui import findings, intake
from medgan.ui.classes import choose_classes
from medgan.ui.components import plain_errors
from medgan.ui.intake import Intake
from medgan.ui.jobs import explained, jobs
from medgan.ui.looks import choose_look
from medgan.ui.modality import choose_modality
from medgan.ui.parts import choose_parts
from medgan.ui.pictures import thumbnail
from medgan.ui.sources import choose_source, free_folder, start_scan
from medgan.ui.text import count, on_the_page, parts, plain, sentence

if TYPE_CHECKING:
    from medgan.data.settings import Settings

LEAST = 4
"""Usable pictures that a data set needs, as `medgan.data.examine.MINIMUM`."""
REFRESH = 1.0
"""Seconds between two looks at a process."""


def new_dataset() -> None:
    """The step that is due."""
    with plain_errors():
        current = intake.current()
        if current is None:
            choose_source()
        elif current.make.status().alive:
            _title(current, "becoming a data set")
            _watch(current.make)
        elif current.finished:
            _announce(current)
        elif current.about().get("demo"):
            _demo_ended(current)
        elif _to_review(current):
            review(current)
        else:
            _scanning(current)


def _ended_well(record: Run) -> bool:
    return record.status().state == FINISHED


def _to_review(current: Intake) -> bool:
    """Whether there are findings and nothing has been made of them yet."""
    working = current.make.status().alive or current.finished
    return not working and _ended_well(current.scan) and bool(current.report())


def _scanning(current: Intake) -> None:
    """The scan at work, or how it ended without a report."""
    if current.scan.status().alive:
        _title(current, "being checked")
        _watch(current.scan)
        return
    _title(current, "could not be checked")
    _explain(current.scan, "Cancelled. The files are still here.")
    with st.container(horizontal=True):
        if st.button("Check again", icon=":material/refresh:", type="primary"):
            start_scan(current)
            st.rerun()
        if current.labels and st.button("Check again without the table of classes"):
            current.note(labels="")
            start_scan(current)
            st.rerun()
        _start_over(current)


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
        st.error(sentence(_sudden_end(record)), icon=":material/error:")
    else:
        st.error(sentence(on_the_page(status.message)), icon=":material/error:")


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
    out = current.out
    current.finish()
    intake.show(None)
    if out is None or not (out / "dataset.json").is_file():
        st.info(f"**{plain(current.title)}** became a data set, which is gone again.", icon=":material/info:")
        choose_source()
        return
    st.session_state["data_made"] = _announcement(Dataset(out))
    st.session_state["data"] = out.name
    st.rerun()


def _announcement(data: Dataset) -> str:
    report = data.report
    away = len(report.get("rejected", [])) + len(report.get("left_out", []))
    lost = f" {count(away, 'file was', 'files were')} left out; see below why." if away else ""
    name = plain(data.folder.name)
    return f"The data set {name} is ready: {parts(data.info['splits'])}.{lost}"


def _demo_ended(current: Intake) -> None:
    _title(current, "not made")
    _explain(current.make, "Cancelled; nothing was made.")
    _start_over(current)


@st.fragment
def review(current: Intake) -> None:
    """What was found, Make, and what is to be done with it."""
    if not _to_review(current):  # another tab went on with it
        st.rerun()
    report, wrong = current.report(), list[str]()
    _title(current, "this is what it holds", over=True)
    with plain_errors():
        findings.numbers(report)
        # Make stands on top, where it is in reach, but knows what is chosen below.
        top = st.container(border=True)
        findings.advice(report)
        settings = _choose(current, report, wrong)
        current.choose(settings)
        with top:
            _how_make_ended(current)
            _make(current, report, wrong)


def _choose(current: Intake, report: dict[str, Any], wrong: list[str]) -> Settings:
    settings, key = current.settings(), current.id
    st.session_state.setdefault(f"{key}-modality", settings.modality)
    settings = replace(settings, modality=choose_modality(f"{key}-modality"))
    picture = partial(thumbnail, current, window=settings.window)
    divided = not report.get("trouble")
    if not divided:  # that is what has to be changed, so it comes first
        settings = choose_parts(report, settings, key, wrong)
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
        settings = choose_look(current, report, settings, key, wrong)
        if divided:
            settings = choose_parts(report, settings, key, wrong)
        findings.leak(report.get("leak_check"), picture)
    return settings


def _how_make_ended(current: Intake) -> None:
    """Why there is no data set, as long as what is chosen is what it was tried with."""
    if current.make.folder.is_dir() and current.made_with() == current.settings():
        _explain(current.make, "Cancelled; no data set was made.")


def _make(current: Intake, report: dict[str, Any], wrong: list[str]) -> None:
    """The name and Make, or why it cannot be; and another check, where other things are chosen by now."""
    changed = _of_consequence(current.settings()) != _of_consequence(current.scanned_with())
    obstacle = _obstacle(report, wrong, changed=changed)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the data set", value=current.title, key=f"{current.id}-name", width=320)
        pressed = st.button("Make this data set", type="primary", disabled=bool(obstacle))
        again = changed and st.button(
            "Check again with these settings", icon=":material/refresh:", disabled=bool(wrong)
        )
    if obstacle:
        st.warning(sentence(obstacle), icon=":material/block:")
    elif changed:
        st.caption("The figures are those of the last check; what you chose since may change them.")
    else:
        st.caption("You can make it as it is: all that follows is optional.")
    if again:
        start_scan(current)
        st.rerun()
    if pressed:
        _start_make(current, name)


def _of_consequence(settings: Settings) -> Settings:
    """The settings without the one that changes nothing of what a check finds."""
    return replace(settings, modality=OTHER)


def _obstacle(report: dict[str, Any], wrong: list[str], *, changed: bool) -> str:
    """Why no data set can be made of this, or nothing."""
    if wrong:
        return wrong[0]
    if int(report.get("accepted", 0)) < LEAST:
        return f"A data set takes at least {LEAST} usable pictures."
    trouble = str(report.get("trouble") or "")
    if trouble and changed:
        return "At the last check it could not be divided. Check again with what you chose since."
    return on_the_page(trouble)


def _start_make(current: Intake, name: str) -> None:
    if not current.scan.status().alive:  # else it is being checked again in another tab
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
        st.markdown(f"**{plain(current.title)}**: {words}")
        if over:
            st.space("stretch")
            _start_over(current)


def _start_over(current: Intake) -> None:
    if st.button("Start over", icon=":material/restart_alt:", type="tertiary", key="start-over"):
        current.delete()
        intake.show(None)
        st.rerun()
