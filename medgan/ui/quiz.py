"""The blind test: begin one, go on with one, answer image by image, see the result at the end."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from medgan.data.dataset import Dataset
from medgan.data.split import TEST
from medgan.evaluation import blind
from medgan.evaluation.blind import ANSWERS, GENERATED, LEVEL, REAL, Quiz, Result, Share
from medgan.runs.models import ModelEntry
from medgan.ui.components import empty, gallery, pick_dataset, plain_errors
from medgan.ui.sampler import pick_model, samples
from medgan.ui.session import workspace
from medgan.ui.text import count, plain
from medgan.workspace import free_name

WORDS = {REAL: "Real", GENERATED: "Generated"}
ICONS = {REAL: ":material/photo_camera:", GENERATED: ":material/auto_awesome:"}
KEYS = {REAL: "1", GENERATED: "2"}
SIDE = 384
"""Pixels at which every image is shown."""
LISTED = 20
KEY = "quiz"


def current() -> Quiz | None:
    """The test that the address names, so that F5 goes on with it; else that of this visit."""
    name = st.query_params.get(KEY) or st.session_state.get(KEY)
    quiz = {quiz.name: quiz for quiz in blind.find(_folder())}.get(str(name))
    if quiz is not None:
        _open(quiz)
    elif name:
        st.warning(f"There is no test **{plain(str(name))}** here (any more).", icon=":material/link_off:")
    return quiz


def _folder() -> Path:
    return workspace().root / "blind-tests"


def _open(quiz: Quiz) -> None:
    st.session_state[KEY] = st.query_params[KEY] = quiz.name


def _close() -> None:
    st.session_state.pop(KEY, None)
    st.query_params.pop(KEY, None)


def new_quiz() -> None:
    """Model, data set, how many images, Begin."""
    left, right = st.columns(2)
    with left:
        entry = pick_model()
    if entry is None:
        empty("There is no model to test yet.", "train", "Train one")
        return
    with right:
        data = pick_dataset("Real images from the held-out part of")
    if data is None:
        return
    heldout = int(data.info["splits"].get(TEST, 0))
    fits = _fits(entry, data)
    most = min(blind.MOST, 2 * heldout)
    if most < blind.LEAST:
        st.warning(
            f"{plain(data.name)} holds {count(heldout, 'image')} out; {blind.LEAST // 2} or more are needed.",
            icon=":material/warning:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(
            "Images to judge",
            blind.LEAST,
            most,
            min(40, most),
            key=f"quiz-count-{data.folder.name}",
            width=180,
            help="About half are real. With 40 the accuracy is known to about 15 points either way, with 100 "
            "to about 10.",
        )
        reader = st.text_input("Who judges (optional)", max_chars=60, key="quiz_reader", width=240)
    if st.button("Begin", type="primary", icon=":material/play_arrow:", key="begin", disabled=not fits):
        with plain_errors():
            _open(_begin(entry, data, int(number), reader.strip()))
            st.rerun()


def _fits(entry: ModelEntry, data: Dataset) -> bool:
    model = entry.info.model
    fits = (model.channels, model.size) == (data.channels, data.size)
    if not fits:
        st.warning(
            f"Images of this model and of {plain(data.name)} differ in size or colour and would be told "
            "apart at once: choose a model and a data set that fit.",
            icon=":material/warning:",
        )
    return fits


def _begin(entry: ModelEntry, data: Dataset, number: int, reader: str) -> Quiz:
    from medgan.runs.info import model_sha256

    about = {
        "model": {"name": entry.name, "spec": entry.spec, "sha256": model_sha256(entry.folder)},
        "dataset": {"name": data.name, "content_sha256": data.info["content_sha256"], "split": TEST},
        "reader": reader,
    }
    name = free_name(_folder(), f"{entry.name}-or-{data.folder.name}")
    return blind.begin(
        _folder() / name,
        count=number,
        reals=[k for k, part in enumerate(data.column("split")) if part == TEST],
        real=lambda numbers: np.asarray(data.images[list(numbers)]),
        generated=partial(_made, entry),
        about=about,
    )


def _made(entry: ModelEntry, seeds: Sequence[int]) -> np.ndarray:
    images = [np.asarray(Image.open(io.BytesIO(data))) for data in samples(entry, seeds)]
    return np.stack([image if image.ndim == 3 else image[:, :, None] for image in images])


def earlier() -> None:
    """Tests that were begun before, half done ones first."""
    quizzes = sorted(blind.find(_folder())[:LISTED], key=lambda quiz: quiz.ended)
    if not quizzes:
        return
    st.subheader("Begun before")
    for quiz in quizzes:
        with st.container(horizontal=True, vertical_alignment="center"):
            done, ended = len(quiz.answers()), quiz.ended
            words = "ended" if ended else f"{done} of {quiz.count} answered"
            reader = str(quiz.about.get("reader") or "")
            st.markdown(f"**{plain(quiz.name)}**{' · ' + plain(reader) if reader else ''} · {words}")
            if st.button("See the result" if ended else "Go on", key=f"open-{quiz.name}", type="tertiary"):
                _open(quiz)
                st.rerun()
            with st.popover("Delete", type="tertiary"):
                if st.button("Delete this test", key=f"delete-{quiz.name}", type="primary"):
                    _delete(quiz)
                    st.rerun()


def _delete(quiz: Quiz) -> None:
    import shutil

    shutil.rmtree(quiz.folder, ignore_errors=True)


def ask(quiz: Quiz) -> None:
    """The image that is due, and two buttons. Nothing on the page tells how it has gone so far."""
    number = quiz.next
    if number is not None:
        with plain_errors():
            _ask(quiz, number)


def _ask(quiz: Quiz, number: int) -> None:
    st.progress((number - 1) / quiz.count, text=f"Image {number} of {quiz.count}")
    since = st.session_state.setdefault(f"shown-{quiz.name}-{number}", time.monotonic())
    with st.container(horizontal_alignment="center"), st.container(width=SIDE):
        st.image(quiz.image(number), width=SIDE, output_format="PNG", alt=f"Image {number}")
        remark = st.text_input(
            "Remark (optional)",
            key=f"remark-{quiz.name}-{number}",
            max_chars=blind.CHARACTERS,
            placeholder="What gave it away?",
        )
        with st.grid(columns=2, min_column_width=110, gap="small", wrap=False):
            for answer in ANSWERS:
                if st.button(
                    WORDS[answer],
                    icon=ICONS[answer],
                    key=f"answer-{answer}-{number}",  # a second click on the old one cannot answer the new
                    shortcut=KEYS[answer],
                    width="stretch",
                ):
                    quiz.answer(number, answer, remark=remark, seconds=time.monotonic() - since)
                    st.rerun()
    with st.container(horizontal=True):
        if st.button("Pause", type="tertiary", icon=":material/pause:", key="pause"):
            _close()
            st.rerun()
        with st.popover("Stop and see the result", type="tertiary"):
            st.caption("The test ends here: no answer can be added afterwards.")
            if st.button("Stop here", key="end_quiz", type="primary", disabled=not quiz.answers()):
                quiz.end()
                st.rerun()
    st.caption("Each answer is kept at once: close the tab and go on another day.")


def result(quiz: Quiz) -> None:
    """Accuracy with its interval, that on each kind, the CSV, and what was what."""
    found = quiz.result()
    st.markdown(f"#### {found.sentence}")
    with st.grid(min_column_width=200, gap="small"):
        _share("Right, all in all", found.all, "50 % is guessing")
        _share("Real ones called real", found.real, "of the real images")
        _share("Generated ones called generated", found.generated, "of the generated images")
    st.caption(_facts(quiz, found))
    with st.container(horizontal=True):
        st.download_button(
            "Answers as CSV",
            quiz.csv,
            file_name=f"{quiz.name}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="download_answers",
        )
        if st.button("Another test", icon=":material/replay:", key="another"):
            _close()
            st.rerun()
    _what_was_what(quiz)


def _share(label: str, share: Share, words: str) -> None:
    with st.container(border=True, height="stretch"):
        if share.value is None or share.low is None or share.high is None:
            st.metric(label, "–", help="No image of this kind was judged.")
            return
        st.metric(label, f"{share.value:.0%}")
        st.caption(
            f"{share.hits} of {share.n} {words if share.n and 'guess' not in words else ''}".strip()
            + f", {LEVEL:.0%} interval {share.low:.0%} to {share.high:.0%}"
            + (f" ({words})" if "guess" in words else "")
        )


def _facts(quiz: Quiz, found: Result) -> str:
    model, data = quiz.about.get("model", {}), quiz.about.get("dataset", {})
    early = f" Stopped after {found.all.n} of {found.planned}." if found.all.n < found.planned else ""
    reader = f" Judged by {plain(str(quiz.about['reader']))}." if quiz.about.get("reader") else ""
    return (
        f"Images of {plain(str(model.get('name', 'a model')))} among held-out ones of "
        f"{plain(str(data.get('name', 'a data set')))}.{reader}{early} The interval is Wilson's. One "
        "person on one screen: it says nothing of another reader."
    )


def _what_was_what(quiz: Quiz) -> None:
    items = quiz.truth()
    answers = quiz.answers()
    kinds: dict[str, list[dict[str, Any]]] = {"Wrong answers": [], "Right answers": []}
    for answer in answers:
        right = items[answer["number"] - 1].kind == answer["answer"]
        kinds["Right answers" if right else "Wrong answers"].append(answer)
    for title, some in kinds.items():
        if not some:
            continue
        with st.expander(f"{title}: {len(some)}", expanded=title == "Wrong answers"), plain_errors():
            captions = [_caption(items[answer["number"] - 1].kind, answer) for answer in some]
            gallery([quiz.image(answer["number"]) for answer in some], captions, width=110)


def _caption(kind: str, answer: dict[str, Any]) -> str:
    remark = str(answer.get("remark") or "")
    return f"{answer['number']}: {kind}" + (f" · {plain(remark, 60)}" if remark else "")
