"""What the downloading processes share: how they speak to their parent, in JSON lines on stdout.

`{"total": bytes}` (with `"needed"`, the bytes on the disk, where that differs), `{"done": bytes}`…,
`{"beat": 1}` while they work without bytes coming, and last `{"fetched": {…}}` or `{"failed": "a sentence"}`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from medgan.errors import HubError
from medgan.hub.failures import Target, explain

STEP = 1 << 18
"""Bytes between two reports on a quick line."""
PAUSE = 1.0
"""Seconds between two reports on a slow one."""
_speaking = threading.Lock()


def say(**values: Any) -> None:
    """One line to the parent."""
    with _speaking:
        print(json.dumps(values), flush=True)


class Meter:
    """Counts bytes from several threads, and says how many there are often enough, but not too often."""

    def __init__(self) -> None:
        self.done = 0
        self._said = 0
        self._when = 0.0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more (or fewer, where some must come again)."""
        with self._lock:
            self.done += count
            due = self.done - self._said >= STEP or time.monotonic() - self._when >= PAUSE
            if due:
                self._said, self._when = self.done, time.monotonic()
        if due:
            say(done=self.done)


class Pulse:
    """Says that the process is at work, once a second at most."""

    def __init__(self) -> None:
        self._when = 0.0

    def beat(self) -> None:
        """Called often."""
        now = time.monotonic()
        if now - self._when >= PAUSE:
            self._when = now
            say(beat=1)


@contextmanager
def explained(target: Target) -> Iterator[None]:
    """Turn what the library, the network or the disk raises into a HubError; a bug stays what it is."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        message = explain(error, target)
        if message is None:
            raise
        raise HubError(message) from error


def serve(work: Callable[[dict[str, Any], Target], dict[str, Any]]) -> None:
    """Run the one request of the command line; the server's address is in the environment, since it may
    hold a password, which the list of processes must not show."""
    request = cast("dict[str, Any]", json.loads(sys.argv[1]))
    where = request.pop("target")
    target = Target(**where, endpoint=os.environ[where["variable"]])
    try:
        with explained(target):
            say(fetched=work(request, target))
    except HubError as error:
        say(failed=str(error))
    sys.stdout.flush()
    os._exit(0)  # threads that still wait for a silent server must not hold the process
