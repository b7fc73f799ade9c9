"""What a set of files holds: each picture decoded, fitted and described, in worker processes.

The prepared pixels go to a scratch file one after another; what stays in memory is a row a picture with
a thumbnail, so that memory does not grow with the pictures' size.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO

import numpy as np
from PIL import Image

from medgan.data.decoding import Picture, decode
from medgan.data.decoding.options import Decoding
from medgan.data.limits import LIMITS
from medgan.data.records import Record, Rejection
from medgan.data.workers import each
from medgan.errors import DataError
from medgan.images import fit, is_grey, to_pil

THUMB = 32
FEW = 4
"""So many files are decoded by one process: starting a second one would take longer."""
EXCLUDED = "was left out by your choice"
REASON = 250
"""Signs of a reason that are kept."""
Progress = Callable[[str, int, int], None]
"""Called with (what is done, done, total)."""


@dataclass(frozen=True)
class Look:
    """How each file is looked at; this much travels to the workers."""

    decoding: Decoding
    size: int
    fit: str
    salt: bytes


@dataclass(frozen=True)
class Prepared:
    """One picture as the network will see it: uint8 `(size, size, 1 or 3)`, with its facts."""

    number: int | None
    pixels: np.ndarray
    width: int
    height: int


@dataclass(frozen=True)
class Seen:
    """One file after decoding, or the reason why it cannot be used."""

    pictures: tuple[Prepared, ...] = ()
    rejected: tuple[tuple[int | None, str], ...] = ()
    kind: str = ""
    window: str = ""
    deep: bool = False
    hu: bool = False
    dropped: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    patient: bytes | None = None


@dataclass(frozen=True)
class Row:
    """One usable picture. `thumb` is uint8 `(32, 32, 3)`; `sha256` is of the prepared pixels."""

    file: str
    number: int | None
    record: int
    label: str
    patient: bytes | None
    width: int
    height: int
    window: str
    sha256: str
    grey: bool
    thumb: np.ndarray
    at: int
    channels: int


@dataclass
class Survey:
    """All rows in order of the files; counts of what was found beside pixels."""

    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    flagged: list[Rejection] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    deep: int = 0
    hu: int = 0


def survey(
    records: Sequence[Record],
    look: Look,
    scratch: IO[bytes],
    *,
    workers: int,
    progress: Progress,
) -> Survey:
    """Look at every file; prepared pixels are appended to `scratch`. Nothing a file holds raises: what
    cannot be used is listed under `rejected`."""
    twins = Twins(records)
    # asked for as the workers need them: finding twins goes on while they start and decode
    originals = (record for k, record in enumerate(records) if twins.first(k) == k)
    workers = 1 if 0 < len(records) <= FEW and workers else workers
    seconds = look.decoding.limits.seconds
    results = each(partial(look_at, look), originals, _failed, workers=workers, seconds=seconds)
    book = _Book(look.salt, scratch)
    for k, record in enumerate(records):
        if twins.first(k) == k:
            book.enter(k, record, next(results))
        else:
            book.enter_twin(k, record, twins.first(k))
        progress("Reading images", k + 1, len(records))
    return book.survey


def leave_out(seen: Survey, names: Collection[str]) -> None:
    """Move the rows that the user leaves out (pictures, or files with all their pictures) to the rejected.
    DataError for a name that nothing has."""
    wanted = set(names)
    found = {name for row in seen.rows for name in (row.file, _file_of(row)) if name in wanted}
    if missing := wanted - found:
        raise DataError(f"--exclude {min(missing)}: there is no such picture; the report names them.")
    seen.rejected += [Rejection(row.file, EXCLUDED) for row in seen.rows if _is_one(row, wanted)]
    seen.rows = [row for row in seen.rows if not _is_one(row, wanted)]


def _is_one(row: Row, names: set[str]) -> bool:
    return row.file in names or _file_of(row) in names


def _file_of(row: Row) -> str:
    return row.file if row.number is None else row.file.rsplit("#", 1)[0]


def survey_arrays(images: Sequence[np.ndarray], records: Sequence[Record], scratch: IO[bytes]) -> Survey:
    """The same for pictures that exist as uint8 `(S, S, C)` already (the phantoms)."""
    book = _Book(b"", scratch)
    for k, (image, record) in enumerate(zip(images, records, strict=True)):
        book.enter(k, record, Seen((Prepared(None, image, image.shape[1], image.shape[0]),), kind="phantom"))
    return book.survey


class _Book:
    """The survey while it is being written."""

    def __init__(self, salt: bytes, scratch: IO[bytes]) -> None:
        self.salt, self.scratch = salt, scratch
        self.survey = Survey()
        self.written = 0
        self.entries: dict[int, tuple[Seen, list[Row]]] = {}

    def enter(self, k: int, record: Record, seen: Seen) -> None:
        rows = [self._row(k, record, seen, picture) for picture in seen.pictures]
        self.entries[k] = (replace(seen, pictures=()), rows)
        self._add(record, seen, rows)

    def enter_twin(self, k: int, record: Record, first: int) -> None:
        """A file with the bytes of an earlier one: its pixels are there already."""
        seen, firsts = self.entries[first]
        patient = salted(record.patient, self.salt) or seen.patient
        rows = [
            replace(row, file=_name(record, row.number), record=k, label=record.label, patient=patient)
            for row in firsts
        ]
        self._add(record, seen, rows)

    def _row(self, k: int, record: Record, seen: Seen, picture: Prepared) -> Row:
        at = self.written
        self.written += self.scratch.write(picture.pixels.tobytes())
        return Row(
            file=_name(record, picture.number),
            number=picture.number,
            record=k,
            label=record.label,
            patient=salted(record.patient, self.salt) or seen.patient,
            width=picture.width,
            height=picture.height,
            window=seen.window,
            sha256=digest(picture.pixels),
            grey=is_grey(to_pil(picture.pixels)),
            thumb=thumbnail(picture.pixels),
            at=at,
            channels=picture.pixels.shape[2],
        )

    def _add(self, record: Record, seen: Seen, rows: list[Row]) -> None:
        found = self.survey
        found.rows += rows
        found.rejected += [Rejection(_name(record, number), reason) for number, reason in seen.rejected]
        found.flagged += [Rejection(record.name, flag) for flag in seen.flags]
        found.dropped.update(seen.dropped)
        if rows:
            found.kinds[seen.kind] += 1
            found.deep += seen.deep
            found.hu += seen.hu


def look_at(look: Look, record: Record) -> Seen:
    """Decode and fit one file; never raises for what a file holds."""
    try:
        decoded = decode(record.read(look.decoding.limits), record.name, look.decoding)
        pictures = tuple(_prepared(picture, look) for picture in decoded.pictures)
    except DataError as error:
        return Seen(rejected=((None, _plain(str(error))),))
    except OSError as error:
        return Seen(rejected=((None, f"cannot be read ({error.strerror or error})"),))
    except MemoryError:
        return Seen(rejected=((None, "needs more memory than there is"),))
    return Seen(
        pictures,
        tuple((number, "is blank (one single colour)") for number in decoded.skipped),
        kind=decoded.kind,
        window=decoded.window,
        deep=decoded.deep,
        hu=decoded.hu,
        dropped=decoded.dropped,
        flags=decoded.flags,
        patient=salted(decoded.patient, look.salt),
    )


def salted(patient: str | None, salt: bytes) -> bytes | None:
    """A patient's id as a keyed hash, good for telling patients apart and for nothing else: the salt is
    drawn for one preparation and forgotten."""
    return hmac.digest(salt, patient.strip().encode(), "sha256") if patient and patient.strip() else None


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Prepared uint8 `(S, S, C)` as uint8 `(32, 32, 3)`, each pixel the mean of its block."""
    small = to_pil(pixels).resize((THUMB, THUMB), Image.Resampling.BOX)
    return np.asarray(small.convert("RGB"))


