"""PNG, JPEG, BMP, WebP and GIF: what Pillow reads, made upright, opaque and 8 bit."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageChops, ImageOps

from medgan.data.decoding.checks import check_shape, pictures, reading
from medgan.data.decoding.hush import hush
from medgan.data.decoding.options import Decoding
from medgan.data.decoding.result import Decoded
from medgan.data.window import choose_scale, sample

TITLES = {"WEBP": "WebP"}
_GPS = 0x8825


def decode_photo(data: bytes, kind: str, options: Decoding) -> Decoded:
    """The (first) picture of a file of one of Pillow's formats; DataError with the reason.

    16-bit grey keeps its depth until it is windowed; of 16-bit colour (PNG) Pillow keeps the high bytes.
    """
    hush("PIL")
    with reading():
        image: Image.Image = Image.open(io.BytesIO(data), formats=(kind,))
        check_shape(*image.size, options.limits)
        whole = image.size
        if kind == "JPEG" and options.shortest:
            image.draft(None, (options.shortest,) * 2)  # both sides keep that many: no turn matters
        image.load()
        dropped, stored = traces(image), image.size
        image = turned(image)
        whole = whole if image.size == stored else whole[::-1]
    words, deep = "", is_deep(image)
    if deep:
        values = np.asarray(image)
        scale = choose_scale(options.window, None, False, lambda: sample(values))
        words, flat = scale.words, Image.fromarray(scale.levels(values))
    else:
        with reading():
            flat = flattened(image)
    where = f" in the window {words}" if words else ""
    [picture] = pictures(range(1), 1, lambda _: flat, [], where)
    whole_picture = replace(picture, whole=whole)
    return Decoded(iter([whole_picture]), TITLES.get(kind, kind), words, deep, dropped=dropped)


def is_deep(image: Image.Image) -> bool:
    """Whether an image has more than 8 bits a value."""
    return image.mode.startswith("I") or image.mode == "F"


def turned(image: Image.Image) -> Image.Image:
    """The loaded image as the camera's orientation says."""
    try:
        # in place: a copy of each picture that needs no turn would cost a tenth of the decoding
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # damaged EXIF, of which Pillow raises many kinds, says nothing about the pixels
        return image
    return image


def flattened(image: Image.Image) -> Image.Image:
    """An 8-bit image of any mode as L or RGB, transparency laid on black."""
    if "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("1", "La"):
        return image.convert("L") if image.mode == "1" else image.getchannel(0)
    if image.mode == "LA":
        grey, alpha = image.split()
        return grey if alpha.getextrema() == (255, 255) else ImageChops.multiply(grey, alpha)
    if image.mode in ("PA", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255):
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB")


def traces(image: Image.Image) -> tuple[str, ...]:
    """What a file says beside its pixels that may tell whose they are: EXIF, GPS position, text comments."""
    found = []
    try:
        exif = image.getexif()
        found += ["EXIF"] if "exif" in image.info else []
        found += ["GPS position"] if exif.get_ifd(_GPS) else []
    except Exception:  # damaged EXIF: it was there, and is not kept
        found.append("EXIF")
    texts = [image.info.get(name) for name in ("comment", "xmp", "photoshop", "XML:com.adobe.xmp")]
    if any(texts) or getattr(image, "text", None):
        found.append("text comments")
    return tuple(found)
