"""Lesions that nobody can miss are found, by the baselines at least, and it is said who found them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.config import TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import DataError, Interrupted
from medgan.studies.anomaly import COMPONENTS, KNN, MEAN, Question, detect
from medgan.studies.class_sets import class_set
from medgan.studies.encoding import train_encoder
from medgan.studies.words import anomaly_table
from medgan.training.loop import Request, train
from tests.evaluation.conftest import make_model, smooth_images
from tests.studies.conftest import MODEL

ASKED = Question("healthy", "pixels", iterations=3)


def test_the_baselines_find_what_cannot_be_missed(data: Dataset, out: Path) -> None:
    model = make_model(out.parent / "model", channels=1)
    result = detect(model, data, ASKED, out)
    figures = {figure["name"]: figure for figure in result["figures"]}
    assert list(figures) == ["f-AnoGAN (izi)", KNN, COMPONENTS, MEAN]
    assert figures[COMPONENTS]["value"] > 0.9
    assert figures[MEAN]["value"] > 0.9
    for figure in figures.values():
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["n"]["normal"] + figure["n"]["other"] == data.info["splits"]["test"]
    assert "separates best" in result["sentence"]
    notes = " ".join(result["notes"])
    assert "no discriminator" in notes and "does not say what it was trained on" in notes
    assert "the intervals are wide" in notes and "it has not learned them" in notes
    assert result == json.loads((out / "anomaly.json").read_text())
    assert (out / "encoder.safetensors").is_file()
    with Image.open(out / "anomalies.png") as sheet:
        assert sheet.size[0] == 6 * 64 + 5 * 2
    assert len(list((out / "heat").glob("*.png"))) == 16
    assert "area under the curve" in anomaly_table(result)


def test_a_run_folder_brings_its_discriminator_and_is_known(data: Dataset, out: Path) -> None:
    healthy = class_set(data, "healthy", out.parent / "healthy")
    run = out.parent / "run"
    settings = TrainConfig(iterations=2, batch_size=4, precision="float32")
    train(Request(healthy.folder, run, "demo", MODEL, settings, "cpu"))
    newest = max((run / "checkpoints").iterdir())
    result = detect(newest, data, ASKED, out)
    assert result["figures"][0]["name"] == "f-AnoGAN (izi_f)"
    notes = " ".join(result["notes"])
    assert "trained on" not in notes and "no discriminator" not in notes
    again = detect(newest, data, ASKED, out.parent / "again")
    assert again == result
    mixed = detect(newest, data, Question("ill", "pixels", iterations=1), out.parent / "mixed")
    assert "was trained on healthy, not on ill alone" in " ".join(mixed["notes"])


def test_the_encoder_learns_to_find_latents(out: Path) -> None:
    from medgan.models.build import build_generator

    generator = build_generator(MODEL).eval().requires_grad_(False)
    images = smooth_images(24, 1)
    before, after = (
        train_encoder(
            images, generator=generator, features=None, config=MODEL, iterations=steps, seed=0
        ).scores(images)
        for steps in (1, 60)
    )
    assert after.mean() < before.mean()
    assert np.isfinite(after).all()


def test_ctrl_c_leaves_nothing_behind(data: Dataset, out: Path) -> None:
    model = make_model(out.parent / "model", channels=1)
    with pytest.raises(Interrupted):
        detect(model, data, ASKED, out, interrupted=lambda: True)
    assert not out.exists()


def test_what_cannot_be_asked_is_told_in_one_sentence(data: Dataset, out: Path, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", channels=1)
    with pytest.raises(DataError, match="no class 'normal'; it has healthy, ill"):
        detect(model, data, Question("normal", "pixels"), out)
    with pytest.raises(DataError, match=r"makes colour 64 x 64 images, but .* has grey 64 x 64 ones"):
        detect(make_model(tmp_path / "colour", channels=3), data, ASKED, out)
    images = smooth_images(30, 1)
    one = store(images, ["healthy"] * 30, tmp_path / "one", name="One", split="20/0/10")
    with pytest.raises(DataError, match="one class only"):
        detect(model, one, ASKED, out)
    few = store(images, ["healthy"] * 26 + ["ill"] * 4, tmp_path / "few", name="Few", split="20/0/10")
    with pytest.raises(DataError, match="5 of each are needed"):
        detect(model, few, ASKED, out)
    out.mkdir()
    with pytest.raises(DataError, match="exists already"):
        detect(model, data, ASKED, out)
