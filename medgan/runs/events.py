"""`events.jsonl`: one line of figures every few steps. Read in pieces, so that a page which looks every
second stays quick with 100,000 of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.files import aside

Event = dict[str, Any]
OBSERVER = "observer"
"""The field that names the observer in an event of what it found."""
PIECE = 8_000_000
"""Bytes read at once, about 50,000 events."""


@dataclass(frozen=True)
class Mark:
    """Up to where the events were read. The file's number tells that it was written anew, which a resume
    does to forget what came after its checkpoint."""

    offset: int = 0
    inode: int = 0


START = Mark()


def append(path: Path, event: Mapping[str, Any]) -> None:
    """Add one line."""
    with path.open("ab") as stream:
        stream.write(json.dumps(dict(event)).encode() + b"\n")


def flush(path: Path) -> None:
    """Have the operating system write what was added: a checkpoint must not know more than the events."""
    if path.exists():
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())


def read_since(path: Path, mark: Mark = START, most: int = PIECE) -> tuple[list[Event], Mark]:
    """Events after `mark`, at most `most` bytes of them, and the mark to go on from.

    Where the file was written anew since, all is read again: the new mark then has another inode. A last
    line that is being written is left for the next time.
    """
    try:
        with path.open("rb") as stream:
            facts = os.fstat(stream.fileno())
            same = facts.st_ino == mark.inode and facts.st_size >= mark.offset
            start = mark.offset if same else 0
            stream.seek(start)
            data = stream.read(most)
    except FileNotFoundError:
        return [], START
    end = data.rfind(b"\n") + 1
    return _parsed(data[:end]), Mark(start + end, facts.st_ino)


def read_all(path: Path) -> list[Event]:
    """All events; a last line that is being written is left out."""
    events: list[Event] = []
    mark = START
    while True:
        more, new = read_since(path, mark)
        if new == mark:
            return events
        events = events + more if new.offset > mark.offset else more
        mark = new


def rewind(path: Path, step: int) -> None:
    """Forget what came after `step`, line by line and all at once."""
    if not path.exists():
        return
    with path.open("rb") as stream, aside(path) as temporary, temporary.open("wb") as kept:
        for line in stream:
            if line.endswith(b"\n") and any(e.get("step", 0) <= step for e in _parsed(line)):
                kept.write(line)


class Follower:
    """Follows a growing file of events: `rows` are the figures of training and `findings` those of
    observers, each at most about `points`, evenly taken, the newest included.

    Keep one a run between two looks at a page; `update` reads only what is new.
    """

    def __init__(self, path: Path, points: int = 2000) -> None:
        self.path, self.points = path, points
        self._begin()

    def _begin(self) -> None:
        self._mark = START
        self._rows, self._findings = _Thin(self.points), _Thin(self.points)

    def update(self) -> bool:
        """Read on, at most `PIECE` bytes; True if there was something new."""
        events, mark = read_since(self.path, self._mark)
        if mark.inode != self._mark.inode or mark.offset < self._mark.offset:
            self._begin()
        changed, self._mark = mark != self._mark, mark
        for event in events:
            (self._findings if OBSERVER in event else self._rows).add(event)
        return changed

    @property
    def rows(self) -> list[Event]:
        """Losses, scores and speed over the steps."""
        return self._rows.shown()

    @property
    def findings(self) -> list[Event]:
        """What observers found, each with the name under `observer`."""
        return self._findings.shown()


class _Thin:
    """Every event at first, every second one when they are too many, and so on."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.kept: list[Event] = []
        self.last: Event | None = None
        self.seen, self.every = 0, 1

    def add(self, event: Event) -> None:
        self.last = event
        if self.seen % self.every == 0:
            self.kept.append(event)
        self.seen += 1
        if len(self.kept) > 2 * self.points:
            self.kept = self.kept[::2]
            self.every *= 2

    def shown(self) -> list[Event]:
        missing = self.last is not None and self.kept[-1] is not self.last
        return [*self.kept, self.last] if missing and self.last else list(self.kept)


def _parsed(data: bytes) -> list[Event]:
    events = []
    for line in data.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
