"""The one image convention: uint8 `(H, W, C)` on disk and on screen, float `(N, C, H, W)` in [-1, 1]
inside the networks, C being 1 (grey) or 3 (colour). torch is imported where it is needed, since the
dashboard's pages draw grids without it."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray

COLOUR_TOLERANCE = 4.0
"""Mean difference between the largest and the smallest channel, of 255, up to which an RGB file is grey."""


def to_float(images: Array | Tensor) -> Tensor:
    """uint8 `(N, H, W, C)` to float32 `(N, C, H, W)` in [-1, 1]: ToTensor, then Normalize(0.5, 0.5)."""
    import torch

    tensor = torch.as_tensor(np.ascontiguousarray(images) if isinstance(images, np.ndarray) else images)
    return tensor.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0


def to_uint8(images: Tensor) -> Array:
    """float `(N, C, H, W)` in [-1, 1] to uint8 `(N, H, W, C)`, rounded to nearest, clipped."""
    import torch

    scaled = ((images.detach().float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    array: Array = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def upright(image: Image.Image) -> Image.Image:
    """An opened file as mode L or RGB: EXIF orientation applied, transparency laid on black, more
    than 8 bits stretched between the image's own minimum and maximum."""
    image = _turned(image)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _stretch(image)
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _turned(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF, of which Pillow raises many kinds, says nothing about the pixels
        return image


def _stretch(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    known = values[np.isfinite(values)]  # float TIFFs mark pixels outside of the scan as NaN
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if not high > low:
        return Image.new("L", image.size)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255.0 / (high - low))
    return Image.fromarray(scaled.round().astype(np.uint8))


def is_grey(image: Image.Image) -> bool:
    """Whether an upright image carries no colour (JPEG noise between channels does not count)."""
    if image.mode == "L":
        return True
    small = np.asarray(image.resize((64, 64), Image.Resampling.BOX), dtype=np.int16)
    return float((small.max(axis=2) - small.min(axis=2)).mean()) <= COLOUR_TOLERANCE


def resize_and_crop(image: Image.Image, size: int, channels: int) -> Array:
    """The paper's preprocessing, torchvision's Resize(size) and CenterCrop(size) on a Pillow image:
    shorter side to `size` (bilinear, antialiased), then the middle. Returns uint8 `(size, size, C)`."""
    image = image.convert("L" if channels == 1 else "RGB")
    width, height = image.size
    if width <= height:
        shape = (size, int(size * height / width))
    else:
        shape = (int(size * width / height), size)
    image = image.resize(shape, Image.Resampling.BILINEAR)
    left, top = round((shape[0] - size) / 2.0), round((shape[1] - size) / 2.0)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)))
    return pixels.reshape(size, size, channels)


def grid(images: Array, columns: int | None = None, gap: int = 2) -> Image.Image:
    """uint8 `(N, H, W, C)` as one picture, row by row, with a thin gap between the images."""
    n, height, width, channels = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(n)))
    rows = -(-n // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), np.uint8)
    for k, image in enumerate(images):
        y, x = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return to_pil(sheet)


def to_pil(image: Array) -> Image.Image:
    """uint8 `(H, W, C)` as a Pillow image, mode L for one channel."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def png(image: Array | Image.Image) -> bytes:
    """PNG bytes of an uint8 `(H, W, C)` array or a Pillow image; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    (to_pil(image) if isinstance(image, np.ndarray) else image).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
