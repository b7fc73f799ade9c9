"""The settings of a new run that few change: folded away, each with a line of words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import streamlit as st

from medgan.config import (
    AUGMENT,
    DEVICES,
    FROM_THE_DATA,
    FROZEN,
    GOALS,
    PARTS,
    PRECISIONS,
    STOP_ON,
    ModelConfig,
    TrainConfig,
)
from medgan.data.dataset import Dataset
from medgan.modalities import AUTO, MODALITIES, OFF
from medgan.presets import Preset
from medgan.ui.modality import allowed
from medgan.ui.train_options import Place

MOST_DEVICES = 64
CHOICES = {"augment": AUGMENT, "stop_on": STOP_ON, "precision": PRECISIONS, "frozen": FROZEN}
TITLES: dict[str, Callable[[str], str]] = {
    "augment": lambda name: MODALITIES[name].title if name in MODALITIES else name,
    "frozen": lambda name: {"": "none", "squeezenet": "SqueezeNet"}.get(name, name),
}
"""How choices are shown whose names are not words."""
HIDDEN = (*GOALS, *FROM_THE_DATA, "epochs", "architecture")
"""Asked for above, or given by the data and the preset."""
NOT_THE_PAPERS = ("frozen", *PARTS)
"""Parts that the paper's networks do not have."""
WORDS = {
    "augment": ("Augmentation", ""),
    "batch_size": ("Batch size", "Images a step. Less needs less memory."),
    "seed": ("Seed", "Another seed is another training."),
    "stop_on": (
        "Stop early",
        "`kid`: when samples stop coming nearer to unseen images; `never`: at the end.",
    ),
    "learning_rate": ("Learning rate", "How far a step goes. Too far, and the losses jump."),
    "ema_kimg": (
        "Average over (thousand images)",
        "Samples come from a running average of the generator, which is calmer; 0 is none.",
    ),
    "precision": ("Precision", "`bfloat16` is quicker where the device has it; `auto` finds out."),
    "cuda_graphs": ("CUDA graphs", "Quicker on an NVIDIA GPU; without one it changes nothing."),
    "checkpoint_every": ("Steps between checkpoints", "What a crash costs at most. The last three are kept."),
    "sample_every": ("Steps between sample sheets", "They are small, and show best how it goes."),
    "log_every": ("Steps between figures", "Each is a point of the curves."),
    "frozen": (
        "Pretrained judge",
        "A network that knows photographs helps to judge: it looks right much sooner. 5 MB, once.",
    ),
    "modulated": (
        "Latent at every stage",
        "It shapes each stage of the generator and brings noise: more variety, details that move.",
    ),
    "batch_spread": (
        "See repeated images",
        "The discriminator sees how far the images of a batch differ, so a generator must not repeat itself.",
    ),
    "ngf": ("Width of the generator", "Twice as wide is about four times as slow."),
    "ndf": ("Width of the discriminator", "Wider sees more, and memorises small sets sooner."),
    "latent": ("Size of the random input", "Numbers from which each image is drawn."),
    "beta1": ("Adam's beta 1", "How long a step remembers its direction."),
    "beta2": ("Adam's beta 2", "How long a step remembers its length."),
}
LEAST = {"batch_size": 2, "log_every": 1, "sample_every": 1, "checkpoint_every": 1, "ngf": 1, "ndf": 1}
NONE_AT_ALL = "Every image as it is. A set of a hundred is soon known by heart."


def choose_settings(data: Dataset, preset: Preset, *, networks: bool) -> tuple[dict[str, Any], Place]:
    """What differs from the preset, and on which devices; without `networks` those are given already."""
    usual = _offered(preset, networks=networks)
    first = [name for name in WORDS if name in usual]
    with st.expander("More settings"), st.grid(min_column_width=260):
        chosen = {name: _setting(data, preset, name, usual) for name in dict.fromkeys([*first, *usual])}
        with st.container():
            device = st.selectbox("Device", DEVICES, key="device", persist_state="session")
            st.caption("`auto` takes a GPU where there is one.")
        with st.container():
            devices = st.number_input(
                "Use this many devices", 1, MOST_DEVICES, key="devices", persist_state="session"
            )
            st.caption("GPUs that share each batch, where the machine has several; on a CPU, processes.")
    place = Place(str(device), int(devices))
    return {name: value for name, value in chosen.items() if value != usual[name]}, place


def _offered(preset: Preset, *, networks: bool) -> dict[str, Any]:
    """The settings that can be chosen, as the preset has them."""
    kinds: list[tuple[Any, type]] = [(preset.train, TrainConfig)]
    kinds += [(preset.model, ModelConfig)] if networks else []
    hidden = {*HIDDEN, *NOT_THE_PAPERS} if preset.model.plain else {*HIDDEN}
    offered = [(config, f) for config, kind in kinds for f in fields(kind) if f.name not in hidden]
    values = {f.name: getattr(config, f.name) for config, f in offered}
    # A row may write 5 for 5.0, and the widget of a whole number would take no half.
    return values | {f.name: float(values[f.name]) for _, f in offered if f.type == "float"}


def _setting(data: Dataset, preset: Preset, name: str, values: Mapping[str, Any]) -> Any:
    label, words = WORDS.get(name, (name.replace("_", " ").capitalize(), f"`{name}`"))
    with st.container():
        chosen = _widget(label, name, values[name], f"set-{preset.name}-{name}")
        st.caption(augmentation_words(chosen, data) if name == "augment" else words)
    return chosen


def augmentation_words(augment: str, data: Dataset) -> str:
    """What the choice of an augmentation means for a data set."""
    if augment == OFF:
        return NONE_AT_ALL
    if augment != AUTO:
        return allowed(augment)
    return f"`auto` is what this set shows: {MODALITIES[data.modality].title}. {allowed(data.modality)}"


def _widget(label: str, name: str, value: Any, key: str) -> Any:
    if isinstance(value, bool):
        return st.toggle(label, value, key=key, persist_state="session")
    if name in CHOICES:
        options, title = list(CHOICES[name]), TITLES.get(name, str)
        at = options.index(value)
        return st.selectbox(label, options, at, format_func=title, key=key, persist_state="session")
    if isinstance(value, int):
        least = LEAST.get(name, 0)
        return int(st.number_input(label, least, 2**31 - 1, value, key=key, persist_state="session"))
    if isinstance(value, float):
        return _number(label, value, key)
    return st.text_input(label, str(value), key=key, persist_state="session")


def _number(label: str, value: float, key: str) -> float:
    """As text, since a number's own field rounds 0.0002 away; what is no number is left as it was."""
    text = st.text_input(label, f"{value:g}", key=key, persist_state="session")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        st.error(f"Write a number, such as {value:g}.")
        return value
