"""The Train page: how a run is doing, live, and what can be asked of it."""

from __future__ import annotations

import streamlit as st

from medgan.runs import requests
from medgan.runs.record import PAUSED, QUEUED, RUNNING, STARTING, Run, Status, find_runs
from medgan.ui.components import deletion, duration, plain_errors, state_badge, warn_of_dead_link
from medgan.ui.jobs import explained, jobs
from medgan.ui.navigation import link
from medgan.ui.session import workspace
from medgan.ui.text import sentence
from medgan.ui.train_away import GOES_ON, resuming, trained_there
from medgan.ui.train_curves import charts, choose_look
from medgan.ui.train_facts import facts
from medgan.ui.train_monitors import best_so_far, monitors
from medgan.ui.train_runs import SHOW_NEXT, renaming
from medgan.ui.train_samples import samples

REFRESH = 1.0
"""Seconds between two looks at the status of a run that is alive."""
CHART_REFRESH = 2.0
"""Charts are drawn anew whenever they change, which takes longer and disturbs more."""

BUTTONS = {
    requests.RESUME: ("Resume", ":material/play_arrow:"),
    requests.STOP: ("Stop and keep", ":material/stop:"),
    requests.PAUSE: ("Pause", ":material/pause:"),
    requests.SAMPLE: ("Sample now", ":material/imagesmode:"),
    requests.SAVE: ("Save now", ":material/save:"),
}
HELP = {
    requests.RESUME: "Goes on where it paused.",
    requests.STOP: "Saves everything learned and ends. It can go on later.",
    requests.PAUSE: "Saves everything learned and waits; the device is free for others meanwhile.",
    requests.SAMPLE: "Draws the fixed seeds as the generator draws them now.",
    requests.SAVE: "Writes a checkpoint now.",
}
ASKED = {
    requests.RESUME: "Resuming…",
    requests.STOP: "Stopping…",
    requests.PAUSE: "Pausing…",
    requests.SAMPLE: "Drawing…",
    requests.SAVE: "Saving…",
}
ANSWERED = {requests.SAMPLE: "New samples are drawn.", requests.SAVE: "Everything learned is saved."}
OFFERED = {
    STARTING: (requests.STOP,),
    QUEUED: (requests.STOP, requests.PAUSE),
    RUNNING: (requests.STOP, requests.PAUSE, requests.SAMPLE, requests.SAVE),
    PAUSED: (requests.RESUME, requests.STOP, requests.SAMPLE, requests.SAVE),
}
NEEDS_A_STEP = (requests.SAMPLE, requests.SAVE)


def watch() -> None:
    """The chosen run (by default the one at work, else the newest), live while it is alive."""
    runs = {run.name: run for run in find_runs(workspace().runs)}
    if not runs:
        st.info("No run yet. What you start appears here and stays when you close the tab.")
        return
    warn_of_dead_link("run", list(runs), "run")
    if st.session_state.get(SHOW_NEXT) in runs:
        st.session_state["run"] = st.session_state.pop(SHOW_NEXT)
    elif st.session_state.get("run") not in runs and st.query_params.get("run") not in runs:
        st.session_state["run"] = _most_interesting(list(runs.values()))
    run = runs[st.selectbox("Run", list(runs), key="run", bind="query-params")]
    alive = run.status().alive
    st.fragment(_head, run_every=REFRESH if alive else None)(run, alive)
    look = choose_look(alive)
    every = CHART_REFRESH if alive and not look.paused else None
    st.fragment(charts, run_every=every)(run, look)
    st.fragment(_learned, run_every=every)(run)


def _most_interesting(runs: list[Run]) -> str:
    return next((run.name for run in runs if run.status().alive), runs[0].name)


def _learned(run: Run) -> None:
    monitors(run)
    best_so_far(run)
    samples(run)


