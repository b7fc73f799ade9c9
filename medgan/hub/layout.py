"""How an image data set lies in a repository: which files are its images, and of which class each is.

Nothing here touches the network or the disk. All names are hostile input: they are only compared, and
cleaned by `draw.Names` before anything is written.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from medgan.data.classes import UNLABELLED, class_of
from medgan.errors import HubError

IMAGES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".dcm", ".dicom", ".nii", ".nii.gz",
)  # fmt: skip
"""The only extensions of images that are downloaded."""
METADATA = ("metadata.csv", "metadata.jsonl")
PARQUET = ".parquet"
MOST_CLASSES = 200
"""With more different values, a column is a caption or an id, and no class."""
LABELS = ("label", "labels", "class", "category", "diagnosis", "dx", "target")
"""Columns that hold the class, best first."""
_FILES = ("file_name", "filename", "file", "image", "image_path", "path")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")


@dataclass(frozen=True)
class Entry:
    """A file as the hub lists it; `digest` as in `download.Item`."""

    path: str
    size: int
    digest: tuple[str, str] | None = None

    @property
    def suffix(self) -> str:
        """Its allow-listed image extension, or "" if it is none."""
        name = self.path.lower()
        return next((end for end in sorted(IMAGES, key=len, reverse=True) if name.endswith(end)), "")


@dataclass(frozen=True)
class Layout:
    """What is to be read of a repository: `parquet`, or `images` with their `metadata`."""

    images: list[Entry] = field(default_factory=list)
    metadata: list[Entry] = field(default_factory=list)
    parquet: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_layout(entries: Sequence[Entry], card: Mapping[str, Any], repo: str) -> Layout:
    """Sort out a listing. Where there are both, the larger share is the data: beside parquet, images are
    figures of the card; beside images, parquet is their annotations. HubError if there is neither."""
    entries = sorted((e for e in entries if not _hidden(e.path)), key=lambda entry: entry.path)
    chosen, notes = _one_configuration(entries, card)
    parquet = [e for e in chosen if e.path.endswith(PARQUET) and _name(e) != "metadata.parquet"]
    images = [e for e in chosen if e.suffix]
    if sum(e.size for e in parquet) > sum(e.size for e in images):
        return Layout(parquet=parquet, notes=notes)
    if not images:
        raise HubError(_no_images(entries, repo))
    return Layout(images, [e for e in entries if _name(e) in METADATA], notes=notes)


def classes_of(images: Sequence[Entry], metadata: Mapping[str, str]) -> list[str]:
    """The class of each image: what the metadata says, else its folder (but for a folder a patient)."""
    known = metadata if len(set(metadata.values())) <= MOST_CLASSES else {}
    labels = [known.get(image.path) or class_of(PurePosixPath(image.path).parts[:-1]) for image in images]
    return labels if len(set(labels)) <= MOST_CLASSES else [UNLABELLED] * len(images)


def stem_of(image: Entry, label: str) -> str:
    """A file name that keeps what the path says (part, patient), without its class and extension."""
    parts = list(PurePosixPath(image.path[: -len(image.suffix)]).parts)
    if label in parts[:-1]:
        del parts[len(parts) - 2 - parts[-2::-1].index(label)]
    return "_".join(parts)


def read_metadata(path: str, text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(path in the repository, class) of each row of a metadata.csv or .jsonl that has both. `names` are
    the classes by number, where the card gives them."""
    folder = PurePosixPath(path).parent
    rows = _json_lines(text) if path.endswith(".jsonl") else _csv_rows(text)
    for row in rows:
        file = next((row[column] for column in _FILES if row.get(column)), None)
        label = next((row[column] for column in LABELS if row.get(column) not in (None, "")), None)
        if isinstance(file, str) and isinstance(label, str | int):
            yield (folder / file).as_posix(), named(label, names)


def named(label: Any, names: Sequence[str]) -> str:
    """A label as a class name: by number where `names` has it, else as it is written."""
    number = int(label) if re.fullmatch(r"-?\d{1,9}", str(label)) else -1
    if 0 <= number < len(names):
        return names[number]
    return str(label).strip() or UNLABELLED


def card_features(card: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a card's `dataset_info` describes, as `{name: description}`."""
    found = card.get("dataset_info")
    info = found[0] if isinstance(found, list) and found else found
    features = info.get("features") if isinstance(info, dict) else None
    if not isinstance(features, list):
        return {}
    return {str(f["name"]): f.get("dtype") for f in features if isinstance(f, dict) and "name" in f}


def class_names(feature: Any) -> tuple[str, ...]:
    """The names of a ClassLabel column, by number; empty if it is none."""
    if isinstance(feature, dict) and isinstance(feature.get("class_label"), dict):
        feature = feature["class_label"]
    names = feature.get("names") if isinstance(feature, dict) else None
    if isinstance(names, dict):  # the card numbers them: {"0": "benign", "1": "malignant"}
        numbered = {str(number): name for number, name in names.items()}
        names = [numbered.get(str(number), number) for number in range(len(numbered))]
    return tuple(map(str, names)) if isinstance(names, list) else ()


def card_class_names(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The class names that the card gives for a column that is called like one."""
    features = card_features(card)
    return next((names for column in LABELS if (names := class_names(features.get(column)))), ())


def _one_configuration(entries: list[Entry], card: Mapping[str, Any]) -> tuple[list[Entry], list[str]]:
    """The files of one configuration, where the card lists several: the others may hold the same again."""
    listed = card.get("configs")
    configs = [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []
    if len(configs) < 2:
        return entries, []
    chosen = next((c for c in configs if c.get("default") or c.get("config_name") == "default"), configs[0])
    patterns = list(_patterns(chosen.get("data_files")))
    kept = [e for e in entries if any(_matches(e.path, pattern) for pattern in patterns)]
    if not kept:
        return entries, []
    return kept, [f"only configuration {chosen.get('config_name')!s:.60} of {len(configs)} is read"]


def _patterns(files: Any) -> Iterator[str]:
    if isinstance(files, str):
        yield files
    elif isinstance(files, list):
        for entry in files:
            yield from _patterns(entry)
    elif isinstance(files, dict):
        yield from _patterns(files.get("path"))


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, pattern.replace("**/", ""))


def _hidden(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)


def _name(entry: Entry) -> str:
    return PurePosixPath(entry.path).name


def _csv_rows(text: str) -> Iterator[dict[str, Any]]:
    try:
        yield from csv.DictReader(io.StringIO(text))
    except csv.Error:
        return


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def _no_images(entries: Sequence[Entry], repo: str) -> str:
    if any(entry.path.lower().endswith(_ARCHIVES) for entry in entries):
        return (
            f"{repo} keeps its images in archives; download one from its page, and give the ZIP or what it "
            "unpacks to."
        )
    return (
        f"{repo} holds no images as files or parquet; if the hub has converted it, "
        f"hub:datasets/{repo}@refs/convert/parquet may work."
    )
