"""Starting `python -m medgan …` as a process of its own that outlives whoever started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

import medgan
from medgan.runs.record import STARTING, Run, Status
from medgan.workspace import Workspace

NICENESS = 5
"""Long work steps back a little, so that clicks are answered while it runs."""
NOTE = ".launch.json"
"""In the folder of a run that is trained elsewhere: `engine`, `job`, and what was asked of the engine."""
ROOT = Path(medgan.__file__).resolve().parents[1]
NOBODY = {
    "HF_TOKEN": "",
    "HUGGING_FACE_HUB_TOKEN": "",
    "HF_OIDC_RESOURCE": "",
    "HF_TOKEN_PATH": os.devnull,
}
"""Environment of a process that must not use this machine's login at the Hugging Face Hub."""


def launch(
    run: Run,
    arguments: Sequence[str],
    workspace: Workspace,
    *,
    before: Status | None = None,
    message: str = "Starting; loading PyTorch",
    token: str = "",
    login: bool = True,
) -> subprocess.Popen[bytes]:
    """Start the command with its words in the run folder's `log.txt`, and write a first status.

    `before` is the status that a resumed run goes on from; `token` and `login` as in `known_as`.
    """
    with (run.folder / "log.txt").open("ab") as log:
        log.write(b"\n")  # an earlier process may have ended in the middle of a progress bar
        log.flush()
        child = subprocess.Popen(
            [sys.executable, "-m", "medgan", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(workspace, token, login=login),
            start_new_session=True,  # Ctrl-C on whoever starts it must not end a training
        )
    if os.name == "posix":
        psutil.Process(child.pid).nice(NICENESS)
    starting = replace(before or Status(), state=STARTING, message=message, pending=[])
    run.write_status(starting, psutil.Process(child.pid))
    return child


def environment(workspace: Workspace, token: str = "", *, login: bool = True) -> dict[str, str]:
    """What a command is given that works in `workspace`, for whoever typed `token`."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    ours = {"MEDGAN_HOME": str(workspace.root), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return os.environ | ours | known_as(token, login=login)


def known_as(token: str, *, login: bool = True) -> dict[str, str]:
    """Environment in which the Hub's client takes `token` before any login of the machine, and writes it
    nowhere: no command line shows it, and no file holds it. Without a token `login` says whether this
    machine's own login may be used."""
    if token:
        return {"HF_TOKEN": token, "HF_OIDC_RESOURCE": "", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0"}
    return {} if login else NOBODY


def resume(
    run: Run, workspace: Workspace, *, token: str = "", login: bool = True, agreed: bool = False
) -> subprocess.Popen[bytes]:
    """Let a run that is not alive go on from its last checkpoint, with its own settings and data set;
    `token` and `login` as in `known_as`, `agreed` where somebody has, to what it costs elsewhere. RunError
    if the folder is no run."""
    config = run.config()
    dataset = config["dataset"]["path"]
    arguments = ["train", str(dataset), "--run", str(run.folder.resolve()), "--resume"]
    if engine := read_note(run).get("engine"):
        arguments += [f"--on={engine}", *(["--yes"] if agreed else [])]
    return launch(run, arguments, workspace, before=run.status(), token=token, login=login)


def read_note(run: Run) -> dict[str, Any]:
    """Where the run was sent to be trained, as in `NOTE`; empty if it was not."""
    try:
        note = json.loads((run.folder / NOTE).read_text("utf-8"))
        return note if isinstance(note, dict) and {"engine", "job"} <= note.keys() else {}
    except (OSError, ValueError):
        return {}


def last_words(run: Run, *, since: float) -> str:
    """The sentence with which a process ended that wrote no status after `since`, from its log; empty if
    it left none."""
    log = run.folder / "log.txt"
    try:
        if log.stat().st_mtime < since:
            return ""
        lines = log.read_text("utf-8", errors="replace").replace("\r", "\n").splitlines()
    except OSError:
        return ""
    return complaint(lines[-3:])


def complaint(lines: Sequence[str]) -> str:
    """The sentence with which a command of ours ended, among what it printed; empty if it left none."""
    said = [line.removeprefix("medgan: ") for line in lines if line.startswith("medgan: ")]
    return said[-1] if said else ""
