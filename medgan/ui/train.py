"""The Train page: start a run, watch it live, stop it, go on with it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medgan.config import PRESETS, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import RunError
from medgan.runs.record import Run, Status, find_runs, step_of
from medgan.ui.charts import curves
from medgan.ui.components import (
    duration,
    pick_dataset,
    picture,
    plain_errors,
    sheet,
    state_badge,
    warn_of_dead_link,
)
from medgan.ui.jobs import delete, explained, jobs
from medgan.ui.navigation import link
from medgan.ui.session import workspace

MOST_ITERATIONS = 10_000_000
REFRESH = 1.5
"""Seconds between two looks at a run that is alive."""


def new_run() -> None:
    """Data set, preset, Start."""
    data = pick_dataset()
    if data is None:
        return
    name = st.radio(
        "Preset",
        list(PRESETS),
        index=list(PRESETS).index("demo"),
        format_func=lambda key: f"{PRESETS[key].title} (`{key}`)",
        captions=[preset.summary for preset in PRESETS.values()],
        key="preset",
        persist_state="session",
    )
    settings = _settings(data, PRESETS[name].train)
    if st.button("Start training", type="primary", icon=":material/play_arrow:", key="start"):
        with plain_errors():
            run = jobs().train(data.folder, name, name=f"{name}-{data.folder.name}", **settings)
            st.session_state["run"] = run.name
            st.rerun()


def _settings(data: Dataset, config: TrainConfig) -> dict[str, int]:
    images = int(data.info["splits"].get(TRAIN, 0))
    with st.expander("More settings"):
        left, middle, right = st.columns(3)
        batch = left.number_input(
            "Batch size", 2, 256, config.batch_size, help="Images a step. Less needs less memory."
        )
        per_epoch = -(-images // int(batch))
        usual = min(per_epoch * config.epochs, MOST_ITERATIONS)
        iterations = middle.number_input(
            "Iterations", 1, MOST_ITERATIONS, usual, key=f"iterations-{usual}", help="Steps in all."
        )
        seed = right.number_input("Seed", 0, 2**31 - 1, 0, help="Another seed is another training.")
    epochs = int(iterations) / per_epoch
    st.caption(f"{int(iterations):,} steps of {int(batch)} images: each is seen about {epochs:.0f} times.")
    return {"iterations": int(iterations), "batch_size": int(batch), "seed": int(seed)}


def watch() -> None:
    """The chosen run (by default the one at work, else the newest), live while it is alive."""
    runs = {run.name: run for run in find_runs(workspace().runs)}
    if not runs:
        st.info("No run yet. What you start appears here and stays when you close the tab.")
        return
    warn_of_dead_link("run", list(runs), "run")
    if st.session_state.get("run") not in runs and st.query_params.get("run") not in runs:
        st.session_state["run"] = _most_interesting(list(runs.values()))
    name = st.selectbox("Run", list(runs), key="run", bind="query-params")
    run = runs[name]
    alive = run.status().alive
    paused = alive and st.toggle("Pause live updates", help="To zoom into a chart in peace.")
    st.fragment(_monitor, run_every=REFRESH if alive and not paused else None)(run, alive)


def _most_interesting(runs: list[Run]) -> str:
    return next((run.name for run in runs if run.status().alive), runs[0].name)


def _monitor(run: Run, was_alive: bool) -> None:
    status = explained(run)
    if was_alive and not status.alive:
        st.rerun()  # the whole page: the buttons change and the polling ends
    _head(run, status)
    _numbers(status)
    _charts(run)
    _samples(run)


def _head(run: Run, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(status)
        st.markdown(status.message)
        st.space("stretch")
        if status.alive:
            stopping = run.stopping(status.pid_started)
            label = "Stopping…" if stopping else "Stop and keep"
            if st.button(label, icon=":material/stop:", disabled=stopping, key="stop"):
                run.request_stop()
                st.rerun(scope="fragment")
        else:
            _after(run, status)
    st.progress(status.progress, text=f"Step {status.step:,} of {status.iterations:,}")


def _after(run: Run, status: Status) -> None:
    if status.resumable and st.button("Resume", icon=":material/play_arrow:", type="primary", key="resume"):
        with plain_errors():
            jobs().resume(run)
            st.rerun()
    if run.latest():
        link("generate", model=run.name)
        link("evaluate", model=run.name)
    with st.popover("Delete", type="tertiary"):
        st.markdown(f"Delete **{run.name}** with all it learned?")
        if st.button("Delete it", type="primary", key="delete_run"):
            with plain_errors():
                delete(run.folder)
                st.session_state.pop("run", None)
                st.rerun()


def _numbers(status: Status) -> None:
    speed = f"{status.images_per_second:.1f}" if status.images_per_second else "–"
    with st.grid(min_column_width=170):
        st.metric("Images per second", speed, border=True)
        st.metric("Time left", duration(status.seconds_left) if status.alive else "–", border=True)
        st.metric("Images seen", f"{status.images:,}", border=True)
        st.metric("Device", f"{status.device or '–'}", help=status.precision or None, border=True)


def _charts(run: Run) -> None:
    events = run.events()
    if not events:
        st.caption("The first figures come after a few steps.")
        return
    left, right = st.columns(2)
    losses = {"loss_d": "discriminator", "loss_g": "generator"}
    scores = {"d_real": "D(real)", "d_fake": "D(generated)"}
    left.plotly_chart(curves(events, losses, title="Losses", unit="loss"), key="losses")
    right.plotly_chart(curves(events, scores, title="What D believes", unit="probability"), key="scores")
    with st.expander("How to read this"):
        st.markdown(
            "The **generator** draws, the **discriminator** D tells drawn from real. The losses do not "
            "fall as in other trainings: they balance. D(real) near 1 and D(generated) near 0 for long "
            "means that D wins and the generator learns little. **Trust the samples more than the curves.**"
        )


def _samples(run: Run) -> None:
    paths = run.samples()
    if not paths:
        return
    steps = [step_of(path) for path in paths]
    st.markdown("**Samples of 36 fixed seeds**: the same 36 random inputs, drawn as the generator learns.")
    chosen = steps[-1]
    if len(steps) > 1 and st.toggle("Look back through training", key="look_back"):
        chosen = st.select_slider("Step", steps, value=steps[-1], key="sample_step")
    data = picture(paths[steps.index(chosen)])
    if data:
        sheet(data, f"Step {chosen:,}")


def compare_runs() -> None:
    """A table of all runs, live while one of them is at work."""
    busy = any(run.status().alive for run in find_runs(workspace().runs))
    st.fragment(_table, run_every=2 * REFRESH if busy else None)()


def _table() -> None:
    runs = find_runs(workspace().runs)
    if runs:
        st.subheader("All runs")
        st.dataframe([_row(run) for run in runs], hide_index=True)


def _row(run: Run) -> dict[str, Any]:
    status = run.status()
    try:
        config = run.config()
    except RunError:
        config = {}
    return {
        "run": run.name,
        "state": status.state,
        "preset": config.get("preset", "–"),
        "data set": config.get("dataset", {}).get("name", "–"),
        "steps": f"{status.step:,} of {status.iterations:,}",
        "started": config.get("created", "–")[:16].replace("T", " "),
    }
