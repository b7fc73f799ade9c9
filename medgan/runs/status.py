"""`status.json`: what the process at work on a folder last said of itself, and whether it still lives."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import psutil

QUEUED, STARTING, RUNNING, PAUSED = "queued", "starting", "running", "paused"
FINISHED, STOPPED, FAILED, INTERRUPTED = "finished", "stopped", "failed", "interrupted"
ALIVE = (QUEUED, STARTING, RUNNING, PAUSED)
SILENCE = 120.0
"""Seconds without a heartbeat after which a process on another machine counts as dead."""


@dataclass
class Status:
    """State, process and progress. `seconds` is the training time so far, over all resumes, without
    waiting and pauses; `minutes` is the goal where time is the goal, else 0. `devices` processes train
    together, of which `device` is the first one's; `memory` is how many of a GPU's bytes are taken, and how
    many it has. `pending` names requests that the process has seen and not answered yet."""

    state: str = STARTING
    message: str = ""
    pid: int = 0
    pid_started: float = 0.0
    host: str = ""
    heartbeat: float = 0.0
    device: str = ""
    devices: int = 1
    precision: str = ""
    step: int = 0
    iterations: int = 0
    images: int = 0
    images_per_second: float | None = None
    seconds_left: float | None = None
    seconds: float = 0.0
    minutes: float = 0.0
    memory: list[int] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    @property
    def progress(self) -> float:
        """Share of the goal that is reached, 0 to 1."""
        if self.state == FINISHED and self.step:
            return 1.0
        if self.minutes:
            return min(1.0, self.seconds / (60 * self.minutes))
        return min(1.0, self.step / self.iterations) if self.iterations else 0.0

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it (waiting and pausing count)."""
        return self.state in ALIVE

    @property
    def resumable(self) -> bool:
        """Whether training can go on from where it ended."""
        return self.state in (STOPPED, FAILED, INTERRUPTED)

    def process_lives(self) -> bool:
        """Whether the process that wrote it is there; on another machine the heartbeat counts."""
        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < SILENCE
        return process_lives(self.pid, self.pid_started)


def read_status(path: Path) -> Status:
    """The status as written; fields of another version are passed over."""
    try:
        values = json.loads(path.read_text("utf-8"))
        known = {f.name for f in fields(Status)}
        return Status(**{name: value for name, value in values.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return Status(state=INTERRUPTED, message="The process left no readable status.")


def process_lives(pid: int, started: float) -> bool:
    """Whether process `pid` of this machine is the one that started at `started`, and no zombie."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False
