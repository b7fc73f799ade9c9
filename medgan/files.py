"""Writing files and folders so that a reader or a crash never sees half of one."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A free path beside `path`, to be written as a file or made as a folder. When the block ends well it
    is synced and takes the place of `path`; when it does not, nothing has changed."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        yield temporary
        _sync(temporary)
        _swap(temporary, path)
    finally:
        _remove(temporary)


def write_json(path: Path, values: Any) -> None:
    """Write JSON at once."""
    write_bytes(path, json.dumps(values, indent=2, ensure_ascii=False).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file at once."""
    with aside(path) as temporary:
        temporary.write_bytes(data)


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder, which then takes the place of `folder` at once."""
    with aside(folder) as temporary:
        temporary.mkdir()
        fill(temporary)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")


def _sync(path: Path) -> None:
    for file in filter(Path.is_file, [path, *path.rglob("*")]):
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _swap(temporary: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(temporary, path)
        return
    # A folder that is not empty cannot be replaced in one call: step aside, and back if that fails.
    old = _beside(path)
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
