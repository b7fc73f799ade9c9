"""Square pixels: what was scanned with oblong ones is stretched to its true shape."""

from __future__ import annotations

from PIL import Image

_FROM, _TO = 1.02, 20.0
"""Smaller differences are not seen; larger ones are no real spacing."""


def squared(image: Image.Image, across: float, down: float) -> Image.Image:
    """The image with pixels as large across as down, never smaller than it was; `across` and `down` are
    the pixel's size in any unit. Unchanged where they say nothing sensible."""
    if not (across > 0 and down > 0):
        return image
    ratio = max(across, down) / min(across, down)
    if not _FROM <= ratio <= _TO:
        return image
    width, height = image.size
    shape = (round(width * ratio), height) if across > down else (width, round(height * ratio))
    return image.resize(shape, Image.Resampling.BILINEAR)
