"""The line in front of a device: trainings that wait, one file each, first come first served.

A ticket's name begins with its place, so that a sorted listing is the line and moving somebody up is a
rename. A ticket whose process is gone counts for nothing and is cleared away by whoever sees it.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from medgan.files import write_json
from medgan.runs.status import process_lives
from medgan.workspace import device_locks


@dataclass(frozen=True)
class Ticket:
    """Somebody who waits: the run's name and folder, and the process."""

    name: str
    folder: str
    pid: int
    pid_started: float


class Queue:
    """The line in front of one device, named as in `Status.device` ("cpu", "cuda:0")."""

    def __init__(self, device: str) -> None:
        self.folder = device_locks() / f"{device.replace(':', '-')}.queue"

    def waiting(self) -> list[Ticket]:
        """Who waits, the next one first."""
        return [ticket for _, ticket in self._line()]

    @contextlib.contextmanager
    def standing(self, name: str, folder: Path | None = None) -> Iterator[Place]:
        """Stand in line inside the `with` block."""
        me = psutil.Process()
        ticket = Ticket(name, str(folder.resolve()) if folder else "", me.pid, me.create_time())
        suffix = f"{uuid.uuid4().hex}.json"
        write_json(self.folder / f"{time.time_ns():020d}-{suffix}", asdict(ticket))
        try:
            yield Place(self, suffix)
        finally:
            for path in self.folder.glob(f"*-{suffix}"):
                path.unlink(missing_ok=True)

    def move_up(self, folder: Path) -> bool:
        """Make the run in `folder` the next one; False if it does not wait."""
        line = self._line()
        for path, ticket in line:
            if ticket.folder == str(folder.resolve()):
                first = int(line[0][0].name.partition("-")[0])
                if path != line[0][0]:
                    path.rename(path.with_name(f"{first - 1:020d}-{path.name.partition('-')[2]}"))
                return True
        return False

    def _line(self) -> list[tuple[Path, Ticket]]:
        line = []
        for path in sorted(self.folder.glob("[0-9]*-*.json")):
            try:
                ticket = Ticket(**json.loads(path.read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                continue  # it has just left, or moved
            if process_lives(ticket.pid, ticket.pid_started):
                line.append((path, ticket))
            else:
                path.unlink(missing_ok=True)
        return line


@dataclass(frozen=True)
class Place:
    """Where one stands in line."""

    queue: Queue
    suffix: str

    def before(self) -> list[Ticket]:
        """Those who come first."""
        names = []
        for path, ticket in self.queue._line():
            if path.name.endswith(self.suffix):
                break
            names.append(ticket)
        return names


def all_queues() -> list[Queue]:
    """The lines that exist."""
    return [Queue(path.stem) for path in sorted(device_locks().glob("*.queue"))]
