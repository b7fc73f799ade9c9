"""Writing files and folders so that a reader or a crash never sees half of one."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STALE = 24 * 3600.0
"""Seconds after which nobody is at work on what was written aside any more."""


@contextmanager
def aside(path: Path, *, new: bool = False) -> Iterator[Path]:
    """A free path beside `path`, to be written as a file or made as a folder. When the block ends well it
    is synced and takes the place of `path`; when it does not, nothing has changed."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
        if new:
            _sync(temporary)
            os.rename(temporary, path)  # fails where there is a folder with something in it
            _sync_entry(path.parent)
        else:
            into_place(temporary, path)
    finally:
        _remove(temporary)


def into_place(temporary: Path, path: Path) -> None:
    """Sync a file or folder that lies beside `path`, and let it take the place of that."""
    path = path.absolute()
    _sync(temporary)
    _swap(temporary, path)
    _sync_entry(path.parent)


def write_json(path: Path, values: Any) -> None:
    """Write JSON at once."""
    write_bytes(path, json.dumps(values, indent=2, ensure_ascii=False).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file at once."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def write_folder(folder: Path, fill: Callable[[Path], None], *, new: bool = False) -> None:
    """Let `fill` write into a new folder, which then takes the place of `folder` at once. With `new`
    OSError, and nothing changed, if there is one by then."""
    sweep(folder.absolute().parent, folder.name)  # folders are large; status files are written twice a second
    with aside(folder, new=new) as temporary:
        temporary.mkdir()
        fill(temporary)


def beside(path: Path) -> Path:
    """A free hidden name beside `path`, which `sweep` knows."""
    return path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")


def sweep(folder: Path, name: str = "", *, older: float = STALE) -> None:
    """Remove from `folder` what writers of `name` (or of anything) left aside when they were killed, `older`
    seconds ago or more: 0 where it is known that none is at work."""
    mine = re.compile(rf"\.{re.escape(name) or '.+'}-[0-9a-f]{{8}}")
    for other in folder.glob(f".{glob.escape(name)}*"):
        with suppress(OSError):
            if mine.fullmatch(other.name) and time.time() - other.stat().st_mtime >= older:
                _remove(other)


def _sync(path: Path) -> None:
    for file in filter(Path.is_file, [path, *path.rglob("*")]):
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _sync_entry(folder: Path) -> None:
    """Make sure that a new name in `folder` survives a power cut."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(temporary: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(temporary, path)
        return
    # A folder that is not empty cannot be replaced in one call: step aside, and back if that fails.
    old = beside(path)
    os.rename(path, old)
    try:
        os.rename(temporary, path)
    except OSError:
        os.rename(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
