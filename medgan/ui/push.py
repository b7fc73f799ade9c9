"""Put a model on the Hub, from the Models page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medgan.errors import DataError
from medgan.evaluation.report import load_report
from medgan.runs.info import model_sha256
from medgan.runs.models import HUB, ModelEntry, list_models, repo_of
from medgan.runs.record import find_runs
from medgan.ui.components import plain_errors
from medgan.ui.session import workspace
from medgan.ui.text import plain

LICENCES = ("", "mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")
DEADLINE = 900.0
ASK = (
    "What the training images allow may reach further than the licence. A model can repeat its training "
    "images: publish none that you have not evaluated."
)


def push_form() -> None:
    """Choose a model, say where to and under which licence; the card is written from its record."""
    entries = {entry.spec: entry for entry in list_models(workspace()) if entry.kind != HUB}
    with st.form("push", border=True):
        left, right = st.columns(2, vertical_alignment="bottom")
        spec = left.selectbox("Model to push", list(entries), key="push_model")
        repo = right.text_input("Repository", placeholder="owner/name", key="push_repo")
        left, right = st.columns(2, vertical_alignment="bottom")
        licence = left.selectbox(
            "Licence of the model",
            LICENCES,
            key="push_licence",
            format_func=lambda name: name or "choose one",
            accept_new_options=True,
            help=ASK,
        )
        token = right.text_input(
            "Token",
            type="password",
            key="push_token",
            help="One that may write; used once, kept nowhere. Empty: that of `hf auth login`, or HF_TOKEN.",
        )
        note = st.text_input("On the training images and their licence", key="push_note")
        override = st.text_input(
            "Only if a check failed: why it shall go out all the same",
            key="push_override",
            help="These words will stand in the card.",
        )
        private = st.toggle(
            "Private", True, key="push_private", help="Only you see it, until you open it there."
        )
        pressed = st.form_submit_button("Push", type="primary", icon=":material/cloud_upload:")
    if pressed and not repo_of(repo):
        st.error("Give the repository as owner/name; the owner is you, or an organisation of yours.")
    elif pressed and spec:
        with plain_errors():
            _push(entries[spec], repo, str(licence or ""), token, note, override, private)


def _push(
    entry: ModelEntry, repo: str, licence: str, token: str, note: str, override: str, private: bool
) -> None:
    from medgan.hub.push import Wish, push

    reports = reports_of(entry)
    wish = Wish(licence, reports, note=note, override=override, private=private)
    with st.status(f"Uploading {plain(entry.name)}", expanded=True) as shown:
        judged = (
            f"{len(reports)} of its evaluations go into the card."
            if reports
            else "It was not evaluated here."
        )
        st.caption(judged)
        pushed = push(entry.folder, repo, wish, token=token, deadline=DEADLINE)
        shown.update(label="It is on the Hub", state="complete")
    st.success(f"Pushed as commit {plain(pushed.revision[:12])}.", icon=":material/check_circle:")
    st.link_button("Open it on the Hub", pushed.url, icon=":material/open_in_new:")


def reports_of(entry: ModelEntry) -> list[dict[str, Any]]:
    """The newest evaluation of this very model in each feature network."""
    sha256 = model_sha256(entry.folder)
    found: dict[str, dict[str, Any]] = {}
    for record in find_runs(workspace().reports):
        try:
            report = load_report(record.folder / "report.json")
        except DataError:
            continue
        network = str((report["settings"].get("features") or {}).get("name"))
        if report.get("model", {}).get("sha256") == sha256:
            found.setdefault(network, report)
    return list(found.values())
