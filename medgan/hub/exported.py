"""An export on its way to the Hub: the folder, or the ZIP, that it was written to."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medgan.errors import DataError, Interrupted
from medgan.generation.export import EXPORT, RECORD
from medgan.hub.failures import size
from medgan.hub.transfer import SPARE

_BROKEN = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError)
"""What a ZIP raises that is damaged, cut off or locked with a password."""


def is_export(source: Path) -> bool:
    """Whether this is the folder or the ZIP of an export."""
    if not zipfile.is_zipfile(source):
        return (source / RECORD).is_file()
    try:
        with zipfile.ZipFile(source) as archive:
            return RECORD in archive.namelist()
    except (OSError, *_BROKEN):
        return False


def export_record(source: Path) -> dict[str, Any]:
    """What the export says of itself: its model's sha256, licence, counts. DataError if it does not."""
    try:
        if source.is_file():
            with zipfile.ZipFile(source) as archive:
                return dict(json.loads(archive.read(RECORD)))
        return dict(json.loads((source / RECORD).read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, *_BROKEN) as error:
        raise DataError(f"{source}: its {RECORD} cannot be read; export the images again.") from error


@contextmanager
def unpacked(source: Path, cancelled: Callable[[], bool]) -> Iterator[Path]:
    """The export as a folder: `source` itself, or what an export holds of a ZIP, for the time of the block.
    DataError for a ZIP that is damaged or has no room here; Interrupted when `cancelled()`."""
    if not source.is_file():
        yield source
        return
    with tempfile.TemporaryDirectory() as temporary:
        try:
            _unpack(source, Path(temporary), cancelled)
        except (OSError, *_BROKEN) as error:
            raise DataError(f"{source.name} cannot be unpacked; export the images again.") from error
        yield Path(temporary)


def _unpack(source: Path, folder: Path, cancelled: Callable[[], bool]) -> None:
    with zipfile.ZipFile(source) as archive:
        held = [info for info in archive.infolist() if info.filename.split("/")[0] in EXPORT]
        needed, free = sum(info.file_size for info in held), shutil.disk_usage(folder).free
        if free < needed + SPARE:
            raise DataError(
                f"Unpacking {source.name} takes {size(needed)}, and {size(free)} are free for temporary "
                "files; free some space, or set TMPDIR to a folder on another disk."
            )
        for info in held:
            if cancelled():
                raise Interrupted("Stopped; nothing was uploaded.")
            archive.extract(info, folder)  # which takes no name that leads out of it
