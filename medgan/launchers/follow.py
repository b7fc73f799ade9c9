"""Following a job from here until it ends: the run folder says how it stands, as for any other training.

While the job waits or loads, the status is this process's; from its first word on it is the training's.
Whoever leaves leaves the job alone; whoever comes back finds it by `.launch.json`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from medgan.errors import Interrupted, RunError
from medgan.files import write_json
from medgan.launchers.order import ENDED, PENDING, JobState, Launcher, Order
from medgan.runs import requests
from medgan.runs.launch import NOTE, last_words, read_note
from medgan.runs.record import FAILED, FINISHED, INTERRUPTED, QUEUED, STARTING, STOPPED, Run, Status
from medgan.runs.status import read_status

ASK = 10.0
"""Seconds between two questions to the engine."""
LOOK = 0.5
"""Seconds between two looks at the run folder."""


def known_job(order: Order, launcher: Launcher) -> str | None:
    """The job that this engine still has of the run; None if there is none (any more)."""
    note = read_note(Run(order.run))
    if note.get("engine") != launcher.name:
        return None
    job = str(note["job"])
    return job if launcher.state(order, job).stage != ENDED else None


def check(launcher: Launcher, order: Order) -> None:
    """RunError with all that is missing before the job can start."""
    missing = launcher.needs(order)
    if missing:
        raise RunError(" ".join(missing))


def begin(launcher: Launcher, order: Order) -> str:
    """Start a job, of which nothing is missing, and note it in the run folder; returns it."""
    order.run.mkdir(parents=True, exist_ok=True)
    job = launcher.start(order)
    note = {"engine": launcher.name, "job": job, "hours": order.hours, "settings": dict(order.settings)}
    write_json(order.run / NOTE, note)
    run = Run(order.run)
    before = run.status() if run.exists() else Status()  # it goes on from there
    run.write_status(replace(before, state=QUEUED, message=_waits(launcher, job), pending=[]))
    return job


class Follower:
    """Follows one job of one run."""

    def __init__(self, launcher: Launcher, order: Order, job: str, *, ask: float = ASK) -> None:
        self.launcher, self.order, self.job = launcher, order, job
        self.run = Run(order.run)
        self._ask = ask
        self._since = time.time()
        self._me = psutil.Process()

    def follow(
        self,
        *,
        interrupted: Callable[[], bool] = lambda: False,
        report: Callable[[Status], None] = lambda status: None,
    ) -> Status:
        """Until the job ends; returns the run's last status. Interrupted, and the job goes on, if somebody
        here does not want to wait for it."""
        asked = float("-inf")
        state = JobState(PENDING)
        while True:
            if time.monotonic() - asked >= self._ask:
                state, asked = self.launcher.state(self.order, self.job), time.monotonic()
                self.launcher.sync(self.order, self.job)
            status = read_status(self.run.folder / "status.json")
            if status.state in (FINISHED, FAILED) and not self._mine(status):
                return status
            if state.stage == ENDED:
                return self._ended(status, state)
            if self._mine(status) and requests.asked(self.run.folder, requests.STOP, self._me.create_time()):
                return self._cancelled(status)
            self._say(status, state)
            report(self.run.status())
            if interrupted():
                raise Interrupted(self._leave(status))
            time.sleep(LOOK)

    def _mine(self, status: Status) -> bool:
        """Whether this process has written it: then nobody is at work on the run yet."""
        return status.pid == self._me.pid and status.host == socket.gethostname()

    def _say(self, status: Status, state: JobState) -> None:
        """Write how the job stands, unless a training does."""
        if state.stage == PENDING:
            given_back = status.state in (STOPPED, INTERRUPTED) or (
                status.alive and not status.process_lives()
            )
            if self._mine(status) or given_back:
                self._write(status, QUEUED, _waits(self.launcher, self.job))
        elif self._mine(status):
            self._write(
                status, STARTING, f"Job {self.job} of {self.launcher.title} has begun; loading PyTorch"
            )

    def _write(self, status: Status, state: str, message: str) -> None:
        if (status.state, status.message) != (state, message) or time.time() - status.heartbeat > 5:
            self.run.write_status(replace(status, state=state, message=message))

    def _cancelled(self, status: Status) -> Status:
        self.launcher.cancel(self.order, self.job)
        requests.clear(self.run.folder)
        self._write(status, STOPPED, f"Job {self.job} was cancelled before the training began.")
        return self.run.status()

    def _ended(self, status: Status, state: JobState) -> Status:
        where = f"Job {self.job} of {self.launcher.title}"
        if self._mine(status):
            said = last_words(self.run, since=self._since)
            words = f"{where} ended ({state.word}) before the training began; see {self.run.folder}/log.txt."
            self._write(status, FAILED, said or words)
        elif status.alive:
            words = f"{where} ended ({state.word}) before the training did."
            self._write(status, INTERRUPTED, f"{words} It can resume from its last checkpoint.")
        return self.run.status()

    def _leave(self, status: Status) -> str:
        if self._mine(status):
            words = f"Job {self.job} of {self.launcher.title} goes on, and is not watched from here."
            self._write(status, STOPPED, words)
        return (
            f"Job {self.job} of {self.launcher.title} goes on without this window. Say the same again to "
            f"watch it; python -m medgan runs stop {self.run.folder} ends it once it trains."
        )


def _waits(launcher: Launcher, job: str) -> str:
    return f"Job {job} waits in the line of {launcher.title}."
