"""A model in three lines of Python, wherever it is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medgan
from medgan.cli import main
from medgan.config import ModelConfig
from medgan.errors import CheckpointError, ConfigError, HubError
from medgan.generation.sampling import OfClass, sample
from medgan.models.build import build_generator
from medgan.runs.checkpoint import load_generator, save_model
from medgan.runs.info import ModelInfo, file_sha256
from medgan.workspace import Workspace
from tests.hub.fakehub import COMMIT, NAME, WEIGHTS, FakeHub


def test_a_model_on_the_hub_is_pulled_once(hub: FakeHub, space: Workspace) -> None:
    generator = medgan.load(f"hub:{NAME}")
    images = generator.sample(seeds=range(3))
    assert images.shape == (3, 64, 64, 3) and images.dtype == np.uint8
    hub.repos.clear()
    again = medgan.load(f"hub:{NAME}")
    pinned = medgan.load(f"hub:{NAME}@{COMMIT}")
    assert all(np.array_equal(images, other.sample(range(3))) for other in (again, pinned))
    with pytest.raises(HubError):
        medgan.load(f"hub:{NAME}@another")
    about = again.info
    assert (about["repo"], about["revision"], about["size"]) == (NAME, COMMIT, 64)
    assert about["sha256"] == file_sha256(again.folder / WEIGHTS)


def test_another_revision_than_the_one_that_is_here_is_pulled(
    hub: FakeHub, space: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    medgan.load(f"hub:{NAME}")
    hub.repos[NAME] = replace(hub.repos[NAME], commit="2e" * 20, revisions=("main", "v2"))
    assert medgan.load(f"hub:{NAME}").info["revision"] == COMMIT
    out = str(tmp_path / "images")
    assert main(["generate", f"hub:{NAME}@v2", "--seeds", "1", "--no-gate", "--out", out]) == 0
    assert medgan.load(f"hub:{NAME}").info["revision"] == "2e" * 20
    assert main(["models", "pull", NAME, "--revision", "v2"]) == 0
    assert main(["models"]) == 0
    assert capsys.readouterr().err.count("2e" * 20) == 2


@pytest.mark.parametrize("seeds", [7, "7", [1.5], [None]])
def test_seeds_that_are_no_whole_numbers_are_refused(seeds: object, hub: FakeHub, space: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"give whole numbers, such as \[7\]"):
        medgan.load(f"hub:{NAME}").sample(seeds=seeds)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["hub:ada", "hub:a/b/c@main", "hub:@main"])
def test_what_names_no_repository_is_said_so(name: str) -> None:
    with pytest.raises(CheckpointError, match="write hub:owner/name"):
        medgan.load(name)


def test_seeds_and_classes_are_those_of_the_command_line(tmp_path: Path) -> None:
    classes = (("melanoma", 3), ("nevus", 9))
    config = ModelConfig("resize", size=64, ngf=4, ndf=4, classes=classes)
    (tmp_path / "model").mkdir()
    save_model(tmp_path / "model", build_generator(config).eval(), ModelInfo(config, {"name": "two"}))
    generator, network = medgan.load(str(tmp_path / "model")), load_generator(tmp_path / "model")[0]
    assert generator.classes == ["melanoma", "nevus"]
    assert np.array_equal(generator.sample([5, 2]), sample(network, [5, 2]))
    named = generator.sample([5, 2], label="nevus", truncation=0.7)
    assert np.array_equal(named, sample(OfClass(network, "nevus"), [5, 2], 0.7))
    with pytest.raises(ConfigError, match="melanoma, nevus"):
        generator.sample([1], label="naevus")


@pytest.mark.parametrize("name", ["isic", "chest-ct"])
@pytest.mark.parametrize("truncation", [1.0, 0.7])
def test_a_seed_of_a_model_that_ships_is_one_image_alone_and_in_a_batch(name: str, truncation: float) -> None:
    generator = medgan.load(name)
    together = generator.sample(range(40, 53), truncation=truncation)
    for k in (0, 7, 12):
        assert np.array_equal(generator.sample([40 + k], truncation=truncation)[0], together[k])


def test_what_is_nowhere_is_said_so(space: Workspace) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        medgan.load("nowhere")


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, medgan; sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
