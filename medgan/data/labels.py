"""Classes and patients from a CSV: `file,label[,patient]`, under the headers that real sets have."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from medgan.data import kinds, names
from medgan.data.archive import close_archives
from medgan.data.limits import LIMITS, Limits
from medgan.data.sources import Entry, list_source, locate
from medgan.errors import DataError

_HEADERS = {
    "file": "file filename filepath path image imagename imageid imagepath imagefile imagefilepath "
    "imageindex img imgname imgid imgpath imgfile picture photo isicid idcode dicom dicompath "
    "sopinstanceuid uid id name",
    "label": "label labels class classname classlabel diagnosis dx category target finding findings "
    "findinglabels pathology disease benignmalignant type grade level severity",
    "patient": "patient patientid patientnumber patientname pid subject subjectid case caseid person "
    "personid participant participantid individual mrn lesion lesionid",
}
"""Headers in order of preference, lower case and without spaces or signs: `Image Index` is imageindex."""

_NO_PATIENT = frozenset(("", "na", "n/a", "nan", "none", "null", "unknown", "?"))
_DELIMITERS = ",;\t|"
_ODD = ("Cc", "Cn", "Co", "Cs")
"""Categories of Unicode: control characters, unassigned, private, halves of pairs."""
_LARGEST = 50 * 2**20
_HEADER_BYTES = 2**16
_MOST = 20
"""CSVs that are looked into in the sources, so that a set with a CSV an image does not take minutes."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a CSV say the file, its class and its patient (if one does)."""

    file: str
    label: str
    patient: str | None

    def __str__(self) -> str:
        patient = f", patients from {self.patient}" if self.patient else ""
        return f"files from {self.file}, classes from {self.label}{patient}"


@dataclass(frozen=True)
class LabelFile:
    """A CSV that can say the classes; `path` is what `find_records(labels=…)` takes, also inside a ZIP."""

    path: Path
    name: str
    columns: Columns


@dataclass(frozen=True)
class Labels:
    """The rows of a CSV as (file, label, patient), its columns, and how the text was read."""

    name: str
    columns: Columns
    rows: list[tuple[str, str, str | None]]
    notes: list[str]


def labels_in(sources: Sequence[Path], limits: Limits = LIMITS) -> list[LabelFile]:
    """The CSVs in `sources` (in folders and ZIPs, too) whose headers say that they can give the classes."""
    found = []
    try:
        entries = (e for source in sources for e in list_source(Path(source), limits).entries)
        tables = (e for e in entries if e.name.lower().endswith((".csv", ".tsv")) and not e.problem)
        for entry in islice(tables, _MOST):
            if columns := _columns_of(entry, limits):
                inside = entry.path / entry.name if entry.member else entry.path
                found.append(LabelFile(inside, entry.name, columns))
    finally:
        close_archives()
    return found


def read_labels(path: Path, limits: Limits = LIMITS) -> Labels:
    """The labels that a CSV gives; DataError with one sentence if it gives none."""
    entry = locate(path, limits)
    try:
        data = entry.read(limits)
    except DataError as error:
        raise DataError(f"{entry.name} {error}.") from error
    if kinds.archive_kind(data[: kinds.START]):
        raise DataError(f"{entry.name} is no CSV; in Excel, save it as CSV (UTF-8).")
    if len(data) > _LARGEST:
        raise DataError(f"{entry.name} is larger than {_LARGEST // 2**20} MB; keep its three columns only.")
    text, notes = _text(data, entry.name)
    try:
        table, columns = _table(text)
        if columns is None:
            header = _header(table)
            raise DataError(_wrong_columns(entry.name, header) if _is_text(text) else _no_table(entry.name))
        rows = list(_rows(table, columns))
    except csv.Error as error:
        why = f"{entry.name} cannot be read as CSV ({error})."
        raise DataError(why if _is_text(text) else _no_table(entry.name)) from error
    return Labels(entry.name, _chosen(columns), rows, notes)


# ---- reading the CSV


def _columns_of(entry: Entry, limits: Limits) -> Columns | None:
    try:
        start = entry.start(limits, _HEADER_BYTES)
        columns = _table(_text(start.rpartition(b"\n")[0] or start, entry.name)[0])[1]
    except (DataError, csv.Error):
        return None
    return _chosen(columns) if columns else None


def _text(data: bytes, name: str) -> tuple[str, list[str]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # what Excel calls Unicode text
        return data.decode("utf-16", "replace"), []
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        said = f"{name} is not UTF-8 and was read as Western European; if classes look odd, save it as UTF-8."
        return data.decode("cp1252", "replace"), [said]


def _is_text(text: str) -> bool:
    """Whether at most one in a hundred of the first signs is none that a person writes: random bytes have
    ten times as many control characters."""
    start = text[:4096]
    odd = sum(
        sign == "\ufffd" or (unicodedata.category(sign) in _ODD and sign not in "\t\r\n\f") for sign in start
    )
    return 100 * odd <= len(start)


def _no_table(name: str) -> str:
    return f"{name} is no table: it holds no text; give a CSV with the columns file and label."


_Chosen = dict[str, tuple[int, str]]


def _table(text: str) -> tuple[Iterator[list[str]], _Chosen | None]:
    """The rows after the header, and the columns; with no usable header all rows, and None."""
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep="):  # Excel's way to name the delimiter
        text = rest
    readers = [csv.reader(io.StringIO(text, newline=""), delimiter=sign) for sign in _DELIMITERS]
    for reader in readers:
        if columns := _choose(_header(reader)):
            return reader, columns
    most = max(_DELIMITERS, key=text.partition("\n")[0].count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=most), None


def _header(reader: Iterator[list[str]]) -> list[str]:
    return next((row for row in reader if any(cell.strip() for cell in row)), [])


def _choose(header: Sequence[str]) -> _Chosen | None:
    plain = [_plain(cell) for cell in header]
    chosen = {}
    for role, aliases in _HEADERS.items():
        alias = next((alias for alias in aliases.split() if alias in plain), None)
        if alias is not None:
            at = plain.index(alias)
            chosen[role] = (at, names.printable(header[at].strip()))
    return chosen if "file" in chosen and "label" in chosen else None


def _chosen(columns: _Chosen) -> Columns:
    patient = columns["patient"][1] if "patient" in columns else None
    return Columns(columns["file"][1], columns["label"][1], patient)


def _rows(table: Iterator[list[str]], columns: _Chosen) -> Iterator[tuple[str, str, str | None]]:
    places = [columns[role][0] if role in columns else -1 for role in ("file", "label", "patient")]
    for row in table:
        file, label, patient = (row[k].strip() if 0 <= k < len(row) else "" for k in places)
        if file:
            known = patient if patient.casefold() not in _NO_PATIENT else None
            yield file, names.printable(" ".join(label.split())), known


def _wrong_columns(name: str, header: Sequence[str]) -> str:
    """Only known headers are repeated: where the table has none, its first row may name a patient."""
    known = {alias for aliases in _HEADERS.values() for alias in aliases.split()}
    cells = [names.shortened(names.printable(cell.strip()), 30) for cell in header if _plain(cell) in known]
    found = f"; of those it has only {', '.join(cells[:12])}" if cells else ""
    return (
        f"{name} does not say which column is which: its first row must name one for the file (such as file, "
        f"image, image_id, path) and one for the class (such as label, class, diagnosis, dx, target){found}."
    )


def _plain(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.casefold())
