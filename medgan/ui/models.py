"""The Models page: what ships, what was trained here, what was pulled, and pulling more."""

from __future__ import annotations

import re

import streamlit as st

from medgan.runs.models import HUB, SHIPS, TRAINED, ModelEntry, list_models, repo_of
from medgan.ui.components import picture, plain_errors, sheet
from medgan.ui.navigation import link
from medgan.ui.pulls import Pull, pulls
from medgan.ui.sampler import describe
from medgan.ui.session import workspace
from medgan.ui.text import sentence
from medgan.ui.transfers import ask_token, dismissal, forget_token, under_way

KINDS = {
    SHIPS: ("Ships with MedGAN", "None."),
    TRAINED: ("Trained here", "None yet: what you train appears here with its first checkpoint."),
    HUB: ("From the Hub", "None yet: pull one below."),
}
REFRESH = 0.7


def shelves() -> None:
    """All models by where they come from."""
    entries = list_models(workspace())
    for kind, (title, nothing) in KINDS.items():
        st.subheader(title)
        mine = [entry for entry in entries if entry.kind == kind]
        if not mine:
            st.caption(nothing)
        for entry in mine:
            _card(entry)


def _card(entry: ModelEntry) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{entry.name}**")
            st.space("stretch")
            link("generate", model=entry.spec)
            link("evaluate", model=entry.spec)
        st.caption(describe(entry))
        card = entry.folder / "README.md"
        if card.exists():
            with st.expander("Model card"):
                samples = picture(entry.folder / "samples.png")
                if samples:
                    sheet(samples, f"Samples of {entry.name}")
                st.markdown(_for_this_page(card.read_text("utf-8", errors="replace")))


def pull_form() -> None:
    """Pull a model from the Hugging Face Hub by its repository id."""
    with st.form("pull", border=True):
        left, middle, secret, right = st.columns([3, 1, 2, 1], vertical_alignment="bottom")
        repo = left.text_input("Repository on the Hugging Face Hub", placeholder="owner/name")
        revision = middle.text_input("Revision", placeholder="main")
        with secret:
            token = ask_token("pull_token", "For private models: one that may read.")
        pressed = right.form_submit_button("Pull", type="primary", icon=":material/cloud_download:")
    name = repo_of(repo)
    if pressed and name:
        with plain_errors():
            pulls().start(name, revision.strip() or None, token)
            forget_token("pull_token")
            st.rerun()
    elif pressed:
        st.error("Give the repository as owner/name, as it stands in its address on the Hub.")
    busy = pulls().busy
    st.fragment(_pulls, run_every=REFRESH if busy else None)(busy)


def _pulls(was_busy: bool) -> None:
    for number, pull in enumerate(reversed(pulls().all)):
        _one(pull, number)
    if was_busy and not pulls().busy:
        st.rerun()


def _one(pull: Pull, number: int) -> None:
    if under_way(pull, f"`{pull.repo}`", f"pull_{number}"):
        return
    if pull.error:
        st.error(f"`{pull.repo}`: {sentence(pull.error)}", icon=":material/error:")
    else:
        st.success(f"`{pull.repo}` is here and ready to generate.", icon=":material/check_circle:")
    dismissal(pulls(), pull, f"pull_{number}")


def _for_this_page(text: str) -> str:
    """A model card without the YAML block that is meant for the Hub and without its pictures: those of
    the folder stand above it, and others would make the browser call a stranger's server."""
    if text.startswith("---"):
        text = text.partition("\n---")[2].lstrip("-\n")
    text = re.sub(r"!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])?", "", text)
    # What was inside a picture's own brackets can make a new one of what is left: that is a link now.
    return re.sub(r"!+(?=\[)", "", text)
