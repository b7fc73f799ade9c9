"""The downloading process seen from its parent: started, followed, ended."""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from medgan.errors import HubError, Interrupted
from medgan.hub.failures import Target, size
from medgan.runs.launch import known_as

PATIENCE = 5.0
"""Seconds to wait for the first answer about each file."""
FIRST_ANSWER = 40.0
"""Seconds until all those answers must be there, or a sign of life; looking up a server's name knows no
timeout."""
SLOWEST = 1 << 16
"""Bytes that must come within `Watch.stall` seconds: a drip is no download."""
_POLL = 0.1

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all), on the thread that called `pull`."""
Lines = queue.Queue[dict[str, Any] | int]
"""What the child says, and at its end its exit code."""


@dataclass(frozen=True)
class Watch:
    """What the caller wants of a download: to see it, to bound it, to stop it, to refuse its size on the
    disk. `stall` is how many seconds it may stand still; `stopped` is said when it is cancelled."""

    progress: Progress
    deadline: float
    cancelled: Callable[[], bool]
    accept: Callable[[int], None]
    stall: float = math.inf
    stopped: str = ""


def download(target: Target, cache: Path, watch: Watch) -> dict[str, Any]:
    """Run `medgan.hub.fetch` and return what it fetched: folder, files, revision; errors as `converse`."""
    return converse("medgan.hub.fetch", {"cache": str(cache), "patience": PATIENCE}, target, watch)


def converse(module: str, request: dict[str, Any], target: Target, watch: Watch) -> dict[str, Any]:
    """Run a downloading module as a process and return what it says it fetched.

    HubError with its sentence, or when `watch.deadline` seconds are over, or when it stands still;
    Interrupted when cancelled. The process has ended when this returns or raises.
    """
    with _child(module, request, target) as lines:
        return _follow(lines, target, watch)


def _follow(lines: Lines, target: Target, watch: Watch) -> dict[str, Any]:
    start = moved = time.monotonic()
    total, done, mark = 0, -1, 0
    while True:
        patience = watch.stall if done >= 0 else FIRST_ANSWER
        line = _next(lines, min(start + watch.deadline, moved + patience), target, watch)
        if line is None:
            stalled = moved + patience < start + watch.deadline
            limit = patience if stalled else watch.deadline
            raise HubError(_too_late(target, limit, done, total, stalled))
        if "total" in line:
            total = int(line["total"])
            watch.accept(int(line.get("needed", total)))
        # What must be downloaded anew counts once: progress never goes back.
        reached = total if "fetched" in line else max(done, min(int(line.get("done", 0)), total))
        if total and reached > done:
            done = reached
            watch.progress(done, total)
        if "beat" in line or "total" in line or done - mark >= min(SLOWEST, total - mark):
            moved, mark = time.monotonic(), max(done, 0)
        if "fetched" in line:
            return cast("dict[str, Any]", line["fetched"])


def _next(lines: Lines, until: float, target: Target, watch: Watch) -> dict[str, Any] | None:
    """The next line of progress; None if it is late."""
    while time.monotonic() < until:
        if watch.cancelled():
            raise Interrupted(watch.stopped or f"Stopped; nothing of {target.repo} was kept.")
        try:
            line = lines.get(timeout=_POLL)
        except queue.Empty:
            continue
        if isinstance(line, int):
            raise HubError(f"The transfer ended unexpectedly (exit code {line}); the log says why.")
        if "failed" in line:
            raise HubError(str(line["failed"]))
        return line
    return None


def _too_late(target: Target, limit: float, done: int, total: int, stalled: bool) -> str:
    if done < 0:
        return f"{target.host} is silent: no answer within {limit:g} seconds. Try again in a few minutes."
    if stalled:
        return (
            f"The {'upload' if target.upload else 'download'} of {target.repo} stands still: {target.host} "
            f"{'took' if target.upload else 'sent'} next to nothing for {limit:g} seconds. Try again in a "
            "few minutes; it goes on where it stopped."
        )
    return (
        f"{target.host} is too slow: {size(done)} of {size(total)} {'went' if target.upload else 'came'} "
        f"within {limit:g} seconds. "
        "Try again on a better network."
    )


@contextmanager
def _child(module: str, request: dict[str, Any], target: Target) -> Iterator[Lines]:
    """The process; it is ended on leaving, whatever it is doing."""
    known = asdict(target)
    del known["endpoint"], known["token"]  # they go through the environment
    lines: Lines = queue.Queue()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", module, json.dumps(request | {"target": known})],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=_environment(target),
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C reaches the parent alone
    ) as process:
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.kill()
            process.wait()
            reader.join()


def _read(process: subprocess.Popen[str], lines: Lines) -> None:
    for line in cast(TextIO, process.stdout):
        try:
            said = json.loads(line)
        except ValueError:
            continue  # something that a library printed
        if isinstance(said, dict):
            lines.put(said)
    lines.put(process.wait())


def _environment(target: Target) -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"} if target.upload else {}
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONIOENCODING": "utf-8",
        target.variable: target.endpoint,
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP: one way, which the tests take too, and one cache folder
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
        "HF_HUB_VERBOSITY": "error",
        **known_as(target.token, login=target.login),
        **quiet,
    }
