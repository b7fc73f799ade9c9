"""The one image convention: uint8 `(H, W, C)` on disk and on screen, float `(N, C, H, W)` in [-1, 1]
inside the networks, C being 1 (grey) or 3 (colour). torch is imported where it is needed, since the
dashboard's pages draw grids without it."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from medgan.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray

COLOUR_TOLERANCE = 4.0
"""Mean difference between the largest and the smallest channel, of 255, up to which an RGB file is grey."""


class _Sized(Protocol):
    @property
    def channels(self) -> int: ...

    @property
    def size(self) -> int: ...


def kind(of: _Sized) -> str:
    """What images a model makes or a data set has, in words: `grey 128 x 128`."""
    return f"{'grey' if of.channels == 1 else 'colour'} {of.size} x {of.size}"


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


def to_channels(pixels: Array, channels: int) -> Array:
    """uint8 `(H, W, 1 or 3)` with the wanted number of channels; grey is the luma of Pillow's mode L."""
    if pixels.shape[2] == channels:
        return pixels
    image = to_pil(pixels).convert("L" if channels == 1 else "RGB")
    return np.asarray(image).reshape(*pixels.shape[:2], channels)


FITS: dict[str, str] = {
    "crop": "Shorter side to the size, then the middle: what the paper does. Loses what lies at the ends.",
    "pad": "Longer side to the size, the rest filled with the colour of the edges. Loses nothing.",
    "squash": "Both sides to the size: fills the square and loses nothing, but changes the proportions.",
}
"""How a picture becomes a square, with the words the Data page shows."""


def fit(image: Image.Image, size: int, channels: int, mode: str = "crop") -> Array:
    """An L or RGB image as a square, uint8 `(size, size, C)`, C being 1 (grey) or 3 (colour).

    `mode` is one of `FITS`; all are bilinear and antialiased. ConfigError for any other.
    """
    if mode not in FITS:
        raise ConfigError(f"There is no fit {mode!r}; valid are: {', '.join(FITS)}.")
    if mode == "crop":
        return resize_and_crop(image, size, channels)
    image = image.convert("L" if channels == 1 else "RGB")
    if mode == "pad":
        image = _padded(image, size)
    else:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(size, size, channels)


def _padded(image: Image.Image, size: int) -> Image.Image:
    """The longer side resized to `size`, in the middle of a square of the colour that the two touching
    edges have most in common: black beside a scan, skin beside dermoscopy. A black bar beside skin would
    be the strongest edge of the picture, and the first thing a network learns."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    edges = pixels[[0, -1]] if width >= height else pixels[:, [0, -1]]
    colour = np.median(edges, axis=(0, 1)).astype(np.uint8)
    square = Image.new(image.mode, (size, size), tuple(np.atleast_1d(colour).tolist()))
    square.paste(image, ((size - width) // 2, (size - height) // 2))
    return square


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


def png(image: Array | Image.Image, level: int = 4) -> bytes:
    """PNG bytes of an uint8 `(H, W, C)` array or a Pillow image; the same pixels give the same bytes.
    `level` 1 takes half the time for a seventh more bytes: for a screen, not for a file."""
    buffer = io.BytesIO()
    (to_pil(image) if isinstance(image, np.ndarray) else image).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()
