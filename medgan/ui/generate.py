"""The Generate page: a seed, the images it names, a ZIP of as many as wanted."""

from __future__ import annotations

import uuid
from pathlib import Path

import streamlit as st

from medgan.runs.models import ModelEntry
from medgan.ui.components import empty, gallery, plain_errors, progress_bar
from medgan.ui.sampler import classes_of_seeds, export_zip, pick_model, samples
from medgan.ui.session import workspace
from medgan.ui.text import plain
from medgan.workspace import safe_name

COUNTS = (4, 8, 16, 32)
LAST_SEED = 9999
ANY = ""
SEED_HELP = (
    "A seed names an image: the same seed gives the same image of this model, here and on the command "
    "line, today and next year."
)


def explore() -> tuple[ModelEntry, str] | None:
    """Model, class, seed slider and the images of the seeds from there on; returns the first two, the class
    empty for any."""
    entry = pick_model()
    if entry is None:
        empty("There is no model yet.", "train", "Train one")
        return None
    label = _pick_class(entry)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    seed = left.slider("Seed", 0, LAST_SEED, key="seed", persist_state="session", help=SEED_HELP)
    count = right.segmented_control(
        "Images", COUNTS, default=16, key="shown", required=True, persist_state="session"
    )
    with plain_errors():
        seeds = range(seed, seed + int(count or 16))
        images, classes = samples(entry, seeds, label), classes_of_seeds(entry, seeds, label)
        gallery(images, [_caption(*pair) for pair in zip(seeds, classes, strict=True)])
    return entry, label


def _pick_class(entry: ModelEntry) -> str:
    """The class that is asked for; empty for any, and where the model tells none apart."""
    names = [name for name, _ in entry.info.model.classes]
    if not names:
        return ""
    key = f"class-{entry.spec}"
    if st.session_state.get(key) not in names:  # the model may have been trained anew
        st.session_state[key] = ANY
    return st.selectbox(
        "Class",
        [ANY, *names],
        format_func=lambda name: name or "any, as often as in the training images",
        key=key,
        persist_state="session",
        width=360,
    )


def _caption(seed: int, label: str) -> str:
    return f"seed {seed} · {plain(label, 24)}" if label else f"seed {seed}"


def download(entry: ModelEntry, label: str = "") -> None:
    """A ZIP of PNG files with a manifest; `label` names a class where one is asked for."""
    left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
    first = left.number_input("First seed", 0, 2**31 - 10_001, st.session_state.get("seed", 0))
    count = middle.number_input("How many", 1, 10_000, 64)
    seeds = range(int(first), int(first) + int(count))
    wanted = (entry.spec, str(entry.folder), label, seeds.start, seeds.stop)
    with right, plain_errors():
        if st.button(f"Make a ZIP of {len(seeds):,} images", icon=":material/folder_zip:", key="make_zip"):
            _forget_zip()
            st.session_state["zip"] = (wanted, _make(entry, seeds, label))
    made_for, path = st.session_state.get("zip", (None, None))
    if made_for == wanted and path.exists():
        st.download_button(
            f"Download {path.stat().st_size / 1e6:.1f} MB",
            path.read_bytes,  # only when it is asked for
            file_name=f"{_name(entry, label)}-seeds-{seeds.start}-{seeds.stop - 1}.zip",
            mime="application/zip",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key="download_zip",
        )
    st.caption(
        "Each image is `images/seed-000017.png`; `manifest.csv` names seed, class (where the model knows "
        "one), model and its sha256. Synthetic images are not anonymous by themselves: a model may repeat "
        "what it was trained on."
    )


def _forget_zip() -> None:
    _, old = st.session_state.pop("zip", (None, None))
    if old is not None:
        old.unlink(missing_ok=True)


def _make(entry: ModelEntry, seeds: range, label: str) -> Path:
    out = workspace().exports / f"{uuid.uuid4().hex}.zip"
    return export_zip(entry, seeds, out, progress_bar("Image"), label)


def _name(entry: ModelEntry, label: str) -> str:
    return safe_name(" ".join(filter(None, [entry.name, label])))
