"""What can go to the Hub: models of this workspace, and images that were exported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.errors import DataError, RunError
from medgan.evaluation.report import load_report
from medgan.runs.info import model_sha256
from medgan.runs.models import HUB, list_models
from medgan.runs.record import Run, find_runs
from medgan.ui.session import workspace
from medgan.ui.text import on_the_page

IMAGES = "Images "
"""Before the name of an export, so that it is not taken for that of a model, which has no blank. Shown as it
is: the address of a page holds what its boxes show."""
_LICENCE = "--licence="


@dataclass(frozen=True)
class Outgoing:
    """A model's folder, or the ZIP of an export (`images`) with the `licence` that it was made under and
    what its check `found`."""

    name: str
    source: Path
    images: bool = False
    licence: str = ""
    found: str = ""

    def model_sha256(self) -> str:
        """Of the model itself, or the one that made the images. MedGANError if the ZIP does not say it."""
        from medgan.hub.exported import export_record

        return str(export_record(self.source)["model_sha256"]) if self.images else model_sha256(self.source)


def all_outgoing() -> dict[str, Outgoing]:
    """All there are by their specs, models first."""
    models = {
        entry.spec: Outgoing(entry.name, entry.folder)
        for entry in list_models(workspace())
        if entry.kind != HUB
    }
    exports = [record for record in find_runs(workspace().exports) if export_zip(record).is_file()]
    return models | {export_spec(record): _images(record) for record in exports}


def export_spec(record: Run) -> str:
    """What an export is called among all that can go out."""
    return IMAGES + record.name


def export_zip(record: Run) -> Path:
    """Where the ZIP of an export lies once all of it is there."""
    return record.folder / f"{record.name}.zip"


def export_found(record: Run) -> str:
    """What the gate found, as the command line wrote it down, with the advice that serves on a page."""
    try:
        found = json.loads((record.folder / "summary.json").read_text("utf-8"))["sentence"]
        return on_the_page(str(found))
    except (OSError, ValueError, KeyError):
        return "Finished."


def reports_of(sha256: str) -> list[dict[str, Any]]:
    """The newest evaluation of this very model in each feature network."""
    found: dict[str, dict[str, Any]] = {}
    for record in find_runs(workspace().reports):
        try:
            report = load_report(record.folder / "report.json")
        except DataError:
            continue
        network = str((report["settings"].get("features") or {}).get("name"))
        if report.get("model", {}).get("sha256") == sha256:
            found.setdefault(network, report)
    return list(found.values())


def _images(record: Run) -> Outgoing:
    try:
        options = [str(option) for option in record.config()["options"]]
    except (RunError, KeyError, TypeError):
        options = []
    said = [option.removeprefix(_LICENCE) for option in options if option.startswith(_LICENCE)]
    return Outgoing(record.name, export_zip(record), True, "".join(said[-1:]).lower(), export_found(record))
