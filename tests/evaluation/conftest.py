from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.files import write_folder
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo


def smooth_images(n: int, channels: int, size: int = 64, seed: int = 0) -> np.ndarray:
    """Images that differ from each other and look like nothing."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(n, 8, 8, channels), dtype=np.uint8)
    planes = [
        [
            Image.fromarray(image[:, :, c]).resize((size, size), Image.Resampling.BICUBIC)
            for c in range(channels)
        ]
        for image in coarse
    ]
    return np.stack([np.stack([np.asarray(plane) for plane in image], axis=-1) for image in planes])


def make_dataset(out: Path, *, n: int = 24, channels: int = 3, test: int = 12) -> Dataset:
    images = smooth_images(n, channels)
    return store(images, ["a", "b"] * (n // 2), out, name="Smooth", split=f"{n - test}/0/{test}")


def make_model(
    folder: Path, *, channels: int = 3, size: int = 64, about: dict[str, object] | None = None
) -> Path:
    config = ModelConfig(channels=channels, size=size, ngf=4, ndf=4)
    info = ModelInfo(config, about or {})
    write_folder(folder, lambda out: save_model(out, build_generator(config).eval(), info))
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """12 training and 12 held-out colour images of 64 x 64."""
    return make_dataset(tmp_path / "dataset")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An untrained generator of such images."""
    return make_model(tmp_path / "model", about={"name": "tiny"})
