"""TIFF: 8, 16 and 32 bits, signed and float, grey and colour, one page or many.

Pillow unpacks every usual compression, but knows no deep colour and few deep kinds of numbers; tifffile
knows all numbers, but (by itself) only few compressions. tifffile therefore tells what the pages are, and
one of the two reads the pixels.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from medgan.data.decoding.checks import DAMAGED, check_frames, check_shape, pictures, reading, spread
from medgan.data.decoding.hush import hush, quiet_stderr
from medgan.data.decoding.options import Decoding
from medgan.data.decoding.photo import flattened
from medgan.data.decoding.result import Decoded
from medgan.data.window import Array, Scale, choose_scale, sample
from medgan.errors import DataError

if TYPE_CHECKING:
    from tifffile import TiffPage

_PLAIN, _DEFLATE, _PACKBITS = (1,), (8, 32946), (32773,)
_WHITE_IS_ZERO, _RGB = 0, 2
_STRAIGHT_ALPHA = 2
_NUMBERS = (1, 2, 3)
"""Sample formats: unsigned, signed, float."""
_TEXTS = (270, 269, 285, 305, 306, 315, 316, 700, 33432, 33723)
"""Tags that hold names, dates, programs and comments (XMP and IPTC included)."""


def decode_tiff(data: bytes, options: Decoding) -> Decoded:
    """The chosen pages that have the first page's size and kind; DataError with the reason."""
    with reading():
        hush("tifffile", "PIL")
        from tifffile import TiffFile

        file = TiffFile(io.BytesIO(data))
        check_frames(len(file.pages), options.limits)
        first: Any = file.pages[0]
        check_shape(first.imagewidth, first.imagelength, options.limits)
        numbers = [n for n in range(len(file.pages)) if _kind(file.pages[n]) == _kind(first)]
        others = sorted(set(range(len(file.pages))) - set(numbers))
        unlike = tuple(n for n in others if not _is_preview(file.pages[n]))
        dropped = _traces(first)
        read = _reader(data, file, first)
    chosen = [numbers[n] for n in options.slices.of(len(numbers))]
    if not _is_deep(first):
        skipped: list[int] = []
        found = pictures(chosen, len(numbers), lambda n: flattened(read(n)), skipped)
        return Decoded(found, "TIFF", dropped=dropped, skipped=skipped, unlike=unlike)
    return replace(_deep(first, numbers, chosen, read, options, dropped), unlike=unlike)


def _deep(
    first: TiffPage,
    numbers: list[int],
    chosen: list[int],
    read: Callable[[int], Any],
    options: Decoding,
    dropped: tuple[str, ...],
) -> Decoded:
    def values() -> Array:
        return np.concatenate([sample(_colours(read(numbers[k]), first)[0]) for k in spread(len(numbers))])

    with reading():
        scale = choose_scale(options.window, None, False, values)
    skipped: list[int] = []
    found = pictures(
        chosen,
        len(numbers),
        lambda n: _picture(read(n), scale, first),
        skipped,
        f" in the window {scale.words}",
    )
    return Decoded(found, "TIFF", scale.words, deep=True, dropped=dropped, skipped=skipped)


def _kind(page: Any) -> tuple[Any, ...]:
    return (page.imagewidth, page.imagelength, page.samplesperpixel, page.bitspersample, page.sampleformat)


def _is_preview(page: Any) -> bool:
    """Whether a page is another one's at a smaller size, which is no picture of its own."""
    return bool(page.is_reduced)


def _is_deep(page: TiffPage) -> bool:
    return page.bitspersample > 8 or page.sampleformat != 1


