"""A tiny data set and a tiny model: a training step takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from medgan.config import ModelConfig, TrainConfig
from medgan.data.prepare import store
from medgan.models import frozen
from medgan.training import step
from medgan.training.loop import Request
from tests.metrics.backbone import use_random_weights

SIZE = 64
CLASSES = (("a", 5), ("b", 5))
"""Of the tiny data set, as a class-conditional model has them."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sums in one order, so that two trainings can be compared bit for bit."""
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the loop keeps its hands off then
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def smooth_images(count: int, channels: int, seed: int = 0) -> np.ndarray:
    """uint8 `(count, SIZE, SIZE, channels)`, clouds that differ from one another."""
    rng = np.random.default_rng(seed)
    planes = [Image.fromarray(noise) for noise in rng.integers(0, 256, (count * channels, 5, 5), np.uint8)]
    large = np.stack([np.asarray(p.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for p in planes])
    return large.reshape(count, channels, SIZE, SIZE).transpose(0, 2, 3, 1)


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., Request]:
    """Make a training request on a tiny data set; keywords are training settings."""

    def make(
        run: str = "run", *, channels: int = 1, resume: bool = False, data_seed: int = 0, **train: Any
    ) -> Request:
        dataset = tmp_path / f"data-{channels}-{data_seed}"
        if not dataset.exists():
            images = smooth_images(14, channels, data_seed)
            store(images, ["a", "b"] * 7, dataset, name="Clouds", split="10/0/4")
        settings = {"iterations": 7, "batch_size": 4, "precision": "float32", "log_every": 1}
        return Request(
            dataset=dataset,
            run=tmp_path / run,
            preset="demo",
            model=ModelConfig(channels=channels, size=SIZE, ngf=4, ndf=4, latent=16),
            train=TrainConfig(**(settings | train)),
            device="cpu",
            resume=resume,
        )

    return make


@pytest.fixture
def full(
    request_for: Callable[..., Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Request]:
    """Make a request for tiny networks with all that preset `small` has, and classes: a judge on frozen
    features, augmentation, an average. Keywords are training settings. Classes begin to matter after ten
    images."""
    use_random_weights(tmp_path / "weights", monkeypatch)
    monkeypatch.setattr(step, "CLASSES_AFTER", 10)
    monkeypatch.setattr(frozen, "FEWEST", SIZE)  # not enlarged: a quarter of the work, the same code

    def make(run: str = "run", *, init: Path | None = None, **train: Any) -> Request:
        request = request_for(run, **({"augment": "auto", "ema_kimg": 1.0} | train))
        model = replace(request.model, architecture="resize", frozen="squeezenet", classes=CLASSES)
        return replace(request, model=model, init=init)

    return make
