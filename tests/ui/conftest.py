"""What all tests of pages share."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.workspace import Workspace


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return Workspace(workspace)


@pytest.fixture
def data(workspace: Path) -> Dataset:
    images, labels = draw_set("chest-ct", 24, size=64)
    return store(images, labels, workspace / "datasets" / "phantoms", name="phantoms", split="0.75/0/0.25")


@pytest.fixture
def model(workspace: Path, data: Dataset) -> Path:
    """A model in the place of a pulled one, untrained and tiny."""
    folder = workspace / "models" / "someone--tiny"
    folder.mkdir(parents=True)
    config = ModelConfig(channels=1, size=64, ngf=4, ndf=4)
    about = {"name": "tiny", "dataset": {"content_sha256": data.info["content_sha256"], "train": 18}}
    save_model(folder, build_generator(config).eval(), ModelInfo(config, about))
    (folder / "source.json").write_text('{"repo": "someone/tiny", "revision": "0"}')
    return folder
