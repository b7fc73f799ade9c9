"""A prepared data set: a folder that any number of readers can open at once.

dataset.json    version, settings, counts, content hash: small, whatever the number of images
manifest.csv    a row an image: file, class, group, split, width, height, window, sha256
images.npy      uint8 (N, H, W, C) in manifest order, memory-mapped
report.json     what was found and decided on the way: rejected files, copies, conflicts, leak check
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from medgan.data.split import PARTS, TEST, TRAIN
from medgan.errors import DataError
from medgan.files import write_json
from medgan.modalities import MODALITIES, OTHER, modality

FORMAT = 2
READABLE = (1, 2)
"""Sets of format 1 have a `heldout` part, which is shown as `test`, and no report."""

COLUMNS = ("file", "class", "group", "split", "width", "height", "window", "sha256")


class Dataset:
    """A prepared set of images, opened without reading manifest or pixels.

    `info` is `dataset.json`; `len` is the number of images and `data[k]` image k, uint8 `(H, W, C)`, not
    copied. Sent to another process it is opened there anew: no handle and no pixel travels.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            info = json.loads((self.folder / "dataset.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder} is not a prepared data set; make one with `python -m medgan prepare`."
            ) from error
        self.info: dict[str, Any] = info if isinstance(info, dict) else {}
        if self.info.get("format") not in READABLE:
            maker = self.info.get("medgan", "another version")
            raise DataError(
                f"{folder} has format {self.info.get('format')} (made by MedGAN {maker}), and this version "
                f"reads up to {FORMAT}; update MedGAN, or prepare the set again."
            )
        if self.info["format"] == 1:
            self.info = _from_format_1(self.info)

    def __reduce__(self) -> tuple[type[Dataset], tuple[Path]]:
        return Dataset, (self.folder,)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, k: int) -> np.ndarray:
        image: np.ndarray = self.images[k]
        return image

    @property
    def name(self) -> str:
        """The name that the user gave it."""
        return str(self.info["name"])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.info["channels"])

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        return int(self.info["size"])

    @property
    def modality(self) -> str:
        """What its images show, a name of `medgan.modalities`; `other` where nobody said."""
        found = str(self.info.get("settings", {}).get("modality", OTHER))
        return found if found in MODALITIES else OTHER

    def set_modality(self, name: str) -> None:
        """Write down what its images show. They stay as they are, and so does `content_sha256`; runs keep the
        augmentation that they began with. ConfigError for a name that is none."""
        modality(name)
        path = self.folder / "dataset.json"
        try:
            age = path.stat()
            info = json.loads(path.read_text("utf-8"))  # as it stands there, also in format 1
            write_json(path, info | {"settings": info.get("settings", {}) | {"modality": name}})
            os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))  # it keeps its place in lists by age
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be written; make it writable, or prepare anew.") from error
        self.info["settings"] = self.info.get("settings", {}) | {"modality": name}

    @property
    def training_classes(self) -> tuple[tuple[str, int], ...]:
        """The classes that have images to train on, with how many."""
        counts = {name: int(parts.get(TRAIN, 0)) for name, parts in self.info["classes"].items()}
        return tuple((name, count) for name, count in counts.items() if count)

    @cached_property
    def images(self) -> np.ndarray:
        """uint8 `(N, H, W, C)`, read from the disk as it is looked at; no handle stays open."""
        try:
            array: np.ndarray = np.load(self.folder / "images.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}/images.npy cannot be read; prepare the set again.") from error
        return array

    @cached_property
    def manifest(self) -> list[dict[str, str]]:
        """One row an image, read when first asked for."""
        return [row | {"split": TEST} if row["split"] == "heldout" else row for row in self._rows()]

    @cached_property
    def report(self) -> dict[str, Any]:
        """What was found when it was prepared; empty for a set of format 1."""
        try:
            values = json.loads((self.folder / "report.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {"rejected": self.info.get("rejected", [])}
        return values if isinstance(values, dict) else {}

    def column(self, name: str) -> list[str]:
        """One column of the manifest, for sets whose whole manifest would be much to hold."""
        values = [row[name] for row in self._rows()]
        return [TEST if value == "heldout" else value for value in values] if name == "split" else values

    def groups(self) -> list[str]:
        """The group (patient, near copies) of each image; one that is in none is a group of its own."""
        return [row.get("group") or f"image {k}" for k, row in enumerate(self.manifest)]

    def changes(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
        """What is not as it was prepared, a few words each; reads every pixel. Empty where all is well."""
        rows = list(self._rows())
        if len(rows) != len(self):
            return [f"manifest.csv has {len(rows):,} rows for {len(self):,} images"]
        found = []
        for k, row in enumerate(rows):
            if digest(self[k]) != row["sha256"]:
                found.append(f"the pixels of {row['file']}")
            progress(k + 1, len(rows))
        content = content_sha256((row["sha256"], row["split"], row["class"]) for row in rows)
        if content != self.info["content_sha256"]:
            found.append("the classes, parts or hashes in manifest.csv")
        return found

    def part(self, name: str) -> np.ndarray:
        """The images of `train`, `validation` or `test`, uint8 `(n, H, W, C)`, copied into memory."""
        rows = [k for k, split in enumerate(self.column("split")) if split == name]
        return np.asarray(self.images[rows])

    def _rows(self) -> Iterator[dict[str, str]]:
        try:
            with (self.folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
                yield from csv.DictReader(stream)
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{self.folder}/manifest.csv cannot be read; prepare the set again.") from error


def content_sha256(rows: Iterable[tuple[str, str, str]]) -> str:
    """The hash of a set: of each image's (sha256, part, class), in order. The same for the same pixels,
    parts and classes, on every machine."""
    sha = hashlib.sha256()
    for pixels, part, label in rows:
        # the word of format 1, so that equal sets kept their hash
        sha.update(f"{pixels}{'heldout' if part == TEST else part}{label}".encode())
    return sha.hexdigest()


def digest(pixels: np.ndarray) -> str:
    """sha256 of the shape and the values of uint8 `(H, W, C)`."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _from_format_1(info: dict[str, Any]) -> dict[str, Any]:
    """`heldout` becomes `test`, so that nobody else needs to know of it."""
    splits = {TEST if part == "heldout" else part: count for part, count in info["splits"].items()}
    classes = {
        label: {part: counts.get("heldout" if part == TEST else part, 0) for part in PARTS}
        for label, counts in info["classes"].items()
    }
    return info | {"splits": {part: splits.get(part, 0) for part in PARTS}, "classes": classes}