def _reader(data: bytes, file: Any, first: Any) -> Callable[[int], Any]:
    """What gives page n: a Pillow image for 8 bits, an array `(H, W)` or `(H, W, S)` for more."""
    if first.imagedepth > 1:
        raise DataError("is a TIFF of volumes in single pages, which is not read; save one page a slice")
    if not _is_deep(first):
        return _PillowPages(data)
    if first.sampleformat not in _NUMBERS:
        raise DataError("holds numbers of a kind that is not read (complex or undefined)")
    if not isinstance(first.samplesperpixel, int):
        raise DataError(DAMAGED)
    if first.samplesperpixel not in (1, 2, 3, 4) or (first.samplesperpixel > 2 and first.photometric != _RGB):
        raise DataError(f"has {first.samplesperpixel} deep channels that are not red, green and blue")
    if first.compression in _PLAIN + _DEFLATE + _PACKBITS and first.predictor in (1, 2):
        return lambda n: _tifffile_page(file.pages[n])
    if first.samplesperpixel == 1 and first.bitspersample in (12, 16, 32):
        pages = _PillowPages(data)
        unsigned = first.bitspersample == 32 and first.sampleformat == 1
        return lambda n: _numbers(pages(n), unsigned)
    # of an unknown packing it is what the file says, which need not be a number
    name = getattr(first.compression, "name", "an unknown packing")
    raise DataError(
        f"holds {first.bitspersample}-bit values packed with {name}, which cannot be read; "
        "save it without compression"
    )


class _PillowPages:
    """Pages by number from Pillow, which seeks in one open file."""

    def __init__(self, data: bytes) -> None:
        self.file = Image.open(io.BytesIO(data), formats=("TIFF",))

    def __call__(self, number: int) -> Image.Image:
        with quiet_stderr():
            self.file.seek(number)
            self.file.load()  # applies the orientation, too
        return self.file.copy()


def _numbers(image: Image.Image, unsigned: bool) -> Array:
    values = np.asarray(image)
    # Pillow keeps 32 bits as signed numbers; where the file says unsigned, the same bits mean more
    return values.view(np.uint32) if unsigned and values.dtype == np.int32 else values


def _tifffile_page(page: Any) -> Array:
    if page.compression in _DEFLATE:
        _check_inflated(page)
    # one thread: the preparation already uses all cores
    values = page.asarray(maxworkers=1)
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        values = np.moveaxis(values, 0, -1)
    return _oriented(values, page.tags.valueof(274, 1))


def _check_inflated(page: Any) -> None:
    """DataError if a part of a page unpacks to more than it may (tifffile would unpack it all) or less."""
    size = int(np.prod(page.chunks)) * page.dtype.itemsize
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        page.parent.filehandle.seek(offset)
        packed = page.parent.filehandle.read(length)
        if length and len(zlib.decompressobj().decompress(packed, size + 1)) > size:
            raise DataError(DAMAGED)


def _oriented(values: Array, orientation: int) -> Array:
    """Rows and columns as the Orientation tag (as in EXIF) says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _colours(values: Array, page: TiffPage) -> tuple[Array, Array | None]:
    """`(H, W)` or `(H, W, S)` to grey or colour alone, and the transparency where it is still to be
    applied (an associated one already is, which is the same as laid on black)."""
    if values.ndim == 2 or values.shape[2] == 3:
        return values, None
    alpha = values[..., -1] if page.extrasamples == (_STRAIGHT_ALPHA,) else None
    return values[..., 0] if values.shape[2] == 2 else values[..., :3], alpha


def _picture(values: Array, scale: Scale, page: TiffPage) -> Image.Image:
    colours, alpha = _colours(values, page)
    levels = scale.levels(colours)
    if page.photometric == _WHITE_IS_ZERO:
        levels = 255 - levels
    if alpha is not None:  # laid on black
        full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1.0
        share = np.nan_to_num(np.clip(alpha.astype(np.float64) / full, 0.0, 1.0))
        levels = np.rint(levels * (share[..., None] if levels.ndim == 3 else share)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(levels))


def _traces(page: Any) -> tuple[str, ...]:
    found = [(34665, "EXIF"), (34853, "GPS position")]
    words = [word for tag, word in found if tag in page.tags]
    return (*words, "text comments") if any(tag in page.tags for tag in _TEXTS) else tuple(words)
