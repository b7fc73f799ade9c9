"""One study: how far it is, the way on if it was interrupted, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from medgan.evaluation.html_words import LEVELS, interval, level
from medgan.runs.record import INTERRUPTED, STOPPED, Run
from medgan.ui.components import deletion, plain_errors, warn_of_dead_link
from medgan.ui.evaluate_scorecard import LOOKS
from medgan.ui.follow import follow
from medgan.ui.jobs import explained, jobs, last_words
from medgan.ui.session import workspace
from medgan.ui.study_files import find_studies, load_result, result_file
from medgan.ui.text import count, plain, sentence

MEASURES = {
    "balanced_accuracy": ("balanced accuracy [95 %]", "against real"),
    "auc": ("macro-AUC [95 %]", "AUC against real"),
}
"""Columns of the table: the figure, and what is gained over real images alone."""

Result = Mapping[str, Any]


def studies() -> None:
    """The chosen study (the newest by default), live while it is at work."""
    found = {study.name: study for study in find_studies(workspace())}
    if not found:
        st.info("No study yet. What you start goes on when you close the tab.", icon=":material/info:")
        return
    warn_of_dead_link("study", list(found), "study")
    if st.session_state.get("study") not in found and st.query_params.get("study") not in found:
        st.session_state["study"] = next(iter(found))
    study = found[st.selectbox("Study", list(found), key="study", bind="query-params")]
    if follow(study):
        return
    path = result_file(study)
    if path is None:
        _unfinished(study)
    else:
        with plain_errors():
            _result(load_result(path), path)
    deletion("study", study.folder, " with the models that it has trained")


def _unfinished(study: Run) -> None:
    """Why it ended, and the way on."""
    status = explained(study)
    if status.state == STOPPED:
        st.info("Cancelled. What is done is kept.", icon=":material/info:")
    elif status.state == INTERRUPTED and not last_words(study, since=status.heartbeat):
        st.warning("The process ended unexpectedly. What is done is kept.", icon=":material/warning:")
    else:
        st.error(sentence(status.message), icon=":material/error:")
    if st.button("Go on", type="primary", icon=":material/play_arrow:", key="study_on"):
        with plain_errors():
            jobs().study_on(study)
            st.rerun()


def _result(result: Result, path: Path) -> None:
    """The sentence, the table of mixtures, the notes, the file."""
    found = result["verdicts"]["usefulness"]
    grade = level(found["level"])
    colour, icon = LOOKS[grade]
    st.badge(LEVELS[grade], icon=icon, color=colour)
    st.markdown(f"**{sentence(found['reason'])}**")
    rows = [_row(arm) for arm in result["arms"]]
    st.dataframe(rows, hide_index=True, alt="How well classifiers do by what they learned from")
    st.caption(_facts(result))
    for note in result["notes"]:
        st.markdown(f"- {sentence(str(note))}")
    st.download_button(
        "Study as JSON",
        path.read_bytes,
        file_name=f"{path.parent.name}.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
        key="download_study",
        help="With its settings, versions and hashes.",
    )


def _row(arm: Mapping[str, Any]) -> dict[str, str]:
    row = {"learned from": str(arm["title"]), "images": f"{sum(arm['n']['train'].values()):,}"}
    for name, (title, gap) in MEASURES.items():
        row |= {title: interval(arm[name]), gap: _gap(arm[name]["difference"])}
    return row


def _gap(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    values = [found[name] for name in ("value", "low", "high")]
    if None in values:
        return "absent"
    value, low, high = (f"{round(value, 3) + 0.0:+.3f}" for value in values)
    return f"{value} [{low}, {high}]"


def _facts(result: Result) -> str:
    settings, dataset = result["settings"], result["dataset"]
    return (
        f"{plain(dataset['name'])}: {plain(', '.join(settings['classes']), 120)}; models of preset "
        f"{plain(settings['preset'])}. {sentence(result['classifier']['title'])}; {settings['seeds']} a "
        f"mixture, judged by {count(dataset['test'], 'real test image')}. Intervals are over test images and "
        "classifiers. The Evaluate page can take its verdict on usefulness from this study."
    )
