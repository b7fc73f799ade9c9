"""A new study: the data set and its classes, how the models are trained, how many classifiers, Start."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN
from medgan.hardware import gpu_expected
from medgan.presets import PRESETS, usual_preset
from medgan.ui.components import pick_dataset, plain_errors
from medgan.ui.evaluate_networks import FEATURES, pick_network
from medgan.ui.jobs import jobs
from medgan.ui.text import count, plain
from medgan.ui.train_measure import measuring
from medgan.ui.train_options import training_options

FEWEST = 20
"""Training images that a class needs. It stands in `medgan.studies` too, which a page must not import; a test
holds both together."""
STEPS = 10_000_000


def new_study() -> None:
    """Everything up to Start."""
    data = pick_dataset("Data set with classes")
    if data is None:
        return
    if len(data.info["classes"]) < 2:
        st.warning(
            f"{plain(data.name)} has one class only, and a classifier tells classes apart: make a set with a "
            "folder for each class, or with a table of classes.",
            icon=":material/warning:",
        )
        return
    labels = _classes(data)
    with st.container(horizontal=True, vertical_alignment="top"):
        options = _options(data, labels)
    if len(labels) < 2:
        st.caption(":orange[:material/warning:] Choose two classes or more.")
        return
    st.caption(_in_words(data, labels))
    goal = {"iterations": int(options["iterations"])}
    changes = {"stop_on": "never"}  # as a study trains
    measuring(
        training_options(data.folder, options["preset"], goal=goal, changes=changes), models=len(labels)
    )
    if st.button("Start the study", type="primary", icon=":material/play_arrow:", key="start_study"):
        if len(labels) < len(data.info["classes"]):
            options["classes"] = ",".join(labels)
        with plain_errors():
            study = jobs().study(data.folder, name=f"study-of-{data.folder.name}"[:80], options=options)
            st.session_state["study"] = study.name
            st.rerun()


def _classes(data: Dataset) -> list[str]:
    """The classes to tell apart; at first those that have enough images."""
    parts = data.info["classes"]
    enough = [name for name, n in parts.items() if n.get(TRAIN, 0) >= FEWEST and n.get(TEST, 0)]
    chosen = st.multiselect(
        "Classes to tell apart",
        list(parts),
        default=enough,
        format_func=lambda name: f"{name} ({parts[name].get(TRAIN, 0)} + {parts[name].get(TEST, 0)})",
        key=f"study-classes-{data.folder.name}",
        help="In brackets: images to train on + images to judge.",
    )
    few = len(parts) - len(enough)
    if few:
        fewer = count(few, "class has", "classes have")
        st.caption(f"{fewer} fewer than {FEWEST} images to train on, or none to judge.")
    return [name for name in parts if name in chosen]


def _options(data: Dataset, labels: Sequence[str]) -> dict[str, str]:
    """Options of `study-usefulness`."""
    preset = st.selectbox(
        "Preset of the models",
        list(PRESETS),
        index=list(PRESETS).index(usual_preset(gpu=gpu_expected())),
        format_func=lambda name: f"{PRESETS[name].title} ({name})",
        key="study_preset",
        width=240,
        persist_state="session",
    )
    largest = max((data.info["classes"][name].get(TRAIN, 0) for name in labels), default=0)
    steps = st.number_input(
        "Steps for each model",
        1,
        STEPS,
        min(STEPS, max(1, PRESETS[preset].train.total_iterations(largest))),
        key=f"study-steps-{preset}-{data.folder.name}",
        width=180,
        help="One model a class. Models that are trained too shortly make images that can only harm.",
    )
    seeds = st.number_input(
        "Classifiers a mixture",
        1,
        100,
        10,
        key="study_seeds",
        width=180,
        help="How often each mixture of images is tried, every time with other ones. Ten or more are usual.",
    )
    features = pick_network(
        "Classifier sees by", FEATURES, "study_features", "What a classifier knows of an image: its features."
    )
    return {"preset": preset, "iterations": str(steps), "seeds": str(seeds), "features": features}


def _in_words(data: Dataset, labels: Sequence[str]) -> str:
    judges = sum(data.info["classes"][name].get(TEST, 0) for name in labels)
    return (
        f"Trains {len(labels)} models, one a class. Then classifiers learn from the real images alone, and "
        f"with synthetic or augmented ones beside them; {count(judges, 'real test image')} that nothing has "
        "learned from judge them."
    )
