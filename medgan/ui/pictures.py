"""Pictures of an intake for the page: a few files decoded as the preparation would, and remembered.

Only files that a scan accepted come here; the scan runs in processes of its own, so that a hostile file
meets them first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.errors import DataError, MedGANError
from medgan.images import FITS, fit, png
from medgan.ui.intake import Intake

if TYPE_CHECKING:
    from PIL.Image import Image

    from medgan.data.records import Record

LARGE = 40 * 2**20
"""Bytes of a file above which the page looks for a smaller one to show."""
PREVIEW_MEGAPIXELS = 40
"""Million pixels of a picture above which it is not shown."""
THUMB = 256
SLIM = 2
"""How many times longer than wide a picture may be before its thumbnail becomes a square with margins."""


@dataclass(frozen=True)
class Look:
    """One picture as it is (`before`) and fitted in each way, all PNG; or the `reason` why it cannot be."""

    name: str
    before: bytes = b""
    fitted: Mapping[str, bytes] | None = None
    window: str = ""
    deep: bool = False
    reason: str = ""


def look(intake: Intake, name: str, *, window: str, size: int, channels: int) -> Look:
    """The picture `name` of an intake with this window, at this size."""
    return _look(intake.id, name, window, size, channels, _state(intake), intake)


def thumbnail(intake: Intake, name: str, *, window: str) -> bytes | None:
    """The picture `name` as a small PNG; None if it cannot be shown."""
    return _thumbnail(intake.id, name, window, _state(intake), intake)


def examples(intake: Intake, names: Sequence[str], count: int, page: int = 0) -> list[str]:
    """`count` of the usable pictures, spread over the set; other ones on every page. Of a file that is
    large, only if there is nothing else: reading it would make the page wait."""
    usable = _not_large(intake, names) or list(names)
    if len(usable) <= count:
        return usable
    step = len(usable) / count
    shift = (page * 0.382) % 1.0  # the golden section: pages hardly ever repeat a picture
    return [usable[int((k + shift) * step) % len(usable)] for k in range(count)]


def records(intake: Intake) -> dict[str, Record]:
    """The files of an intake by name; listed once."""
    return _records(intake.id, _state(intake), intake)


def _state(intake: Intake) -> tuple[str, ...]:
    """What a remembered listing hangs on: another source or another table of classes is another listing."""
    return (*intake.sources, str(intake.labels))


@st.cache_resource(show_spinner=False, max_entries=8)
def _records(intake_id: str, state: tuple[str, ...], _intake: Intake) -> dict[str, Record]:
    from medgan.data.records import find_records

    found = find_records([Path(source) for source in _intake.sources], labels=_intake.labels)
    return {record.name: record for record in found.records}


@st.cache_data(show_spinner=False, max_entries=200)
def _look(
    intake_id: str, name: str, window: str, size: int, channels: int, state: tuple[str, ...], _intake: Intake
) -> Look:
    try:
        image, decoded = _decode(_intake, name, window)
    except MedGANError as error:
        return Look(name, reason=str(error))
    fitted = {mode: png(fit(image, size, channels, mode)) for mode in FITS}
    return Look(name, _small(image), fitted, decoded.window, decoded.deep)


@st.cache_data(show_spinner=False, max_entries=400)
def _thumbnail(
    intake_id: str, name: str, window: str, state: tuple[str, ...], _intake: Intake
) -> bytes | None:
    try:
        return _small(_decode(_intake, name, window)[0])
    except MedGANError:
        return None


def _small(image: Image) -> bytes:
    from PIL import ImageOps

    small = image.copy()
    small.thumbnail((THUMB, THUMB))
    if max(small.size) > SLIM * min(small.size):  # stretched to a column's width it would fill the screen
        small = ImageOps.pad(small.convert("RGBA"), (THUMB, THUMB), color=(0, 0, 0, 0))
    return png(small)


def _decode(intake: Intake, name: str, window: str) -> tuple[Image, Any]:
    """The upright picture `name`, and what decoding said of its file; DataError if it cannot be."""
    from medgan.data.decoding import decode
    from medgan.data.decoding.options import ALL, Decoding, parse_slices
    from medgan.data.limits import LIMITS
    from medgan.data.window import parse_window

    record, number = _record_of(records(intake), name)
    slices = ALL if number is None else parse_slices(str(number))
    # the server itself decodes here, so less is allowed than in the process that checked the file
    limits = replace(LIMITS, megapixels=PREVIEW_MEGAPIXELS)
    options = Decoding(window=parse_window(window), slices=slices, shortest=2 * THUMB, limits=limits)
    try:
        decoded = decode(record.read(options.limits), record.name, options)
        for picture in decoded.pictures:
            return picture.image, decoded
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})") from error
    raise DataError("holds no picture")


def _record_of(known: Mapping[str, Record], name: str) -> tuple[Record, int | None]:
    """The file that a picture is in, and which of its pictures it is: `name` or `name#0007`."""
    if name in known:
        return known[name], None
    file, _, number = name.rpartition("#")
    if file in known and number.isdecimal():
        return known[file], int(number)
    raise DataError("is not there any more")


def _not_large(intake: Intake, names: Sequence[str]) -> list[str]:
    try:
        known = records(intake)
    except DataError:  # each picture will say why it cannot be shown
        return []
    return [name for name in names if _size(known, name) <= LARGE]


def _size(known: Mapping[str, Record], name: str) -> int:
    try:
        return _record_of(known, name)[0].size
    except DataError:
        return 0
