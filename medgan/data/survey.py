"""What a set of files holds: each picture decoded, fitted and described, in worker processes.

The prepared pixels stay on the disk (`spool`); what is sent and kept is a row a picture with a thumbnail,
so that memory does not grow with the pictures' size.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from PIL import Image

from medgan.data.dataset import digest
from medgan.data.decoding import Decoded, Picture, decode
from medgan.data.decoding.options import Decoding
from medgan.data.limits import option
from medgan.data.records import Record, Rejection
from medgan.data.spool import Place, Spool
from medgan.data.twins import Twins
from medgan.data.workers import each
from medgan.errors import DataError
from medgan.images import fit, is_grey, to_pil

THUMB = 32
FEW = 4
"""So many files are decoded by one process: starting a second one would take longer."""
EXCLUDED = "was left out by your choice"
UNLIKE = "has another size or kind than the first page of its file; save it as a file of its own"
REASON = 250
"""Signs of a reason that are kept."""
Progress = Callable[[str, int, int], None]
"""Called with (what is done, done, total)."""


@dataclass(frozen=True)
class Look:
    """How each file is looked at, and where its pixels go; this much travels to the workers."""

    decoding: Decoding
    size: int
    fit: str
    salt: bytes
    spool: Spool


@dataclass(frozen=True)
class Row:
    """One usable picture. `thumb` is uint8 `(32, 32, 3)`; `sha256` is of the prepared pixels at `place`,
    uint8 `(size, size, 1 or 3)`; `patient` and `study` are salted hashes."""

    file: str
    number: int | None
    label: str
    patient: bytes | None
    study: bytes | None
    width: int
    height: int
    window: str
    sha256: str
    grey: bool
    thumb: np.ndarray
    place: Place


@dataclass(frozen=True)
class Seen:
    """One file after decoding: its pictures, or the reason why it (or one of them) cannot be used."""

    rows: tuple[Row, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    kind: str = ""
    deep: bool = False
    hu: bool = False
    dropped: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


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


def survey(records: Sequence[Record], look: Look, *, workers: int, progress: Progress) -> Survey:
    """Look at every file. Nothing that a file holds raises: what cannot be used is listed under `rejected`.

    DataError if there are more pictures than `--limit-pictures`; OSError if the disk is full.
    """
    limits = look.decoding.limits
    twins = Twins(records, limits)
    # asked for as the workers need them: finding twins goes on while they start and decode
    originals = (record for k, record in enumerate(records) if twins.first(k) == k)
    workers = 1 if 0 < len(records) <= FEW and workers else workers
    results = each(
        partial(look_at, look),
        originals,
        _failed,
        workers=workers,
        seconds=limits.seconds,
        weight=lambda record: record.size,
    )
    found, entries = Survey(), dict[int, Seen]()
    for k, record in enumerate(records):
        first = twins.first(k)
        if first == k:
            entries[k] = next(results)
        _enter(
            found,
            record,
            entries[k] if first == k else _twin(entries[first], records[first].name, record, look.salt),
        )
        if len(found.rows) > limits.pictures:
            raise DataError(
                f"There are more than {limits.pictures:,} pictures ({option('pictures')}); take fewer slices "
                "(--slices) or a part of the files."
            )
        progress("Reading images", k + 1, len(records))
    return found


def _enter(found: Survey, record: Record, seen: Seen) -> None:
    found.rows += seen.rows
    found.rejected += seen.rejected
    found.flagged += [Rejection(record.name, flag) for flag in seen.flags]
    found.dropped.update(seen.dropped)
    if seen.rows:
        found.kinds[seen.kind] += 1
        found.deep += seen.deep
        found.hu += seen.hu


def _twin(first: Seen, name: str, record: Record, salt: bytes) -> Seen:
    """A file with the bytes of an earlier one, called `name`: its pixels are there already."""
    patient = salted(record.patient, salt)
    rows = tuple(
        replace(row, file=_name(record, row.number), label=record.label, patient=patient or row.patient)
        for row in first.rows
    )
    rejected = tuple(
        Rejection(record.name + entry.file.removeprefix(name), entry.reason) for entry in first.rejected
    )
    return replace(first, rows=rows, rejected=rejected)


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


def survey_arrays(images: Sequence[np.ndarray], records: Sequence[Record], spool: Spool) -> Survey:
    """The same for pictures that exist as uint8 `(S, S, C)` already (the phantoms)."""
    found = Survey()
    for image, record in zip(images, records, strict=True):
        row = _row(record, None, image, (image.shape[1], image.shape[0]), spool.append(image))
        _enter(found, record, Seen((row,), kind="phantom"))
    return found


def look_at(look: Look, record: Record) -> Seen:
    """Decode and fit one file, picture by picture; never raises for what a file holds, OSError (of a
    full disk) for where the pixels go."""
    try:
        decoded = decode(record.read(look.decoding.limits), record.name, look.decoding)
        rows = tuple(_rows(record, decoded, look))
    except DataError as error:
        return _failed(record, _plain(str(error)))
    except MemoryError:
        return _failed(record, "needs more memory than there is")
    except _DiskFull as error:
        raise error.error from None
    except OSError as error:
        return _failed(record, f"cannot be read ({error.strerror or error})")
    unused = [Rejection(_name(record, number), "is blank (one single colour)") for number in decoded.skipped]
    unused += [Rejection(_name(record, number), UNLIKE) for number in decoded.unlike]
    return Seen(
        rows,
        tuple(unused),
        kind=decoded.kind,
        deep=decoded.deep,
        hu=decoded.hu,
        dropped=decoded.dropped,
        flags=decoded.flags,
    )


class _DiskFull(Exception):
    """An OSError of the place where pixels are kept, to be told from one of the file that is read."""

    def __init__(self, error: OSError) -> None:
        self.error = error


def _rows(record: Record, decoded: Decoded, look: Look) -> Iterator[Row]:
    patient = salted(record.patient or decoded.patient, look.salt)
    study = salted(decoded.study, look.salt)
    for picture in decoded.pictures:
        pixels = _fitted(picture, look)
        try:
            place = look.spool.append(pixels)
        except OSError as error:
            raise _DiskFull(error) from error
        row = _row(record, picture.number, pixels, picture.size, place)
        yield replace(row, patient=patient, study=study, window=decoded.window)


def _row(record: Record, number: int | None, pixels: np.ndarray, size: tuple[int, int], place: Place) -> Row:
    return Row(
        file=_name(record, number),
        number=number,
        label=record.label,
        patient=None,
        study=None,
        width=size[0],
        height=size[1],
        window="",
        sha256=digest(pixels),
        grey=is_grey(to_pil(pixels)),
        thumb=thumbnail(pixels),
        place=place,
    )


def salted(patient: str | None, salt: bytes) -> bytes | None:
    """A patient's id as a keyed hash, good for telling patients apart and for nothing else: the salt is
    drawn for one preparation and forgotten."""
    return hmac.digest(salt, patient.strip().encode(), "sha256") if patient and patient.strip() else None


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Prepared uint8 `(S, S, C)` as uint8 `(32, 32, 3)`, each pixel the mean of its block."""
    small = to_pil(pixels).resize((THUMB, THUMB), Image.Resampling.BOX)
    return np.asarray(small.convert("RGB"))


def _fitted(picture: Picture, look: Look) -> np.ndarray:
    channels = 1 if picture.image.mode == "L" else 3
    pixels = fit(picture.image, look.size, channels, look.fit)
    if channels == 3 and (pixels == pixels[:, :, :1]).all():  # grey in a colour file
        pixels = pixels[:, :, :1]
    return np.ascontiguousarray(pixels)


def _plain(reason: str) -> str:
    """A reason without what a file may have put into it: control characters, pages of text."""
    clean = "".join(sign if sign.isprintable() else " " for sign in reason)
    return clean if len(clean) <= REASON else clean[:REASON] + "…"


def _failed(record: Record, reason: str) -> Seen:
    return Seen(rejected=(Rejection(record.name, reason),))


def _name(record: Record, number: int | None) -> str:
    return record.name if number is None else f"{record.name}#{number:04d}"
