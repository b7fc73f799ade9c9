"""The Evaluate page: what to judge and by what, the evaluation at work, and which report is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.data.split import TEST, VALIDATION
from medgan.evaluation.report import load_report
from medgan.runs.info import trained_on
from medgan.runs.models import ModelEntry
from medgan.runs.record import STOPPED, Run, find_runs
from medgan.ui.components import (
    dataset_names,
    deletion,
    empty,
    open_dataset,
    pick_dataset,
    plain_errors,
    warn_of_dead_link,
)
from medgan.ui.evaluate_compare import compare
from medgan.ui.evaluate_networks import choose_networks
from medgan.ui.evaluate_scorecard import scorecard
from medgan.ui.follow import follow
from medgan.ui.jobs import explained, jobs
from medgan.ui.sampler import pick_model
from medgan.ui.session import hosted, workspace
from medgan.ui.sources import local_path
from medgan.ui.study_files import results_of
from medgan.ui.text import PARTS, plain, sentence

MODEL, FOLDER = "A model", "A folder of images"
FEW = 50
"""Held-out images below which intervals are wide."""


@dataclass(frozen=True)
class Subject:
    """What is judged: how the command line names it, a short name, and the model if it is one."""

    spec: str
    name: str
    entry: ModelEntry | None = None


def new_evaluation() -> None:
    """Model or folder, data set, part, networks, count, Run."""
    left, right = st.columns(2)
    with left:
        subject = _subject()
    if subject is None:
        return
    with right:
        if subject.entry:
            _follow_model(subject.entry)
        data = pick_dataset("Judge against the held-out images of")
    if data is None:
        return
    fits = subject.entry is None or _fits(subject.entry, data)
    if fits and subject.entry:
        _warn_of_strangers(subject.entry, data)
    with st.container(horizontal=True, vertical_alignment="top"):
        part = _part(data)
        count = st.number_input(
            "Images to judge", 16, 20_000, 1000, step=100, key="count", width=160, persist_state="session"
        )
        networks = choose_networks()
    study = _study(data)
    if part and data.info["splits"][part] < FEW:
        words = "These are few real images: intervals will be wide, and some figures rough."
        st.caption(f":orange[:material/warning:] {words}")
    if st.button(
        "Evaluate",
        type="primary",
        icon=":material/play_arrow:",
        key="evaluate",
        disabled=not (fits and part and subject.spec),
    ):
        with plain_errors():
            options = {"count": int(count), "split": str(part), **networks, **study}
            record = jobs().evaluate(_spec(subject), data.folder, name=subject.name, options=options)
            st.session_state["report"] = record.name
            st.rerun()


def _subject() -> Subject | None:
    kind = MODEL
    if not hosted():  # strangers must not see the server's disk
        kind = str(
            st.segmented_control(
                "Judge",
                [MODEL, FOLDER],
                default=MODEL,
                required=True,
                key="subject",
                label_visibility="collapsed",
                persist_state="session",
            )
        )
    if kind == FOLDER:
        text = st.text_input(
            "Folder or ZIP on the machine that runs this page",
            placeholder="/home/me/generated",
            help="Images that any generator made. They are read and never changed.",
            key="images_folder",
        ).strip()
        return Subject(text, re.sub(r"[^\w.-]+", "-", Path(text).stem).strip("-._") or "images")
    entry = pick_model()
    if entry is None:
        empty("There is no model to judge yet.", "train", "Train one")
        return None
    return Subject(entry.spec, entry.name, entry)


def _spec(subject: Subject) -> str:
    """What the command line takes; MedGANError for a folder that is not there."""
    return subject.spec if subject.entry else str(local_path(subject.spec))


def _part(data: Dataset) -> str | None:
    splits = data.info["splits"]
    there = [part for part in (TEST, VALIDATION) if splits.get(part)]
    if not there:
        st.warning("Nothing is held out in this data set; prepare it again with a test part.")
        return None
    chosen = st.segmented_control(
        "Real images",
        there,
        default=there[0],
        required=True,
        format_func=lambda part: f"{PARTS[part]}: {splits[part]:,}",
        key=f"part-{data.folder.name}",
        help="Images that judge have never been seen in training. Those to watch have chosen the best "
        "checkpoint, and flatter a little.",
    )
    return str(chosen)


def _study(data: Dataset) -> dict[str, str]:
    """The study that decides on usefulness, as an option of `evaluate`; empty where none shall."""
    found = results_of(data, workspace())
    if not found:
        st.caption(
            "Usefulness stays unknown: there is no study of this data set yet. The page Studies makes one, "
            "or `python -m medgan study-usefulness`."
        )
        return {}
    name = st.selectbox(
        "Usefulness by the study",
        list(found),
        index=None,
        placeholder="None: usefulness stays unknown",
        key=f"study-for-{data.folder.name}",
        width=420,
        persist_state="session",
        help="Studies of this data set. Each trained models of its own: its verdict says whether such images "
        "help a classifier, and the report says that this model was not in it.",
    )
    return {"study": str(found[name])} if name else {}


def _follow_model(entry: ModelEntry) -> None:
    """Offer the data set that the model was trained on, when the model changes."""
    before = st.session_state.get("followed_model")
    st.session_state["followed_model"] = entry.spec
    if before == entry.spec or (before is None and "data" in st.query_params):
        return
    wanted = trained_on(entry.info.about)
    for name in dataset_names():
        data = open_dataset(name)
        if data is not None and data.info["content_sha256"] == wanted:
            st.session_state["data"] = name
            return


def _fits(entry: ModelEntry, data: Dataset) -> bool:
    model, words = entry.info.model, {1: "grey", 3: "colour"}
    fits = (model.channels, model.size) == (data.channels, data.size)
    if not fits:
        st.warning(
            f"This model makes {words[model.channels]} images of {model.size} pixels, {plain(data.name)} "
            f"holds {words[data.channels]} images of {data.size}: choose a model and a data set that fit.",
            icon=":material/warning:",
        )
    return fits


def _warn_of_strangers(entry: ModelEntry, data: Dataset) -> None:
    if trained_on(entry.info.about) != data.info["content_sha256"]:
        st.warning(
            "This model was not trained on this data set as it is split here, so nobody can say whether "
            "it has seen the held-out images. Figures may flatter it.",
            icon=":material/warning:",
        )


def reports() -> None:
    """The chosen report (the newest by default), live while it is being made, and a table of several."""
    records = {record.name: record for record in find_runs(workspace().reports)}
    if not records:
        st.info("No report yet. An evaluation takes a few minutes.", icon=":material/info:")
        return
    warn_of_dead_link("report", list(records), "report")
    if st.session_state.get("report") not in records and st.query_params.get("report") not in records:
        st.session_state["report"] = next(iter(records))
    name = st.selectbox("Report", list(records), key="report", bind="query-params")
    record = records[name]
    if not follow(record):
        _ended(record)
    compare(list(records.values()))


def _ended(record: Run) -> None:
    path, status = record.folder / "report.json", explained(record)
    if status.state == STOPPED:
        st.info("Cancelled; there is no report.", icon=":material/info:")
    elif not path.exists():
        st.error(sentence(status.message), icon=":material/error:")
    else:
        with plain_errors():
            report: dict[str, Any] = load_report(path)
            scorecard(report, record.folder)
    deletion("report", record.folder)
