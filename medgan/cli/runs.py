"""The runs command: what is trained and how far it is, and steering those at work, whoever started them."""

from __future__ import annotations

import argparse
import difflib
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medgan.errors import RunError
from medgan.runs import requests
from medgan.runs.events import Follower
from medgan.runs.launch import resume as start_again
from medgan.runs.queue import all_queues
from medgan.runs.record import FINISHED, PAUSED, QUEUED, Run, Status, find_runs
from medgan.terminal import say
from medgan.workspace import Workspace

PATIENCE = 5.0
"""Seconds to wait for a process to see a request; it looks four times a second."""


def runs(options: argparse.Namespace) -> Any:
    """List the runs of the workspace, show one, or ask its process for something."""
    if options.action == "list":
        return _list()
    if not options.run:
        raise RunError(f"Name the run: python -m medgan runs {options.action} RUN.")
    run = find_run(options.run, Workspace.default())
    actions: dict[str, Callable[[Run], Any]] = {"show": _show, "resume": _resume, "first": _first}
    if options.action in actions:
        return actions[options.action](run)
    return _ask(run, options.action)


def find_run(spec: str, workspace: Workspace) -> Run:
    """The run in the folder `spec`, or of that name in the workspace; RunError with the nearest name."""
    for folder in (Path(spec), workspace.runs / spec if Path(spec).name == spec else Path(spec)):
        if (folder / "status.json").is_file():
            return Run(folder)
    names = [run.name for run in find_runs(workspace.runs)]
    if not names:
        raise RunError(f"There is no run {spec!r}, nor any other in {workspace.runs} yet.")
    close = difflib.get_close_matches(spec, names, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise RunError(f"There is no run {spec!r}; there are: {', '.join(names)}.{hint}")


def _list() -> list[dict[str, Any]]:
    found = [_facts(run) for run in find_runs(Workspace.default().runs)]
    for facts in found:
        place = f", {facts['place']} in line" if facts["place"] else ""
        say(
            f"{facts['name']:32} {facts['state']:12} step {facts['step']:,} of {facts['iterations']:,}{place}"
        )
    if not found:
        say("No runs yet. Start one: python -m medgan train DATASET --run RUN")
    return found


def _show(run: Run) -> dict[str, Any]:
    facts, follower = _facts(run), Follower(run.events_file)
    while follower.update():
        pass
    newest = follower.rows[-1] if follower.rows else {}
    best = run.best_facts()
    say(f"{run.name} ({facts['state']}): {facts['message']}")
    say(f"Step {facts['step']:,} of {facts['iterations']:,}, {facts['images']:,} images")
    for name, value in newest.items():
        say(f"  {name}: {value}")
    for warning in follower.findings[-1].get("warnings", []) if follower.findings else []:
        say(f"  {warning}")
    try:
        config = run.config()
    except RunError:  # it has just been started
        config = {}
    checkpoints = [path.name for path in run.checkpoints()]
    say(f"Checkpoints: {', '.join(checkpoints) or 'none'}")
    return facts | {"newest": newest, "best": best, "checkpoints": checkpoints, "config": config}


def _resume(run: Run) -> dict[str, Any]:
    status = run.status()
    if status.state == FINISHED:
        dataset = run.dataset() or "DATASET"
        raise RunError(
            f"{run.name} is finished; to train it further: python -m medgan train {dataset} "
            f"--run {run.folder} --resume --iterations N."
        )
    if status.alive:
        return _ask(run, requests.RESUME)
    start_again(run, Workspace.default())
    say(f"{run.name} goes on in the background; its words are in {run.folder}/log.txt.")
    return _facts(run)


def _first(run: Run) -> dict[str, Any]:
    if not any(queue.move_up(run.folder) for queue in all_queues()):
        raise RunError(f"{run.name} does not wait for a device ({run.status().state}).")
    say(f"{run.name} is the next one.")
    return _facts(run)


def _ask(run: Run, request: str) -> dict[str, Any]:
    status = run.status()
    if not status.alive:
        if request != requests.STOP:
            raise RunError(f"{run.name} is not at work ({status.state}); resume it first.")
        say(f"{run.name} is not at work ({status.state}).")
        return _facts(run)
    run.ask(request)
    answered = _wait_for_answer(run, request)
    say(f"{run.name}: {_answer(request, run.status(), answered)}")
    return _facts(run)


def _wait_for_answer(run: Run, request: str) -> bool:
    """Whether the process has seen the request; one that is still loading does so later."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        status = run.status()
        seen = not (run.folder / request).exists() or request in status.pending
        if seen or not status.alive:
            return True
        time.sleep(0.1)
    return False


def _answer(request: str, status: Status, answered: bool) -> str:
    if not answered:
        return f"asked to {request}; it is still starting and will see it."
    words = {
        requests.STOP: "it saves and stops after this step.",
        requests.PAUSE: "it saves and pauses after this step.",
        requests.RESUME: "it goes on.",
        requests.SAMPLE: "it draws samples after this step.",
        requests.SAVE: "it saves after this step.",
    }
    done = status.state == PAUSED if request == requests.PAUSE else not status.alive
    return status.message if done else words[request]


def _facts(run: Run) -> dict[str, Any]:
    status = run.status()
    place = 0
    if status.state == QUEUED:
        lines = [[ticket.folder for ticket in queue.waiting()] for queue in all_queues()]
        folder = str(run.folder.resolve())
        place = next((line.index(folder) + 1 for line in lines if folder in line), 0)
    dataset = run.dataset()
    return {
        "name": run.name,
        "folder": str(run.folder),
        **asdict(status),
        "place": place,
        "dataset": str(dataset) if dataset else None,
    }
