"""Long work, started from the dashboard as processes of its own (`python -m medgan …`).

What they do is in their folders, so that a refresh, a closed tab or a restarted server loses nothing;
this registry only starts them and asks them to stop.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import streamlit as st

from medgan.data.dataset import Dataset
from medgan.errors import MedGANError
from medgan.files import write_json
from medgan.runs.launch import ROOT as ROOT
from medgan.runs.launch import last_words as last_words
from medgan.runs.launch import launch, resume
from medgan.runs.record import INTERRUPTED, Run, Status
from medgan.ui.session import hosted, workspace
from medgan.ui.train_options import AFRESH, ANYWHERE, Begin, Changes, Goal, Place, training_options
from medgan.workspace import Workspace, free_name, safe_name

if TYPE_CHECKING:
    from medgan.data.settings import Settings

GRACE = 8.0
"""Seconds that a process has to end by itself once it is asked to."""
LOADING = "Starting; loading PyTorch"


class Jobs:
    """Starts and stops training and evaluation processes in one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()  # two tabs may press Start at once
        self._children: list[subprocess.Popen[bytes]] = []

    def train(
        self,
        dataset: Path,
        preset: str,
        *,
        name: str,
        goal: Goal,
        changes: Changes,
        begin: Begin = AFRESH,
        place: Place = ANYWHERE,
        token: str = "",
    ) -> Run:
        """Start a new run under a free name like `name`; the rest as in `training_options`. `token` was typed
        for the engine; its process has it, and nothing else here."""
        with self._lock:
            run = Run(self.workspace.runs / free_name(self.workspace.runs, name))
            run.folder.mkdir(parents=True)
            options = training_options(dataset, preset, goal=goal, changes=changes, begin=begin, place=place)
            message = "Starting; sending what the job needs" if place.engine else LOADING
            self._start(run, ["train", *options, f"--run={run.folder}"], message, token)
        return run

    def resume(self, run: Run, *, token: str = "", agreed: bool = False) -> None:
        """Let a run go on from its last checkpoint; nothing happens if it is alive. `token` as in `train`,
        `agreed` where the visitor has, to what a job costs."""
        with self._lock:
            if not run.status().alive:
                Dataset(run.config()["dataset"]["path"])  # its sentence is for the page, if the set is gone
                self._remember(resume(run, self.workspace, token=token, login=not hosted(), agreed=agreed))

    def rename(self, run: Run, name: str) -> Run:
        """Give a run another name, which is that of its folder. MedGANError if it is at work or the name
        is taken."""
        with self._lock:
            folder = run.folder.with_name(safe_name(name))
            if folder == run.folder:
                return run
            if run.status().alive:
                raise MedGANError(f"{run.name} is still running; stop it first.")
            if folder.exists():
                raise MedGANError(f"There is a run {folder.name} already; choose another name.")
            run.folder.rename(folder)
            return Run(folder)

    def evaluate(self, model: str, dataset: Path, *, name: str, options: Mapping[str, Any]) -> Run:
        """Start an evaluation of the model (or the folder of images) that `model` names; its folder in
        `reports` gets `status.json`, `report.json` and the pictures. `options` are those of `evaluate` on
        the command line, without the dashes."""
        with self._lock:
            free = free_name(self.workspace.reports, f"{safe_name(name)}-on-{dataset.name}")
            record = Run(self.workspace.reports / free)
            record.folder.mkdir(parents=True)
            write_json(record.folder / "config.json", {"model": model, "dataset": str(dataset)})
            chosen = [f"--{option}={value}" for option, value in options.items()]
            chosen += [f"--out={record.folder / 'report.json'}", f"--record={record.folder}"]
            self._start(record, ["evaluate", model, str(dataset), *chosen])
        return record

    def export(self, model: str, *, name: str, options: Sequence[str]) -> Run:
        """Start to generate images of MODEL into a ZIP; its folder in `exports` gets `status.json` and the
        ZIP, which has the folder's name. `options` are those of `generate`, with their dashes."""
        with self._lock:
            short = safe_name(name)[:40].rstrip("-._")  # it stands twice in the paths of the images
            record = Run(self.workspace.exports / f"{short}-{secrets.token_hex(6)}")
            record.folder.mkdir(parents=True)
            write_json(record.folder / "config.json", {"model": model, "options": list(options)})
            self._export(record)
        return record

    def export_on(self, record: Run) -> None:
        """Let an export go on where it stopped, or begin anew if its model or training set is another by now;
        nothing happens if it is at work."""
        with self._lock:
            if not record.status().alive:
                self._export(record)

    def _export(self, record: Run) -> None:
        config = record.config()
        out = record.folder / f"{record.name}.zip"
        self._start(
            record,
            ["generate", config["model"], *config["options"], f"--out={out}", f"--record={record.folder}"],
        )

    def study(self, dataset: Path, *, name: str, options: Mapping[str, str]) -> Run:
        """Start a study of usefulness; its folder in `studies` gets `status.json` and what the study writes.
        `options` are those of `study-usefulness` on the command line, without the dashes."""
        with self._lock:
            study = Run(self.workspace.studies / free_name(self.workspace.studies, name))
            study.folder.mkdir(parents=True)
            write_json(study.folder / "config.json", {"dataset": str(dataset), "options": dict(options)})
            self._study(study)
        return study

    def study_on(self, study: Run) -> None:
        """Let a study go on with its own settings; nothing happens if it is alive. MedGANError if the
        dashboard has not started it, or its data set is gone."""
        with self._lock:
            if not study.status().alive:
                self._study(study)

    def _study(self, study: Run) -> None:
        config = study.config()
        dataset = Dataset(config["dataset"]).folder
        chosen = [f"--{option}={value}" for option, value in config["options"].items()]
        chosen += [f"--out={study.folder}", f"--record={study.folder}"]
        self._start(study, ["study-usefulness", str(dataset), *chosen])

    def inspect(
        self,
        record: Run,
        sources: Sequence[str],
        settings: Settings,
        *,
        labels: Path | None = None,
        count: int | None = None,
    ) -> None:
        """Start to look at `sources` (as `inspect` takes them); `count` is for those that can give any
        number of images. `record` gets `status.json` and, at the end, `report.json`; what lay there goes
        first. Nothing happens if it is being done."""
        with self._lock:
            if not record.status().alive:
                _begin_anew(record, settings)
                options = [*_options(settings, labels, count), f"--record={record.folder}"]
                self._start(record, ["inspect", *sources, *options], message="Starting")

    def prepare(
        self,
        record: Run,
        sources: Sequence[str],
        settings: Settings,
        *,
        out: Path,
        name: str,
        labels: Path | None = None,
        count: int | None = None,
    ) -> None:
        """Start to make the data set `out` under the name `name`, else as `inspect`; `record` gets
        `status.json`. MedGANError if `out` exists."""
        with self._lock:
            if record.status().alive:
                return
            if out.exists():
                raise MedGANError(f"There is a data set {out.name!r} already; choose another name.")
            _begin_anew(record, settings)
            options = [f"--out={out}", f"--name={name}", f"--record={record.folder}"]
            arguments = ["prepare", *sources, *_options(settings, labels, count), *options]
            self._start(record, arguments, message="Starting")

    def cancel(self, record: Run) -> None:
        """End the process of a record, with its workers: asked first, killed if it does not listen."""
        status = record.status()
        if status.alive and status.host == socket.gethostname():
            record.request_stop()
            # Waiting is for a thread: the page must not stand still.
            threading.Thread(target=_end, args=(status,), daemon=True, name=f"end {status.pid}").start()

    def _start(self, run: Run, arguments: Sequence[str], message: str = LOADING, token: str = "") -> None:
        own = not hosted()
        self._remember(launch(run, arguments, self.workspace, message=message, token=token, login=own))

    def _remember(self, child: subprocess.Popen[bytes]) -> None:
        # Asking the others whether they have ended keeps them from staying behind as zombies.
        self._children = [c for c in self._children if c.poll() is None] + [child]


