"""What every decoder checks and silences."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from PIL import Image

from medgan.data.decoding.result import Picture
from medgan.data.limits import Limits, option
from medgan.errors import DataError

DAMAGED = "is damaged or cut short"

_lock = threading.RLock()


@contextmanager
def reading() -> Iterator[None]:
    """Around every call of a decoder: its warnings stay inside, its errors become one DataError.

    Warning filters belong to the whole process, so that threads take turns (the many files of a
    preparation are decoded in processes of their own).
    """
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pillows = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None  # `check_shape` decides; Pillow's own bound would undo a raised limit
        try:
            yield
        except DataError:
            raise
        except MemoryError as error:
            raise DataError("needs more memory than there is") from error
        except Exception as error:  # decoders raise errors of many kinds on damaged files
            raise DataError(DAMAGED) from error
        finally:
            Image.MAX_IMAGE_PIXELS = pillows


def check_shape(width: int, height: int, limits: Limits) -> None:
    """DataError if a picture is too large, too small or too long; called before pixels are decoded."""
    shape = f"is {width} x {height} pixels"
    if width * height > limits.megapixels * 10**6:
        raise DataError(f"{shape}; at most {limits.megapixels} megapixels are read ({option('megapixels')})")
    if min(width, height) < limits.side:
        raise DataError(f"{shape}; each side must have at least {limits.side} ({option('side')})")
    if max(width, height) > limits.elongation * min(width, height):
        raise DataError(
            f"{shape}; the longer side may be at most {limits.elongation} times the shorter "
            f"({option('elongation')})"
        )


def check_frames(count: int, limits: Limits) -> None:
    """DataError if a file holds too many pictures, or none."""
    if count > limits.frames:
        raise DataError(f"holds {count:,} pictures; at most {limits.frames:,} are read ({option('frames')})")
    if count < 1:
        raise DataError("holds no picture")


def is_blank(image: Image.Image) -> bool:
    """Whether all pixels of an L or RGB image are the same."""
    middle = (image.width // 2, image.height // 2)
    if image.getpixel((0, 0)) != image.getpixel(middle):  # spares most pictures the look at every pixel
        return False
    return all(low == high for low, high in (band.getextrema() for band in image.split()))


def pictures(
    chosen: Sequence[int], count: int, read: Callable[[int], Image.Image], skipped: list[int], where: str = ""
) -> Iterator[Picture]:
    """The chosen of a file's `count` pictures, each decoded by `read` when its turn comes.

    Blank ones of several are passed over and noted in `skipped`; a file of which nothing is left is
    refused. The only picture of a file is decoded at once, so that its error comes at once.
    """
    if count > 1:
        return _several(chosen, read, skipped, where)
    with reading():
        image = read(0)
    if is_blank(image):
        raise DataError(f"is blank{where} (one single value)")
    return iter([Picture(image)])


def _several(
    chosen: Sequence[int], read: Callable[[int], Image.Image], skipped: list[int], where: str
) -> Iterator[Picture]:
    for number in chosen:
        with reading():
            image = read(number)
        if is_blank(image):
            skipped.append(number)
        else:
            yield Picture(image, number)
    if len(skipped) == len(chosen):
        raise DataError(f"is blank{where} (each of its pictures has one single value)")


def spread(count: int, most: int = 32) -> list[int]:
    """At most `most` of `count` numbers, evenly spread: which pictures of a file are looked at to choose
    its window."""
    return sorted({(2 * k + 1) * count // (2 * min(count, most)) for k in range(min(count, most))})
