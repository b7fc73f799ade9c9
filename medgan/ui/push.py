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
from medgan.ui.pushes import Push, pushes
from medgan.ui.session import workspace
from medgan.ui.sources import hosted
from medgan.ui.text import count, on_the_page, plain, sentence
from medgan.ui.transfers import dismissal, under_way

LICENCES = ("", "mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "other")
REFRESH = 0.7
ASK = (
    "What the training images allow may reach further than the licence. A model can repeat its training "
    "images: publish none that you have not evaluated."
)
WHAT = (
    "Weights, settings, a sheet of samples and a card with counts, hashes and the newest evaluation in each "
    "feature network go out; no training image and nothing else from the folder does."
)


def push_form() -> None:
    """Choose a model, say where to and under which licence; the card is written from its record."""
    entries = {entry.spec: entry for entry in list_models(workspace()) if entry.kind != HUB}
    st.caption(WHAT)
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
        token = right.text_input("Token", type="password", key="push_token", help=_token_help())
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
    if pressed:
        wrong = _wrong(spec, repo, str(licence or ""), token)
        if wrong:
            st.error(wrong)
        else:
            with plain_errors():
                _start(entries[str(spec)], repo, str(licence), token, note, override, private)
    busy = pushes().busy
    st.fragment(_list, run_every=REFRESH if busy else None)(busy)


def _token_help() -> str:
    used = "One that may write; it is used once and kept nowhere."
    return used if hosted() else f"{used} Empty: that of `hf auth login`, or HF_TOKEN."


def _wrong(spec: str | None, repo: str, licence: str, token: str) -> str:
    """What is still to be said, in a sentence."""
    if not spec:
        return "There is no model to push yet."
    if not repo_of(repo):
        return "Give the repository as owner/name; the owner is you, or an organisation of yours."
    if not licence.strip():
        return "Say under which licence it goes out."
    if hosted() and not token.strip():
        # The server may be logged in as whoever set it up, and this visitor is somebody else.
        return "Give a token of your own: others share this server."
    return ""


def _start(
    entry: ModelEntry, repo: str, licence: str, token: str, note: str, override: str, private: bool
) -> None:
    from medgan.hub.push import Wish

    reports = reports_of(entry)
    wish = Wish(licence, reports, note=note, override=override, private=private)
    pushes().start(entry.name, entry.folder, str(repo_of(repo)), wish, token)
    judged = "It was not evaluated here, and the card says so."
    if reports:
        judged = f"{count(len(reports), 'evaluation')} of it will stand in the card."
    st.caption(judged)


def _list(was_busy: bool) -> None:
    for number, push in enumerate(reversed(pushes().all)):
        _one(push, number)
    if was_busy and not pushes().busy:
        st.rerun()


def _one(push: Push, number: int) -> None:
    where = f"{plain(push.name)} to `{push.repo}`"
    if under_way(push, where, f"push_{number}"):
        return
    if push.pushed:
        seen = "private" if push.pushed.private else "public"
        st.success(
            f"{where}: there now, {seen}, revision {plain(push.pushed.revision[:12])}.",
            icon=":material/check_circle:",
        )
        st.link_button("Open it on the Hub", push.pushed.url, icon=":material/open_in_new:")
    else:
        st.error(f"{where}: {sentence(on_the_page(push.error))}", icon=":material/error:")
    dismissal(pushes(), push, f"push_{number}")


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
