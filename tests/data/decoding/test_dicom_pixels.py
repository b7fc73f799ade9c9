"""DICOM's pixels: values against hand computation, windows, every photometric kind, frames."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest

from medgan.data.decoding import parse_slices
from medgan.errors import DataError
from tests.data.decoding.files import (
    all_pixels,
    dicom,
    group,
    linear,
    opened,
    pixels,
    ramp,
    shipped,
)
from tests.data.samples import picture

SHAPE = (20, 30)
CT = {"RescaleSlope": 1, "RescaleIntercept": -1024}


# values and windows


def test_the_lung_window_of_a_real_ct_is_as_computed_by_hand() -> None:
    stored = pydicom.dcmread(io.BytesIO(shipped("CT_small.dcm"))).pixel_array.astype(int)
    decoded = opened(shipped("CT_small.dcm"), "lung")
    got = pixels(decoded)
    assert (decoded.hu, decoded.deep, decoded.window) == (True, True, "lung -1350,150")
    for row, column in ((0, 0), (10, 100), (64, 64), (127, 127), (90, 20)):
        units = stored[row, column] - 1024
        share = min(1, max(0, (units + 1350) / 1500))
        assert got[row, column] == round(255 * share), (row, column)
    assert (stored[10, 10] - 1024, got[10, 10]) == (-800, 94)


def test_signed_values_keep_their_sign() -> None:
    values = ramp(SHAPE, "i2", 5, -1500)
    assert np.array_equal(pixels(opened(dicom(values), "-1000,1000")), linear(values, -1000, 1000))


def test_rescale_is_applied_before_the_window() -> None:
    values = ramp(SHAPE, "u2", 5)
    data = dicom(values, RescaleSlope=0.5, RescaleIntercept=-100)
    assert np.array_equal(pixels(opened(data, "0,500")), linear(values * 0.5 - 100, 0, 500))


@pytest.mark.parametrize(
    "function, low, high",
    [(None, 500 - 200, 500 + 199), ("LINEAR", 300, 699), ("LINEAR_EXACT", 300, 700)],
)
def test_the_files_own_window_is_dicoms(function: str | None, low: float, high: float) -> None:
    values = ramp(SHAPE, "u2", 2)
    data = dicom(values, WindowCenter=500, WindowWidth=400, VOILUTFunction=function)
    decoded = opened(data)
    assert decoded.window == "file 500/400"
    assert np.array_equal(pixels(decoded), linear(values, low, high))


def test_linear_is_the_formula_of_the_standard() -> None:
    values, centre, width = ramp(SHAPE, "u2", 2), 500.0, 400.0
    inside = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255  # PS3.3, C.11.2.1.2.1
    inside[values <= centre - 0.5 - (width - 1) / 2] = 0
    inside[values > centre - 0.5 + (width - 1) / 2] = 255
    got = pixels(opened(dicom(values, WindowCenter=centre, WindowWidth=width))).astype(float)
    assert np.abs(got - inside).max() <= 0.5 + 1e-9


def test_a_sigmoid_window_is_dicoms() -> None:
    values = ramp(SHAPE, "u2", 2)
    got = pixels(opened(dicom(values, WindowCenter=500, WindowWidth=400, VOILUTFunction="SIGMOID")))
    assert np.array_equal(got, np.rint(255 / (1 + np.exp(-4 * (values - 500.0) / 400))))


def test_of_several_windows_the_first_is_used() -> None:
    data = dicom(ramp(SHAPE, "u2", 2), WindowCenter=[500, 40], WindowWidth=[400, 80])
    assert opened(data).window == "file 500/400"


@pytest.mark.parametrize("width", [0, -3, None, ""])
def test_a_window_without_a_width_is_none(width: Any) -> None:
    data = dicom(ramp(SHAPE, "u2", 2), WindowCenter=500, WindowWidth=width)
    assert opened(data).window == "percentiles 0.5%,99.5%"
    with pytest.raises(DataError, match="has no window of its own"):
        opened(data, "file")


def test_a_table_of_the_file_comes_before_its_window() -> None:
    values = ramp(SHAPE, "u2") % 256
    table = [4095 - 16 * k for k in range(256)]
    sequence = group(LUTDescriptor=[256, 0, 12], LUTData=table)
    sequence[0]["LUTDescriptor"].VR = sequence[0]["LUTData"].VR = "US"
    decoded = opened(dicom(values, VOILUTSequence=sequence, WindowCenter=1, WindowWidth=9))
    assert decoded.window == "file's table"
    assert np.array_equal(pixels(decoded), np.rint(np.array(table)[values] / 4095 * 255))
    assert opened(dicom(values, VOILUTSequence=sequence), "0,255").window == "0,255"


def test_values_beyond_a_small_table_take_its_ends() -> None:
    values = ramp(SHAPE, "u2")
    sequence = group(LUTDescriptor=[11, 100, 8], LUTData=[10 * k for k in range(11)])
    sequence[0]["LUTDescriptor"].VR = sequence[0]["LUTData"].VR = "US"
    got = pixels(opened(dicom(values, VOILUTSequence=sequence)))
    assert np.array_equal(got, linear(values, 100, 110))


def test_monochrome1_is_inverted() -> None:
    values = ramp(SHAPE, "u2", 2)
    plain = pixels(opened(dicom(values), "100,900"))
    assert np.array_equal(
        pixels(opened(dicom(values, PhotometricInterpretation="MONOCHROME1"), "100,900")), 255 - plain
    )
    small = (values // 8).astype("u1")
    assert np.array_equal(pixels(opened(dicom(small, PhotometricInterpretation="MONOCHROME1"))), 255 - small)


def test_a_real_radiograph_of_monochrome1_is_a_positive() -> None:
    data = shipped("dicomdirtests/77654033/CR3/6278")
    stored = pydicom.dcmread(io.BytesIO(data)).pixel_array
    got = pixels(opened(data))
    assert np.corrcoef(stored.ravel(), got.ravel())[0, 1] < -0.5


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_spoil_the_percentiles(photometric: str) -> None:
    values = ramp(SHAPE, "i2", 1, 100)
    values[:, :5] = -2000
    data = dicom(values, PhotometricInterpretation=photometric, PixelPaddingValue=-2000)
    got = pixels(opened(data))
    assert got[:, :5].max() == 0
    assert 100 < got[10, 15] < 155
    assert np.array_equal(np.sort(np.unique(got))[[0, -1]], [0, 255])


def test_a_range_of_padding_and_the_bits_of_a_negative_one() -> None:
    values = ramp(SHAPE, "i2", 1, 100)
    values[0], values[1] = -2000, -1990
    data = dicom(values, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1990)
    assert pixels(opened(data))[:2].max() == 0
    unsigned = dicom(values[1:], Rows=19, PixelPaddingValue=-1990)
    assert np.array_equal(pixels(opened(unsigned)), pixels(opened(data))[1:])


def test_eight_bits_are_not_windowed_but_by_the_file() -> None:
    values = (ramp(SHAPE, "u2") % 200).astype("u1")
    for window in ("auto", "file", "lung", "3,4", "percentiles"):
        decoded = opened(dicom(values), window)
        assert (decoded.window, decoded.deep) == ("", False)
        assert np.array_equal(pixels(decoded), values)
    own = dicom(values, WindowCenter=100, WindowWidth=100, VOILUTFunction="LINEAR_EXACT")
    assert np.array_equal(pixels(opened(own)), linear(values, 50, 150))
    assert np.array_equal(pixels(opened(own, "3,4")), values)


def test_fewer_than_eight_bits_fill_the_range() -> None:
    values = (ramp(SHAPE, "u2") % 16).astype("u1")
    assert np.array_equal(pixels(opened(dicom(values, BitsStored=4, HighBit=3))), values * 17)


@pytest.mark.parametrize("kind, name", [("f4", "FloatPixelData"), ("f8", "DoubleFloatPixelData")])
def test_float_pixels_are_read(kind: str, name: str) -> None:
    values = ramp(SHAPE, kind) / 10
    data = dicom(
        values,
        PixelData=None,
        BitsStored=None,
        HighBit=None,
        PixelRepresentation=None,
        **{name: values.tobytes()},
    )
    assert np.array_equal(pixels(opened(data, "5,40")), linear(values, 5, 40))


def test_without_preamble_and_in_every_byte_order_it_is_the_same_picture() -> None:
    reference = pixels(opened(shipped("MR_small.dcm")))
    for name in ("implicit", "bigendian", "expb", "RLE", "jp2klossless", "padded"):
        assert np.array_equal(pixels(opened(shipped(f"MR_small_{name}.dcm"))), reference), name
    bare = shipped("MR_small_implicit.dcm")
    start = bare.index(b"\x08\0\x08\0")
    assert np.array_equal(pixels(opened(bare[start:])), reference)


# Hounsfield units


@pytest.mark.parametrize(
    "fields, hu",
    [
        (CT, True),
        ({**CT, "RescaleType": "HU", "Modality": "PT"}, True),
        ({**CT, "RescaleType": "OD"}, False),
        ({**CT, "Modality": "MR"}, False),
        ({**CT, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, False),
        ({}, False),
    ],
)
def test_hounsfield_units_are_told_from_other_values(fields: dict[str, Any], hu: bool) -> None:
    data = dicom(ramp(SHAPE, "u2", 5), **fields)
    assert opened(data).hu is hu
    if hu:
        assert opened(data, "bone").window == "bone -450,1050"
    else:
        with pytest.raises(DataError, match="has no Hounsfield units, so the bone window does not apply"):
            opened(data, "bone")


# colour


def test_rgb_comes_through_in_both_layouts() -> None:
    values = np.asarray(picture(0))
    assert np.array_equal(pixels(opened(dicom(values))), values)
    planes = dicom(values, PlanarConfiguration=1, PixelData=np.moveaxis(values, 2, 0).tobytes())
    assert np.array_equal(pixels(opened(planes)), values)


def test_ybr_becomes_rgb() -> None:
    values = np.asarray(picture(0))
    ybr = np.asarray(picture(0).convert("YCbCr"))
    got = pixels(opened(dicom(ybr, PhotometricInterpretation="YBR_FULL"))).astype(int)
    assert np.abs(got - values).max() <= 3


def test_every_packing_of_the_colour_bars_gives_the_same_colours() -> None:
    names = ["SC_rgb_rle_16bit", "SC_rgb_rle_32bit", "SC_rgb_gdcm_KY", "SC_ybr_full_422_uncompressed"]
    names += [f"SC_rgb_dcmtk_+eb+{kind}" for kind in ("cr", "cy+n1", "cy+n2", "cy+np", "cy+s2", "cy+s4")]
    names += ["SC_rgb_jpeg_dcmtk", "SC_rgb_jpeg_lossy_gdcm"]
    reference = pixels(opened(shipped("SC_rgb_rle.dcm"))).astype(int)
    assert reference[5, 50].tolist() == [255, 0, 0]
    for name in names:
        got = pixels(opened(shipped(f"{name}.dcm"))).astype(int)
        middles = slice(5, None, 10)  # of the bars: at their borders JPEG may blur
        assert np.abs(got - reference)[middles].max() <= 5, name


def test_a_palette_shows_its_colours() -> None:
    data = shipped("examples_palette.dcm")
    dataset = pydicom.dcmread(io.BytesIO(data))
    tables = [
        np.frombuffer(dataset[f"{c}PaletteColorLookupTableData"].value, "<u2")
        for c in ("Red", "Green", "Blue")
    ]
    got = pixels(opened(data))
    for row, column in ((10, 100), (60, 400), (175, 380)):
        entry = dataset.pixel_array[row, column]
        assert got[row, column].tolist() == [int(table[entry]) >> 8 for table in tables]


def test_colours_of_sixteen_bits_fill_the_range() -> None:
    values = ramp((*SHAPE, 3), "u2", 30)
    assert np.array_equal(pixels(opened(dicom(values))), np.rint(values / 65535 * 255))


# several frames


def test_each_frame_is_a_picture_with_its_number() -> None:
    frames = all_pixels(shipped("examples_ybr_color.dcm"))
    assert list(frames) == list(range(30))
    assert all(frame.shape == (240, 320, 3) for frame in frames.values())
    assert list(all_pixels(shipped("examples_ybr_color.dcm"), slices=parse_slices("::10"))) == [0, 10, 20]


def test_frames_share_one_window() -> None:
    values = np.stack([ramp(SHAPE, "u2"), ramp(SHAPE, "u2", start=600)])
    dark, bright = all_pixels(dicom(values, NumberOfFrames=2)).values()
    assert dark.mean() < 70
    assert bright.mean() > 185


def test_frames_may_bring_their_own_window_and_rescale() -> None:
    values = np.stack([ramp(SHAPE, "u2")] * 2)
    own = pydicom.Sequence()
    for centre, intercept in ((100, 0), (300, 50)):
        frame = pydicom.Dataset()
        frame.FrameVOILUTSequence = group(WindowCenter=centre, WindowWidth=200, VOILUTFunction="LINEAR_EXACT")
        frame.PixelValueTransformationSequence = group(
            RescaleSlope=2, RescaleIntercept=intercept, RescaleType="HU"
        )
        own.append(frame)
    data = dicom(values, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=own)
    decoded = opened(data)
    assert (decoded.hu, decoded.window) == (True, "file 100/200")
    first, second = (np.asarray(p.image) for p in decoded.pictures)
    assert np.array_equal(first, linear(values[0] * 2.0, 0, 200))
    assert np.array_equal(second, linear(values[1] * 2.0 + 50, 200, 400))


def test_a_window_shared_by_all_frames_is_found() -> None:
    shared = group(FrameVOILUTSequence=group(WindowCenter=300, WindowWidth=200))
    data = dicom(np.stack([ramp(SHAPE, "u2")] * 2), NumberOfFrames=2, SharedFunctionalGroupsSequence=shared)
    assert opened(data).window == "file 300/200"


def test_oblong_pixels_are_made_square() -> None:
    values = ramp(SHAPE, "u2")
    assert pixels(opened(dicom(values, PixelSpacing=[2.0, 1.0]))).shape == (40, 30)
    assert pixels(opened(dicom(values, PixelAspectRatio=[1, 2]))).shape == (20, 60)
    assert pixels(opened(dicom(values, PixelSpacing=[0.7, 0.7]))).shape == SHAPE
