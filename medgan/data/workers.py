"""Work on files in processes of their own, so that a file that crashes or holds a decoder costs that file
and nothing else. Results come in the order of the files, however many are under way."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import TimeoutError as LateError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from medgan.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]

CHUNK = 16
"""Small files handed over at once: the way to another process and back costs as much as decoding one."""
HEAVY = 4 * 2**20
"""Bytes of files handed over at once; a larger file goes alone, and has the time limit for itself."""
AHEAD = 3
"""Chunks for each process that are under way: what is decoded waits on the disk, but not without end."""
MEMORY = 4 * 2**30
"""Bytes that a process may hold; an honest file of the largest size that is read needs a quarter."""


class _Process(SpawnProcess):
    """A fresh process that does not run the program's main script again, as multiprocessing would have it:
    in the dashboard that is a page, in a notebook or an unguarded script it is what called us."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _starting:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    """Fork is unsafe beside threads, and not everywhere."""

    Process = _Process


_starting = threading.Lock()


def processes() -> int:
    """How many to use: the cores that this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    work: Work[Item, Result],
    items: Iterable[Item],
    failed: Callable[[Item, str], Result],
    *,
    workers: int,
    seconds: int,
    weight: Callable[[Item], int] = lambda item: 0,
) -> Iterator[Result]:
    """`work(item)` for every item, in order. `failed(item, reason)` stands in where the process died or
    took longer than `seconds` for one item. With 0 workers it all happens here, unprotected. `items` are
    asked for as they are needed; `weight` is how many bytes one is."""
    if workers == 0:
        yield from map(work, items)
        return
    with ProcessPool(workers, context=_Context(), initializer=_bound_memory) as pool:
        try:
            chunks = _chunks(items, weight)
            yield from _in_order(pool, work, chunks, failed, ahead=AHEAD * workers, seconds=seconds)
        except BrokenProcessPool as error:
            raise DataError(
                "The processes that decode end as soon as they start; the lines above may say why."
            ) from error
        finally:
            # does not wait for what is under way when the caller has had enough
            pool.stop()  # type: ignore[no-untyped-call]


def _in_order(
    pool: ProcessPool,
    work: Work[Item, Result],
    chunks: Iterator[list[Item]],
    failed: Callable[[Item, str], Result],
    *,
    ahead: int,
    seconds: int,
) -> Iterator[Result]:
    under_way: deque[tuple[list[Item], ProcessFuture[list[Result]]]] = deque()
    while True:
        while len(under_way) < ahead and (chunk := next(chunks, None)) is not None:
            under_way.append((chunk, pool.schedule(_all, (work, chunk), timeout=seconds)))
        if not under_way:
            return
        chunk, future = under_way.popleft()
        try:
            yield from future.result()
        except (ProcessExpired, LateError):
            for item in chunk:  # one of them is to blame: each alone finds out which
                yield _alone(pool, work, item, failed, seconds)


def _chunks(items: Iterable[Item], weight: Callable[[Item], int]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    heavy = 0
    for item in items:
        if chunk and (len(chunk) == CHUNK or heavy + weight(item) > HEAVY):
            yield chunk
            chunk, heavy = [], 0
        chunk.append(item)
        heavy += weight(item)
    if chunk:
        yield chunk


def _alone(
    pool: ProcessPool,
    work: Work[Item, Result],
    item: Item,
    failed: Callable[[Item, str], Result],
    seconds: int,
) -> Result:
    try:
        return pool.schedule(work, (item,), timeout=seconds).result()
    except LateError:
        return failed(item, f"takes longer than {seconds} s to decode (--limit-seconds)")
    except ProcessExpired:
        return failed(item, "is damaged in a way that crashes its decoder")


def _bound_memory() -> None:
    """A file that makes its decoder ask for more than `MEMORY` gets a MemoryError instead of the machine."""
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def _all(work: Work[Item, Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]
