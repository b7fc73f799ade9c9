"""One class of a prepared data set as a prepared data set of its own, each image in the part where it was."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from medgan import __version__
from medgan.data.dataset import COLUMNS, FORMAT, Dataset, content_sha256
from medgan.data.split import PARTS
from medgan.errors import DataError
from medgan.files import write_folder


def class_set(data: Dataset, label: str, out: Path) -> Dataset:
    """The images of class `label`, in the folder `out`; what is there already is kept if it is the same set.

    DataError if there is no such class, or another set in `out`.
    """
    rows = [(k, row) for k, row in enumerate(data.manifest) if row["class"] == label]
    if not rows:
        raise DataError(f"{data.name} has no class {label!r}; it has {', '.join(data.info['classes'])}.")
    info = _info(data, label, [row for _, row in rows])
    if out.exists():
        found = Dataset(out)
        if found.info["content_sha256"] != info["content_sha256"]:
            raise DataError(f"{out} holds another data set; choose another folder for the study.")
        return found

    def fill(folder: Path) -> None:
        np.save(folder / "images.npy", np.asarray(data.images[[k for k, _ in rows]]))
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for _, row in rows)
        for name, values in (("dataset.json", info), ("report.json", _report(info))):
            (folder / name).write_text(json.dumps(values, indent=2, ensure_ascii=False), "utf-8")

    write_folder(out, fill, new=True)
    return Dataset(out)


def folder_name(position: int, label: str) -> str:
    """A folder for the class at `position`, whatever its name consists of: `01-nevus`."""
    words = re.sub(r"[^\w-]+", "-", label).strip("-_")[:40]
    return f"{position:02d}-{words}" if words else f"{position:02d}"


def _info(data: Dataset, label: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    counts = {part: sum(row["split"] == part for row in rows) for part in PARTS}
    names = [name for name in ("size", "channels", "grouping", "settings") if name in data.info]
    kept: dict[str, Any] = {name: data.info[name] for name in names}
    return {
        "format": FORMAT,
        "medgan": __version__,
        "name": f"{data.name}, {label}",
        "images": len(rows),
        **kept,
        "classes": {label: counts},
        "splits": counts,
        "groups": len({row["group"] for row in rows}),
        "leak_check": None,
        "advice": [],
        "content_sha256": content_sha256((row["sha256"], row["split"], row["class"]) for row in rows),
        "part_of": {"name": data.name, "content_sha256": data.info["content_sha256"]},
    }


def _report(info: dict[str, Any]) -> dict[str, Any]:
    about = info["part_of"]
    note = f"One class of {about['name']}, divided as it is there."
    return {
        "notes": [note],
        "rejected": [],
        "accepted": info["images"],
        **{key: info[key] for key in ("classes", "splits", "groups", "content_sha256")},
    }
