"""The run folder: the one truth about a training, for the dashboard, the command line and a text editor.

config.json        settings, data set, versions: enough to train it again
status.json        state, pid, heartbeat, progress, a sentence (`status.py`)
events.jsonl       one line every few steps (`events.py`)
samples/           step-000200.png: the grid of fixed seeds
checkpoints/       step-000200/: a model folder plus what training needs to go on
best.json          which checkpoint an observer judged best
stop, pause, …     put there by whoever wants it (`requests.py`)
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from socket import gethostname
from typing import Any

import psutil

from medgan.errors import Interrupted, MedGANError, RunError
from medgan.files import beside, sweep, write_json
from medgan.runs import requests
from medgan.runs.events import PIECE, START, Event, Mark, append, read_all, read_since
from medgan.runs.events import rewind as rewind_events
from medgan.runs.status import (
    ALIVE,
    FAILED,
    FINISHED,
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    SILENCE,
    STARTING,
    STOPPED,
    Status,
    read_status,
)

__all__ = [
    "ALIVE",
    "FAILED",
    "FINISHED",
    "INTERRUPTED",
    "PAUSED",
    "QUEUED",
    "RUNNING",
    "SILENCE",
    "STARTING",
    "STOPPED",
    "Run",
    "Status",
    "Watched",
    "find_runs",
    "step_name",
    "step_of",
    "watched",
]

BEFORE_THE_RUN = ("status.json", "log.txt", *requests.REQUESTS)
"""What may lie in a run folder before its process has made the run; hidden files may, too."""


class Run:
    """Reads and writes one run folder."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def create(self, config: Mapping[str, Any]) -> None:
        """Make the folder with its `config.json`; RunError if there is a run already."""
        self.refuse_existing()
        for part in ("samples", "checkpoints"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config.json", dict(config))

    def refuse_existing(self) -> None:
        """RunError if the folder holds a run already, or anything that is none."""
        if self.exists():
            raise RunError(
                f"{self.folder} holds a run already; add --resume to go on, or choose another name."
            )
        if not self.folder.is_dir():
            return
        names = (path.name for path in self.folder.iterdir())
        if any(name not in BEFORE_THE_RUN and not name.startswith(".") for name in names):
            raise RunError(f"{self.folder} holds other files; choose a new folder for the run.")

    def config(self) -> dict[str, Any]:
        """`config.json`; RunError if the folder is no run."""
        try:
            values: dict[str, Any] = json.loads((self.folder / "config.json").read_text("utf-8"))
            return values
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder} is not a run folder: it has no readable config.json.") from error

    def exists(self) -> bool:
        """Whether there is a run here; its folder may have been deleted while it trained."""
        return (self.folder / "config.json").is_file()

    def vanish(self) -> None:
        """Take away the status that was written after the run was deleted, and the folder if that is all."""
        (self.folder / "status.json").unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def change_config(self, config: Mapping[str, Any]) -> None:
        """Write `config.json` anew (a longer goal); the run keeps its place in lists by age."""
        path = self.folder / "config.json"
        age = path.stat()
        write_json(path, dict(config))
        os.utime(path, (age.st_atime, age.st_mtime))

    def dataset(self) -> Path | None:
        """The folder of its data set; None if it does not say (yet)."""
        try:
            dataset = self.config()["dataset"]
            return Path(dataset["path"] if isinstance(dataset, dict) else dataset)
        except (RunError, KeyError, TypeError):
            return None

    def write_status(self, status: Status, process: psutil.Process | None = None) -> None:
        """Write `status.json`, stamped with the time and the process at work (this one)."""
        owner = process or psutil.Process()
        status.pid, status.pid_started, status.host = owner.pid, owner.create_time(), gethostname()
        status.heartbeat = time.time()
        write_json(self.folder / "status.json", asdict(status))

    def status(self) -> Status:
        """What is going on, checked against the process: a dead one is `interrupted`, never `running`."""
        status = read_status(self.folder / "status.json")
        if status.alive and not status.process_lives():
            status = read_status(self.folder / "status.json")  # it may have ended well in between
        if status.alive and not status.process_lives():
            status.state, status.pending = INTERRUPTED, []
            status.message = f"The process ended unexpectedly. {self._kept()}"
        return status

    def _kept(self) -> str:
        latest = self.latest()
        if latest:
            return f"It can resume from step {step_of(latest):,}, its last checkpoint."
        return "Nothing was saved yet."

    @property
    def events_file(self) -> Path:
        """`events.jsonl`; `events.Follower` reads it in pieces."""
        return self.folder / "events.jsonl"

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Append one line to `events.jsonl`."""
        append(self.events_file, event)

    def events(self) -> list[Event]:
        """All events; a last line that is being written is left out."""
        return read_all(self.events_file)

    def events_since(self, mark: Mark = START, most: int = PIECE) -> tuple[list[Event], Mark]:
        """What was logged after `mark`, at most `most` bytes, and the mark to go on from."""
        return read_since(self.events_file, mark, most)

    def rewind(self, step: int) -> None:
        """Drop events and samples of after `step`, when training goes on from there."""
        rewind_events(self.events_file, step)
        for path in self.samples():
            if step_of(path) > step:
                path.unlink()

    def samples(self) -> list[Path]:
        """The sample grids, oldest first."""
        sheets = (path for path in (self.folder / "samples").glob("step-*.png") if path.stem[5:].isdigit())
        return sorted(sheets, key=step_of)

    def checkpoints(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        folders = (path for path in (self.folder / "checkpoints").glob("step-*") if path.name[5:].isdigit())
        return sorted(folders, key=step_of)

    def latest(self) -> Path | None:
        """The newest checkpoint."""
        return next(reversed(self.checkpoints()), None)

    def best(self) -> Path | None:
        """The checkpoint that an observer judged best; None if there is none."""
        facts = self.best_facts()
        folder = self.folder / "checkpoints" / step_name(int(facts.get("step", -1)))
        return folder if folder.is_dir() else None

    def best_facts(self) -> dict[str, Any]:
        """`best.json`: `step`, `score` (lower is better) and `observer`; empty if there is none."""
        try:
            facts = json.loads((self.folder / "best.json").read_text("utf-8"))
            return facts if isinstance(facts, dict) and type(facts.get("step")) is int else {}
        except (OSError, ValueError):
            return {}

    def note_best(self, facts: Mapping[str, Any]) -> None:
        """Write `best.json`, or take it away where `facts` is empty."""
        path = self.folder / "best.json"
        if facts:
            write_json(path, dict(facts))
        else:
            path.unlink(missing_ok=True)

    def prune(self, keep: int) -> None:
        """Delete all checkpoints but the newest `keep` and the best."""
        best = self.best()
        for old in self.checkpoints()[:-keep]:
            if old != best:
                discard(old)

    def sweep(self) -> None:
        """Delete what a killed process left half written or half deleted."""
        sweep(self.folder / "samples", older=0)
        sweep(self.folder / "checkpoints", older=0)
        sweep(self.folder, older=60)  # beside status.json somebody else may be writing at this very moment

    def ask(self, request: str) -> None:
        """Ask the process at work for one of `requests.REQUESTS`; it answers within a second or two."""
        requests.ask(self.folder, request)

    def request_stop(self) -> None:
        """Ask the process at work to save and end; it looks after every step."""
        self.ask(requests.STOP)

    def stop_requested(self) -> bool:
        """Whether somebody asked this process to stop."""
        return self.stopping(psutil.Process().create_time())

    def stopping(self, started: float) -> bool:
        """Whether somebody asked the process that started at `started` (seconds since 1970) to stop."""
        return requests.asked(self.folder, requests.STOP, started)


class Watched:
    """Reports progress of other long work (an evaluation) as a run folder's status, and ends it when a
    stop is requested. Without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._run = Run(folder) if folder else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._status = Status(state=RUNNING)
        self._written = 0.0

    def progress(self, message: str, done: int, total: int) -> None:
        """Report; at most twice a second unless the message changes. Interrupted if a stop is wanted."""
        if self._run is None:
            return
        if self._run.stop_requested():
            raise Interrupted("Stopped.")
        now = time.monotonic()
        if message != self._status.message or now - self._written > 0.5:
            self._status.message, self._status.step, self._status.iterations = message, done, total
            self._run.write_status(self._status)
            self._written = now

    def end(self, state: str, message: str) -> None:
        """Report how it ended."""
        if self._run is not None:
            self._status.state, self._status.message = state, message
            self._run.write_status(self._status)


