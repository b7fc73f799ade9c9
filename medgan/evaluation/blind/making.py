"""Making a blind test, at once or not at all."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medgan.errors import DataError
from medgan.evaluation.blind.items import ANSWERS, GENERATED, REAL, draw
from medgan.evaluation.blind.quiz import Quiz, image_file, now
from medgan.files import write_folder, write_json
from medgan.images import to_pil

Pictures = Callable[[Sequence[int]], np.ndarray]
"""Images of these numbers (or seeds), uint8 `(n, H, W, C)`."""


def encode(image: np.ndarray) -> bytes:
    """An uint8 `(H, W, C)` image as PNG without metadata and without compression: the length of the file
    says nothing of what is in it."""
    buffer = io.BytesIO()
    to_pil(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def begin(
    folder: Path,
    *,
    count: int,
    reals: Sequence[int],
    real: Pictures,
    generated: Pictures,
    about: Mapping[str, Any],
) -> Quiz:
    """Make a test of `count` images in the new folder `folder`, at once or not at all.

    `reals` are the numbers of held-out images; `real` and `generated` give images of numbers and of seeds.
    `about` says what is tested. DataError as `draw`, or where the two kinds differ in size or channels.
    """
    seed = secrets.randbits(64)
    items = draw(count, reals, seed)
    sources = {kind: [item.source for item in items if item.kind == kind] for kind in ANSWERS}
    images = {REAL: real(sources[REAL]), GENERATED: generated(sources[GENERATED])}
    shapes = {kind: some.shape[1:] for kind, some in images.items()}
    if shapes[REAL] != shapes[GENERATED]:
        raise DataError(
            f"Real images of {shapes[REAL]} and generated ones of {shapes[GENERATED]} would be told apart at "
            "once; choose a model and a data set of the same size and colours."
        )

    def fill(place: Path) -> None:
        (place / "images").mkdir()
        left = {kind: iter(some) for kind, some in images.items()}
        for number, item in enumerate(items, start=1):
            image_file(place, number).write_bytes(encode(next(left[item.kind])))
        write_json(place / "key.json", {"seed": seed, "items": [vars(item) for item in items]})
        write_json(place / "quiz.json", {**about, "format": 1, "count": count, "begun": now()})

    try:
        write_folder(folder, fill, new=True)
    except OSError as error:
        raise DataError(f"The test cannot be written ({error.strerror or error}).") from error
    return Quiz(folder)
