"""What runs in a Hugging Face job: `python -m medgan.launchers.away`.

The order and the data set lie in a private data set, which is mounted; the run folder goes there, a commit a
minute, and wishes (stop, sample, …) come from there. The training itself knows nothing of it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from medgan.errors import HubError
from medgan.hub.jobs import JobsHub
from medgan.launchers.work import Work, end
from medgan.runs import requests
from medgan.runs.record import Run
from medgan.terminal import say

AWAY = "{away}"
"""Stands in the order for the folder in which the job works."""
ORDER, RUN, WISHES = "order", "run", "wishes"
"""Folders of the data set: what is to be done, the run folder, and files that hold the time of a wish."""
CODE, DATA, INIT, NOTE = "code.zip", "data.zip", "init.zip", "order.json"
EVERY = 60.0
"""Seconds between two commits; the Hub takes some hundred an hour."""
LAST_MINUTES = 300.0
"""Seconds before the job's limit at which the training saves and ends by itself."""
AGAIN = 15.0
"""Seconds until the last commit is tried again."""


class Exchange:
    """Brings the run folder to the data set, and wishes from it."""

    def __init__(self, hub: JobsHub, repo: str, run: Path) -> None:
        self.hub, self.repo, self.run = hub, repo, run
        self._sent: dict[str, tuple[int, int]] = {}
        self._granted: dict[str, str] = {}

    def fetch(self) -> None:
        """Bring a run here that is to go on, and forget the wishes of before."""
        commit, files = self.hub.listing(self.repo)
        for path in files:
            if path.startswith(f"{RUN}/"):
                self.hub.fetch(self.repo, commit, path, self.run.parent)
        shutil.rmtree(self.run.parent / ".cache", ignore_errors=True)
        self.run.mkdir(parents=True, exist_ok=True)
        self._granted = {path: name for path, name in files.items() if path.startswith(f"{WISHES}/")}
        self._sent = self._there()

    def send(self) -> None:
        """One commit with all that is new; files that are gone here go there, too."""
        there = self._there()
        new: dict[str, Path | bytes] = {}
        for path in [path for path, mark in there.items() if self._sent.get(path) != mark]:
            try:
                # Read now: the training goes on writing, and would change a file while it is sent.
                new[path] = (self.run.parent / path).read_bytes()
            except FileNotFoundError:
                del there[path]  # an old checkpoint that has just gone
        gone = [path for path in self._sent if path not in there]
        if new or gone:
            self.hub.put(self.repo, new, gone)
            self._sent = there

    def wishes(self) -> None:
        """Put the wishes that are new into the run folder."""
        _, files = self.hub.listing(self.repo)
        for path, name in files.items():
            folder, _, wish = path.partition("/")
            if folder == WISHES and wish in requests.REQUESTS and self._granted.get(path) != name:
                self._granted[path] = name
                Run(self.run).ask(wish)

    def _there(self) -> dict[str, tuple[int, int]]:
        """Files of the run by their path in the data set, with size and time."""
        found = {}
        for path, file in run_files(self.run).items():
            with suppress(OSError):
                facts = file.stat()
                found[path] = (facts.st_size, facts.st_mtime_ns)
        return found


def run_files(run: Path) -> dict[str, Path]:
    """The files of a run folder by their path in the data set; hidden ones and wishes stay."""
    files = {file.relative_to(run): file for file in sorted(run.rglob("*")) if file.is_file()}
    return {
        f"{RUN}/{inside.as_posix()}": file
        for inside, file in files.items()
        if not any(part.startswith(".") for part in inside.parts) and str(inside) not in requests.REQUESTS
    }


def main() -> int:
    """Do the order; returns the training's exit code."""
    order = Path(os.environ["MEDGAN_ORDER"])
    root = Path(os.environ.get("MEDGAN_AWAY", "/tmp/medgan"))
    every = float(os.environ.get("MEDGAN_EVERY", EVERY))
    given = json.loads((order / NOTE).read_text("utf-8"))
    limit = _limit(float(given["seconds"]))
    for name, folder in ((DATA, "data"), (INIT, "init")):
        if (order / name).is_file():
            shutil.unpack_archive(order / name, root / folder)
    exchange = Exchange(JobsHub(), os.environ["MEDGAN_REPO"], root / RUN)
    exchange.fetch()
    arguments, again = (
        tuple(word.replace(AWAY, str(root)) for word in given[name]) for name in ("arguments", "again")
    )
    work = Work(root / RUN, arguments, again, {"MEDGAN_HOME": str(root / "home")})
    over = threading.Event()
    thread = threading.Thread(target=_exchange, args=(exchange, over, every, limit))
    signal.signal(signal.SIGTERM, lambda *_: end(*work.child) if work.child else sys.exit(143))
    thread.start()
    try:
        code = work()
    finally:
        over.set()
        thread.join()
    _deliver(exchange, limit)
    return code


def _limit(seconds: float) -> float:
    """When the job is ended from outside, on the monotonic clock: `seconds` after its start, which was before
    the packages were installed."""
    started = float(os.environ.get("MEDGAN_STARTED") or time.time())
    return time.monotonic() + started + seconds - time.time()


def _exchange(exchange: Exchange, over: threading.Event, every: float, limit: float) -> None:
    until = limit - LAST_MINUTES
    while not over.wait(every):
        try:
            if time.monotonic() > until:  # before the Hub is asked, which may take its time
                Run(exchange.run).request_stop()
                until = float("inf")
            exchange.wishes()
            exchange.send()
        except (HubError, OSError) as error:
            _say_again(error)


def _deliver(exchange: Exchange, limit: float) -> None:
    """Send the end, which must arrive: again where the Hub does not take it, as long as the job has time for
    that. If it does not arrive, the job fails and its log says why."""
    until = min(time.monotonic() + LAST_MINUTES, limit) - AGAIN
    while True:
        try:
            exchange.send()
            return
        except (HubError, OSError) as error:
            if time.monotonic() > until:
                raise
            _say_again(error)
            time.sleep(AGAIN)


def _say_again(error: Exception) -> None:
    say(f"{str(error).rstrip('.')}. It is tried again.")


if __name__ == "__main__":
    sys.exit(main())
