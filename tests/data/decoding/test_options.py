"""Which slices are used, and what a file is by its first bytes."""

from __future__ import annotations

import pytest

from medgan.data.decoding import ALL, Slices, parse_slices
from medgan.data.decoding.kinds import kind_of, unusable
from medgan.errors import DataError


@pytest.mark.parametrize(
    "text, expected",
    [
        ("all", range(100)),
        (":", range(100)),
        ("10:20", range(10, 20)),
        ("10%:90%:2", range(10, 90, 2)),
        ("::5", range(0, 100, 5)),
        ("95:", range(95, 100)),
        (":3", range(3)),
        ("90%:200", range(90, 100)),
        ("7", range(7, 8)),
        ("50%", range(50, 51)),
        ("100%", range(99, 100)),
        ("0%", range(1)),
    ],
)
def test_slices_count_as_python_does_or_in_percents(text: str, expected: range) -> None:
    assert list(parse_slices(text).of(100)) == list(expected)


@pytest.mark.parametrize("text", ["all", "10:20", "10%:90%:2", "50%"])
def test_slices_are_written_as_they_are_read(text: str) -> None:
    assert str(parse_slices(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1:2:0", "1:2:3:4", "5:3", "60%:20%", "101%", "1.5", "9" * 5000, "1:2:" + "9" * 5000],
)
def test_what_are_no_slices_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="The slices"):
        parse_slices(text)


@pytest.mark.parametrize("slices", [ALL, parse_slices("10%:20%"), parse_slices("7")])
def test_a_file_with_one_picture_is_always_used(slices: Slices) -> None:
    assert list(slices.of(1)) == [0]


def test_slices_that_a_file_does_not_have_are_said() -> None:
    with pytest.raises(DataError, match="has 5 pictures, of which the slices 10:20 choose none"):
        parse_slices("10:20").of(5)


@pytest.mark.parametrize(
    "head, kind",
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WEBP"),
        (b"II*\0", "TIFF"),
        (b"II*\0".ljust(128, b"\0") + b"DICM", "DICOM"),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "DICOM"),
        (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", "DICOM"),
        (b"\0\x08\0\x05CS\0\x0aISO_IR 100", "DICOM"),
        (b"\x1f\x8b\x08", "GZIP"),
        (b"\x5c\x01\0\0".ljust(344, b"\0") + b"n+1\0", "NIFTI"),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"BM is how this text begins", None),
        (b"hello, world: some text", None),
        (b"", None),
    ],
)
def test_the_kind_is_told_from_the_first_bytes(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    "head, reason",
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"%PDF-1.7", "is a PDF document; save its pictures as PNG"),
        (b"\0\0\0\x18ftypheic", "is a HEIC photograph; save it as JPEG"),
        (b"hello", "is none of PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM, NIfTI, or its beginning is damaged"),
    ],
)
def test_what_cannot_be_used_has_its_reason(head: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        raise DataError(unusable(head))
