"""PNG, JPEG, BMP, WebP, GIF: every mode and orientation, reduced JPEGs, and what is wrong with the others."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from medgan.data.decoding import Decoding, decode
from medgan.data.window import parse_window
from medgan.errors import DataError
from tests.data.decoding.files import pixels, ramp
from tests.data.samples import encoded, picture

KINDS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")
RED = (200, 30, 40)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # the way back of what the viewer is to do
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def colours(width: int = 40, height: int = 30) -> Image.Image:
    """Red grows to the right, green downwards: any turn or flip shows."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x + 99], axis=2).astype(np.uint8))


def turned(orientation: int, kind: str, image: Image.Image | None = None) -> bytes:
    """A file that shows `image` only if its orientation is applied."""
    image = image or colours()
    stored = image.transpose(TURNS[orientation]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    return encoded(stored, kind, exif=exif, **options)


def two_colours(mode: str, first: tuple[int, ...], second: tuple[int, ...]) -> Image.Image:
    image = Image.new(mode, (16, 16), first)
    image.paste(second, (8, 0, 16, 16))
    return image


# what a file is, its content says


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_by_its_content_whatever_its_name(kind: str) -> None:
    decoded = decode(encoded(picture(0), kind), "scan.xyz")
    assert decoded.kind.upper() == kind
    assert pixels(decoded).shape == (30, 40, 3)
    assert (decoded.window, decoded.deep, decoded.hu) == ("", False, False)


def test_the_first_picture_of_an_animation_is_used() -> None:
    for kind in ("GIF", "WEBP", "PNG"):
        data = encoded(picture(1), kind, save_all=True, append_images=[picture(2)], lossless=True)
        assert np.abs(pixels(decode(data, "x")).astype(int) - np.asarray(picture(1))).max() <= 2, kind


# modes


def test_plain_pixels_come_through_unchanged() -> None:
    for mode in ("L", "RGB"):
        got = pixels(decode(encoded(picture(0, mode=mode)), "x"))
        assert np.array_equal(got, np.asarray(picture(0, mode=mode)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_on_black(kind: str) -> None:
    image = two_colours("RGBA", (*RED, 128), (*RED, 255))
    got = pixels(decode(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})), "x"))
    assert np.abs(got[8, 4].astype(int) - [v * 128 / 255 for v in RED]).max() <= 1
    assert got[8, 12].tolist() == list(RED)


def test_a_transparency_that_hides_nothing_changes_nothing() -> None:
    opaque = picture(3, mode="RGBA")
    assert np.array_equal(pixels(decode(encoded(opaque), "x")), np.asarray(picture(3)))


def test_grey_with_transparency_stays_grey() -> None:
    got = pixels(decode(encoded(two_colours("LA", (90, 255), (90, 128))), "x"))
    assert got.shape == (16, 16)
    assert (got[0, 0], got[0, 15]) == (90, 45)


def test_a_palette_shows_its_colours_and_its_transparent_one_is_black() -> None:
    palette = colours().quantize(16)
    assert np.array_equal(pixels(decode(encoded(palette), "x")), np.asarray(palette.convert("RGB")))
    image = Image.new("P", (16, 16))
    image.putpalette([*RED, 10, 20, 30])
    image.paste(1, (8, 0, 16, 16))
    for options in ({"transparency": 0}, {"transparency": b"\0\xff"}):
        got = pixels(decode(encoded(image, **options), "x"))
        assert (got[0, 0].tolist(), got[0, 15].tolist()) == ([0, 0, 0], [10, 20, 30])


def test_a_transparent_colour_of_a_plain_png_is_black() -> None:
    got = pixels(decode(encoded(two_colours("RGB", RED, (1, 2, 3)), transparency=RED), "x"))
    assert (got[0, 0].tolist(), got[0, 15].tolist()) == ([0, 0, 0], [1, 2, 3])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_comes_back_in_its_colours(kind: str) -> None:
    image = two_colours("RGB", RED, (10, 200, 90)).convert("CMYK")
    got = pixels(decode(encoded(image, kind, **({"quality": 95} if kind == "JPEG" else {})), "x"))
    assert np.abs(got[8, 3].astype(int) - RED).max() < 12
    assert np.abs(got[8, 12].astype(int) - (10, 200, 90)).max() < 12