@contextmanager
def watched(folder: Path | None) -> Iterator[Watched]:
    """A `Watched` whose status ends as finished, stopped or failed with the error's sentence."""
    record = Watched(folder)
    try:
        yield record
    except Interrupted as error:
        record.end(STOPPED, str(error))
        raise
    except MedGANError as error:
        record.end(FAILED, str(error))
        raise
    except BaseException as error:
        record.end(FAILED, f"A bug ended it: {type(error).__name__}: {error}.")
        raise
    record.end(FINISHED, "Finished.")


def discard(folder: Path) -> None:
    """Delete a checkpoint; a kill in the middle never leaves half of one under its name."""
    hidden = beside(folder)
    with suppress(FileNotFoundError):
        folder.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)


def find_runs(folder: Path) -> list[Run]:
    """The runs in `folder`, newest first."""
    runs = [Run(path.parent) for path in folder.glob("[!.]*/status.json")]
    return sorted(runs, key=lambda run: _created(run.folder), reverse=True)


def _created(folder: Path) -> float:
    try:
        return (folder / "config.json").stat().st_mtime
    except OSError:  # a run that is just starting
        return time.time()


def step_name(step: int) -> str:
    """`step-000200`."""
    return f"step-{step:06d}"


def step_of(path: Path) -> int:
    """The step that a sample grid or checkpoint folder is named after."""
    return int(path.stem.removeprefix("step-"))
