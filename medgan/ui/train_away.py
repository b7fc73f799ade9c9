"""Training at Hugging Face, from the Train page: a token, the hardware and its price, and an explicit yes.

The token is used for one run: it goes to the process that sends the job and follows it, by its environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.runs.launch import read_note
from medgan.runs.record import Run
from medgan.ui.components import plain_errors
from medgan.ui.jobs import jobs
from medgan.ui.quotes import Quote, quotes
from medgan.ui.session import hosted, workspace
from medgan.ui.text import sentence

HUGGING_FACE = "hf-jobs"
REFRESH = 0.7
GOES_ON = "goes_on"
"""Where the session keeps the run that shall go on there, until all is said that this takes."""
PLANNED = ".planned"
"""Stands for the run folder while nothing is started; no run can have this name."""
WHAT = (
    "A GPU by the minute, paid by the account that the token is of. The run shows here as any other; this "
    "machine must stay on to fetch what it learns."
)
OWN_TOKEN = "Give a token of your own: others share this server."
NO_TOKEN = "That is no token: one is letters, figures and signs without blanks, such as hf_…"
AGREE = "I agree: the images leave this machine, and the account pays for the job"


@dataclass(frozen=True)
class Where:
    """Where a run is trained: the `options` of `train` that say so (none for here) and a typed `token`. A job
    that has to be agreed to is one that `asks`; it can be started once there is a `quote` for it."""

    options: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    asks: bool = False
    quote: Quote | None = None

    @property
    def here(self) -> bool:
        """Whether that is this machine."""
        return not self.options and not self.asks


def choose_job(data: Dataset) -> Where:
    """The token, then the hardware as the Hub lists it, and the hours."""
    st.caption(WHAT)
    with st.grid(min_column_width=200):
        token = _token("new")
        if token is None:
            return Where(asks=True)
        known = quotes().of((*_planned(data), f"--on={HUGGING_FACE}"), token)
        hardware = _hardware(known)
    if not hardware:
        _waiting_or_wrong(known, "what hardware there is", "new-hardware")
        return Where(asks=True)
    return Where((f"--on={HUGGING_FACE}", *hardware), token, asks=True)


def quoted(where: Where, data: Dataset, init: str) -> Where:
    """The same with its quote, where it needs one and the hardware is chosen; the model to begin with, if
    there is one, leaves this machine too."""
    if not (where.asks and where.options):
        return where
    begin = [f"--init={init}"] if init else []
    return replace(where, quote=quotes().of((*_planned(data), *where.options, *begin), where.token))


def _planned(data: Dataset) -> tuple[str, str]:
    return str(data.folder), f"--run={workspace().runs / PLANNED}"


def agreed(where: Where) -> bool:
    """Whether it may start: what leaves this machine and what it costs was said, and agreed to."""
    if not where.asks:
        return True
    if where.quote is None:
        st.caption("It can be started once Hugging Face has said what it costs, and you agree.")
        return False
    return _agreed(where.quote, "new")


def start_options(where: Where) -> tuple[str, ...]:
    """The options with which it starts, once it was agreed to."""
    return (*where.options, "--yes") if where.asks else where.options


def resuming(run: Run) -> None:
    """Let a run of Hugging Face go on there: a token, what it takes, an explicit yes."""
    with st.container(border=True), plain_errors():
        st.markdown("**Resume on Hugging Face**: with the hardware and the hours that it had.")
        token = _token(f"run-{run.name}")
        if token is None:
            return
        data = Dataset(run.config()["dataset"]["path"]).folder
        quote = quotes().of((str(data), f"--run={run.folder}", "--resume", f"--on={HUGGING_FACE}"), token)
        ready = _agreed(quote, f"run-{run.name}")
        if st.button("Resume there", type="primary", key="resume-there", disabled=not ready) and ready:
            jobs().resume(run, token=token, agreed=not quote.job)
            st.session_state.pop(GOES_ON, None)
            forget()
            st.rerun()


def trained_there(run: Run) -> bool:
    """Whether it is a run of Hugging Face."""
    return read_note(run).get("engine") == HUGGING_FACE


def forget() -> None:
    """Empty the token's field and take the yes back: they were for one run."""
    st.session_state["times-away"] = _times() + 1
    quotes().forget()


def _times() -> int:
    return int(st.session_state.get("times-away", 0))


def _token(what: str) -> str | None:
    """The token that was typed, empty for the login of this machine; None, with a sentence, where there is
    none to go on with."""
    with st.container():
        typed = st.text_input("Token", type="password", key=f"token-{what}-{_times()}").strip()
        login = "" if hosted() else " Empty: that of `hf auth login`, or HF_TOKEN."
        st.caption(f"One that may write and start jobs; for this run alone, kept nowhere.{login}")
    if not typed and hosted():
        # The server may be logged in as whoever set it up, and this visitor is somebody else.
        st.info(OWN_TOKEN, icon=":material/key:")
        return None
    if not (typed.isascii() and typed.isprintable()) or " " in typed:
        st.error(sentence(NO_TOKEN), icon=":material/error:")
        return None
    return typed


def _hardware(known: Quote) -> tuple[str, ...]:
    """The options for what is chosen; the cheapest GPU at first."""
    if not known.hardware:
        return ()
    offered = {str(one["name"]): one for one in known.hardware}
    gpus = [name for name, one in offered.items() if one["gpu"]]
    usual = min(gpus or offered, key=lambda name: offered[name]["dollars"])
    if st.session_state.get("flavor") not in offered:
        st.session_state["flavor"] = usual
    with st.container():
        flavor = st.selectbox(
            "Hardware",
            list(offered),
            format_func=lambda name: priced(offered[name]),
            key="flavor",
            persist_state="session",
        )
        st.caption("As Hugging Face lists it now. It is paid from the start of the job to its end.")
    with st.container():
        hours = st.number_input("Hours", 0.5, 720.0, 2.0, step=0.5, key="job-hours", persist_state="session")
        st.caption("The longest it may take; then it saves and ends, and can be resumed.")
    return (f"--flavor={flavor}", f"--hours={hours:g}")


def priced(hardware: dict[str, Any]) -> str:
    """`Nvidia T4: $0.01 a minute`."""
    return f"{hardware['title']}: ${hardware['dollars']:.4g} a {hardware['unit']}"


def _agreed(quote: Quote, what: str) -> bool:
    """Show what it takes, and ask; another price or other hardware is another question."""
    if not quote.finished or quote.problem or quote.needs:
        _waiting_or_wrong(quote, "what it takes", what)
        return False
    if quote.job:
        st.info(sentence(f"Job {quote.job} has this run still: it is only followed again."))
        return True
    with st.container(border=True):
        st.markdown("**Before it starts**")
        st.markdown("\n".join(f"- {sentence(said)}" for said in quote.plan))
        key = f"agree-{what}-{_times()}-{hash(tuple(quote.plan))}"
        return bool(st.checkbox(AGREE, key=key))


def _waiting_or_wrong(quote: Quote, words: str, key: str) -> None:
    """That it is being asked, or why there is no answer."""
    if not quote.finished:
        st.fragment(_asking, run_every=REFRESH)(quote, words)
        return
    if quote.problem:
        st.error(sentence(quote.problem), icon=":material/error:")
    for said in quote.needs:
        st.info(sentence(said), icon=":material/info:")
    st.button("Ask again", icon=":material/refresh:", key=f"again-{key}", on_click=quotes().forget)


def _asking(quote: Quote, words: str) -> None:
    if quote.finished:
        st.rerun()
    st.markdown(f":material/hourglass_top: Asking Hugging Face {words}…")
