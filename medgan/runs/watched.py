"""Long work other than training, as a folder with a run's status: looking at images, evaluating."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from medgan.errors import Interrupted, MedGANError
from medgan.runs.record import FAILED, FINISHED, RUNNING, STOPPED, Run, Status


class Watched:
    """Reports progress of other long work (an evaluation) as a run folder's status, and ends it when a
    stop is requested. Without a folder it does nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._run = Run(folder) if folder else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._status = Status(state=RUNNING)
        self._written = 0.0
        self._since = psutil.Process().create_time()  # asking for it costs too much to do at every step

    def stop_wanted(self) -> bool:
        """Whether somebody asked this process to end."""
        return self._run is not None and self._run.stopping(self._since)

    def progress(self, message: str, done: int, total: int) -> None:
        """Report as `note`; Interrupted if a stop is wanted."""
        if self.stop_wanted():
            raise Interrupted("Stopped.")
        self.note(message, done, total)

    def note(self, message: str, done: int, total: int) -> None:
        """Report; at most twice a second unless the message changes. For work that asks `stop_wanted` by
        itself and saves before it ends."""
        if self._run is None:
            return
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
