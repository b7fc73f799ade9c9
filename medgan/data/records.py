"""From what a user has (folders, files, ZIPs) to records: what there is, its class, and what is refused.

Nothing is decoded or unpacked here, and nothing is ever written to a path that an archive names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medgan.data import kinds, names
from medgan.data.archive import check_size, close_archives
from medgan.data.classes import UNLABELLED, class_folder, merged
from medgan.data.labels import Labels, read_labels
from medgan.data.limits import LIMITS, Limits
from medgan.data.matching import assign
from medgan.data.sources import Entry, Listing, check_count, check_total, list_source
from medgan.errors import DataError

__all__ = ["UNLABELLED", "Found", "Record", "Rejection", "close_archives", "find_records"]

_FORMULA = re.compile(r"[=+\-@](?![\d.,]*$)")
"""What a spreadsheet takes for a formula; signs and numbers alone (classes such as + and -1) are harmless."""


@dataclass(frozen=True)
class Record:
    """One image file that has not been opened yet: what it is called, its class, where it is.

    `member` is its name inside a ZIP, `patient` what the labels say (raw), `size` its unpacked bytes and
    `crc` their checksum as the folder or the ZIP's directory says.
    """

    name: str
    label: str
    path: Path
    member: str | None = None
    patient: str | None = None
    size: int = 0
    crc: int | None = None

    def read(self, limits: Limits = LIMITS) -> bytes:
        """The file's bytes; DataError, to be read after its name, if they cannot be had.

        A process keeps the ZIPs that it read from open; `close_archives` closes them.
        """
        return Entry(self.name, "", self.path, self.member).read(limits)


@dataclass(frozen=True)
class Rejection:
    """A file that could not be used, and why; the reason reads on after the file's name."""

    file: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What `find_records` found: sorted by name, with one reason for each file that is refused."""

    records: list[Record]
    rejected: list[Rejection]
    notes: list[str]


def find_records(sources: Sequence[Path], *, limits: Limits = LIMITS, labels: Path | None = None) -> Found:
    """Every image file in `sources` (folders, files, ZIPs), sorted by name; no two names are equal.

    The class is the name of the nearest folder that says one (`train` or `images` do not), or what the CSV
    `labels` says (which may lie in a ZIP: `set.zip/labels.csv`); then images that it does not name are
    rejected. Hidden files are passed over, and so are known kinds of other files that hold no image, which a
    note counts. DataError if a source does not exist, if no image is found, if there are too many files or
    bytes, or if the labels cannot be used.
    """
    try:
        listings = [list_source(source, limits) for source in _once(sources)]
        check_count(sum(len(listing.entries) for listing in listings), limits)
        sorted_out, rejected, passed = _sorted_out(listings, limits)
        images = _named(sorted_out)
        check_total(sum(entry.size for entry in images), limits)
        notes = [note for listing in listings for note in listing.notes] + _passed_over(passed)
        notes += merged(entry.part for entry in images)
        if labels is None or not images:
            records = [_record(entry, entry.label) for entry in images]
            notes += _class_notes(sorted_out)
        else:
            records, refused, said = _labelled(images, read_labels(labels, limits), limits)
            rejected, notes = rejected + refused, notes + said
    finally:
        close_archives()  # so that an upload can be deleted while this process lives on
    if not records:
        raise DataError(_nothing(rejected))
    notes += _formula_notes(records)
    records.sort(key=lambda record: record.name)  # as text, which is the same on every system
    return Found(records, sorted(rejected, key=lambda r: (r.file, r.reason)), notes)


def _once(sources: Iterable[Path]) -> list[Path]:
    """The sources, each once however it is spelt."""
    return list({Path(source).absolute(): Path(source) for source in sources}.values())


def _sorted_out(
    listings: Sequence[Listing], limits: Limits
) -> tuple[list[tuple[Entry, str]], list[Rejection], Counter[str]]:
    """Images with what their source is called; files that are refused; endings of known other files."""
    images, rejected, passed = [], [], Counter[str]()
    for entry, origin in ((entry, listing.origin) for listing in listings for entry in listing.entries):
        kind = "" if entry.problem else kinds.by_name(entry.name)
        if kind == "other" and not _is_image(entry, limits):
            passed[kinds.ending(entry.name) or entry.name.rpartition("/")[2]] += 1
        elif reason := entry.problem or _refusal(entry, kind, limits):
            rejected.append(Rejection(entry.name, reason))
        else:
            images.append((entry, origin))
    return images, rejected, passed


def _is_image(entry: Entry, limits: Limits) -> bool:
    """Whether a file is an image in truth, though its name (photo.png.bak, LICENSE) says that it is none."""
    try:
        return entry.size > 0 and kinds.is_image(entry.start(limits))
    except DataError:
        return False


def _named(images: Iterable[tuple[Entry, str]]) -> list[Entry]:
    """All images with names of which no two are equal, whatever the order of the sources."""
    pairs = sorted(images, key=lambda p: (p[0].name, p[1], str(p[0].path), p[0].member or ""))
    free = names.unique([entry.name for entry, _ in pairs], [origin for _, origin in pairs])
    return [replace(entry, name=name) for (entry, _), name in zip(pairs, free, strict=True)]


def _refusal(entry: Entry, kind: str, limits: Limits) -> str:
    """Why a file is refused before it is decoded, or nothing."""
    try:
        if entry.size == 0:
            return "is empty (0 bytes)"
        if kind == "archive":
            return _archive("an", entry)
        check_size(entry.size, limits)
        return "" if kind == "image" else _unknown(entry, entry.start(limits))
    except DataError as error:
        return str(error)


def _unknown(entry: Entry, start: bytes) -> str:
    """A file whose ending says nothing is told by its first bytes."""
    if kinds.is_image(start):
        return ""
    if kind := kinds.archive_kind(start):
        return _archive(f"a {kind}", entry)
    if end := kinds.ending(entry.name):
        return f"is a .{end} file, which is not read; readable are {kinds.READABLE}"
    return f"has no ending and is none of {kinds.READABLE}"


def _archive(what: str, entry: Entry) -> str:
    if entry.member is not None:
        return f"is {what} archive inside another; unpack it"
    return f"is {what} archive inside the folder; unpack it, or give a ZIP as a source of its own"


def _record(entry: Entry, label: str, patient: str | None = None) -> Record:
    label = label.strip() or UNLABELLED  # some tools leave blanks at the end of folder names
    return Record(entry.name, label, entry.path, entry.member, patient, entry.size, entry.crc)


def _labelled(
    entries: Sequence[Entry], labels: Labels, limits: Limits
) -> tuple[list[Record], list[Rejection], list[str]]:
    def same(which: Sequence[int]) -> bool:
        return _identical([entries[k] for k in which], limits)

    given = assign(labels, [entry.name for entry in entries], same)
    records = [_record(entries[k], *given.found[k]) for k in sorted(given.found)]
    rejected = [Rejection(entries[k].name, reason) for k, reason in given.refused.items()]
    return records, rejected, given.notes


def _identical(entries: Sequence[Entry], limits: Limits) -> bool:
    """Whether files hold the same bytes; they are only read where sizes and checksums do not tell."""
    if len({entry.size for entry in entries}) > 1:
        return False
    checksums = {entry.crc for entry in entries}
    if None not in checksums:
        return len(checksums) == 1
    try:
        first = entries[0].read(limits)
        return all(entry.read(limits) == first for entry in entries[1:])
    except DataError:
        return False


def _nothing(rejected: Sequence[Rejection]) -> str:
    if not rejected:
        return f"No image found. Give a folder, image files or a ZIP of them ({kinds.READABLE})."
    more = f" {len(rejected) - 1:,} more files are refused." if len(rejected) > 1 else ""
    return f"No usable image found: {rejected[0].file} {rejected[0].reason}.{more}"


def _passed_over(passed: Counter[str]) -> list[str]:
    if not passed:
        return []
    count = passed.total()
    files = "1 other file was" if count == 1 else f"{count:,} other files were"
    return [f"{files} passed over ({', '.join(sorted(passed))})."]


def _class_notes(images: Sequence[tuple[Entry, str]]) -> list[str]:
    """What may surprise in classes that come from folders."""
    nested = {origin for entry, origin in images if _in_class_folder(entry)}
    beside = [entry for entry, origin in images if not _in_class_folder(entry) and origin in nested]
    notes = []
    if beside:
        lie, their = ("1 image lies", "its") if len(beside) == 1 else (f"{len(beside):,} images lie", "their")
        folders = ", ".join(sorted({entry.label for entry in beside})[:3])
        notes.append(f"{lie} beside the class folders and not in one; {their} class is {folders}.")
    classes = len({entry.label for entry, _ in images})
    if classes > 8 and classes * 4 > len(images):
        notes.append(
            f"There are {classes:,} classes for {len(images):,} images: the folders look like patients or "
            "series rather than classes; a CSV with the columns file and label can say the classes."
        )
    return notes


def _in_class_folder(entry: Entry) -> bool:
    """Whether a folder inside the source says the class, not the source's own name."""
    return bool(class_folder(entry.name.split("/")[:-1]))


def _formula_notes(records: Sequence[Record]) -> list[str]:
    """Names that a spreadsheet would compute. They are kept as they are, since programs read them, too."""
    found = sorted({text for r in records for text in (r.name, r.label) if _FORMULA.match(text)})
    if not found:
        return []
    return [
        f"Names that begin with = + - or @: {len(found):,} (such as {names.shortened(found[0])}); a "
        "spreadsheet takes them for formulas, so import manifest.csv with all columns as text."
    ]