def _head(run: Run, was_alive: bool) -> None:
    status = explained(run)
    if status.alive != was_alive:
        st.rerun()  # the whole page: what is offered changes, and the polling begins or ends
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(status)
        st.markdown(sentence(status.message))
    facts(run)
    st.progress(status.progress, text=how_far(status))
    with st.container(horizontal=True, vertical_alignment="center"):
        if status.alive:
            _steering(run, status)
        else:
            _after(run, status)
    if status.resumable and st.session_state.get(GOES_ON) == run.name:
        resuming(run)
    _numbers(status)


def how_far(status: Status) -> str:
    """`Step 120 of 300 · about 4 min left`, with the minutes where they are the goal."""
    if status.minutes and status.alive:
        steps = f"of about {status.iterations:,}" if status.iterations else ""
        spent = f"{duration(status.seconds)} of {duration(60 * status.minutes)}"
        words = [f"Step {status.step:,} {steps}".strip(), spent]
    elif status.iterations:
        words = [f"Step {status.step:,} of {status.iterations:,}"]
    else:
        words = ["Not begun yet"]
    if status.state == RUNNING and status.seconds_left is not None:
        words.append(f"about {duration(status.seconds_left)} left")
    return " · ".join(words)


def _steering(run: Run, status: Status) -> None:
    pending = asked_of(run, status)
    _tell_what_is_done(run, status, pending)
    for request in OFFERED.get(status.state, ()):
        label, icon = BUTTONS[request]
        waits = request in pending
        hindered = waits or requests.STOP in pending or (request in NEEDS_A_STEP and not status.step)
        st.button(
            ASKED[request] if waits else label,
            icon=icon,
            help=HELP[request],
            disabled=hindered,
            type="primary" if request == requests.RESUME else "secondary",
            key=f"ask_{request}",
            on_click=_ask,
            args=(run, request),
        )


def asked_of(run: Run, status: Status) -> set[str]:
    """Requests that are under way: seen by the process and not done, or not even seen yet."""
    unseen = {r for r in requests.REQUESTS if requests.asked(run.folder, r, status.pid_started)}
    return unseen | set(status.pending)


def _ask(run: Run, request: str) -> None:
    if run.folder.is_dir() and run.status().alive:
        run.ask(request)
        if request in ANSWERED:
            st.session_state.setdefault(_memory(run), set()).add(request)


def _tell_what_is_done(run: Run, status: Status, pending: set[str]) -> None:
    """A word when a wish of this visitor is fulfilled, for what else would show it?"""
    mine = st.session_state.get(_memory(run), set())
    for request in sorted(mine - pending):
        mine.discard(request)
        st.toast(f"{ANSWERED[request]} (step {status.step:,})", icon=BUTTONS[request][1])


def _memory(run: Run) -> str:
    return f"asked-{run.name}"


def _after(run: Run, status: Status) -> None:
    st.session_state.pop(_memory(run), None)  # nobody is left to fulfil a wish
    if status.resumable and st.button("Resume", icon=":material/play_arrow:", type="primary", key="resume"):
        _resume(run)
    if run.latest():
        link("generate", model=run.name)
        link("evaluate", model=run.name)
    renaming(run)
    deletion("run", run.folder, " with all it learned")


def _resume(run: Run) -> None:
    if trained_there(run):  # there is more to say first
        st.session_state[GOES_ON] = run.name
        return
    with plain_errors():
        jobs().resume(run)
        st.rerun()


def _numbers(status: Status) -> None:
    speed = f"{status.images_per_second:.1f}" if status.images_per_second else "–"
    with st.grid(min_column_width=130):
        st.metric("Images/s", speed, border=True)
        left = status.seconds_left if status.state == RUNNING else None
        st.metric("Time left", duration(left), border=True)
        st.metric("Images seen", f"{status.images:,}", border=True)
        st.metric("Trained for", duration(status.seconds or None), border=True)
        devices = f" x {status.devices}" if status.devices > 1 else ""
        st.metric("Device", f"{status.device or '–'}{devices}", help=status.precision or None, border=True)
        if len(status.memory) == 2:
            used, whole = (f"{count / 1e9:.1f}" for count in status.memory)
            st.metric("GPU memory", f"{used} of {whole} GB", help="Taken by all programs.", border=True)
