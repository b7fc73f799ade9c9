"""Files on their way into a data set: one folder each under `uploads`, which is all there is to know.

intake.json     what it is called, where the images come from
files/          what was uploaded (empty for other sources)
labels.csv      a table of classes, if one was given on the page
choices.json    what was chosen on the page so far
scan/           the record of `inspect`: status.json, log.txt, report.json, choices.json it ran with
make/           the record of `prepare`

Of an intake that has become a data set only intake.json stays, with the name of the set, until it is swept:
every tab that showed it is to learn what became of it.

A refresh, a closed tab or a restarted server therefore loses nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.files import write_json
from medgan.runs.record import FINISHED, Run
from medgan.ui.session import workspace
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from medgan.data.settings import Settings

KEY = "intake"
"""Name of the intake that the page shows, in the session and in the address."""
LABELS = "labels.csv"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Intake:
    """One folder under `uploads`."""

    folder: Path

    @property
    def id(self) -> str:
        """Its name in the address; cannot be guessed."""
        return self.folder.name

    @property
    def files(self) -> Path:
        """What was uploaded."""
        return self.folder / "files"

    @property
    def scan(self) -> Run:
        """The record of `inspect`."""
        return Run(self.folder / "scan")

    @property
    def make(self) -> Run:
        """The record of `prepare`."""
        return Run(self.folder / "make")

    @property
    def title(self) -> str:
        """What people call it; also the suggested name of the data set."""
        return str(self.about().get("title", "images"))

    @property
    def sources(self) -> list[str]:
        """What to read: what was downloaded, else the source that was named, else what was uploaded."""
        downloaded = str(self.report().get("source_folder") or "")
        if downloaded and Path(downloaded).is_dir():
            return [downloaded]
        return [str(source) for source in self.about().get("sources", [])] or self._uploaded()

    def _uploaded(self) -> list[str]:
        if not self.files.is_dir():
            return []
        files = sorted(self.files.iterdir())
        # Tables travel with single images; they are offered as classes and are no source of images.
        return [str(file) for file in files if file.suffix.lower() != ".csv"] or [str(f) for f in files]

    @property
    def labels(self) -> Path | None:
        """The table that says the classes, if one was chosen; it may lie inside a ZIP."""
        path = self.about().get("labels")
        return Path(path) if path else None

    @property
    def count(self) -> int | None:
        """How many images to take of a source that can give any number."""
        count = self.about().get("count")
        return int(count) if count else None

    def about(self) -> dict[str, Any]:
        """`intake.json`."""
        return _read(self.folder / "intake.json")

    def note(self, **values: Any) -> None:
        """Add to `intake.json`."""
        write_json(self.folder / "intake.json", self.about() | values)

    def settings(self) -> Settings:
        """What was chosen so far; the defaults for what was not."""
        return _settings(self.folder / "choices.json")

    def scanned_with(self) -> Settings:
        """The settings that the report is for."""
        return _settings(self.scan.folder / "choices.json")

    def made_with(self) -> Settings:
        """The settings that the last Make ran with."""
        return _settings(self.make.folder / "choices.json")

    def choose(self, settings: Settings) -> None:
        """Keep what was chosen."""
        if settings != self.settings():
            write_json(self.folder / "choices.json", settings.to_json())

    def report(self) -> dict[str, Any]:
        """What the scan found; empty while there is none. Shared between reruns: do not change it."""
        path = self.scan.folder / "report.json"
        try:
            return read_report(str(path), path.stat().st_mtime_ns)
        except OSError:
            return {}

    @property
    def out(self) -> Path | None:
        """The data set that it is to become, or has become."""
        out = self.about().get("out")
        return Path(out) if out else None

    @property
    def finished(self) -> bool:
        """Whether it has become a data set."""
        return bool(self.about().get("made")) or self.make.status().state == FINISHED

    def finish(self) -> None:
        """Delete what the data set was made of; a note of what became of it stays."""
        about = self.about()
        kept = {key: about.get(key) for key in ("title", "created", "out")}
        write_json(self.folder / "intake.json", kept | {"made": True})
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "intake.json":
                path.unlink(missing_ok=True)

    def forget_make(self) -> None:
        """What a Make said does not hold for what is found anew."""
        shutil.rmtree(self.make.folder, ignore_errors=True)

    def delete(self) -> None:
        """Delete all of it; a folder that was named as the source is not touched."""
        shutil.rmtree(self.folder, ignore_errors=True)


def begin(space: Workspace, title: str, sources: Sequence[str] = (), count: int | None = None) -> Intake:
    """A new intake; `sources` is empty for an upload, whose files go into `files`. `count` is how many
    images of a source that can give any number."""
    intake = Intake(space.uploads / uuid.uuid4().hex)
    intake.files.mkdir(parents=True)
    intake.note(title=title, sources=list(sources), count=count, created=time.time())
    return intake


def find(space: Workspace, name: str | None) -> Intake | None:
    """The intake that an address names; None if it is no such name or is gone."""
    if not name or not _ID.fullmatch(name):  # it comes from the address: never a path of its own
        return None
    folder = space.uploads / name
    return Intake(folder) if (folder / "intake.json").is_file() else None


def unfinished(space: Workspace) -> list[Intake]:
    """The intakes that are no data set yet, newest first."""
    found = [intake for intake in _all(space) if not intake.finished]
    return sorted(found, key=lambda intake: intake.about().get("created", 0.0), reverse=True)


def finish_made(space: Workspace) -> None:
    """Finish the intakes that became data sets while no page was open."""
    for intake in _all(space):
        if intake.finished and not intake.about().get("made"):
            with suppress(OSError):  # another tab may be at it, or the disk full
                intake.finish()


def _all(space: Workspace) -> list[Intake]:
    return list(filter(None, (find(space, path.name) for path in space.uploads.iterdir())))


def current() -> Intake | None:
    """The intake that this page shows. The address keeps it across a refresh, the session across pages."""
    space = workspace()
    named = [st.query_params.get(KEY), st.session_state.get(KEY)]
    for name in named:
        intake = find(space, name)
        if intake:
            show(intake)
            return intake
    if any(named):
        st.info("What was here is gone: it was deleted, or left for a day.", icon=":material/info:")
    show(None)
    return None


def show(intake: Intake | None) -> None:
    """Let the page show this one, or none, from the next rerun on."""
    if intake is None:
        st.session_state.pop(KEY, None)
        st.query_params.pop(KEY, None)
        return
    st.session_state[KEY] = intake.id
    if st.query_params.get(KEY) != intake.id:
        st.query_params[KEY] = intake.id


@st.cache_resource(show_spinner=False, max_entries=8)
def read_report(path: str, changed: int) -> dict[str, Any]:
    """A report file, read once for each time it was written (`changed`, in nanoseconds)."""
    return _read(Path(path))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _settings(path: Path) -> Settings:
    from medgan.data.settings import Settings

    known = {field.name for field in fields(Settings)}
    values = {name: value for name, value in _read(path).items() if name in known}
    return Settings(**values)
