"""A scorecard's JSON on the disk. Nothing here imports torch, so that a saved report opens at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.evaluation.notes import figure
from medgan.evaluation.table import text_table
from medgan.files import write_json

__all__ = ["FORMAT", "figure", "load_report", "save_report", "text_table"]

FORMAT = 2
"""2: see docs/scorecard.md. 1 had the paper's three figures alone, under `figures`."""
_BEFORE = "This report is from before there were verdicts; evaluate the model again."


def save_report(report: Mapping[str, Any], path: Path) -> None:
    """Write the report as JSON, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(report))


def load_report(path: Path) -> dict[str, Any]:
    """A report that `save_report` wrote, one of format 1 in the shape of format 2; DataError if the file is
    none, or is of a later version."""
    try:
        report = json.loads(path.read_text("utf-8"))
        found = report["format"], report["figures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not an evaluation report; evaluate the model again.") from error
    if found[0] == 1:
        return _from_format_1(report)
    if found[0] != FORMAT:
        raise DataError(f"{path} has report format {found[0]}; this version reads 1 and {FORMAT}.")
    return dict(report)


def _from_format_1(report: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's three figures become `rows`; what was not measured is unknown. `format` stays 1."""
    unknown = {"level": "unknown", "reason": _BEFORE}
    parts = ("quality", "diversity", "memorisation", "usefulness")
    return {
        **report,
        "verdicts": {part: dict(unknown) for part in parts},
        "rows": report["figures"],
        "figures": [],
        "pairs": [],
        "map": {"method": None, "points": []},
        "pictures": {"real": 0, "generated": 0, "pairs": 0, "map": 0},
        "notes": [_BEFORE, *report.get("notes", [])],
    }
