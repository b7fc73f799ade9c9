"""Training time: over all resumes, without waiting and pauses; and how much of it was no training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.05
"""Share of the time that sampling and saving may take together."""
FREE = 20.0
"""Seconds of them that are not counted, so that a short run shows all of its samples."""


class Clock:
    """Runs between `start` and `stop`. `seconds` counts from the first start of the run, `overhead` what
    was spent on sampling, saving and observing since this process started."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.before = seconds
        self.overhead = 0.0
        self._stretch = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """Let it run."""
        self._started = time.monotonic()

    def stop(self) -> None:
        """Hold it."""
        self._stretch, self._started = self.here, None

    @property
    def here(self) -> float:
        """Training seconds of this process."""
        running = time.monotonic() - self._started if self._started is not None else 0.0
        return self._stretch + running

    @property
    def seconds(self) -> float:
        """Training seconds of the run."""
        return self.before + self.here

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done inside is overhead."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.overhead += time.monotonic() - start

    def affordable(self) -> bool:
        """Whether there is time for what can also be done later."""
        return self.overhead <= FREE + SHARE * self.here
