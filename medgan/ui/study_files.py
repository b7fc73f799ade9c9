"""What studies of usefulness have left in the workspace. The dashboard starts some, the command line others;
their folders are the truth about both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medgan.data.dataset import Dataset
from medgan.errors import DataError
from medgan.runs.record import Run
from medgan.workspace import Workspace

RESULT, FORMAT = "study.json", 1
NEEDED = {"dataset", "settings", "classifier", "arms", "verdicts", "notes"}
BEGUN = ("config.json", "settings.json")
"""The first of these that is there was written when the study began."""


def find_studies(space: Workspace) -> list[Run]:
    """Studies in the workspace, newest first: those that the dashboard started, and those with a result."""
    folders = {
        path.parent for name in ("status.json", RESULT) for path in space.studies.glob(f"[!.]*/{name}")
    }
    return [Run(folder) for folder in sorted(folders, key=_begun, reverse=True)]


def result_file(study: Run) -> Path | None:
    """What came of it; None where nothing has come yet."""
    path = study.folder / RESULT
    return path if path.is_file() else None


def load_result(path: Path) -> dict[str, Any]:
    """The result in a file; DataError if it is none that this version can read."""
    try:
        values = json.loads(path.read_text("utf-8"))
        if values["format"] == FORMAT and values["kind"] == "usefulness" and values.keys() >= NEEDED:
            return dict(values)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass
    raise DataError(f"{path.name} of the study {path.parent.name} cannot be read; delete it.")


def results_of(data: Dataset, space: Workspace) -> dict[str, Path]:
    """The results of studies of just this data set by the studies' names, newest first."""
    found = {}
    for study in find_studies(space):
        path = result_file(study)
        try:
            digest = load_result(path)["dataset"]["content_sha256"] if path else None
        except (DataError, LookupError, TypeError):
            continue
        if path and digest == data.info["content_sha256"]:
            found[study.name] = path
    return found


def _begun(folder: Path) -> float:
    first = next((folder / name for name in BEGUN if (folder / name).is_file()), folder)
    try:
        return first.stat().st_mtime
    except OSError:  # it is being deleted
        return 0.0
