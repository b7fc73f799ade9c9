"""The Generate page: a seed and the images it names; a click pins one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.runs.models import ModelEntry
from medgan.ui.components import empty, plain_errors
from medgan.ui.sampler import classes_of_seeds, pick_model, samples, training_set
from medgan.ui.text import spoken

COUNTS = (4, 8, 16, 32)
LAST_SEED = 9999
ANY = ""
SEED_HELP = (
    "A seed names an image: the same seed gives the same image of this model, here and on the command "
    "line, today and next year."
)
TRUNCATION_HELP = (
    "Below 1, images are drawn towards the usual one: fewer odd images, and less variety. At 1 the model "
    "shows all that it has learned."
)
MOST_PINNED = 12


@dataclass(frozen=True)
class Chosen:
    """What the page shows: a model, a class ("" for any), the truncation, and what the model was trained on,
    if that is in the workspace."""

    entry: ModelEntry
    label: str
    truncation: float
    trained_on: Dataset | None


def explore() -> Chosen | None:
    """Model, class, truncation, seed slider and the images of the seeds from there on."""
    entry = pick_model()
    if entry is None:
        empty("There is no model yet.", "train", "Train one")
        return None
    label = _pick_class(entry)
    left, middle, right = st.columns([4, 2, 3], vertical_alignment="bottom")
    seed = left.slider("Seed", 0, LAST_SEED, key="seed", persist_state="session", help=SEED_HELP)
    truncation = middle.slider(
        "Truncation", 0.3, 1.0, 1.0, 0.05, key="truncation", persist_state="session", help=TRUNCATION_HELP
    )
    count = right.segmented_control(
        "Images", COUNTS, default=16, key="shown", required=True, persist_state="session"
    )
    chosen = Chosen(entry, label, float(truncation), training_set(entry))
    with plain_errors():
        _images(chosen, range(seed, seed + int(count or 16)))
    return chosen


def pinned(chosen: Chosen) -> list[int]:
    """Seeds that were pinned of this model and class, in the order in which they were."""
    found: list[int] = st.session_state.setdefault("pins", {}).setdefault(_pins_of(chosen), [])
    return found


def _pins_of(chosen: Chosen) -> str:
    return f"{chosen.entry.spec} {chosen.label}"


def toggle(chosen: Chosen, seed: int) -> None:
    """Pin an image, or let it go."""
    pins = pinned(chosen)
    if seed in pins:
        pins.remove(seed)
    else:
        pins.append(seed)
        del pins[:-MOST_PINNED]


def _images(chosen: Chosen, seeds: Sequence[int]) -> None:
    """Each image with its seed below it, which is the button that pins it."""
    images = samples(chosen.entry, seeds, chosen.label, chosen.truncation)
    classes = classes_of_seeds(chosen.entry, seeds, chosen.label)
    pins = pinned(chosen)
    with st.grid(min_column_width=120, gap="small"):
        for seed, image, label in zip(seeds, images, classes, strict=True):
            with st.container(gap=None):
                st.image(image, width="stretch", output_format="PNG", alt=f"seed {seed}")
                st.button(
                    _caption(seed, label),
                    key=f"pin-{seed}",
                    type="tertiary",
                    icon=":material/keep:" if seed in pins else None,
                    help="Let it go" if seed in pins else "Pin this image",
                    on_click=toggle,
                    args=(chosen, seed),
                )


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
    return f"seed {seed} · {spoken(label, 24)}" if label else f"seed {seed}"
