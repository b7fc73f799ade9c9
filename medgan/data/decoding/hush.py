"""Decoders that tell the terminal about every oddity of a file are quiet here: what matters becomes a
DataError."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_lock = threading.RLock()


@cache
def hush(*loggers: str) -> None:
    """Messages of these loggers no longer reach the terminal by themselves; a program that sets up
    logging still gets them."""
    for name in loggers:
        logging.getLogger(name).handlers[:] = [logging.NullHandler()]


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """For libtiff, which writes its complaints to the terminal itself, past Python; for milliseconds.

    The terminal belongs to the whole process, so that threads take turns.
    """
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:  # started without a terminal or log: nothing to keep quiet
            yield
            return
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
