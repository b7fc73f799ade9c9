"""The Data page: from images to a named data set with a held-out part."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from medgan.data.dataset import Dataset, Rejection, decoded, prepare, store, use_grey
from medgan.data.intake import Record, find_records
from medgan.data.phantom import PHANTOMS, draw, draw_set
from medgan.data.split import HELDOUT, TRAIN
from medgan.errors import DataError, MedGANError
from medgan.images import png, resize_and_crop, to_pil
from medgan.runs.record import find_runs
from medgan.ui import uploads
from medgan.ui.components import dataset_names, gallery, open_dataset, plain_errors, progress_bar
from medgan.ui.navigation import link
from medgan.ui.session import workspace
from medgan.workspace import safe_name

DEMO, UPLOAD = "Built-in demo images", "Upload your own"
PREVIEWS, SHOWN = 6, 21


def new_dataset() -> None:
    """The form: demo or upload, preview, name, Make."""
    if st.session_state.get("new_data_source") is None:
        st.session_state["new_data_source"] = DEMO
    source = st.segmented_control(
        "Where from", [DEMO, UPLOAD], key="new_data_source", required=True, label_visibility="collapsed"
    )
    with plain_errors():
        if source == UPLOAD:
            _from_upload()
        else:
            _from_phantom()


def existing_datasets() -> None:
    """One data set in full: counts, classes, images, what was left out."""
    names = dataset_names()
    if not names:
        st.info("No data set yet: make one above. It takes a few seconds.", icon=":material/info:")
        return
    _made_notice()
    name = st.selectbox("Data set", names, key="data", bind="query-params")
    data = open_dataset(name) if name else None
    if data is not None:
        _summary(data)
        _images(data)
        _rejected(data)
        _links_and_delete(data)


def _from_phantom() -> None:
    st.caption("Drawn by a program: no patient, no download. Good for a first walk through.")
    kind = st.radio(
        "Kind",
        list(PHANTOMS),
        format_func=lambda k: PHANTOMS[k].title,
        horizontal=True,
        label_visibility="collapsed",
    )
    gallery([_phantom_png(kind, seed) for seed in range(12)], [""] * 12, width=90)
    with st.form("phantom"):
        left, middle, right = st.columns(3)
        name = left.text_input("Name", value=f"demo-{kind}", key=f"phantom_name_{kind}")
        count = middle.number_input("Images", 20, 2000, 200, step=20)
        heldout = right.slider("Held out for judging", 10, 50, 25, step=5, format="%d %%")
        if st.form_submit_button("Make this data set", type="primary"):
            out = _free_folder(name)
            images, labels = draw_set(kind, int(count), progress=progress_bar("Drawing"))
            _announce(store(images, labels, out, name=name.strip(), heldout=heldout / 100))


def _from_upload() -> None:
    files = uploads.receive()
    if not files:
        st.caption(
            "The images are copied to this machine's workspace and nowhere else. "
            "Remove names and ids that are burned into the pictures first."
        )
        return
    head, again = st.columns([4, 1], vertical_alignment="center")
    if again.button("Start over", icon=":material/restart_alt:"):
        uploads.forget()
        st.rerun()
    records = _records_of(files)
    classes = sorted({record.label for record in records})
    head.markdown(f"**{len(records)} images** found, in {len(classes)} classes: {', '.join(classes[:8])}")
    _upload_form(records, Path(files[0]).stem)


def _records_of(files: list[Path]) -> list[Record]:
    """The images of all files; one bad archive does not lose the others."""
    records, problems = [], []
    for file in files:
        try:
            records += find_records([file])
        except DataError as error:
            problems.append(f"{file.name}: {error}")
    if not records:
        raise MedGANError(problems[0])
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    return records


def _upload_form(records: list[Record], suggestion: str) -> None:
    left, middle, right, far = st.columns(4)
    name = left.text_input("Name", value=suggestion)
    size = middle.selectbox("Size in pixels", [64, 128, 256], index=1)
    words = {"auto": "as the images are", "rgb": "colour", "grey": "grey"}
    colour = right.selectbox("Colour", list(words), format_func=lambda c: words[c])
    heldout = far.slider("Held out for judging", 10, 50, 25, step=5, format="%d %%")
    grey = _is_grey_set(str(st.session_state[uploads.KEY]), str(colour), records)
    _preview(records, int(size), 1 if grey else 3)
    if st.button("Make this data set", type="primary"):
        data = prepare(
            records,
            _free_folder(name),
            name=name.strip(),
            size=int(size),
            heldout=heldout / 100,
            colour="grey" if grey else "rgb",
            progress=progress_bar("Image"),
        )
        uploads.forget()
        _announce(data)


@st.fragment
def _preview(records: list[Record], size: int, channels: int) -> None:
    st.markdown("**Before and after**: each image as it is, and as the network will see it.")
    pictures, captions = [], []
    for record, image in decoded(_page_of(records, PREVIEWS, "preview_page")):
        if isinstance(image, Rejection):
            st.warning(f"{record.name} {image.reason}; it will be left out.")
            continue
        after = resize_and_crop(image, size, channels)
        image.thumbnail((256, 256))
        pictures += [png(image), png(to_pil(after))]
        captions += [f"{Path(record.name).name} ({record.label})", f"{size} x {size}"]
    gallery(pictures, captions)


def _page_of(items: Any, per_page: int, key: str) -> Any:
    """The items of the page that is chosen below; no choice where one page holds all."""
    pages = -(-len(items) // per_page)
    page = st.pagination(pages, key=key) if pages > 1 else 1
    return items[(page - 1) * per_page : page * per_page]


def _free_folder(name: str) -> Path:
    folder = workspace().datasets / safe_name(name)
    if folder.exists():
        raise MedGANError(f"There is a data set {folder.name!r} already; choose another name.")
    return folder


def _announce(data: Dataset) -> None:
    """Show the new data set below, after a rerun that puts the form back."""
    st.session_state["data"] = data.folder.name
    left_out = len(data.info["rejected"])
    lost = f" {left_out} files were left out; see below why." if left_out else ""
    st.session_state["data_made"] = f"The data set {data.folder.name} is ready: {_parts(data)}.{lost}"
    st.rerun()


def _made_notice() -> None:
    text = st.session_state.pop("data_made", None)
    if text:
        st.success(text, icon=":material/check_circle:")


def _parts(data: Dataset) -> str:
    parts = data.info["splits"]
    return f"{parts.get(TRAIN, 0)} images to train on, {parts.get(HELDOUT, 0)} held out"


def _summary(data: Dataset) -> None:
    parts = data.info["splits"]
    with st.grid(min_column_width=170):
        st.metric("To train on", parts.get(TRAIN, 0), border=True)
        st.metric("Held out", parts.get(HELDOUT, 0), border=True)
        st.metric("Pixels", f"{data.size} x {data.size}", border=True)
        st.metric("Colour", "grey" if data.channels == 1 else "colour", border=True)
    if parts.get(TRAIN, 0) < 100:
        st.warning(
            f"{parts.get(TRAIN, 0)} images to train on are few: expect a model that repeats itself. "
            "From about 100 it becomes interesting.",
            icon=":material/warning:",
        )
    groups = Counter(row["group"] for row in data.manifest)
    near = sum(count for count in groups.values() if count > 1)
    if near:
        st.caption(f"{near} images look much like another one; such images stand on one side of the split.")
    rows = [{"class": name, **counts} for name, counts in data.info["classes"].items()]
    st.dataframe(rows, hide_index=True)


@st.fragment
def _images(data: Dataset) -> None:
    labels = [f"{row['class']} · {row['split']}" for row in data.manifest]
    # In an order of chance, so that the first page shows all classes.
    order = np.random.default_rng(0).permutation(len(labels))
    shown = sorted(_page_of(order, SHOWN, f"images_page_{data.folder.name}"))
    gallery(np.asarray(data.images[shown]), [labels[k] for k in shown], width=95)


def _rejected(data: Dataset) -> None:
    rejected = data.info["rejected"]
    if rejected:
        with st.expander(f"{len(rejected)} files were left out"):
            st.dataframe(rejected, hide_index=True)


def _links_and_delete(data: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        link("train", "Train on it")
        st.download_button(
            "dataset.json",
            json.dumps(data.info, indent=2),
            file_name=f"{data.folder.name}.json",
            on_click="ignore",
            type="tertiary",
        )
        with st.popover("Delete", type="tertiary"):
            st.markdown(f"Delete **{data.folder.name}**? Models stay; runs on it cannot be resumed.")
            if st.button("Delete it", type="primary", key="delete_data"):
                with plain_errors():
                    _delete(data)
                    st.session_state.pop("data", None)
                    st.rerun()


def _delete(data: Dataset) -> None:
    for run in [*find_runs(workspace().runs), *find_runs(workspace().reports)]:
        if run.status().alive and run.dataset() == data.folder.resolve():
            raise MedGANError(f"{run.name} is at work on it; stop that first.")
    shutil.rmtree(data.folder)


@st.cache_data(show_spinner=False, max_entries=16)
def _is_grey_set(upload: str, colour: str, _records: list[Record]) -> bool:
    """Decided once for an upload, so that the preview shows what the set will be."""
    return use_grey(_records, colour)


@st.cache_data(show_spinner=False, max_entries=64)
def _phantom_png(kind: str, seed: int) -> bytes:
    return png(draw(kind, seed)[0])
