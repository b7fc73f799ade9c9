"""A tiny labelled set whose classes differ, and a study of it that takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.studies.arms import chosen
from medgan.studies.models import Recipe
from medgan.studies.usefulness import Plan
from tests.evaluation.conftest import smooth_images

MODEL = ModelConfig(channels=1, size=64, ngf=4, ndf=4, latent=8)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums in one order, so that two studies can be compared."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)


def lesions(healthy: int, ill: int, *, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Clouds, some with a bright square somewhere in the middle: nobody can miss it."""
    images = smooth_images(healthy + ill, 1, seed=seed) // 2 + 30
    random = np.random.default_rng(seed)
    for image in images[healthy:]:
        y, x = random.integers(16, 32, 2)
        image[y : y + 16, x : x + 16] = 250
    return images, ["healthy"] * healthy + ["ill"] * ill


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """About 22 and 20 images to train on, 12 and 10 to judge."""
    images, labels = lesions(38, 34)
    out = tmp_path_factory.mktemp("data") / "lesions"
    return store(images, labels, out, name="Lesions", split="44/6/22")


def make_plan(**changes: Any) -> Plan:
    train = TrainConfig(iterations=4, batch_size=4, precision="float32", checkpoint_every=2)
    settings: dict[str, Any] = {
        "recipe": Recipe("demo", MODEL, train, "cpu"),
        "features": "pixels",
        "seeds": 2,
        "arms": tuple(chosen("augmented,duplicated,synthetic-x1,synthetic-only")),
    }
    return Plan(**(settings | changes))


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """Make a plan; keywords replace its settings."""
    return make_plan


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "study"
