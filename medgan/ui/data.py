"""The data sets there are: what each holds, what it is good for, its images, what was left out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from medgan.data.dataset import Dataset
from medgan.data.split import TEST
from medgan.errors import DataError, MedGANError
from medgan.images import png
from medgan.runs.record import find_runs
from medgan.ui import findings
from medgan.ui.components import (
    dataset_names,
    gallery,
    open_dataset,
    plain_errors,
    warn_of_dead_link,
)
from medgan.ui.modality import correct_modality
from medgan.ui.navigation import link
from medgan.ui.pairs import show_pairs
from medgan.ui.session import workspace
from medgan.ui.text import PARTS, count, plain, sentence

SHOWN = 21
LISTED = 20_000
"""Images of a set that the gallery goes through: a larger set shows its first ones."""
ALL = "all"


def existing_datasets() -> None:
    """One data set in full: counts, advice, images, copies, what was left out."""
    names = dataset_names()
    if not names:
        st.info("No data set yet: make one above. It takes a few seconds.", icon=":material/info:")
        return
    _made_notice()
    warn_of_dead_link("data", names, "data set")
    name = st.selectbox("Data set", names, key="data", bind="query-params")
    data = open_dataset(name) if name else None
    if data is not None:
        with plain_errors():
            _summary(data)
            _images(data)
            _found(data)
            _links_and_delete(data)


def _made_notice() -> None:
    text = st.session_state.pop("data_made", None)
    if text:
        st.success(text, icon=":material/check_circle:")


def _summary(data: Dataset) -> None:
    splits = data.info["splits"]
    with st.grid(min_column_width=190):
        for part, words in PARTS.items():
            st.metric(words[:1].upper() + words[1:], f"{splits.get(part, 0):,}", border=True)
    groups = int(data.info.get("groups", 0))
    facts = [f"{data.size} x {data.size} pixels, {'grey' if data.channels == 1 else 'colour'}."]
    facts += (
        [f"{count(groups, 'group')}: {sentence(data.info['grouping'], 300)}."]
        if data.info.get("grouping")
        else []
    )
    st.caption(" ".join(facts).replace("..", "."))
    correct_modality(data)
    findings.advice({"advice": _advice(data)})
    findings.classes(data.info)


def _advice(data: Dataset) -> Sequence[Mapping[str, str]]:
    """What the set is good for; worked out here for a set of an earlier version."""
    if "advice" in data.info:
        return list(data.info["advice"])
    from medgan.data.assessment import assess

    return [vars(item) for item in assess(data.info["classes"], groups=data.info.get("groups"))]


@st.fragment
def _images(data: Dataset) -> None:
    rows = first_rows(str(data.folder), _changed(data))
    key = f"images-{data.folder.name}"
    # In an order of chance, so that the first page shows all classes.
    order = np.random.default_rng(0).permutation(len(rows))
    chosen = _filtered(data, rows, order.tolist(), key)
    pages = -(-len(chosen) // SHOWN)
    with st.container(horizontal=True, vertical_alignment="center"):
        page = st.pagination(pages, key=f"{key}-page-{len(chosen)}") if pages > 1 else 1
        st.caption(
            f"{len(chosen):,} images" if len(rows) == _count(data) else f"The first {len(rows):,} images"
        )
    shown = sorted(chosen[(page - 1) * SHOWN : page * SHOWN])
    if shown:
        captions = [plain(rows[k][0], 24) + " · " + rows[k][1] for k in shown]
        gallery(np.asarray(data.images[shown]), captions, width=95)


def _filtered(data: Dataset, rows: Sequence[tuple[str, str, str]], order: list[int], key: str) -> list[int]:
    """The rows of the part and class that are chosen."""
    there = [part for part in PARTS if data.info["splits"].get(part)]
    classes = list(data.info["classes"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = st.segmented_control(
            "Part",
            [ALL, *there],
            default=ALL,
            required=True,
            format_func=lambda p: PARTS.get(p, "all parts"),
            key=f"{key}-part",
            wrap=True,
        )
        label = ALL
        if len(classes) > 1:
            options = [None, *classes]
            label = st.selectbox(
                "Class", options, format_func=lambda c: c or "all classes", key=f"{key}-class", width=240
            ) or ALL  # fmt: skip
    return [k for k in order if part in (ALL, rows[k][1]) and label in (ALL, rows[k][0])]


def _count(data: Dataset) -> int:
    return sum(data.info["splits"].values())


def _changed(data: Dataset) -> int:
    return (data.folder / "dataset.json").stat().st_mtime_ns


@st.cache_resource(show_spinner=False, max_entries=8)
def first_rows(folder: str, changed: int) -> list[tuple[str, str, str]]:
    """Class, part and file of the first images of a set, read once for each time it was written."""
    try:
        with (Path(folder) / "manifest.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(islice(csv.DictReader(stream), LISTED))
        return [(row["class"], _part(row["split"]), row["file"]) for row in rows]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError("Its manifest.csv cannot be read; prepare the set again.") from error


def _part(split: str) -> str:
    return TEST if split == "heldout" else split  # as sets of format 1 call it


def _found(data: Dataset) -> None:
    """Leak check, copies that stayed, what was left out, personal data, settings."""
    report, key = data.report, f"set-{data.folder.name}"
    picture = partial(_picture, data)
    findings.leak(data.info.get("leak_check") or report.get("leak_check"), picture)
    _copies(data, picture, key)
    findings.left_out(report, key)
    findings.personal(report)
    with st.expander("How it was made"):
        rows = [{"setting": name, "value": str(value)} for name, value in data.info["settings"].items()]
        st.dataframe(rows, hide_index=True, alt="The settings of the preparation")
        st.caption(f"Content sha256 `{data.info['content_sha256']}`")


def _copies(data: Dataset, picture: Any, key: str) -> None:
    """Near copies that stayed in the set."""
    away = {row["file"] for row in data.report.get("left_out", [])}
    pairs = [p for p in data.report.get("near_duplicates", []) if not {p["first"], p["second"]} & away]
    if not pairs:
        return
    box = st.expander(
        f"{count(len(pairs), 'near copy', 'near copies')} in the same part as the first",
        key=f"{key}-near",
        on_change="rerun",
    )
    if box.open:
        with box:
            show_pairs(pairs, picture, f"{key}-near-page")


def _picture(data: Dataset, name: str) -> bytes | None:
    places = _places(str(data.folder), _changed(data))
    return png(np.asarray(data.images[places[name]])) if name in places else None


@st.cache_resource(show_spinner=False, max_entries=8)
def _places(folder: str, changed: int) -> dict[str, int]:
    return {file: k for k, (_, _, file) in enumerate(first_rows(folder, changed))}


def _links_and_delete(data: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        link("train", "Train on it")
        for label, values in (("dataset.json", data.info), ("report.json", data.report)):
            st.download_button(
                label,
                partial(_json, values),
                file_name=f"{data.folder.name}-{label}",
                mime="application/json",
                on_click="ignore",
                type="tertiary",
                key=f"download-{label}",
            )
        with st.popover("Delete", type="tertiary"):
            st.markdown(f"Delete **{plain(data.folder.name)}**? Models stay; runs on it cannot be resumed.")
            if st.button("Delete it", type="primary", key="delete_data"):
                with plain_errors():
                    _delete(data)
                    st.session_state.pop("data", None)
                    st.rerun()


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)


def _delete(data: Dataset) -> None:
    for run in [*find_runs(workspace().runs), *find_runs(workspace().reports)]:
        if run.status().alive and run.dataset() == data.folder.resolve():
            raise MedGANError(f"{run.name} is at work on it; stop that first.")
    shutil.rmtree(data.folder)
