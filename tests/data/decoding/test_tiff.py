"""TIFF of each kind of number, packing and layout, written by tifffile or Pillow."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tifffile import TiffFile

from medgan.data.decoding import Decoding, decode, parse_slices
from medgan.data.limits import Limits
from medgan.data.window import parse_window
from medgan.errors import DataError
from tests.data.decoding.files import all_pixels, pixels, ramp, tiff
from tests.data.samples import encoded, picture

SHAPE = (20, 30)


def expected(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint((np.clip(values.astype(np.float64), low, high) - low) / (high - low) * 255)


def windowed(data: bytes, window: str) -> np.ndarray:
    decoded = decode(data, "x", Decoding(window=parse_window(window)))
    assert (decoded.kind, decoded.deep, decoded.window) == ("TIFF", True, window)
    return pixels(decoded)


def packed_by_libtiff(values: np.ndarray, compression: str) -> bytes:
    return encoded(Image.fromarray(values), "TIFF", compression=compression)


# kinds of numbers


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u2", "i2", "u4", "i4", "f4", "f8", "f2", "u8", "i8", "i1"])
def test_every_kind_of_number_keeps_its_values(kind: str, order: str) -> None:
    start = {"u": 10, "i": -60, "f": -60}[kind[0]]
    values = ramp(SHAPE, "i8", 1, start)
    values = np.clip(values, -128, 127).astype("i1") if kind == "i1" else values.astype(kind)
    assert np.array_equal(windowed(tiff(values, byteorder=order), "-50,120"), expected(values, -50, 120))


def test_unsigned_32_bits_above_the_signed_ones_stay_above() -> None:
    values = ramp(SHAPE, "u4", 1000, 2**32 - 700_000)
    for data in (tiff(values), packed_by_libtiff(values.view("i4"), "tiff_lzw")):
        file = bytearray(data)
        with TiffFile(io.BytesIO(data)) as opened:
            tag = opened.pages[0].tags.get("SampleFormat")
            if tag is not None and tag.value == 2:  # written as signed for want of a Pillow mode
                file[tag.valueoffset] = 1
        assert np.array_equal(
            windowed(bytes(file), "4294270000,4294900000"), expected(values, 4294270000, 4294900000)
        )


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("kind", ["u2", "i4", "f4"])
def test_grey_of_every_depth_in_every_usual_packing(kind: str, compression: str) -> None:
    values = ramp(SHAPE, kind, 7, 5)
    assert np.array_equal(
        windowed(packed_by_libtiff(values, compression), "100,4000"), expected(values, 100, 4000)
    )


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"compression": "zlib", "predictor": True}, {}])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 7}])
def test_deep_colour_is_not_flattened_to_its_high_bytes(
    options: dict[str, Any], layout: dict[str, Any]
) -> None:
    values = ramp((*SHAPE, 3), "u2", 2, 100)  # 12 bits at most: the high bytes alone would be black
    data = tiff(values, photometric="rgb", **options, **layout)
    assert np.array_equal(windowed(data, "100,4000"), expected(values, 100, 4000))


def test_deep_colour_in_separate_planes() -> None:
    values = ramp((3, *SHAPE), "u2", 2, 100)
    data = tiff(values, photometric="rgb", planarconfig="separate")
    assert np.array_equal(windowed(data, "100,4000"), expected(np.moveaxis(values, 0, -1), 100, 4000))


def test_all_channels_of_deep_colour_share_one_window() -> None:
    values = np.stack([ramp(SHAPE), ramp(SHAPE) // 2, np.zeros(SHAPE)], axis=2).astype("u2")
    decoded = decode(tiff(values, photometric="rgb"), "x")
    got = pixels(decoded)
    assert decoded.window == "percentiles 0.5%,99.5%"
    assert got[-1, -1, 0] == 255
    assert abs(int(got[-1, -1, 1]) - 128) < 5
    assert got[..., 2].max() == 0


def test_deep_transparency_is_laid_on_black() -> None:
    values = np.full((*SHAPE, 4), 60_000, "u2")
    values[..., 3] = ramp(SHAPE, "u2", 100)
    straight = windowed(tiff(values, photometric="rgb", extrasamples="unassalpha"), "0,60000")
    assert np.array_equal(straight[..., 0], np.rint(255 * (values[..., 3] / 65535)))
    values[..., :3] = values[..., 3:]
    premultiplied = windowed(tiff(values, photometric="rgb", extrasamples="assocalpha"), "0,60000")
    assert np.array_equal(premultiplied[..., 0], expected(values[..., 0], 0, 60000))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_white_is_zero_is_no_negative(kind: str) -> None:
    values = ramp(SHAPE, "u2", 1).astype(kind) if kind != "u1" else ramp(SHAPE, "u1") // 4
    got = all_pixels(tiff(values, photometric="miniswhite"), window=parse_window("0,600"))[None]
    assert got[0, 0] == 255
    assert got[5, 5] < got[0, 0]


def test_pixels_that_are_no_number_are_black_and_do_not_spoil_the_others() -> None:
    values = ramp(SHAPE, "f4")
    values[0, :3] = np.nan, np.inf, -np.inf
    got = pixels(decode(tiff(values), "x"))
    assert got[0, :3].tolist() == [0, 255, 0]
    assert 120 < got[10, 0] < 135


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [True, False])
def test_the_orientation_is_applied_to_deep_and_to_plain_pages(orientation: int, deep: bool) -> None:
    from tests.data.decoding.test_photo import TURNS

    shown = ramp(SHAPE, "u2", 20)
    turned = Image.fromarray((shown // 256).astype("u1"))
    stored = np.asarray(turned.transpose(TURNS[orientation]) if orientation > 1 else turned)
    data = tiff(stored.astype("u2" if deep else "u1"), extratags=[(274, "H", 1, orientation, True)])
    got = all_pixels(data, window=parse_window("0,255"))[None]
    assert np.array_equal(got, shown // 256)


# 8 bits


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_eight_bits_in_every_usual_packing(mode: str, compression: str) -> None:
    image = picture(0, (64, 48), mode)
    got = pixels(decode(encoded(image, "TIFF", compression=compression), "x")).astype(int)
    assert np.abs(got - np.asarray(image)).mean() <= (6 if compression == "jpeg" else 0)


@pytest.mark.parametrize("mode", ["P", "1", "RGBA", "CMYK", "LA"])
def test_every_mode_of_eight_bits(mode: str) -> None:
    image = picture(0, mode="L" if mode in ("1", "LA") else "RGB").convert(mode)
    got = pixels(decode(encoded(image, "TIFF"), "x")).astype(int)
    wanted = np.asarray(image.convert("L" if mode in ("1", "LA") else "RGB"))
    assert np.abs(got - wanted).max() <= 1


# pages


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_each_page_is_a_picture_with_its_number(kind: str) -> None:
    values = np.stack([ramp(SHAPE, "i8", 1, 10 * page) % 200 for page in range(6)]).astype(kind)
    got = all_pixels(tiff(values), window=parse_window("0,255"))
    assert list(got) == list(range(6))
    for page in range(6):
        assert np.array_equal(got[page], values[page])
    some = all_pixels(tiff(values), window=parse_window("0,255"), slices=parse_slices("1:6:2"))
    assert list(some) == [1, 3, 5]


def test_all_pages_share_one_window() -> None:
    values = np.stack([ramp(SHAPE), ramp(SHAPE) + 600])
    dark, bright = all_pixels(tiff(values)).values()
    assert dark.mean() < 70
    assert bright.mean() > 185


def test_pages_of_another_size_or_kind_are_passed_over_and_noted() -> None:
    buffer = io.BytesIO()
    from tifffile import TiffWriter

    with TiffWriter(buffer) as writer:
        for page in (ramp(SHAPE), ramp((10, 10)), ramp(SHAPE, "u1"), ramp(SHAPE) + 3):
            writer.write(page, contiguous=False)
        writer.write(ramp((10, 15)), subfiletype=1)  # a preview is no picture that is lost
    assert list(all_pixels(buffer.getvalue())) == [0, 3]
    assert decode(buffer.getvalue(), "x").unlike == (1, 2)


def test_blank_pages_are_passed_over_and_noted() -> None:
    values = np.stack([ramp(SHAPE), np.full(SHAPE, 7, "u2"), ramp(SHAPE), ramp(SHAPE)])
    decoded = decode(tiff(values, photometric="minisblack"), "x")
    assert [p.number for p in decoded.pictures] == [0, 2, 3]
    assert decoded.skipped == [1]
    with pytest.raises(DataError, match="is blank"):
        list(decode(tiff(np.zeros((2, *SHAPE), "u1")), "x").pictures)


def test_too_many_pages_name_the_limit() -> None:
    with pytest.raises(DataError, match=r"holds 6 pictures; at most 5 are read \(--limit-frames\)"):
        decode(tiff(ramp((6, *SHAPE))), "x", Decoding(limits=Limits(frames=5)))


# what cannot be used


@pytest.mark.parametrize("number, name", [(5, "LZW"), (1970, "an unknown packing")])
def test_deep_colour_in_a_packing_that_cannot_be_unpacked_is_named(number: int, name: str) -> None:
    data = bytearray(tiff(ramp((*SHAPE, 3)), photometric="rgb", compression="zlib"))
    with TiffFile(io.BytesIO(bytes(data))) as opened:
        at = opened.pages[0].tags["Compression"].valueoffset
    data[at : at + 2] = number.to_bytes(2, "little")
    with pytest.raises(
        DataError, match=f"holds 16-bit values packed with {name}, which cannot be read; save"
    ):
        decode(bytes(data), "x")


@pytest.mark.parametrize("tag", ["Compression", "SamplesPerPixel", "BitsPerSample"])
def test_text_where_a_number_should_stand_is_not_repeated(tag: str) -> None:
    data = bytearray(tiff(ramp((*SHAPE, 3)), photometric="rgb", compression="zlib"))
    with TiffFile(io.BytesIO(bytes(data))) as opened:
        at = opened.pages[0].tags[tag].offset
    data[at + 2 : at + 12] = (2).to_bytes(2, "little") + (4).to_bytes(4, "little") + b"Doe\0"
    with pytest.raises(DataError) as caught:
        [picture.image for picture in decode(bytes(data), "x").pictures]
    assert "Doe" not in str(caught.value)


def test_many_channels_that_are_no_colours_are_refused() -> None:
    data = tiff(ramp((5, *SHAPE)), photometric="minisblack", planarconfig="separate")
    with pytest.raises(DataError, match="has 5 deep channels that are not red, green and blue"):
        decode(data, "x")


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="numbers of a kind that is not read"):
        decode(tiff(ramp(SHAPE).astype("c8")), "x")


def test_a_page_that_unpacks_to_more_than_it_says_is_not_unpacked() -> None:
    bomb = zlib.compress(b"\0" * 20_000_000)
    plain = tiff(ramp((*SHAPE, 3)), photometric="rgb", compression="zlib")
    with TiffFile(io.BytesIO(plain)) as opened:
        tags = opened.pages[0].tags
        offset, count = tags["StripOffsets"].valueoffset, tags["StripByteCounts"].valueoffset
    data = bytearray(plain + bomb)
    data[offset : offset + 4] = len(plain).to_bytes(4, "little")
    data[count : count + 4] = len(bomb).to_bytes(4, "little")
    with pytest.raises(DataError, match="is damaged or cut short"):
        decode(bytes(data), "x")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_deep_files_that_are_cut_short_say_so(options: dict[str, Any], share: float) -> None:
    data = tiff(np.random.default_rng(0).integers(0, 4096, (64, 64, 3), "u2"), photometric="rgb", **options)
    with pytest.raises(DataError, match="is damaged or cut short"):
        decode(data[: int(share * len(data))], "x")


def test_gigapixels_are_refused_from_the_header_alone() -> None:
    data = bytearray(tiff(ramp(SHAPE)))
    with TiffFile(io.BytesIO(bytes(data))) as opened:
        tags = opened.pages[0].tags
        places = [tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
    for at in places:
        data[at : at + 2] = (60_000).to_bytes(2, "little")
    with pytest.raises(DataError, match="is 60000 x 60000 pixels; at most 100 megapixels"):
        decode(bytes(data), "x")
