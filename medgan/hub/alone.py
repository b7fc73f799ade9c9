"""One download of the same thing at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medgan.errors import HubError


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Hold the lock file `lock`; HubError where somebody does already, `what` ("ada/tiny is being pulled")
    saying what they do."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise HubError(f"{what} already; wait for that to end.") from None
    try:
        yield
    finally:
        held.release()
