"""How far an evaluation is, and how long each of its stages took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


class Watch:
    """Reports progress and adds up the seconds of each stage."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    def report(self, stage: str, done: int, total: int) -> None:
        """Tell whoever listens how far `stage` is."""
        if self.progress is not None:
            self.progress(stage, done, total)

    def counter(self, stage: str, total: int) -> Callable[[int], None]:
        """A function that is called with each number of things done in `stage`."""
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            self.report(stage, done, total)

        return advance

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 2)
