"""What generated images are compared with: rows of images that need no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from medgan.images import to_pil

GENERATED, REAL, MEAN, BLURRED, NOISE = "generated", "real", "mean image", "blurred reals", "noise"
ROWS = {
    GENERATED: "images of the model",
    REAL: "training images: what other real images score",
    MEAN: "one image, the mean of all training images",
    BLURRED: "the same training images, reduced to 1/8 and enlarged again",
    NOISE: "uniform noise",
}
"""The rows of a report in their order, and what each is."""
REDUCTION = 8


@dataclass(frozen=True)
class Row:
    """Images that are judged against the held-out ones, uint8 `(N, H, W, C)`."""

    name: str
    images: np.ndarray


def reference_rows(train: np.ndarray, *, count: int, seed: int) -> list[Row]:
    """The rows beside `generated`, from the training images, uint8 `(n, H, W, C)`.

    `count` images each, or as many as there are; the mean is one image, of all of them.
    """
    rng = np.random.default_rng(seed)
    chosen = train[np.sort(rng.permutation(len(train))[:count])]
    noise = rng.integers(0, 256, size=(count, *train.shape[1:]), dtype=np.uint8)
    return [
        Row(REAL, chosen),
        Row(MEAN, mean_image(train)),
        Row(BLURRED, blurred(chosen)),
        Row(NOISE, noise),
    ]


def mean_image(images: np.ndarray) -> np.ndarray:
    """The mean of uint8 `(N, H, W, C)` as uint8 `(1, H, W, C)`."""
    mean: np.ndarray = np.rint(images.mean(axis=0, keepdims=True)).astype(np.uint8)
    return mean


def blurred(images: np.ndarray, reduction: int = REDUCTION) -> np.ndarray:
    """uint8 `(N, H, W, C)`, each reduced by area to 1/`reduction` and enlarged again, bilinearly."""
    return np.stack([_blur(image, reduction) for image in images])


def _blur(image: np.ndarray, reduction: int) -> np.ndarray:
    height, width, _ = image.shape
    small = to_pil(image).resize((width // reduction, height // reduction), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)).reshape(image.shape)
