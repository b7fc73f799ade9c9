"""A new run: the data, the preset, how long, a name; the rest folded away; what it would take here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from medgan.config import TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import ConfigError
from medgan.hardware import gpu_expected
from medgan.presets import PRESETS, Preset, usual_preset
from medgan.ui.components import pick_dataset, plain_errors
from medgan.ui.jobs import jobs
from medgan.ui.session import suggest
from medgan.ui.text import count, sentence
from medgan.ui.train_away import Where, agreed, forget, quoted, start_options
from medgan.ui.train_begin import choose_beginning
from medgan.ui.train_measure import measured_words, measuring
from medgan.ui.train_options import training_options
from medgan.ui.train_settings import choose_settings
from medgan.ui.train_where import choose_where

MOST = 10_000_000
GOAL_WORDS = {"iterations": "Iterations", "kimg": "Thousand images", "minutes": "Minutes"}
GOAL_HELP = {
    "iterations": "Steps in all.",
    "kimg": "How many thousand images are shown in all, each of yours many times.",
    "minutes": "Of training, over all resumes; waiting and pauses do not count.",
}


def new_run() -> None:
    """Everything up to Start."""
    data = pick_dataset()
    if data is None:
        return
    where = choose_where(data)
    preset = _preset(data, here=where.here)
    begin = choose_beginning(data, preset)
    top = st.container()
    changes, place = choose_settings(data, preset, networks=not begin.init)
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
    where = quoted(where, data, begin.init)
    place = replace(place, engine=start_options(where))
    chosen: Any = {"goal": goal, "changes": changes, "begin": begin, "place": place}
    if where.here:
        measuring(training_options(data.folder, preset.name, **chosen))
    _start(data, preset.name, name, where, chosen)


def _start(data: Dataset, preset: str, name: str, where: Where, chosen: dict[str, Any]) -> None:
    ready = agreed(where)
    pressed = st.button(
        "Start training", type="primary", icon=":material/play_arrow:", key="start", disabled=not ready
    )
    if pressed and ready:
        with plain_errors():
            run = jobs().train(data.folder, preset, name=name, token=where.token, **chosen)
            forget()
            st.session_state["run"] = run.name
            st.rerun()


def _preset(data: Dataset, *, here: bool) -> Preset:
    captions = [
        " ".join(filter(None, [preset.summary, measured_words(data.folder, name)]))
        for name, preset in PRESETS.items()
    ]
    device = st.session_state.get("device", "auto")
    suggest("preset", usual_preset(gpu=gpu_expected(device) if here else device != "cpu"))
    name = st.radio(
        "Preset",
        list(PRESETS),
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
        suggest(kept["key"], max(1, usual))
        return int(st.number_input(label, 1, MOST, step=1, **kept))
    if kind == "kimg":
        suggest(kept["key"], max(0.1, round(usual * batch / 1000, 1)))
        return float(st.number_input(label, 0.1, 1e6, step=10.0, format="%.1f", **kept))
    suggest(kept["key"], 10.0)
    return float(st.number_input(label, 0.5, 1e5, step=1.0, format="%.1f", **kept))


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
