"""The pictures of a report, back from the sheets in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

THUMB = 48
"""Side of a picture in the sheet of the map."""
COLUMNS = {"real": 6, "generated": 6, "pairs": 2, "map": 30}
"""Sheets and their columns; `<name>.png` in the folder of the report."""


class Pictures(Protocol):
    """uint8: `real` and `generated` `(n, H, W, C)`, `pairs` `(m, 2, H, W, C)` (generated, training), `map`
    `(N, 48, 48, C)` in the order of the report's points."""

    @property
    def real(self) -> np.ndarray:
        """Held-out images."""

    @property
    def generated(self) -> np.ndarray:
        """As many generated ones."""

    @property
    def pairs(self) -> np.ndarray:
        """The closest pairs."""

    @property
    def map(self) -> np.ndarray:
        """Thumbnails of the map."""


@dataclass(frozen=True)
class Sheets:
    """The pictures of a report; those whose sheet is missing are none at all."""

    real: np.ndarray
    generated: np.ndarray
    pairs: np.ndarray
    map: np.ndarray


def read_sheets(folder: Path, *, size: int) -> Sheets:
    """The pictures in the folder of a report whose images have `size` pixels a side."""
    pairs = read_sheet(folder / "pairs.png", size, COLUMNS["pairs"])
    return Sheets(
        real=read_sheet(folder / "real.png", size, COLUMNS["real"]),
        generated=read_sheet(folder / "generated.png", size, COLUMNS["generated"]),
        pairs=pairs[: len(pairs) // 2 * 2].reshape(-1, 2, *pairs.shape[1:]),
        map=read_sheet(folder / "map.png", THUMB, COLUMNS["map"]),
    )


def read_sheet(path: Path, side: int, columns: int) -> np.ndarray:
    """The cells of a sheet of square pictures, uint8 `(n, S, S, C)`, row by row, with empty cells at its
    end; none where it cannot be read. The gap between cells, and their side where the sheet was made
    smaller, follow from its width."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError):
        return np.zeros((0, side, side, 1), np.uint8)
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    height, width, _ = pixels.shape
    left = width - columns * side
    gap = left // (columns - 1) if left >= 0 and columns > 1 else 0
    if left < 0:
        side = width // columns
    step = side + gap
    rows = (height + gap) // step
    cells = [
        pixels[row * step : row * step + side, column * step : column * step + side]
        for row in range(rows)
        for column in range(columns)
    ]
    cells = [cell for cell in cells if cell.shape[:2] == (side, side)]
    return np.stack(cells) if cells else np.zeros((0, side, side, pixels.shape[2]), np.uint8)
