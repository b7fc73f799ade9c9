"""Writing in the background, so that training does not wait for PNGs, disks and fsync."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

AT_ONCE = 2
"""Jobs that are under way or waiting at most: each checkpoint among them holds its copy of everything."""


class Writer:
    """Does one job after another in a thread; what a job raises is raised at the next call."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._jobs: deque[Future[None]] = deque()

    def submit(self, job: Callable[[], None]) -> None:
        """Do `job` when those before it are done; waits if there are too many."""
        while len(self._jobs) >= AT_ONCE:
            self._jobs.popleft().result()
        self._jobs.append(self._pool.submit(job))

    def check(self) -> None:
        """Raise what a job raised that has ended."""
        while self._jobs and self._jobs[0].done():
            self._jobs.popleft().result()

    def wait(self) -> None:
        """Wait until all is written."""
        while self._jobs:
            self._jobs.popleft().result()

    def forget(self) -> None:
        """Let the jobs end, whatever becomes of them."""
        for job in self._jobs:
            job.exception()
        self._jobs.clear()

    def close(self) -> None:
        """End the thread when it is done, whatever became of its jobs."""
        self.forget()
        self._pool.shutdown()
