"""The folder in which an export grows, and the journal of what was tried for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from medgan.errors import DataError

JOURNAL = "journal.jsonl"


class Journal:
    """One line for each seed whose image is on the disk, or was kept back; before them what the export is
    known by (`identity`), so that nothing else goes on with it. DataError if something else was begun."""

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        self.folder = out.absolute().with_name(f".{out.name}.partial")
        self.path = self.folder / JOURNAL
        self.tried = self._read(identity)
        self.folder.mkdir(parents=True, exist_ok=True)
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

    def _read(self, identity: dict[str, Any]) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for line in self.path.read_text("utf-8").splitlines() if self.path.is_file() else ():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break  # torn by the interruption
        if lines and lines[0] != identity:
            raise DataError(
                f"An export to this place was begun with other settings and not finished; remove "
                f"{self.folder}, or choose another name."
            )
        if not lines:  # nobody knows what the images there are, and none may leave unknown
            shutil.rmtree(self.folder, ignore_errors=True)
        return lines[1:]
