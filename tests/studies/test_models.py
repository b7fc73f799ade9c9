"""Models that a study is given: what they make, and what is said of those that may know too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.errors import DataError
from medgan.files import write_folder
from medgan.generation.sampling import OfClass, sample, with_standing_statistics
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.studies.models import ClassModel, check_given, models_of
from medgan.studies.usefulness import study
from tests.studies.conftest import make_plan


def of_classes(folder: Path, *names: str, **about: Any) -> Path:
    """A model that tells classes apart, and could not do so more clearly."""
    config = ModelConfig(
        "resize", channels=1, size=64, ngf=4, ndf=4, latent=8, classes=[(n, 20) for n in names]
    )
    generator = build_generator(config)
    with torch.no_grad():
        generator.conditioning.ramp.fill_(1.0)
        generator.embedding.weight.mul_(100)
    generator = with_standing_statistics(generator, 16)
    write_folder(folder, lambda out: save_model(out, generator, ModelInfo(config, about)))
    return folder


def given(data: Dataset, out: Path, models: dict[str, Path]) -> list[ClassModel]:
    check_given(models, data)
    return models_of(
        data,
        ["healthy", "ill"],
        out,
        make_plan().recipe,
        models,
        interrupted=lambda: False,
        progress=lambda what, done, total: None,
    )


def test_of_a_model_of_all_classes_each_gives_its_own_images(
    data: Dataset, out: Path, tmp_path: Path
) -> None:
    about = {"dataset": {"content_sha256": data.info["content_sha256"], "classes": data.info["classes"]}}
    model = of_classes(tmp_path / "model", "ill", "healthy", **about)
    healthy, ill = given(data, out, {"healthy": model, "ill": model})
    assert [healthy.doubt, ill.doubt] == ["", ""]
    networks = [one.load() for one in (healthy, ill)]
    for network, label in zip(networks, ("healthy", "ill"), strict=True):
        assert isinstance(network, OfClass)
        expected = sample(OfClass(network.generator, label), range(4))
        assert np.array_equal(sample(network, range(4)), expected)
    assert not np.array_equal(sample(networks[0], range(4)), sample(networks[1], range(4)))


def test_what_a_model_began_with_may_have_seen_the_test_images_too(
    data: Dataset, out: Path, tmp_path: Path
) -> None:
    mine = {"content_sha256": data.info["content_sha256"], "classes": data.info["classes"]}
    begun = [{"name": "skin", **more} for more in ({}, {"content_sha256": "other"}, mine)]
    folders = [
        of_classes(tmp_path / str(k), "ill", "healthy", dataset=mine, init=one) for k, one in enumerate(begun)
    ]
    doubts = [given(data, out, {"healthy": one, "ill": one})[0].doubt for one in folders]
    said = (
        "The model of healthy began with skin, which was trained on other images, so it may have seen the "
        "test images."
    )
    assert doubts == [said, said, ""]


def test_a_model_that_does_not_know_the_class_is_refused_before_any_training(
    data: Dataset, out: Path, tmp_path: Path
) -> None:
    model = of_classes(tmp_path / "model", "benign", "malignant")
    with pytest.raises(
        DataError, match="The model of ill makes benign, malignant and no ill; choose another"
    ):
        given(data, out, {"ill": model})
    assert not (out / "models").exists()
    with pytest.raises(DataError, match="no ill; choose another"):
        study(data, out, make_plan(given={"ill": model}))
    assert not out.exists()
