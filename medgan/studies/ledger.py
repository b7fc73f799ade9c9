"""The folder of a study: its settings, and what every arm has given so far, so that it can go on.

settings.json       what must stay the same; another study is not mixed in
classes/, models/   a data set and a run of each class
features/           features of the images, under the hash of what made them
arms/<name>.json    probabilities of the test images for every classifier seed that is done
study.json          the result
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medgan.errors import DataError
from medgan.files import write_json
from medgan.runs.record import BEFORE_THE_RUN

SETTINGS, RESULT = "settings.json", "study.json"
BEFORE_THE_STUDY = (*BEFORE_THE_RUN, "config.json")
"""What the dashboard puts into the folder of a study that it starts; hidden files may be there, too."""


class Ledger:
    """Opens the folder, or makes it. DataError if it holds other things, or a study with other settings."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        path = folder / SETTINGS
        if not path.is_file():
            if folder.exists() and (not folder.is_dir() or any(map(_foreign, folder.iterdir()))):
                raise DataError(f"{folder} exists and holds no study; choose a new folder.")
            write_json(path, dict(settings))
        _refuse_others(folder, _read(path), json.loads(json.dumps(settings)))

    def done(self, arm: str) -> dict[int, np.ndarray]:
        """Probabilities `(n, classes)` by seed."""
        path = self._path(arm)
        if not path.is_file():
            return {}
        return {int(seed): np.array(values) for seed, values in _read(path).items()}

    def note(self, arm: str, found: Mapping[int, np.ndarray]) -> None:
        """Keep what an arm has given."""
        write_json(self._path(arm), {str(seed): found[seed].tolist() for seed in sorted(found)})

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write `study.json`."""
        write_json(self.folder / RESULT, dict(result))

    def _path(self, arm: str) -> Path:
        return self.folder / "arms" / f"{arm}.json"


def _foreign(path: Path) -> bool:
    return path.name not in BEFORE_THE_STUDY and not path.name.startswith(".")


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return values
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read; delete it, or choose a new folder.") from error


def _refuse_others(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    other = [key for key in now if before.get(key) != now[key]]
    if other:
        raise DataError(
            f"{folder} holds a study with other settings ({', '.join(other)}); give the same ones to go on, "
            "or choose a new folder."
        )
