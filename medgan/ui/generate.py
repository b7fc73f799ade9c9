"""The Generate page: a seed, the images it names, a ZIP of as many as wanted."""

from __future__ import annotations

import uuid
from pathlib import Path

import streamlit as st

from medgan.runs.models import ModelEntry
from medgan.ui.components import empty, gallery, plain_errors, progress_bar
from medgan.ui.sampler import export_zip, pick_model, samples
from medgan.ui.session import workspace
from medgan.workspace import safe_name

COUNTS = (4, 8, 16, 32)
LAST_SEED = 9999
SEED_HELP = (
    "A seed names an image: the same seed gives the same image of this model, here and on the command "
    "line, today and next year."
)


def explore() -> ModelEntry | None:
    """Model, seed slider and the images of the seeds from there on."""
    entry = pick_model()
    if entry is None:
        empty("There is no model yet.", "train", "Train one")
        return None
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    seed = left.slider("Seed", 0, LAST_SEED, key="seed", persist_state="session", help=SEED_HELP)
    count = right.segmented_control(
        "Images", COUNTS, default=16, key="shown", required=True, persist_state="session"
    )
    with plain_errors():
        seeds = range(seed, seed + int(count or 16))
        gallery(samples(entry, seeds), [f"seed {k}" for k in seeds])
    return entry


def download(entry: ModelEntry) -> None:
    """A ZIP of PNG files with a manifest."""
    left, middle, right = st.columns([1, 1, 2], vertical_alignment="bottom")
    first = left.number_input("First seed", 0, 2**31 - 10_001, st.session_state.get("seed", 0))
    count = middle.number_input("How many", 1, 10_000, 64)
    seeds = range(int(first), int(first) + int(count))
    wanted = (entry.spec, str(entry.folder), seeds.start, seeds.stop)
    with right, plain_errors():
        if st.button(f"Make a ZIP of {len(seeds):,} images", icon=":material/folder_zip:", key="make_zip"):
            _forget_zip()
            st.session_state["zip"] = (wanted, _make(entry, seeds))
    made_for, path = st.session_state.get("zip", (None, None))
    if made_for == wanted and path.exists():
        st.download_button(
            f"Download {path.stat().st_size / 1e6:.1f} MB",
            path.read_bytes,  # only when it is asked for
            file_name=f"{safe_name(entry.name)}-seeds-{seeds.start}-{seeds.stop - 1}.zip",
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


def _make(entry: ModelEntry, seeds: range) -> Path:
    out = workspace().exports / f"{uuid.uuid4().hex}.zip"
    return export_zip(entry, seeds, out, progress_bar("Image"))
