"""From a copy of what a job has written to the run folder of this machine."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from pathlib import Path

from medgan.files import write_bytes, write_folder, write_json
from medgan.launchers.order import RUNNING, JobState, Order
from medgan.runs.record import Run, discard


def place(mirror: Path, files: list[str], order: Order, state: JobState) -> None:
    """Put the run's files from the mirror to where everybody looks for them: checkpoints as whole folders,
    the status last; `config.json` names the data set of this machine."""
    run = Run(order.run)
    _place_checkpoints(mirror / "checkpoints", run.folder / "checkpoints", files)
    for name in files:
        if not name.startswith("checkpoints/") and name not in ("config.json", "status.json"):
            data = (mirror / name).read_bytes()
            if not (run.folder / name).is_file() or (run.folder / name).read_bytes() != data:
                write_bytes(run.folder / name, data)
    if "config.json" in files:
        _place_config(mirror / "config.json", run, order.dataset)
    if "status.json" in files:
        status = json.loads((mirror / "status.json").read_text("utf-8"))
        if state.stage == RUNNING:
            status["heartbeat"] = time.time()  # the Hub says that it lives; what it wrote is a minute old
        write_json(run.folder / "status.json", status)


def _place_config(there: Path, run: Run, dataset: Path) -> None:
    config = json.loads(there.read_text("utf-8"))
    config["dataset"] = {**config.get("dataset", {}), "path": str(dataset)}
    if not run.exists() or run.config() != config:
        write_json(run.folder / "config.json", config)


def _place_checkpoints(mirror: Path, folder: Path, files: list[str]) -> None:
    """As there: new ones come at once, what was pruned goes."""
    inside: dict[str, list[str]] = {}
    for name in files:
        parts = name.split("/")
        if parts[0] == "checkpoints" and len(parts) == 3:
            inside.setdefault(parts[1], []).append(parts[2])
    for step, names in inside.items():
        if not (folder / step).is_dir():
            write_folder(folder / step, partial(_copy, mirror / step, names))
    for old in folder.glob("step-*"):
        if old.name not in inside:
            discard(old)


def _copy(mirror: Path, names: list[str], to: Path) -> None:
    for name in names:
        shutil.copyfile(mirror / name, to / name)
