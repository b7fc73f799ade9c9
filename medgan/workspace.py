"""The one folder in which data sets, runs, pulled models and caches live.

`MEDGAN_HOME` names it; without that it is `workspace/` in the current folder. Everything reaches it
through one `Workspace` object, so that a hosted dashboard can give each visitor one of their own.
"""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from medgan.errors import DataError

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
"""The pretrained models that ship."""


@dataclass(frozen=True)
class Workspace:
    """Paths under one root folder; folders are made when first asked for."""

    root: Path

    @classmethod
    def default(cls) -> Workspace:
        """The workspace that `MEDGAN_HOME` names, or `workspace/`."""
        return cls(Path(os.environ.get("MEDGAN_HOME") or "workspace").expanduser().resolve())

    @property
    def datasets(self) -> Path:
        """Prepared data sets, one folder each."""
        return self._folder("datasets")

    @property
    def runs(self) -> Path:
        """Training runs, one folder each."""
        return self._folder("runs")

    @property
    def reports(self) -> Path:
        """Evaluation reports, one folder each."""
        return self._folder("reports")

    @property
    def studies(self) -> Path:
        """Studies of what synthetic images are good for, one folder each."""
        return self._folder("studies")

    @property
    def hub(self) -> Path:
        """The Hugging Face cache of models pulled from here."""
        return self._folder("hub")

    @property
    def models(self) -> Path:
        """Models pulled from the Hub, one folder `<owner>--<name>` each."""
        return self._folder("models")

    @property
    def locks(self) -> Path:
        """Lock files of what may happen once at a time in this workspace."""
        return self._folder("locks")

    @property
    def uploads(self) -> Path:
        """Files on their way from the browser into a data set."""
        return self._folder("uploads")

    @property
    def sources(self) -> Path:
        """Image data sets fetched from elsewhere, one folder each, and the cache of their downloads."""
        return self._folder("sources")

    @property
    def exports(self) -> Path:
        """ZIPs made for download."""
        return self._folder("exports")

    @property
    def feature_cache(self) -> Path:
        """Features of images that were measured before, bounded in size; anybody may delete it."""
        return self._folder("cache/features")

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def device_locks() -> Path:
    """The folder with one lock file a training device, the same for all workspaces of this user: the GPU
    is one, whoever asks. `MEDGAN_LOCKS` names another."""
    name = f"medgan-locks-{os.getuid() if hasattr(os, 'getuid') else getpass.getuser()}"
    folder = Path(os.environ.get("MEDGAN_LOCKS") or Path(tempfile.gettempdir()) / name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def safe_name(name: str) -> str:
    """`name` as one folder name: letters, digits, `-`, `_` and `.`; DataError if nothing is left."""
    clean = re.sub(r"[^\w.-]+", "-", name.strip()).strip("-._")[:80]
    if not clean:
        raise DataError(f"{name!r} cannot be a name; use letters and digits.")
    return clean


def free_name(folder: Path, name: str) -> str:
    """`name`, or `name-2`, `name-3`, … so that it does not exist in `folder` yet."""
    name = safe_name(name)
    taken = [name] + [f"{name}-{k}" for k in range(2, 10_000)]
    return next(candidate for candidate in taken if not (folder / candidate).exists())