def test_an_inverted_cmyk_jpeg_of_adobe_is_no_negative() -> None:
    # Pillow writes CMYK as Adobe does: inverted, with an Adobe marker that says so
    data = encoded(two_colours("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "JPEG")
    assert b"Adobe" in data
    got = pixels(decode(data, "x"))
    assert got[8, 2].min() > 250
    assert got[8, 13].max() < 5


def test_one_bit_is_black_and_white() -> None:
    image = two_colours("L", (0,), (255,)).convert("1")
    for kind in ("PNG", "TIFF", "BMP"):
        got = pixels(decode(encoded(image, kind), "x"))
        assert (got[0, 0], got[0, 15]) == (0, 255)


def test_sixteen_bits_of_grey_are_windowed() -> None:
    values = ramp((30, 40), step=3, start=1000)
    data = encoded(Image.fromarray(values))
    decoded = decode(data, "x", Decoding(window=parse_window("2000,4000")))
    assert (decoded.deep, decoded.window) == (True, "2000,4000")
    expected = np.rint((np.clip(values.astype(float), 2000, 4000) - 2000) / 2000 * 255)
    assert np.array_equal(pixels(decoded), expected)
    decoded = decode(data, "x")
    assert decoded.window == "percentiles 0.5%,99.5%"
    got = pixels(decoded)
    assert (got.min(), got.max(), np.median(got)) == (0, 255, 127.5)


def test_eight_bits_are_never_windowed() -> None:
    for window in ("lung", "file", "3,4", "percentiles"):
        decoded = decode(encoded(picture(5)), "x", Decoding(window=parse_window(window)))
        assert decoded.window == ""
        assert np.array_equal(pixels(decoded), np.asarray(picture(5)))


def test_a_preset_for_ct_is_refused_on_a_sixteen_bit_png() -> None:
    data = encoded(Image.fromarray(ramp((30, 40))))
    with pytest.raises(DataError, match="has no Hounsfield units"):
        decode(data, "x", Decoding(window=parse_window("lung")))


# orientation, and JPEGs decoded at a part of their size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_the_camera_orientation_is_applied(kind: str, orientation: int) -> None:
    got = pixels(decode(turned(orientation, kind), "x")).astype(int)
    assert got.shape == (30, 40, 3)
    assert np.abs(got - np.asarray(colours())).max() <= (0 if kind in ("PNG", "TIFF") else 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_the_same_picture_turned_the_same(orientation: int) -> None:
    data = turned(orientation, "JPEG", colours(640, 330))
    small = decode(data, "x", Decoding(shortest=64))
    (reduced,) = [p.image for p in small.pictures]
    assert reduced.size == (160, 83)  # a quarter: an eighth would leave 42 of the 64
    whole = Image.fromarray(pixels(decode(data, "x"))).resize(reduced.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(reduced).astype(int) - np.asarray(whole)).max() <= 4


@pytest.mark.parametrize(
    "shortest, size", [(None, (640, 330)), (331, (640, 330)), (165, (320, 165)), (41, (80, 42))]
)
def test_a_reduced_jpeg_keeps_the_pixels_that_are_needed(shortest: int | None, size: tuple[int, int]) -> None:
    (got,) = decode(encoded(colours(640, 330), "JPEG"), "x", Decoding(shortest=shortest)).pictures
    assert got.image.size == size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_does_not_lose_the_image(kind: str) -> None:
    decoded = decode(encoded(colours(), kind, exif=b"Exif\0\0\xefM\0*no TIFF header"), "x")
    assert pixels(decoded).shape == (30, 40, 3)
    assert decoded.dropped == ("EXIF",)


# personal data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_and_the_gps_position_are_counted(kind: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    assert decode(encoded(colours(), kind, exif=exif), "x").dropped == ("EXIF",)
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    assert decode(encoded(colours(), kind, exif=exif), "x").dropped == ("EXIF", "GPS position")
    assert decode(encoded(colours(), kind), "x").dropped == ()


def test_text_comments_are_counted() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Patient", "Jane Doe")
    assert decode(encoded(colours(), pnginfo=texts), "x").dropped == ("text comments",)
    assert decode(encoded(colours(), "JPEG", comment=b"Jane Doe"), "x").dropped == ("text comments",)
    assert decode(encoded(colours(), "GIF", comment=b"Jane Doe"), "x").dropped == ("text comments",)
    assert decode(encoded(colours(), "TIFF", description="Jane Doe"), "x").dropped == ("text comments",)
    for kind in KINDS:
        assert decode(encoded(colours(), kind), "x").dropped == ()


# sets


def test_a_set_of_photographs_never_pays_for_the_other_decoders() -> None:
    program = (
        "import sys, io; from PIL import Image; from medgan.data.decoding import decode\n"
        "b = io.BytesIO(); i = Image.new('L', (9, 9)); i.putpixel((1, 1), 9); i.save(b, 'PNG')\n"
        "next(decode(b.getvalue(), 'x').pictures)\n"
        "print([m for m in ('pydicom', 'nibabel', 'tifffile', 'scipy', 'torch') if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout.strip() == "[]"


def test_real_sets_are_read_without_a_single_rejection(real_data: Path) -> None:
    for folder, count in (("isic_original", 10), ("chest_ct_original", 20)):
        files = [p for p in sorted((real_data / folder).rglob("*")) if p.suffix in (".jpg", ".png")]
        assert len(files) == count
        for path in files:
            (whole,) = decode(path.read_bytes(), path.name).pictures
            with Image.open(io.BytesIO(path.read_bytes())) as plain:
                assert np.array_equal(np.asarray(whole.image), np.asarray(plain.convert("RGB")))
