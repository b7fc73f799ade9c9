"""Starting `python -m medgan …` as a process of its own that outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

import medgan
from medgan.runs.record import STARTING, Run, Status
from medgan.workspace import Workspace

NICENESS = 5
"""Long work steps back a little, so that clicks are answered while it runs."""
ROOT = Path(medgan.__file__).resolve().parents[1]


def launch(
    run: Run,
    arguments: Sequence[str],
    workspace: Workspace,
    *,
    before: Status | None = None,
    message: str = "Starting; loading PyTorch",
) -> subprocess.Popen[bytes]:
    """Start the command with its words in the run folder's `log.txt`, and write a first status.

    `before` is the status that a resumed run goes on from.
    """
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "MEDGAN_HOME": str(workspace.root),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    with (run.folder / "log.txt").open("ab") as log:
        log.write(b"\n")  # an earlier process may have ended in the middle of a progress bar
        log.flush()
        child = subprocess.Popen(
            [sys.executable, "-m", "medgan", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C on whoever starts it must not end a training
        )
    if os.name == "posix":
        psutil.Process(child.pid).nice(NICENESS)
    starting = replace(before or Status(), state=STARTING, message=message, pending=[])
    run.write_status(starting, psutil.Process(child.pid))
    return child


def resume(run: Run, workspace: Workspace) -> subprocess.Popen[bytes]:
    """Let a run that is not alive go on from its last checkpoint, with its own settings and data set.
    RunError if the folder is no run."""
    config = run.config()
    dataset = config["dataset"]["path"]
    arguments = ["train", str(dataset), "--run", str(run.folder.resolve()), "--resume"]
    return launch(run, arguments, workspace, before=run.status())