def _begin_anew(record: Run, settings: Settings) -> None:
    shutil.rmtree(record.folder, ignore_errors=True)
    record.folder.mkdir(parents=True)
    write_json(record.folder / "choices.json", settings.to_json())


def _options(settings: Settings, labels: Path | None, count: int | None) -> list[str]:
    """With `=`, since a window or a pattern may begin with a minus."""
    values = settings.to_json()
    excluded = [f"--exclude={name}" for name in values.pop("exclude")]
    values |= {"color": values.pop("colour"), "labels": labels, "count": count}
    return [f"--{name}={value}" for name, value in values.items() if value is not None] + excluded


def _end(status: Status) -> None:
    """Ask the process of `status` to end, then kill what is left of it and its children."""
    try:
        process = psutil.Process(status.pid)
        if abs(process.create_time() - status.pid_started) > 2.0:
            return  # the number belongs to somebody else by now
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=GRACE)
    except psutil.Error:
        return
    for other in left:
        with suppress(psutil.Error):
            other.kill()


def jobs() -> Jobs:
    """The registry of this visitor's workspace, the same on all pages."""
    return _jobs(workspace())


@st.cache_resource(show_spinner=False)
def _jobs(space: Workspace) -> Jobs:
    return Jobs(space)


def explained(run: Run) -> Status:
    """The run's status; one that ended before it could say why gets the words of its log."""
    status = run.status()
    if status.state == INTERRUPTED:
        status.message = last_words(run, since=status.heartbeat) or status.message
    return status


def delete(folder: Path) -> None:
    """Delete a run or report folder; MedGANError if a process is at work in it."""
    if Run(folder).status().alive:
        raise MedGANError(f"{folder.name} is still running; stop it first.")
    shutil.rmtree(folder)
