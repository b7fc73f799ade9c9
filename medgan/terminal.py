"""What the command line needs of a terminal: words and progress bars on stderr, Ctrl-C with care."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from tqdm import tqdm

from medgan.errors import Interrupted


def say(text: str) -> None:
    """Print words for people; stdout is for JSON."""
    print(text, file=sys.stderr)


def agreed(question: str) -> bool | None:
    """What somebody at the terminal answers to a question; None where nobody can be asked."""
    if not sys.stdin.isatty():
        return None
    say(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class StopOnSignal:
    """Turns the first Ctrl-C or SIGTERM inside its `with` block into a request to save and stop, and says
    `words`; the second one kills."""

    def __init__(self, words: str = "Saving; a second Ctrl-C ends it at once.") -> None:
        self._requested, self._words = False, words
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        self._before = {n: signal.signal(n, self._handle) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: Any) -> None:
        self._requested = True
        signal.signal(number, signal.SIG_DFL)
        say(self._words)

    def requested(self) -> bool:
        """Whether the signal has come."""
        return self._requested


class EndOnSignal:
    """Turns Ctrl-C and SIGTERM inside its `with` block into `Interrupted` with these `words`, so that what is
    half done is put in order on the way out."""

    def __init__(self, words: str = "Stopped; nothing was written.") -> None:
        self._words = words
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._end) for n in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: Any) -> None:
        raise Interrupted(self._words)


class Bar:
    """A progress bar on stderr that takes (done, total)."""

    def __init__(self, unit: str, *, scale: bool = False) -> None:
        self._bar = tqdm(unit=unit, unit_scale=scale, file=sys.stderr, dynamic_ncols=True, leave=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def label(self, text: str) -> None:
        """Say in front of the bar what is being done."""
        self._bar.set_description(text, refresh=False)

    def write(self, text: str) -> None:
        """Print words above the bar."""
        self._bar.write(text, file=sys.stderr)
