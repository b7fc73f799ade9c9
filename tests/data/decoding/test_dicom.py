"""DICOM: the facts about a file, and what is refused before its pixels are touched."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from medgan.data.decoding import decode
from medgan.data.limits import Limits
from medgan.errors import DataError
from tests.data.decoding.files import (
    deflated,
    dicom,
    linear,
    opened,
    pixels,
    ramp,
    shipped,
)
from tests.data.samples import encoded, picture

SHAPE = (20, 30)


# facts


def test_what_tells_who_the_patient_is_is_counted_and_the_id_given_for_hashing() -> None:
    data = dicom(
        ramp(SHAPE, "u2"),
        PatientName="Doe^Jane",
        PatientID=" 17 ",
        IssuerOfPatientID="UKE",
        PatientBirthDate="19700101",
        InstitutionName="Clinic",
        PatientComments="",
        OperatorsName=None,
    )
    decoded = opened(data)
    assert decoded.dropped == ("patient name", "patient id", "birth date", "institution")
    assert decoded.patient == "17"
    assert opened(dicom(ramp(SHAPE, "u2"))).patient is None
    assert opened(dicom(ramp(SHAPE, "u2"))).dropped == ()


def test_text_in_the_pixels_and_secondary_captures_are_flagged() -> None:
    capture = "1.2.840.10008.5.1.4.1.1.7.2"
    data = dicom(ramp(SHAPE, "u2"), BurnedInAnnotation="YES", SOPClassUID=capture)
    assert opened(data).flags == ("burned-in annotation", "secondary capture")
    assert opened(dicom(ramp(SHAPE, "u2"), BurnedInAnnotation="NO")).flags == ()


# what cannot be used


@pytest.mark.parametrize(
    "name, reason",
    [
        ("MR_truncated.dcm", "is damaged or cut short"),
        ("badVR.dcm", "is damaged or cut short"),
        ("rtplan.dcm", r"is DICOM without pixels \(RT Plan Storage\)"),
        ("dicomdirtests/DICOMDIR", r"is a directory of DICOM files \(DICOMDIR\), not an image"),
        ("MR_small_jpeg_ls_lossless.dcm", "is packed as JPEG-LS Lossless, which cannot be unpacked here"),
        ("SC_rgb_jpeg_gdcm.dcm", "is packed as JPEG Lossless, which cannot be unpacked here"),
        ("JPGExtended.dcm", "is packed as 12-bit JPEG, which cannot be unpacked here"),
    ],
)
def test_what_cannot_be_used_has_its_reason(name: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        opened(shipped(name))


@pytest.mark.parametrize(
    "name", ["CT_small", "MR_small_RLE", "JPEG2000", "examples_ybr_color", "SC_rgb_jpeg_dcmtk", "image_dfl"]
)
@pytest.mark.parametrize("share", [0.02, 0.4, 0.9])
def test_a_file_that_is_cut_short_is_refused_and_not_half_decoded(name: str, share: float) -> None:
    data = shipped(f"{name}.dcm")
    with pytest.raises(DataError):
        list(opened(data[: int(share * len(data))]).pictures)


@pytest.mark.parametrize(
    "fields, limits, reason",
    [
        ({"Rows": 60_000, "Columns": 60_000}, {}, "is 60000 x 60000 pixels; at most 100 megapixels"),
        ({"NumberOfFrames": 2**31 - 1}, {}, r"holds 2,147,483,647 pictures; .*--limit-frames"),
        ({}, {"side": 25}, r"is 30 x 20 pixels; each side must have at least 25 \(--limit-side\)"),
        ({"Rows": 2000, "Columns": 2000, "NumberOfFrames": 1999}, {}, "is damaged or cut short"),
    ],
)
def test_header_claims_are_checked_before_pixels_are_decoded(
    fields: dict[str, Any], limits: dict[str, int], reason: str
) -> None:
    values = ramp(SHAPE, "u2")
    data = dicom(values[None] if "NumberOfFrames" in fields else values, **fields)
    with pytest.raises(DataError, match=reason):
        opened(data, limits=Limits(**limits))


def test_a_deflated_file_is_read_and_a_bomb_is_not_unpacked() -> None:
    values = ramp(SHAPE, "u2", 2)
    assert np.array_equal(pixels(opened(deflated(values), "0,1000")), linear(values, 0, 1000))
    small = deflated(values)
    start = zlib.compressobj(9, wbits=-15)
    bomb = start.compress(b"\0" * 210_000_000) + start.flush()
    meta = small.index(b"1.2.840.10008.1.2.1.99")
    end = 144 + int.from_bytes(small[140:144], "little")
    assert 132 < meta < end
    with pytest.raises(DataError, match=r"unpacks to more than 200 MB \(--limit-file-mb\)"):
        opened(small[:end] + bomb)


@pytest.mark.parametrize("syntax, kind", [(JPEGBaseline8Bit, "JPEG"), (JPEG2000Lossless, "JPEG2000")])
def test_a_packed_picture_of_another_size_than_the_header_says_is_not_unpacked(
    syntax: Any, kind: str
) -> None:
    packed = encapsulate([encoded(picture(0, (640, 480), "L"), kind)])
    data = dicom(np.zeros(SHAPE, "u1"), syntax=syntax, PixelData=None)
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.add_new("PixelData", "OB", packed)
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset)
    with pytest.raises(DataError, match="is damaged or cut short"):
        opened(buffer.getvalue())


def test_run_lengths_that_go_on_and_on_are_not_unpacked() -> None:
    header = np.array([1, 64] + [0] * 14, "<u4").tobytes()
    data = dicom(np.zeros(SHAPE, "u1"), syntax=RLELossless, PixelData=None)
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.add_new("PixelData", "OB", encapsulate([header + b"\x81\0" * 500_000]))
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset)
    with pytest.raises(DataError, match="is damaged or cut short"):
        opened(buffer.getvalue())


def test_pixels_of_unknown_colours_are_refused_by_name() -> None:
    data = dicom(np.asarray(picture(0)), PhotometricInterpretation="HSV")
    with pytest.raises(DataError, match=r"pixels of a kind that is not read \(HSV, 3 a pixel\)"):
        opened(data)


def test_text_where_colours_or_packing_should_stand_is_not_repeated() -> None:
    data = dicom(np.asarray(picture(0)), PhotometricInterpretation="DOE JANE")
    with pytest.raises(DataError, match=r"kind that is not read \(an unknown kind, 3 a pixel\)"):
        opened(data)
    packing = JPEGBaseline8Bit.encode().ljust(23, b"\0")
    packed = shipped("SC_rgb_jpeg_dcmtk.dcm")
    assert packing.rstrip(b"\0") in packed
    data = packed.replace(packing.rstrip(b"\0"), b"1.2.3.4.17.04.1970.5.6"[: len(packing.rstrip(b"\0"))], 1)
    with pytest.raises(DataError, match="is packed as an unknown kind, which cannot be unpacked here"):
        opened(data)


@pytest.mark.parametrize(
    "name", ["CT_small", "examples_palette", "MR_small_RLE", "SC_rgb_jpeg_dcmtk", "rtdose"]
)
def test_random_damage_gives_pictures_or_a_reason_but_never_a_traceback(name: str) -> None:
    whole, chance = shipped(f"{name}.dcm"), np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        for at in chance.integers(0, min(len(data), 4000), 8):
            data[at] = int(chance.integers(256))
        try:
            assert all(isinstance(p.image, Image.Image) for p in decode(bytes(data), "x").pictures)
        except DataError as error:
            assert str(error)
