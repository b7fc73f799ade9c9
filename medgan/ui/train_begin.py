"""What a new run begins with: nothing, or a model that there is; and whether it tells classes apart."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.modalities import OTHER
from medgan.presets import PRESETS, Preset
from medgan.runs.info import begins_new
from medgan.runs.models import ModelEntry, list_models
from medgan.ui.sampler import KIND_WORDS, describe
from medgan.ui.session import workspace
from medgan.ui.text import count, plain
from medgan.ui.train_options import Begin

NOTHING = ""
FROM_NOTHING = "New networks that know no image yet."
FROM_A_MODEL = (
    "Begins with this model's networks and all that they have learned, so that fewer steps are needed; what "
    "they remember of that model's training images comes along."
)


def choose_beginning(data: Dataset, preset: Preset) -> Begin:
    """A model to start from, and whether the classes are told apart."""
    left, right = st.columns(2)
    with left:
        entry = _start_from(data)
    with right:
        conditional = _conditional(data, preset, entry)
    return Begin(entry.spec if entry else "", conditional)


def _start_from(data: Dataset) -> ModelEntry | None:
    """One of the models that make such images as the data set has; None to begin with nothing."""
    fitting = {entry.spec: entry for entry in list_models(workspace()) if _fits(entry.info.model, data)}
    key = f"init-{data.channels}-{data.size}"
    if st.session_state.get(key) not in fitting:  # it may have been deleted
        st.session_state[key] = NOTHING
    spec = st.selectbox(
        "Start from",
        [NOTHING, *fitting],
        format_func=lambda s: f"{fitting[s].name}, {KIND_WORDS[fitting[s].kind]}" if s else "nothing",
        key=key,
        persist_state="session",
        disabled=not fitting,
    )
    entry = fitting.get(spec)
    if entry is not None:
        new = begins_new(entry.folder, entry.info.model)
        st.caption(" ".join(filter(None, [FROM_A_MODEL, new, f"({describe(entry)})"])))
    elif fitting:
        st.caption(" ".join(filter(None, [FROM_NOTHING, _advice(list(fitting.values()), data)])))
    else:
        kind = "grey" if data.channels == 1 else "colour"
        st.caption(f"{FROM_NOTHING} No model here makes {kind} images of {data.size} x {data.size} pixels.")
    return entry


def _advice(entries: Sequence[ModelEntry], data: Dataset) -> str:
    """Which model knows images of this kind already, if one does."""
    for entry in entries:
        trained_on = entry.info.about.get("dataset") or {}
        if data.modality == trained_on.get("modality") != OTHER:
            return f"{plain(entry.name)} knows such images already: from there good ones come much sooner."
    return ""


def _fits(model: ModelConfig, data: Dataset) -> bool:
    return (model.channels, model.size) == (data.channels, data.size)


def _conditional(data: Dataset, preset: Preset, entry: ModelEntry | None) -> bool:
    reason = _why_not(data, preset, entry)
    wanted = st.toggle(
        "Learn the classes apart", key="conditional", persist_state="session", disabled=bool(reason)
    )
    st.caption(reason or _of_classes(data))
    return bool(wanted) and not reason


def _why_not(data: Dataset, preset: Preset, entry: ModelEntry | None) -> str:
    """Why classes cannot be learned apart; empty where they can."""
    if len(data.training_classes) < 2:
        return "For data sets with two classes or more to train on; this one has none such."
    if entry is not None and entry.info.model.plain:
        return f"The networks of {plain(entry.name)}, which it starts from, know no classes."
    if entry is None and preset.model.plain:
        others = " and ".join(f"`{name}`" for name, other in PRESETS.items() if not other.model.plain)
        return f"The networks of preset `{preset.name}` know no classes; those of {others} do."
    return ""


def _of_classes(data: Dataset) -> str:
    named = ", ".join(f"{plain(name, 24)} ({images})" for name, images in data.training_classes[:6])
    more = ", …" if len(data.training_classes) > 6 else ""
    classes = count(len(data.training_classes), "class", "classes")
    return f"One model of {classes}, each of which can then be asked for: {named}{more}."
