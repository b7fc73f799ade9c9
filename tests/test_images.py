"""The image convention, and the paper's preprocessing against torchvision's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.errors import ConfigError
from medgan.images import FITS, fit, grid, is_grey, png, resize_and_crop, to_float, to_pil, to_uint8

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
        image = Image.open(path).convert("RGB")
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


# crop, pad, squash


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (33, 33), (90, 41), (8, 160)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_is_the_papers_to_the_last_bit(shape: tuple[int, int], channels: int) -> None:
    assert np.array_equal(fit(ramp(*shape), 64, channels), resize_and_crop(ramp(*shape), 64, channels))


@pytest.mark.parametrize("mode", list(FITS))
@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (8, 160), (160, 8), (1000, 700)])
def test_every_fit_gives_a_square_in_the_wanted_channels(mode: str, shape: tuple[int, int]) -> None:
    for source in (ramp(*shape), ramp(*shape).convert("L")):
        for channels in (1, 3):
            square = fit(source, 64, channels, mode)
            assert (square.shape, square.dtype) == ((64, 64, channels), np.uint8)


def test_an_unknown_fit_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no fit 'stretch'; valid are: crop, pad, squash"):
        fit(ramp(), 64, 3, "stretch")


@pytest.mark.parametrize("shape, inside", [((80, 40), np.s_[16:48, :]), ((40, 80), np.s_[:, 16:48])])
def test_pad_keeps_the_whole_picture_in_its_proportions(
    shape: tuple[int, int], inside: tuple[slice, ...]
) -> None:
    whole = ramp(*shape).resize((64, 32) if shape[0] > shape[1] else (32, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(fit(ramp(*shape), 64, 3, "pad")[inside], np.asarray(whole))


def test_pad_fills_with_the_colour_of_the_edges() -> None:
    skin = Image.new("RGB", (80, 40), (210, 160, 140))
    skin.paste((80, 40, 30), (30, 10, 50, 30))
    skin.paste((0, 0, 0), (0, 0, 9, 9))  # a vignette's corner does not decide
    square = fit(skin, 64, 3, "pad")
    assert (square[:16] == (210, 160, 140)).all()
    assert (square[48:] == (210, 160, 140)).all()
    scan = Image.new("L", (40, 80), 0)
    scan.paste(200, (5, 20, 35, 60))
    assert fit(scan, 64, 1, "pad")[:, :16].max() == 0


def test_squash_shows_all_corners() -> None:
    square = fit(ramp(90, 30), 64, 3, "squash").astype(int)
    assert square[0, 0, 0] < 10 < 245 < square[0, -1, 0]
    assert square[0, 0, 1] < 10 < 245 < square[-1, 0, 1]


@pytest.mark.parametrize("mode", list(FITS))
def test_every_fit_is_antialiased(mode: str) -> None:
    stripes = np.zeros((512, 600), np.uint8)
    stripes[:, ::2] = 255
    square = fit(Image.fromarray(stripes), 64, 1, mode)[16:48, 16:48]
    assert np.abs(square.astype(int) - 128).max() <= 8
