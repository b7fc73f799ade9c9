"""The Evaluate page: the paper's three figures, beside rows that say what they are worth."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.data.split import TEST
from medgan.evaluation.report import load_report
from medgan.evaluation.table import cell
from medgan.runs.models import ModelEntry
from medgan.runs.record import STOPPED, Run, find_runs
from medgan.ui.charts import intervals
from medgan.ui.components import (
    dataset_names,
    empty,
    open_dataset,
    pick_dataset,
    plain_errors,
    state_badge,
    warn_of_dead_link,
)
from medgan.ui.jobs import delete, explained, jobs
from medgan.ui.sampler import pick_model
from medgan.ui.session import workspace

NETWORKS = {"alex": "AlexNet (233 MB)", "squeeze": "SqueezeNet (5 MB)", "vgg": "VGG-16 (528 MB)"}
PAIRINGS = {
    "random": "Random pairs: each image against random held-out ones (what papers mostly report)",
    "nearest": "Nearest: each image against the held-out one that it resembles most",
}
REFRESH = 1.5


def new_evaluation() -> None:
    """Model, data set, count, network, Run."""
    left, right = st.columns(2)
    with left:
        entry = pick_model()
    if entry is None:
        empty("There is no model to judge yet.", "train", "Train one")
        return
    with right:
        _follow_model(entry)
        data = pick_dataset("Judge against the held-out images of")
    if data is None:
        return
    fits = _fits(entry, data)
    if fits:
        _warnings(entry, data)
    left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
    count = left.number_input("Images to generate", 16, 4096, 256, step=16)
    network = middle.selectbox(
        "LPIPS network",
        list(NETWORKS),
        format_func=lambda key: NETWORKS[key],
        help="Downloaded on first use. LPIPS of one network cannot be compared with that of another.",
    )
    if right.button(
        "Evaluate", type="primary", icon=":material/play_arrow:", key="evaluate", disabled=not fits
    ):
        with plain_errors():
            record = jobs().evaluate(
                entry.spec, data.folder, name=entry.name, count=int(count), lpips_net=str(network)
            )
            st.session_state["report"] = record.name
            st.rerun()


def _follow_model(entry: ModelEntry) -> None:
    """Offer the data set that the model was trained on, when the model changes."""
    before = st.session_state.get("followed_model")
    st.session_state["followed_model"] = entry.spec
    if before == entry.spec or (before is None and "data" in st.query_params):
        return
    trained_on = _trained_on(entry)
    for name in dataset_names():
        data = open_dataset(name)
        if data is not None and data.info["content_sha256"] == trained_on:
            st.session_state["data"] = name
            return


def _trained_on(entry: ModelEntry) -> str | None:
    return entry.info.about.get("dataset", {}).get("content_sha256")  # type: ignore[no-any-return]


def _fits(entry: ModelEntry, data: Dataset) -> bool:
    model, words = entry.info.model, {1: "grey", 3: "colour"}
    fits = (model.channels, model.size) == (data.channels, data.size)
    if not fits:
        st.warning(
            f"This model makes {words[model.channels]} images of {model.size} pixels, {data.name} holds "
            f"{words[data.channels]} images of {data.size}: choose a model and a data set that fit.",
            icon=":material/warning:",
        )
    return fits


def _warnings(entry: ModelEntry, data: Dataset) -> None:
    if _trained_on(entry) != data.info["content_sha256"]:
        st.warning(
            "This model was not trained on this data set as it is split here, so nobody can say whether "
            "it has seen the held-out images. Figures may flatter it.",
            icon=":material/warning:",
        )
    heldout = int(data.info["splits"].get(TEST, 0))
    if heldout < 30:
        st.caption(f"Only {heldout} images are held out: the intervals will be wide.")


def reports() -> None:
    """The chosen report (the newest by default), live while it is being made."""
    records = {record.name: record for record in find_runs(workspace().reports)}
    if not records:
        st.info("No report yet. An evaluation takes a minute or two.", icon=":material/info:")
        return
    warn_of_dead_link("report", list(records), "report")
    if st.session_state.get("report") not in records and st.query_params.get("report") not in records:
        st.session_state["report"] = next(iter(records))
    name = st.selectbox("Report", list(records), key="report", bind="query-params")
    record = records[name]
    alive = record.status().alive
    st.fragment(_progress, run_every=REFRESH if alive else None)(record, alive)
    if not alive:
        _finished(record)


def _progress(record: Run, was_alive: bool) -> None:
    status = explained(record)
    if was_alive and not status.alive:
        st.rerun()
    if status.alive:
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(status)
            st.space("stretch")
            if st.button("Cancel", icon=":material/close:", key="cancel"):
                record.request_stop()
        st.progress(status.progress, text=f"{status.message}…")
    elif status.state == STOPPED:
        st.info("Cancelled; there is no report.", icon=":material/info:")
    elif not (record.folder / "report.json").exists():
        st.error(status.message, icon=":material/error:")


def _finished(record: Run) -> None:
    path = record.folder / "report.json"
    if path.exists():
        with plain_errors():
            show(load_report(path), record.name)
    with st.popover("Delete", type="tertiary"):
        if st.button("Delete this report", type="primary", key="delete_report"):
            with plain_errors():
                delete(record.folder)
                st.session_state.pop("report", None)
                st.rerun()


def show(report: dict[str, Any], name: str) -> None:
    """A report: charts, the table, what the figures are worth, the JSON."""
    settings, model = report["settings"], report["model"]
    st.caption(
        f"{settings['count']} images of **{model['name']}** against the held-out images of "
        f"**{report['dataset']['name']}**. Bars are 95 % intervals (bootstrap over images)."
    )
    pairing = st.segmented_control(
        "Pairs", list(PAIRINGS), default="random", required=True, format_func=str.capitalize, key="pairing"
    )
    st.caption(PAIRINGS[str(pairing)])
    figures = [f for f in report["figures"] if f["pairing"] == pairing]
    paper = report["paper"] if pairing == "random" else []  # the paper paired at random, if at all
    _charts(figures, paper)
    _table(figures, paper)
    for note in report["notes"]:
        st.markdown(f"- {note}")
    st.download_button(
        "Report as JSON",
        json.dumps(report, indent=2),
        file_name=f"{name}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="download_report",
    )


def _charts(figures: list[dict[str, Any]], paper: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(figure["name"] for figure in figures))
    for column, name in zip(st.columns(len(names)), names, strict=True):
        mine = [figure for figure in figures if figure["name"] == name]
        published = {row["name"]: row["figures"][name] for row in paper}
        absent = next((figure["reason"] for figure in mine if figure["value"] is None), None)
        if absent:
            column.warning(f"{name} is absent: {absent}", icon=":material/warning:")
        else:
            chart = intervals(mine, title=_title(mine[0]), paper=published)
            column.plotly_chart(chart, key=f"chart-{name}")


def _title(figure: dict[str, Any]) -> str:
    network = (figure["network"] or {}).get("name")
    details = ", ".join(filter(None, (figure["unit"], network)))
    arrow = "↑" if figure["direction"].startswith("higher") else "↓"
    return f"{figure['name']} ({details}) {arrow}" if details else f"{figure['name']} {arrow}"


def _table(figures: list[dict[str, Any]], paper: list[dict[str, Any]]) -> None:
    titles = {figure["name"]: _title(figure) for figure in figures}
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        rows.setdefault(figure["row"], {})[titles[figure["name"]]] = cell(figure)
    for row in paper:
        rows[row["name"]] = {titles[name]: f"{value:.2f}" for name, value in row["figures"].items()}
    st.dataframe([{"": row, **cells} for row, cells in rows.items()], hide_index=True)
    st.caption("↑ higher is better, ↓ lower is better. In brackets the 95 % interval.")
