"""All runs: those that wait in line, a table, several beside each other, another name, an end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from medgan.runs.events import Event
from medgan.runs.queue import Queue, Ticket, all_queues
from medgan.runs.record import Run, find_runs
from medgan.ui.charts import comparison
from medgan.ui.components import duration, plain_errors
from medgan.ui.jobs import jobs
from medgan.ui.session import workspace
from medgan.ui.text import plain
from medgan.ui.train_curves import events_of
from medgan.ui.train_facts import config_of, flat

REFRESH = 2.0
SHOW_NEXT = "show_next"
"""Where the session keeps the run to show after a rerun: its select box is already there."""
SHOWN = 3
"""Runs that are compared at first."""
MOST = 8
"""Runs that one chart can hold and one can still tell apart."""
FOUND = {
    "kid": "Distance to unseen images (KID)",
    "nearest_ratio": "Distance to training images",
    "diversity": "Variety",
}
TRAINED = {
    "loss_g": "Loss of the generator",
    "loss_d": "Loss of the discriminator",
    "d_real": "D(real)",
    "d_fake": "D(generated)",
    "images_per_second": "Images per second",
}


def _busy() -> bool:
    return any(run.status().alive for run in find_runs(workspace().runs))


# ---- the line


def waiting() -> None:
    """Runs that wait for a device, in their order."""
    busy = _busy()
    st.fragment(_waiting, run_every=REFRESH if busy else None)(busy)


def _waiting(was_busy: bool) -> None:
    if was_busy != _busy():
        st.rerun()
    for queue in all_queues():
        tickets = queue.waiting()
        if tickets:
            with st.container(border=True):
                st.markdown(f"**Waiting for {plain(queue.folder.stem)}**: each starts by itself.")
                for place, ticket in enumerate(tickets, 1):
                    _one_waiting(queue, ticket, place)


def _one_waiting(queue: Queue, ticket: Ticket, place: int) -> None:
    run = Run(Path(ticket.folder))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{place}\\. {plain(ticket.name)}")
        if not ticket.folder or run.folder.parent != workspace().runs.resolve():
            mine = workspace().studies.resolve() in run.folder.parents
            st.caption("of a study, which can be cancelled on its page" if mine else "of another workspace")
            return
        st.space("stretch")
        key = f"{queue.folder.stem}-{run.name}"
        if place > 1:
            st.button(
                "Move to front",
                icon=":material/vertical_align_top:",
                key=f"first-{key}",
                on_click=_to_the_front,
                args=(queue, run),
            )
        gone = run.stopping(ticket.pid_started)
        st.button(
            "Cancelling…" if gone else "Cancel",
            icon=":material/close:",
            key=f"cancel-{key}",
            disabled=gone,
            on_click=run.request_stop,
        )


def _to_the_front(queue: Queue, run: Run) -> None:
    queue.move_up(run.folder)  # where it has just left the line, there is nothing to move


# ---- the table


def all_runs() -> None:
    """A table of all runs, live while one of them is at work."""
    st.fragment(_table, run_every=REFRESH if _busy() else None)()


def _table() -> None:
    runs = find_runs(workspace().runs)
    if runs:
        st.subheader("All runs")
        st.dataframe([_row(run) for run in runs], hide_index=True, alt="All runs with their state")


def _row(run: Run) -> dict[str, Any]:
    status, config = run.status(), config_of(run)
    return {
        "run": run.name,
        "state": status.state,
        "preset": config.get("preset", "–"),
        "data set": config.get("dataset", {}).get("name", "–"),
        "steps": f"{status.step:,} of {status.iterations:,}" if status.iterations else "–",
        "trained for": duration(status.seconds or None),
        "started": config.get("created", "–")[:16].replace("T", " "),
    }


# ---- several beside each other


def compare() -> None:
    """Some runs in one chart and one table."""
    runs = {run.name: run for run in find_runs(workspace().runs)}
    if len(runs) < 2:
        return
    st.subheader("Compare")
    before = st.session_state.get("compare", list(runs)[:SHOWN])
    st.session_state["compare"] = [name for name in before if name in runs]  # one may have been deleted
    left, right = st.columns([2, 1])
    with left:
        names = st.multiselect("Runs to compare", list(runs), max_selections=MOST, key="compare")
    with right:
        titles = FOUND | TRAINED
        figure = st.selectbox(
            "Figure", list(titles), format_func=lambda key: titles[key], key="compare_figure"
        )
    chosen = [runs[name] for name in names]
    live = any(run.status().alive for run in chosen) and not st.session_state.get("pause_updates")
    st.fragment(_compared, run_every=2 * REFRESH if live else None)(chosen, str(figure))


def _compared(runs: Sequence[Run], figure: str) -> None:
    if not runs:
        return
    lines = {run.name: events_of(run)[figure in FOUND] for run in runs}
    if any(row.get(figure) is not None for rows in lines.values() for row in rows):
        title, smoothing = (FOUND | TRAINED)[figure], st.session_state.get("smoothing", 0.0)
        shown = comparison(lines, figure, title=title, smoothing=0.0 if figure in FOUND else smoothing)
        st.plotly_chart(shown, key="comparison", alt=f"{title} of several runs over the images seen")
    else:
        st.caption("None of these runs has this figure (yet).")
    st.dataframe(beside(runs), hide_index=True, alt="Settings that differ, and figures at the end")


def beside(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row a run: the settings in which these runs differ, then where they stand."""
    settings = [flat(config_of(run)) for run in runs]
    names = dict.fromkeys(name for values in settings for name in values)
    differ = [name for name in names if len({values.get(name) for values in settings}) > 1]
    ends = [_at_the_end(run) for run in runs]
    known = [name for name in ends[0] if any(end[name] is not None for end in ends)] if ends else []
    return [
        {"run": run.name}
        | {name: values.get(name, "–") for name in differ}
        | {name: end[name] for name in known}
        for run, values, end in zip(runs, settings, ends, strict=True)
    ]


def _at_the_end(run: Run) -> dict[str, Any]:
    status, (rows, findings) = run.status(), events_of(run)
    best, found = run.best_facts(), next((e for e in reversed(findings) if "kid" in e), {})
    trained: Event = rows[-1] if rows else {}
    return {
        "state": status.state,
        "steps": status.step,
        "images": status.images,
        "trained for": duration(status.seconds or None),
        "images/s": trained.get("images_per_second"),
        "best KID": best.get("score"),
        "at step": best.get("step"),
        "newest KID": found.get("kid"),
        "to training images": found.get("nearest_ratio"),
        "variety": found.get("diversity"),
    }


# ---- another name, an end


def renaming(run: Run) -> None:
    """Give an ended run another name."""
    with st.popover("Rename", type="tertiary"):
        name = st.text_input("New name", run.name, max_chars=80, key=f"rename-{run.name}")
        if st.button("Rename it", type="primary", key="rename_run"):
            with plain_errors():
                renamed = jobs().rename(run, name)
                st.session_state[SHOW_NEXT] = renamed.name
                st.rerun()
