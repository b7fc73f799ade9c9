"""The folder in which an export grows, and the journal of what was tried for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from medgan.errors import DataError

JOURNAL = "journal.jsonl"


def partial_of(out: Path) -> Path:
    """The folder in which the export to `out` grows."""
    return out.absolute().with_name(f".{out.name}.partial")


class Journal:
    """One line for each seed whose image is on the disk, or was kept back; before them what the export is
    known by (`identity`), so that nothing else goes on with it. DataError if `out` is there, if somebody is
    at work here, or if something else was begun, unless that may be thrown away to begin `anew`."""

    def __init__(self, out: Path, identity: dict[str, Any], *, anew: bool = False) -> None:
        self.folder = partial_of(out)
        self.path = self.folder / JOURNAL
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which takes the place of `out` while the lock is held.
        self._lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DataError(
                f"Another export to {out} is at work; wait for its end, or choose another name."
            ) from None
        try:
            _refuse_taken(out)
            self.folder.mkdir(exist_ok=True)
            self.tried = self._read(identity, anew)
        except BaseException:
            self.leave()
            raise
        lines = [json.dumps(line) + "\n" for line in (identity, *self.tried)]
        self.path.write_text("".join(lines), "utf-8")  # without a last line that was torn
        self._file: TextIO = self.path.open("a", encoding="utf-8")

    def note(self, entries: Sequence[dict[str, Any]]) -> None:
        """Add lines at the end."""
        self.tried += entries
        self._file.write("".join(json.dumps(entry) + "\n" for entry in entries))
        self._file.flush()

    def close(self) -> None:
        """No more will follow."""
        self._file.close()

    def leave(self) -> None:
        """Somebody else may be at work here."""
        if self._lock.is_locked:
            with suppress(OSError):  # on Windows it goes with the lock
                Path(self._lock.lock_file).unlink()
            self._lock.release()

    def _read(self, identity: dict[str, Any], anew: bool) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for line in self.path.read_text("utf-8", "replace").splitlines() if self.path.is_file() else ():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break  # torn by the interruption
        if lines and lines[0] != identity and anew:
            lines = []
        if lines and lines[0] != identity:
            raise DataError(
                f"An export to this place was begun with other settings and not finished; remove "
                f"{self.folder}, or choose another name."
            )
        if not lines:  # nobody knows what the images there are, and none may leave unknown
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
        return lines[1:]


def _refuse_taken(out: Path) -> None:
    if out.is_file():
        raise DataError(f"{out} exists already; choose another name.")
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out} exists and is not empty; choose another folder.")
