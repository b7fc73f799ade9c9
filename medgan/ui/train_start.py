"""A new run: the data, the preset, how long, a name; the rest folded away; what it would take here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import streamlit as st

from medgan.config import (
    DEVICES,
    FROM_THE_DATA,
    GOALS,
    PRECISIONS,
    PRESETS,
    STOP_ON,
    ModelConfig,
    Preset,
    TrainConfig,
)
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import ConfigError
from medgan.ui.components import pick_dataset, plain_errors
from medgan.ui.jobs import Place, jobs, training_options
from medgan.ui.text import count, sentence
from medgan.ui.train_measure import measured_words, measuring

MOST = 10_000_000
MOST_DEVICES = 64
GOAL_WORDS = {"iterations": "Iterations", "kimg": "Thousand images", "minutes": "Minutes"}
GOAL_HELP = {
    "iterations": "Steps in all.",
    "kimg": "How many thousand images are shown in all, each of yours many times.",
    "minutes": "Of training, over all resumes; waiting and pauses do not count.",
}
CHOICES = {"stop_on": STOP_ON, "precision": PRECISIONS}
HIDDEN = (*GOALS, *FROM_THE_DATA, "epochs", "architecture")
"""Asked for above, or given by the data and the preset."""
WORDS = {
    "batch_size": ("Batch size", "Images a step. Less needs less memory."),
    "seed": ("Seed", "Another seed is another training."),
    "stop_on": (
        "Stop early",
        "`kid`: when samples stop coming nearer to unseen images; `never`: at the end.",
    ),
    "learning_rate": ("Learning rate", "How far a step goes. Too far, and the losses jump."),
    "precision": ("Precision", "`bfloat16` is quicker where the device has it; `auto` finds out."),
    "cuda_graphs": ("CUDA graphs", "Quicker on an NVIDIA GPU; without one it changes nothing."),
    "checkpoint_every": ("Steps between checkpoints", "What a crash costs at most. The last three are kept."),
    "sample_every": ("Steps between sample sheets", "They are small, and show best how it goes."),
    "log_every": ("Steps between figures", "Each is a point of the curves."),
    "ngf": ("Width of the generator", "Twice as wide is about four times as slow."),
    "ndf": ("Width of the discriminator", "Wider sees more, and memorises small sets sooner."),
    "latent": ("Size of the random input", "Numbers from which each image is drawn."),
    "beta1": ("Adam's beta 1", "How long a step remembers its direction."),
    "beta2": ("Adam's beta 2", "How long a step remembers its length."),
}
LEAST = {"batch_size": 2, "log_every": 1, "sample_every": 1, "checkpoint_every": 1, "ngf": 1, "ndf": 1}


def new_run() -> None:
    """Everything up to Start."""
    data = pick_dataset()
    if data is None:
        return
    preset = _preset(data)
    top = st.container()
    changes, place = _settings(preset)
    try:
        _, train = preset.for_data(channels=data.channels, size=data.size)
        model_changes = {name: value for name, value in changes.items() if hasattr(preset.model, name)}
        replace(preset.model, **model_changes)
        train = replace(train, **{k: v for k, v in changes.items() if k not in model_changes})
    except ConfigError as error:
        st.error(sentence(str(error)), icon=":material/error:")
        return
    with top:
        goal, name = _goal_and_name(data, preset, train)
    st.caption(_in_words(data, train.with_goal(goal)))
    options = training_options(data.folder, preset.name, goal=goal, changes=changes, place=place)
    measuring(options)
    if st.button("Start training", type="primary", icon=":material/play_arrow:", key="start"):
        with plain_errors():
            run = jobs().train(data.folder, preset.name, name=name, goal=goal, changes=changes, place=place)
            st.session_state["run"] = run.name
            st.rerun()


def _preset(data: Dataset) -> Preset:
    captions = [
        " ".join(filter(None, [preset.summary, measured_words(data.folder, name)]))
        for name, preset in PRESETS.items()
    ]
    name = st.radio(
        "Preset",
        list(PRESETS),
        index=list(PRESETS).index("demo"),
        format_func=lambda key: f"{PRESETS[key].title} (`{key}`)",
        captions=captions,
        key="preset",
        persist_state="session",
    )
    return PRESETS[name]


def _goal_and_name(data: Dataset, preset: Preset, train: TrainConfig) -> tuple[dict[str, float], str]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "How long",
            list(GOAL_WORDS),
            default="iterations",
            required=True,
            format_func=lambda key: GOAL_WORDS[key],
            key="goal",
            persist_state="session",
        )
        usual = f"{preset.name}-{data.folder.name}"[:80]
        steps = min(train.total_iterations(_images(data)), MOST) if _images(data) else 1
        value = _goal(str(kind), usual, steps, train.batch_size)
        name = st.text_input(
            "Name", usual, max_chars=80, key=f"name-{usual}", help="If it is taken, it gets a number."
        )
    return {str(kind): value}, name.strip() or usual


def _goal(kind: str, key: str, usual: int, batch: int) -> float:
    label, words = GOAL_WORDS[kind], GOAL_HELP[kind]
    kept: Any = {"key": f"{kind}-{key}", "persist_state": "session", "help": words, "width": 200}
    if kind == "iterations":
        _suggest(kept["key"], max(1, usual))
        return int(st.number_input(label, 1, MOST, step=1, **kept))
    if kind == "kimg":
        _suggest(kept["key"], max(0.1, round(usual * batch / 1000, 1)))
        return float(st.number_input(label, 0.1, 1e6, step=10.0, format="%.1f", **kept))
    _suggest(kept["key"], 10.0)
    return float(st.number_input(label, 0.5, 1e5, step=1.0, format="%.1f", **kept))


def _suggest(key: str, value: float) -> None:
    """Let the widget show `value`, also when it changes with other choices, until somebody sets it."""
    before = f"{key}-suggested"
    if st.session_state.get(key) in (None, st.session_state.get(before)):
        st.session_state[key] = value
    st.session_state[before] = value


def _in_words(data: Dataset, train: TrainConfig) -> str:
    images = _images(data)
    if not images:
        return "This data set has no images to train on; make it again with a part for it."
    if train.minutes:
        return f"Trains for {train.minutes:g} minutes, in steps of {train.batch_size} images."
    steps = train.total_iterations(images)
    seen = steps / -(-images // train.batch_size)
    return f"{count(steps, 'step')} of {train.batch_size} images: each is seen about {seen:.0f} times."


def _images(data: Dataset) -> int:
    return int(data.info["splits"].get(TRAIN, 0))


def _settings(preset: Preset) -> tuple[dict[str, Any], Place]:
    """What differs from the preset, and where it is trained."""
    usual: dict[str, Any] = {}
    for config, kind in ((preset.train, TrainConfig), (preset.model, ModelConfig)):
        usual |= {f.name: getattr(config, f.name) for f in fields(kind) if f.name not in HIDDEN}
    first = [name for name in WORDS if name in usual]
    with st.expander("More settings"), st.grid(min_column_width=260):
        chosen = {name: _setting(preset, name, usual) for name in dict.fromkeys([*first, *usual])}
        with st.container():
            device = st.selectbox("Device", DEVICES, key="device", persist_state="session")
            st.caption("`auto` takes a GPU where there is one.")
        with st.container():
            devices = st.number_input(
                "Use this many devices", 1, MOST_DEVICES, key="devices", persist_state="session"
            )
            st.caption("GPUs that share each batch, where this machine has several; on a CPU, processes.")
    place = Place(str(device), int(devices))
    return {name: value for name, value in chosen.items() if value != usual[name]}, place


def _setting(preset: Preset, name: str, values: Mapping[str, Any]) -> Any:
    value, key = values[name], f"set-{preset.name}-{name}"
    label, words = WORDS.get(name, (name.replace("_", " ").capitalize(), f"`{name}`"))
    with st.container():
        chosen = _widget(label, name, value, key)
        st.caption(words)
    return chosen


def _widget(label: str, name: str, value: Any, key: str) -> Any:
    if isinstance(value, bool):
        return st.toggle(label, value, key=key, persist_state="session")
    if name in CHOICES:
        options = list(CHOICES[name])
        return st.selectbox(label, options, options.index(value), key=key, persist_state="session")
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
