"""Put a model, or images that one made, on the Hub, from the Models page."""

from __future__ import annotations

import streamlit as st

from medgan.runs.models import repo_of
from medgan.ui.components import plain_errors, warn_of_dead_link
from medgan.ui.outgoing import Outgoing, all_outgoing, reports_of
from medgan.ui.pushes import Push, pushes
from medgan.ui.session import hosted
from medgan.ui.text import count, on_the_page, plain, sentence
from medgan.ui.transfers import ask_token, dismissal, forget_token, under_way

LICENCES = ("", "mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "other")
REFRESH = 0.7
ASK = (
    "What the training images allow may reach further than the licence. A model can repeat its training "
    "images: publish none that you have not evaluated."
)
FIXED = "It was chosen when these images were exported: their README and LICENSE say so."
MODEL = (
    "Weights, settings, a sheet of samples and a card with counts, hashes and the newest evaluation in each "
    "feature network go out; no training image and nothing else from the folder does."
)
IMAGES = "A data set: the images with their table, README, licence and settings go out, and nothing else."


def push_form() -> None:
    """Choose what goes out, say where to and under which licence; the card is written from its record."""
    offered = all_outgoing()
    if offered:
        _ask(_choose(offered))
    else:
        st.caption("There is no model to push yet.")
    busy = pushes().busy
    st.fragment(_list, run_every=REFRESH if busy else None)(busy)


def _choose(offered: dict[str, Outgoing]) -> Outgoing:
    warn_of_dead_link("push", list(offered), "model or export")
    return offered[st.selectbox("What to push", list(offered), key="push", bind="query-params")]


def _ask(outgoing: Outgoing) -> None:
    st.caption(f"{IMAGES} {sentence(outgoing.found)}" if outgoing.images else MODEL)
    with st.form("push_form", border=True):
        left, right = st.columns(2, vertical_alignment="bottom")
        repo = left.text_input("Repository", placeholder="owner/name", key="push_repo")
        with right:
            token = ask_token("push_token", "One that may write.")
        left, right = st.columns(2, vertical_alignment="bottom")
        with left:
            licence = _ask_licence(outgoing)
        note = ""
        if not outgoing.images:  # those have their README
            note = right.text_input("On the training images and their licence", key="push_note")
        override = st.text_input(
            "Only if a check failed or was left out: why it shall go out all the same",
            key="push_override",
            help="These words will stand in the card.",
        )
        private = st.toggle(
            "Private", True, key="push_private", help="Only you see it, until you open it there."
        )
        pressed = st.form_submit_button("Push", type="primary", icon=":material/cloud_upload:")
    if pressed:
        wrong = _wrong(outgoing, repo, licence, token)
        if wrong:
            st.error(wrong)
        else:
            with plain_errors():
                _start(outgoing, repo, licence, token, note, override, private)
                forget_token("push_token")
                st.rerun()
    if said := st.session_state.pop("push_said", ""):
        st.caption(said)


def _ask_licence(outgoing: Outgoing) -> str:
    if outgoing.images:  # another one than they carry would be refused
        st.text_input("Licence", outgoing.licence or "none", disabled=True, help=FIXED)
        return outgoing.licence
    licence = st.selectbox(
        "Licence",
        LICENCES,
        key="push_licence",
        format_func=lambda name: name or "choose one",
        accept_new_options=True,
        help=ASK,
    )
    return str(licence or "")


def _wrong(outgoing: Outgoing, repo: str, licence: str, token: str) -> str:
    """What is still to be said, in a sentence."""
    if not repo_of(repo):
        return "Give the repository as owner/name; the owner is you, or an organisation of yours."
    if outgoing.images and not licence:
        return "These images were exported without a licence: export them again, and choose one there."
    if not licence.strip():
        return "Say under which licence it goes out."
    if hosted() and not token:
        # The server may be logged in as whoever set it up, and this visitor is somebody else.
        return "Give a token of your own: others share this server."
    return ""


def _start(
    outgoing: Outgoing, repo: str, licence: str, token: str, note: str, override: str, private: bool
) -> None:
    from medgan.hub.push import Wish

    reports = reports_of(outgoing.model_sha256())
    wish = Wish(licence, reports, note=note, override=override, private=private)
    pushes().start(outgoing, str(repo_of(repo)), wish, token)
    st.session_state["push_said"] = _judged(outgoing, len(reports))


def _judged(outgoing: Outgoing, reports: int) -> str:
    if outgoing.images:
        if reports:
            return f"{count(reports, 'evaluation')} of their model may stop it."
        return "Their model was not evaluated here."
    if reports:
        return f"{count(reports, 'evaluation')} of it will stand in the card."
    return "It was not evaluated here, and the card says so."


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
