"""The image convention, and the paper's preprocessing against torchvision's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.images import grid, is_grey, png, resize_and_crop, to_float, to_pil, to_uint8, upright

RED = (200, 30, 40)


def ramp(width: int = 40, height: int = 30) -> Image.Image:
    """Red grows to the right, green downwards: any turn or flip shows."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x + 99], axis=2).astype(np.uint8))


def reopened(image: Image.Image, kind: str, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def one_per_shape(folder: Path, most: int = 14) -> list[Path]:
    """Real files of as many aspect ratios as there are."""
    by_shape = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".png"):
            with Image.open(path) as image:
                by_shape[round(image.width / image.height, 2)] = path
    ratios = sorted(by_shape)
    return [by_shape[r] for r in ratios[:: max(1, len(ratios) // most)]]


@pytest.mark.parametrize("folder", ["isic", "isic_original", "chest_ct", "chest_ct_original"])
def test_resize_and_crop_is_torchvisions_on_real_images(real_data: Path, folder: str) -> None:
    from torchvision.transforms import CenterCrop, Compose, Resize

    paths = one_per_shape(real_data / folder)
    assert len(paths) >= 4
    for path in paths:
        image = upright(Image.open(path))
        for size in (64, 128):
            for channels, mode in ((1, "L"), (3, "RGB")):
                theirs = Compose([Resize(size), CenterCrop(size)])(image.convert(mode))
                ours = resize_and_crop(image, size, channels)
                assert ours.shape == (size, size, channels)
                assert np.array_equal(ours, np.asarray(theirs).reshape(ours.shape)), path


@pytest.mark.parametrize(
    "shape", [(128, 128), (128, 300), (301, 128), (129, 200), (97, 98), (60, 61), (50, 33), (131, 1000)]
)
def test_resize_and_crop_is_torchvisions_at_odd_shapes(shape: tuple[int, int]) -> None:
    from torchvision.transforms import CenterCrop, Compose, Resize

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (shape[1], shape[0], 3), np.uint8))
    theirs = Compose([Resize(128), CenterCrop(128)])(image)
    assert np.array_equal(resize_and_crop(image, 128, 3), np.asarray(theirs))


def test_to_float_is_to_tensor_and_normalize_to_the_last_bit() -> None:
    from torchvision.transforms import Compose, Normalize, ToTensor

    values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    theirs = Compose([ToTensor(), Normalize((0.5,) * 3, (0.5,) * 3)])(values)
    assert (to_float(values[None])[0] == theirs).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_all_256_levels_survive_the_round_trip(channels: int) -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(channels, axis=3)
    floats = to_float(images)
    assert floats.shape == (1, channels, 16, 16)
    assert (float(floats.min()), float(floats.max())) == (-1.0, 1.0)
    assert np.array_equal(to_uint8(floats), images)


def test_to_uint8_clips_what_lies_outside() -> None:
    import torch

    values = torch.tensor([-7.0, -1.0, 0.0, 1.0, 7.0]).reshape(1, 1, 1, 5)
    assert to_uint8(values).ravel().tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_transparency_is_laid_on_black(alpha: int) -> None:
    image = upright(Image.new("RGBA", (4, 4), (*RED, alpha)))
    assert image.mode == "RGB"
    expected = [round(v * alpha / 255) for v in RED]
    assert np.abs(np.asarray(image)[0, 0].astype(int) - expected).max() <= 1


def test_grey_with_alpha_stays_grey() -> None:
    image = upright(Image.merge("LA", (Image.new("L", (4, 4), 90), Image.new("L", (4, 4), 255))))
    assert np.asarray(image.convert("L")).tolist() == [[90] * 4] * 4
    assert is_grey(image)


def test_a_palette_shows_its_colours() -> None:
    palette = ramp().quantize(16)
    assert palette.mode == "P"
    assert np.array_equal(np.asarray(upright(palette)), np.asarray(palette.convert("RGB")))


def test_a_transparent_palette_colour_becomes_black() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, 10, 20, 30])
    image.putpixel((1, 0), 1)
    image = upright(reopened(image, "PNG", transparency=0))
    assert np.asarray(image).tolist() == [[[0, 0, 0], [10, 20, 30]]]


def test_cmyk_comes_back_in_its_colours() -> None:
    back = upright(reopened(Image.new("RGB", (16, 16), RED).convert("CMYK"), "JPEG", quality=95))
    assert back.mode == "RGB"
    assert np.abs(np.asarray(back).astype(int) - RED).max() < 12


def test_one_bit_images_are_black_and_white() -> None:
    image = upright(Image.fromarray(np.array([[True, False]])))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[255, 0]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_stretched_between_their_own_ends(kind: str) -> None:
    values = np.array([[1000, 1100], [1200, 1510]], dtype=np.uint16)
    image = upright(reopened(Image.fromarray(values), kind))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [[0, 50], [100, 255]]


@pytest.mark.parametrize("values", [np.full((3, 3), 7, np.uint16), np.full((3, 3), np.nan, np.float32)])
def test_an_image_of_one_value_is_black_and_no_error(values: np.ndarray) -> None:
    assert np.asarray(upright(Image.fromarray(values))).tolist() == [[0] * 3] * 3


def test_pixels_that_are_no_number_do_not_spoil_the_others() -> None:
    values = np.array([[np.nan, -1.0], [1.0, np.inf]], dtype=np.float32)
    image = upright(reopened(Image.fromarray(values), "TIFF"))
    assert np.asarray(image).tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_orientation_is_applied(orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # the way back of what the viewer is to do
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = ramp().transpose(turns[orientation]) if orientation > 1 else ramp()
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(np.asarray(upright(reopened(stored, "PNG", exif=exif))), np.asarray(ramp()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_does_not_lose_the_image(kind: str) -> None:
    image = reopened(ramp(), kind, exif=b"Exif\0\0\xefM\0*no TIFF header")
    assert upright(image).size == (40, 30)


def test_grey_is_told_from_colour_whatever_the_mode() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8).repeat(3, axis=2)
    assert is_grey(Image.fromarray(noise))
    assert is_grey(reopened(Image.fromarray(noise), "JPEG", quality=80))
    assert not is_grey(ramp())
    assert not is_grey(Image.new("RGB", (64, 64), (120, 110, 100)))


def test_a_grid_holds_every_image_in_reading_order() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1).repeat(4, 1).repeat(4, 2) + 10
    sheet = np.asarray(grid(images, columns=3, gap=2))
    assert sheet.shape == (10, 16)
    assert sheet[1, [1, 7, 13]].tolist() == [10, 11, 12]
    assert sheet[7, [1, 7, 13]].tolist() == [13, 14, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_very_pixels_and_the_same_bytes_each_time(channels: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (9, 7, channels), np.uint8)
    data = png(image)
    back = Image.open(io.BytesIO(data))
    assert back.mode == to_pil(image).mode
    assert np.array_equal(np.asarray(back).reshape(image.shape), image)
    assert png(image) == data
