"""Where a training talks with the world: its status goes out, requests come in.

A thread looks at the run folder four times a second, so that a request is seen and shown as pending within
a second even while a step takes long, and writes the status, so that the loop never waits for a disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psutil

from medgan.runs import requests
from medgan.runs.record import FAILED, PAUSED, Run, Status

LOOK = 0.25
"""Seconds between two looks."""
HEARTBEAT = 5.0
"""Seconds after which the status is written even if nothing has changed."""


class Desk:
    """Owns the status of a run while its process is at work. The thread runs inside a `with` block."""

    def __init__(
        self,
        run: Run,
        status: Status,
        *,
        interrupted: Callable[[], bool] = lambda: False,
        report: Callable[[Status], None] = lambda _: None,
    ) -> None:
        self.run, self.status = run, status
        self._interrupted, self._report = interrupted, report
        self._since = psutil.Process().create_time()
        self._stop = self._pause = False
        self._wanted: list[str] = []
        self._lock, self._writing = threading.RLock(), threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._attend, name="desk", daemon=True)
        self._written, self._changed = 0.0, True
        self._made = False  # whether there was a run when the status was written last

    def __enter__(self) -> Desk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.run.folder.is_dir():
            requests.clear(self.run.folder)

    def update(self, **changes: Any) -> None:
        """Change fields of the status; it is written soon."""
        with self._lock:
            for name, value in changes.items():
                setattr(self.status, name, value)
            self._changed = True
        self._report(replace(self.status))

    def say(self, state: str, message: str, **changes: Any) -> None:
        """Change state and message, and write them at once."""
        with self._lock:
            self.update(state=state, message=message, **changes)
            self._show_pending()
        self._write()

    def fail(self, message: str) -> None:
        """Say how it failed, if it can still be said."""
        with suppress(OSError):
            self.say(FAILED, message, seconds_left=None)

    def stop_wanted(self) -> bool:
        """Whether it shall save and end."""
        return self._stop or self._interrupted()

    def pause_wanted(self) -> bool:
        """Whether it shall save and pause."""
        return self._pause

    def called_away(self) -> bool:
        """Whether it shall stop or pause."""
        return self._pause or self.stop_wanted()

    def next_wish(self) -> str:
        """`sample` or `save` where somebody wants one now, else empty. Report it with `granted`."""
        return self._wanted[0] if self._wanted else ""

    def granted(self, wish: str) -> None:
        """The wish is done."""
        with self._lock:
            self._wanted.remove(wish)
            self._show_pending()

    def _attend(self) -> None:
        while not self._over.wait(LOOK):
            with suppress(OSError):  # the loop meets a full disk too, and says so
                self._look()
                if self._changed or time.monotonic() - self._written > HEARTBEAT:
                    self._write()

    def _look(self) -> None:
        meant = requests.take(self.run.folder, self._since)
        for request in meant:
            if request in (requests.PAUSE, requests.RESUME):
                self._pause = request == requests.PAUSE
            elif request == requests.STOP:
                self._stop = True
            elif request not in self._wanted:
                self._wanted.append(request)
        if meant:
            with self._lock:
                self._show_pending()

    def _show_pending(self) -> None:
        alive, paused = self.status.alive, self.status.state == PAUSED
        asked = {requests.STOP: self._stop, requests.PAUSE: self._pause and not paused}
        pending = [name for name, wanted in asked.items() if wanted] + self._wanted if alive else []
        if pending != self.status.pending:
            self.status.pending, self._changed = pending, True

    def _write(self) -> None:
        with self._writing:  # one after the other; meanwhile the loop may change the status
            with self._lock:
                self._written, self._changed = time.monotonic(), False
                stamped = replace(self.status)
            self._put(stamped)
            with self._lock:
                for name in ("pid", "pid_started", "host", "heartbeat"):
                    setattr(self.status, name, getattr(stamped, name))

    def _put(self, status: Status) -> None:
        """Write it, unless the run was deleted: that would make its folder anew. Somebody may be deleting
        it at this very moment, so what was written a little too late is taken away again."""
        there = self.run.exists()
        if there or not self._made:
            self.run.write_status(status)
        self._made = self._made or there
        if self._made and not self.run.exists():
            self.run.vanish()
