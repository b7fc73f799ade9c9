"""What a job does on the machine that it was given: the training, as a process of its own.

It stands between the engine's signals and the training: when time is up or the machine is wanted by others,
the training is asked to save, and the job that begins anew goes on with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from medgan.runs.record import Run
from medgan.runs.status import process_lives

SAVING = 100.0
"""Seconds in which a training that is asked to save has ended."""
LOOK = 0.25


@dataclass
class Work:
    """`python -m medgan train …`, again and again until it has come to its end; its words go to `log.txt` in
    the run folder. Returns the exit code of the last one."""

    run: Path
    arguments: tuple[str, ...]
    again: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    child: tuple[int, float] | None = field(default=None, init=False, repr=False)
    """The training's process, as a number and the time of its start: a signal may come inside of Popen's own
    methods, which then cannot be called."""

    def __call__(self) -> int:
        """Train; from the run's last checkpoint if there is a run already."""
        arguments = self.again if Run(self.run).exists() else self.arguments
        with (self.run / "log.txt").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "medgan", "train", *arguments],
                env=os.environ | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_deaf,
            )
            self.child = (child.pid, psutil.Process(child.pid).create_time())
            while child.poll() is None:
                time.sleep(LOOK)
        return child.returncode

    def checkpoint(self) -> Any:
        """Called by submitit in a signal's handler: let the training save, and say what the job does when it
        begins anew."""
        from submitit.helpers import DelayedSubmission

        if self.child is not None:
            end(*self.child)
        return DelayedSubmission(Work(self.run, self.arguments, self.again, self.environment))


def _deaf() -> None:
    """The engine may send its signal to all processes of a job; the training is told by SIGTERM alone."""
    for name in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, signal.SIG_IGN)


def end(pid: int, started: float) -> None:
    """Ask the training to save and end, and wait until it has."""
    with suppress(OSError):
        os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + SAVING
    while process_lives(pid, started) and time.monotonic() < until:
        time.sleep(LOOK)
