"""The run folder: the one truth about a training, for the dashboard, the command line and a text editor.

config.json        settings, data set, versions: enough to train it again
status.json        state, pid, heartbeat, progress, a sentence
events.jsonl       one line every few steps
samples/           step-000200.png: the grid of fixed seeds
checkpoints/       step-000200/: a model folder plus what training needs to go on
stop               put there by whoever wants it to stop
"""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from medgan.errors import Interrupted, MedGANError, RunError
from medgan.files import write_bytes, write_json

QUEUED, STARTING, RUNNING = "queued", "starting", "running"
FINISHED, STOPPED, FAILED, INTERRUPTED = "finished", "stopped", "failed", "interrupted"
ALIVE = (QUEUED, STARTING, RUNNING)
STARTED_WITH = ("status.json", "log.txt", "stop", ".lock")
"""What may lie in a run folder before its process has made the run."""
SILENCE = 120.0
"""Seconds without a heartbeat after which a process on another machine counts as dead."""


@dataclass
class Status:
    """`status.json`: what a training process last said of itself."""

    state: str = STARTING
    message: str = ""
    pid: int = 0
    pid_started: float = 0.0
    host: str = ""
    heartbeat: float = 0.0
    device: str = ""
    precision: str = ""
    step: int = 0
    iterations: int = 0
    images: int = 0
    images_per_second: float | None = None
    seconds_left: float | None = None

    @property
    def progress(self) -> float:
        """Share of the iterations that are done, 0 to 1."""
        return min(1.0, self.step / self.iterations) if self.iterations else 0.0

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it (waiting counts)."""
        return self.state in ALIVE

    @property
    def resumable(self) -> bool:
        """Whether training can go on from where it ended."""
        return self.state in (STOPPED, FAILED, INTERRUPTED)


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
        if (self.folder / "config.json").exists():
            raise RunError(
                f"{self.folder} holds a run already; add --resume to go on, or choose another name."
            )
        if not self.folder.is_dir():
            return
        if any(path.name not in STARTED_WITH for path in self.folder.iterdir()):
            raise RunError(f"{self.folder} holds other files; choose a new folder for the run.")

    def config(self) -> dict[str, Any]:
        """`config.json`; RunError if the folder is no run."""
        try:
            values: dict[str, Any] = json.loads((self.folder / "config.json").read_text("utf-8"))
            return values
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder} is not a run folder: it has no readable config.json.") from error

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
        status.pid, status.pid_started, status.host = owner.pid, owner.create_time(), socket.gethostname()
        status.heartbeat = time.time()
        write_json(self.folder / "status.json", asdict(status))

    def status(self) -> Status:
        """What is going on, checked against the process: a dead one is `interrupted`, never `running`."""
        status = self._read_status()
        if status.alive and not _is_alive(status):
            status.state = INTERRUPTED
            status.message = f"The process ended unexpectedly. {self._kept()}"
        return status

    def _kept(self) -> str:
        latest = self.latest()
        if latest:
            return f"It can resume from step {step_of(latest):,}, its last checkpoint."
        return "Nothing was saved yet."

    def _read_status(self) -> Status:
        try:
            return Status(**json.loads((self.folder / "status.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Status(state=INTERRUPTED, message="The process left no readable status.")

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Append one line to `events.jsonl`."""
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(dict(event)) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """All events; a last line that is being written is left out."""
        return list(self._read_events())

    def _read_events(self) -> Iterator[dict[str, Any]]:
        try:
            with (self.folder / "events.jsonl").open(encoding="utf-8") as stream:
                for line in stream:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        continue
        except FileNotFoundError:
            return

    def rewind_events(self, step: int) -> None:
        """Drop what was logged after `step`, when training goes on from there."""
        kept = [json.dumps(event) for event in self.events() if event.get("step", 0) <= step]
        write_bytes(self.folder / "events.jsonl", "".join(line + "\n" for line in kept).encode())
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

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep` checkpoints."""
        for old in self.checkpoints()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)

    def request_stop(self) -> None:
        """Ask the training process to save and end; it looks after every step."""
        (self.folder / "stop").touch()

    def stop_requested(self) -> bool:
        """Whether somebody asked this process to stop."""
        return self.stopping(psutil.Process().create_time())

    def stopping(self, started: float) -> bool:
        """Whether somebody asked the process that started at `started` (seconds since 1970) to stop. An
        older request is not meant for it: an earlier process may have died without answering."""
        try:
            return (self.folder / "stop").stat().st_mtime > started - 1.0
        except OSError:
            return False


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


def _is_alive(status: Status) -> bool:
    if status.host != socket.gethostname():
        return time.time() - status.heartbeat < SILENCE
    try:
        process = psutil.Process(status.pid)
        same = abs(process.create_time() - status.pid_started) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
