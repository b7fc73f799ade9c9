"""A prepared data set: a folder with `dataset.json`, `manifest.csv` and `images.npy` (uint8, memory-mapped).

It is written to a temporary folder and renamed, so a preparation that is killed leaves no half set.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from medgan.config import SIZES
from medgan.data.intake import Record, decode
from medgan.data.split import HELDOUT, TRAIN, heldout_count, near_duplicate_groups, split
from medgan.errors import DataError
from medgan.files import write_folder
from medgan.images import is_grey, resize_and_crop

FORMAT = 1
COLOURS = ("auto", "rgb", "grey")
MINIMUM = 4
"""Fewer images cannot be split into a training and a held-out part."""

COLUMNS = ("file", "class", "split", "group", "sha256")
GREY_SHARE = 0.95
"""`auto` makes a set grey when at least this share of its images carries no colour."""

Progress = Callable[[int, int], None]
"""Called with (done, total) while images are prepared."""


@dataclass(frozen=True)
class Rejection:
    """A file that could not be used, and why."""

    file: str
    reason: str


class Dataset:
    """A prepared set of images, opened without reading the pixels.

    `info` is `dataset.json`; `images` is uint8 `(N, H, W, C)`, memory-mapped, in manifest order.
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
        if self.info.get("format") != FORMAT:
            raise DataError(f"{folder} has format {self.info.get('format')}; this version reads {FORMAT}.")

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

    @cached_property
    def images(self) -> np.ndarray:
        """uint8 `(N, H, W, C)`."""
        try:
            array: np.ndarray = np.load(self.folder / "images.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder}/images.npy cannot be read; prepare the set again.") from error
        return array

    @cached_property
    def manifest(self) -> list[dict[str, str]]:
        """One row an image: file, class, split, group, sha256 of the pixels."""
        try:
            with (self.folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
                return list(csv.DictReader(stream))
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{self.folder}/manifest.csv cannot be read; prepare the set again.") from error

    def part(self, name: str) -> np.ndarray:
        """The images of `train` or `heldout`, uint8 `(n, H, W, C)`, copied into memory."""
        rows = [k for k, row in enumerate(self.manifest) if row["split"] == name]
        return np.asarray(self.images[rows])


def prepare(
    records: Sequence[Record],
    out: Path,
    *,
    name: str | None = None,
    size: int = 128,
    heldout: float = 0.25,
    seed: int = 0,
    colour: str = "auto",
    progress: Progress | None = None,
) -> Dataset:
    """Decode, preprocess, split and write `records` as a data set in the new folder `out`.

    `heldout` is a fraction (below 1) or a number of images. One bad file never loses the others: it is
    listed under `rejected` with its reason. Exact copies are used once. DataError if fewer than four
    usable images remain or `out` exists.
    """
    _check(records, out, size, heldout, seed)
    grey = use_grey(records, colour)
    kept, pixels, rejected = _decode_all(records, size, 1 if grey else 3, progress)
    if len(kept) < MINIMUM:
        raise DataError(_too_few(len(kept), rejected))
    return _write(kept, np.stack(pixels), rejected, out, name or out.name, heldout, seed)


def _check(records: Sequence[Record], out: Path, size: int, heldout: float, seed: int) -> None:
    """Say what cannot work before minutes of decoding."""
    if size not in SIZES:
        raise DataError(f"--size {size} is not possible; choose {', '.join(map(str, SIZES))}.")
    if seed < 0:
        raise DataError(f"--seed is {seed}; it must be at least 0.")
    refuse_existing(out)
    if len(records) >= MINIMUM:
        heldout_count(heldout, len(records))


def store(
    images: np.ndarray, labels: Sequence[str], out: Path, *, name: str, heldout: float = 0.25, seed: int = 0
) -> Dataset:
    """Write images that exist as uint8 `(N, H, W, C)` (the phantoms) as a data set."""
    records = [Record(f"{label}/{k:04d}.png", label, Path()) for k, label in enumerate(labels)]
    return _write(records, images, [], out, name, heldout, seed)


def use_grey(records: Sequence[Record], colour: str = "auto") -> bool:
    """Whether the set is to have one channel. `auto` looks at up to 200 images spread over the set."""
    if colour not in COLOURS:
        raise DataError(f"--color {colour} is not known; choose {', '.join(COLOURS)}.")
    if colour != "auto":
        return colour == "grey"
    step = max(1, len(records) // 200)
    grey = [is_grey(image) for _, image in decoded(records[::step]) if not isinstance(image, Rejection)]
    return bool(grey) and float(np.mean(grey)) >= GREY_SHARE


def decoded(records: Sequence[Record]) -> Iterator[tuple[Record, Any]]:
    """Each record with its upright Pillow image, or with a `Rejection`."""
    archives: dict[Path, zipfile.ZipFile] = {}
    try:
        for record in records:
            try:
                yield record, decode(record.read(archives))
            except DataError as error:
                yield record, Rejection(record.name, str(error))
            except OSError as error:
                yield record, Rejection(record.name, f"cannot be read ({error.strerror or error})")
    finally:
        for archive in archives.values():
            archive.close()


def _decode_all(
    records: Sequence[Record], size: int, channels: int, progress: Progress | None
) -> tuple[list[Record], list[np.ndarray], list[Rejection]]:
    kept, pixels, rejected = [], [], []
    seen: dict[str, Record] = {}
    for done, (record, image) in enumerate(decoded(records), 1):
        if isinstance(image, Rejection):
            rejected.append(image)
        else:
            array = resize_and_crop(image, size, channels)
            digest = _sha256(array)
            if digest in seen:
                rejected.append(Rejection(record.name, _copy_of(seen[digest], record)))
            else:
                seen[digest] = record
                kept.append(record)
                pixels.append(array)
        if progress:
            progress(done, len(records))
    return kept, pixels, rejected


def _write(
    records: Sequence[Record],
    images: np.ndarray,
    rejected: Sequence[Rejection],
    out: Path,
    name: str,
    heldout: float,
    seed: int,
) -> Dataset:
    refuse_existing(out)
    labels = [record.label for record in records]
    groups = near_duplicate_groups(images)
    splits = split(labels, groups, heldout, seed)
    hashes = [_sha256(image) for image in images]
    rows = list(zip((r.name for r in records), labels, splits, groups.tolist(), hashes, strict=True))
    info = {
        "format": FORMAT,
        "name": name,
        "size": int(images.shape[1]),
        "channels": int(images.shape[3]),
        "classes": _counts(labels, splits),
        "splits": dict(sorted(Counter(splits).items())),
        "groups": len(set(groups.tolist())),
        "rejected": [vars(r) for r in rejected],
        "settings": {"heldout": heldout, "seed": seed, "fit": "crop"},
        "content_sha256": hashlib.sha256(
            "".join(f"{h}{s}{c}" for _, c, s, _, h in rows).encode()
        ).hexdigest(),
    }
    _write_folder(out, info, rows, images)
    return Dataset(out)


def _write_folder(out: Path, info: dict[str, Any], rows: list[tuple[Any, ...]], images: np.ndarray) -> None:
    def fill(folder: Path) -> None:
        np.save(folder / "images.npy", images)
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(rows)
        (folder / "dataset.json").write_text(json.dumps(info, indent=2, ensure_ascii=False), "utf-8")

    try:
        write_folder(out, fill)
    except OSError as error:
        raise DataError(
            f"{out} cannot be written ({error.strerror or error}); choose another place."
        ) from error


def refuse_existing(out: Path) -> None:
    """DataError if there is something at `out` already."""
    if out.exists():
        raise DataError(f"{out} exists already; choose another name.")


def _copy_of(first: Record, second: Record) -> str:
    reason = f"is an exact copy of {first.name}"
    if first.label == second.label:
        return reason
    return f"{reason}, though their classes are {first.label} and {second.label}"


def _counts(labels: Sequence[str], splits: Sequence[str]) -> dict[str, dict[str, int]]:
    pairs = Counter(zip(labels, splits, strict=True))
    return {label: {part: pairs[label, part] for part in (TRAIN, HELDOUT)} for label in sorted(set(labels))}


def _sha256(image: np.ndarray) -> str:
    return hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()


def _too_few(kept: int, rejected: Sequence[Rejection]) -> str:
    first = f" The first rejected: {rejected[0].file} {rejected[0].reason}." if rejected else ""
    few = f"Only {kept} usable images; at least {MINIMUM} are needed, and 100 for something worth seeing."
    return few + first
