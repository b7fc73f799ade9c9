"""The images that stand beside a report: arrays while it is made, PNG sprites on the disk.

A sprite is a sheet of tiles of one size without gaps, row by row, with as many columns as `COLUMNS` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medgan.errors import DataError
from medgan.files import write_bytes
from medgan.images import grid, png, to_pil

SHOWN = 36
"""Real and generated images that are shown side by side."""
CLOSEST = 12
"""Pairs of a generated and its nearest training image that are shown."""
THUMBNAIL = 48
COLUMNS = {"real": 6, "generated": 6, "pairs": 2, "map": 25}
"""Name of each sprite (`real.png`, …) and its tiles a row; a row of `pairs` is one pair."""


@dataclass(frozen=True)
class Pictures:
    """All uint8, of the data set's size and channels but for `map`.

    `real` `(≤ 36, H, W, C)` are held-out images, `generated` `(≤ 36, H, W, C)` the first of those that are
    judged. `pairs` `(≤ 12, 2, H, W, C)` belong to the report's `pairs`: [:, 0] the generated image, mirrored
    and turned as its pair says, [:, 1] the training image. `map` `(≤ 600, 48, 48, C)` belong to the points
    of the report's `map`. Where a part was not asked for there are none.
    """

    real: np.ndarray
    generated: np.ndarray
    pairs: np.ndarray
    map: np.ndarray


def thumbnails(images: np.ndarray) -> np.ndarray:
    """uint8 `(N, H, W, C)` at 48 x 48."""
    side = (THUMBNAIL, THUMBNAIL)
    small = [np.asarray(to_pil(image).resize(side, Image.Resampling.BOX)) for image in images]
    shape = (len(images), *side, images.shape[3])
    return np.stack(small).reshape(shape) if small else np.empty(shape, np.uint8)


def save_pictures(pictures: Pictures, folder: Path) -> None:
    """Write `real.png`, `generated.png`, `pairs.png` and `map.png`, each at once; one that has no tiles is
    left away."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in COLUMNS.items():
        images = getattr(pictures, name)
        tiles = images.reshape(-1, *images.shape[-3:])
        path = folder / f"{name}.png"
        if len(tiles):
            write_bytes(path, png(grid(tiles, min(columns, len(tiles)), gap=0)))
        else:
            path.unlink(missing_ok=True)


def load_pictures(folder: Path, report: Mapping[str, Any]) -> Pictures:
    """What `save_pictures` wrote beside `report`; nothing for a sprite that is not there. DataError for one
    that does not fit the report."""
    size, channels = report["dataset"]["size"], report["dataset"]["channels"]
    counts = report["pictures"]

    def read(name: str, side: int, count: int) -> np.ndarray:
        path = folder / f"{name}.png"
        if not path.is_file() or not count:
            return np.empty((0, side, side, channels), np.uint8)
        try:
            with Image.open(path) as image:
                sheet = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read; evaluate again.") from error
        columns = min(COLUMNS[name], count)
        rows = -(-count // columns)
        if sheet.shape[:2] != (rows * side, columns * side):
            raise DataError(f"{path} does not belong to this report; evaluate again.")
        tiles = sheet.reshape(rows, side, columns, side, channels).swapaxes(1, 2)
        return tiles.reshape(-1, side, side, channels)[:count]

    pairs = read("pairs", size, 2 * counts["pairs"])
    return Pictures(
        real=read("real", size, counts["real"]),
        generated=read("generated", size, counts["generated"]),
        pairs=pairs.reshape(-1, 2, size, size, channels),
        map=read("map", THUMBNAIL, counts["map"]),
    )
