"""What others want of a training process: files in its run folder, which anything can put there.

`stop`, `pause`, `resume`, `sample` and `save` are empty files. The process looks a few times a second,
also while a step is slow, and takes the file away when it has seen it (`stop` when it has ended), so that
asking twice is asking once. A request that is older than the process is not meant for it: an earlier one
may have died without an answer.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

STOP, PAUSE, RESUME, SAMPLE, SAVE = "stop", "pause", "resume", "sample", "save"
REQUESTS = (STOP, PAUSE, RESUME, SAMPLE, SAVE)
SLACK = 1.0
"""Seconds that a file's time and a process's start may be apart, being of two clocks."""


def ask(folder: Path, request: str) -> None:
    """Put the request there; it is safe to ask twice."""
    (folder / request).touch()


def asked(folder: Path, request: str, started: float) -> bool:
    """Whether somebody asked this of the process that started at `started` (seconds since 1970)."""
    return _time(folder / request) > started - SLACK


def take(folder: Path, started: float) -> list[str]:
    """The requests that are there for the process that started at `started`, in the order in which they
    were made. All but `stop` are taken away, and so are those that are too old."""
    times = {request: _time(folder / request) for request in REQUESTS}
    there = [request for request in REQUESTS if times[request]]
    meant = sorted((r for r in there if times[r] > started - SLACK), key=times.__getitem__)
    for request in there:
        if request != STOP or request not in meant:
            _remove(folder / request)
    return meant


def clear(folder: Path) -> None:
    """Take all requests away: there is nobody (any more) to answer them."""
    for request in REQUESTS:
        _remove(folder / request)


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
