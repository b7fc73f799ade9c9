"""Writing files so that a reader or a crash never sees half of one."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_json(path: Path, values: Any) -> None:
    """Write JSON to a temporary file beside `path`, sync it, rename it."""
    write_bytes(path, json.dumps(values, indent=2, ensure_ascii=False).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes to a temporary file beside `path`, sync it, rename it."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a temporary folder, sync its files, and rename it to `folder`.

    An existing `folder` is replaced; it disappears only after the new one is complete.
    """
    temporary = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        fill(temporary)
        for path in temporary.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        if folder.exists():
            shutil.rmtree(folder)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