def digest(pixels: np.ndarray) -> str:
    """sha256 of the shape and the values of uint8 `(H, W, C)`."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


class Twins:
    """Which files hold the same bytes: those are decoded once. Only files of equal size, and equal
    checksum in a ZIP, are read for it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.alike = Counter(_outside(record) for record in records)
        self.firsts: dict[int, int] = {}
        self.contents: dict[bytes, int] = {}

    def first(self, k: int) -> int:
        """The first file with the bytes of file k: k itself, mostly. To be asked in order at first."""
        if k not in self.firsts:
            record = self.records[k]
            alone = self.alike[_outside(record)] == 1
            self.firsts[k] = k if alone else self.contents.setdefault(_content(record, k), k)
        return self.firsts[k]


def _outside(record: Record) -> tuple[int, int | None]:
    return record.size, record.crc


def _content(record: Record, k: int) -> bytes:
    try:
        return hashlib.sha256(record.read(LIMITS)).digest()
    except (DataError, OSError):
        return str(k).encode()  # its own reason is found when it is decoded


def _prepared(picture: Picture, look: Look) -> Prepared:
    channels = 1 if picture.image.mode == "L" else 3
    pixels = fit(picture.image, look.size, channels, look.fit)
    if channels == 3 and (pixels == pixels[:, :, :1]).all():  # grey in a colour file
        pixels = pixels[:, :, :1]
    return Prepared(picture.number, np.ascontiguousarray(pixels), *picture.size)


def _plain(reason: str) -> str:
    """A reason without what a file may have put into it: control characters, pages of text."""
    clean = "".join(sign if sign.isprintable() else " " for sign in reason)
    return clean if len(clean) <= REASON else clean[:REASON] + "…"


def _failed(record: Record, reason: str) -> Seen:
    return Seen(rejected=((None, reason),))


def _name(record: Record, number: int | None) -> str:
    return record.name if number is None else f"{record.name}#{number:04d}"
