"""Models in memory and the images of their seeds. torch is imported when the first model is opened."""

from __future__ import annotations

import io
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from PIL import Image

from medgan.errors import CheckpointError
from medgan.images import png
from medgan.runs.models import HUB, SHIPS, TRAINED, ModelEntry, list_models, read_source
from medgan.ui.components import warn_of_dead_link
from medgan.ui.session import workspace
from medgan.ui.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from medgan.data.dataset import Dataset
    from medgan.generation.nearest import Nearest, Reals

KIND_WORDS = {SHIPS: "ships with MedGAN", TRAINED: "trained here", HUB: "from the Hub"}


def pick_model() -> ModelEntry | None:
    """A select box of all models, kept in the URL; None where there is none."""
    entries = {entry.spec: entry for entry in list_models(workspace())}
    if not entries:
        return None
    warn_of_dead_link("model", list(entries), "model")
    spec = st.selectbox(
        "Model",
        list(entries),
        key="model",
        bind="query-params",
        help="Models that ship, that you trained here, and that you pulled from the Hub.",
    )
    entry = entries[spec]
    st.caption(describe(entry))
    return entry


def describe(entry: ModelEntry) -> str:
    """One line on where a model comes from and what it was trained on."""
    about = entry.info.about
    dataset = about.get("dataset", {})
    parts = [KIND_WORDS.get(entry.kind, entry.kind)]
    if entry.kind == HUB and (revision := read_source(entry.folder).get("revision")):
        parts.append(f"revision {plain(revision[:12])}")
    if about.get("preset"):
        parts.append(f"preset {plain(str(about['preset']))}, step {about.get('step', 0):,}")
    if isinstance(begun := about.get("init"), dict):
        parts.append(f"began with {plain(str(begun.get('name', 'another model')))}")
    if dataset.get("train"):
        count, name = plain(str(dataset["train"])), plain(str(dataset.get("name", "a data set")))
        parts.append(f"trained on {count} images of {name}")
    if entry.info.model.classes:
        parts.append(f"tells {len(entry.info.model.classes)} classes apart")
    return " · ".join(parts)


def samples(entry: ModelEntry, seeds: Sequence[int], label: str = "", truncation: float = 1.0) -> list[bytes]:
    """PNG files of `seeds`, of one class where `label` names one. CheckpointError if the model cannot be
    loaded, ConfigError if it cannot make that class."""
    with _patience():
        return _samples(str(entry.folder), _version(entry.folder), tuple(seeds), label, truncation)


def classes_of_seeds(entry: ModelEntry, seeds: Sequence[int], label: str = "") -> list[str]:
    """The class of each of these images; empty where the model tells none apart."""
    if label or not entry.info.model.classes:
        return [label] * len(seeds)
    from medgan.generation.sampling import classes_of

    return classes_of(_load(str(entry.folder), _version(entry.folder))[0], seeds)


def _patience() -> AbstractContextManager[None]:
    return st.spinner("Opening the model; the first one takes a few seconds") if _cold() else nullcontext()


def _cold() -> bool:
    return "torch" not in sys.modules


def walk_gif(entry: ModelEntry, seeds: Sequence[int], label: str, truncation: float) -> bytes:
    """A GIF of the walk between the images of these seeds; of the first one's class where none is named."""
    named = label or classes_of_seeds(entry, seeds[:1])[0]
    with st.spinner("Walking"):
        return _walk(str(entry.folder), _version(entry.folder), tuple(seeds), named, truncation)


def training_set(entry: ModelEntry) -> Dataset | None:
    """What the model was trained on, if it is in the workspace."""
    from medgan.generation.gate import training_set as found

    return found(entry.info, workspace())


def nearest(entry: ModelEntry, data: Dataset, image: bytes) -> dict[str, Nearest]:
    """The training and the held-out image of `data` most like a PNG file; nothing where they do not fit."""
    if (data.size, data.channels) != (entry.info.model.size, entry.info.model.channels):
        return {}
    with st.spinner("Comparing with the real images"):
        return _nearest(str(data.folder), data.info["content_sha256"], image)


@st.cache_data(show_spinner=False, max_entries=256)
def _nearest(folder: str, content: str, image: bytes) -> dict[str, Nearest]:
    with Image.open(io.BytesIO(image)) as opened:
        pixels = np.asarray(opened)
    found: dict[str, Nearest] = _reals(folder, content).nearest(pixels.reshape(*pixels.shape[:2], -1))
    return found


@st.cache_resource(show_spinner=False, max_entries=2)
def _reals(folder: str, content: str) -> Reals:
    from medgan.data.dataset import Dataset
    from medgan.generation.nearest import Reals

    return Reals(Dataset(folder))


@st.cache_data(show_spinner=False, max_entries=16)
def _walk(folder: str, version: float, seeds: tuple[int, ...], label: str, truncation: float) -> bytes:
    from medgan.generation.sampling import of_class
    from medgan.generation.walk import gif, walk

    generator, _ = _load(folder, version)
    return gif(walk(of_class(generator, label), seeds, truncation=truncation))


@st.cache_data(show_spinner=False, max_entries=128)
def _samples(
    folder: str, version: float, seeds: tuple[int, ...], label: str, truncation: float
) -> list[bytes]:
    from medgan.generation.sampling import of_class, sample

    generator, _ = _load(folder, version)
    return [png(image, level=1) for image in sample(of_class(generator, label), seeds, truncation)]


@st.cache_resource(show_spinner=False, max_entries=4)
def _load(folder: str, version: float) -> tuple[nn.Module, dict[str, Any]]:
    from medgan.runs.checkpoint import load_generator

    generator, info = load_generator(Path(folder))
    return generator, info.about


def _version(folder: Path) -> float:
    """Changes when the weights do, so that a cache never shows those of an earlier model."""
    try:
        return (folder / "model.safetensors").stat().st_mtime
    except OSError as error:
        raise CheckpointError(f"{folder.name} is no longer there; choose another model.") from error
