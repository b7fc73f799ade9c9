"""Recognised classes where the model and the data set do not have the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medgan.config import ModelConfig
from medgan.evaluation import memorisation
from medgan.evaluation.scorecard import judge_model
from medgan.evaluation.settings import Settings
from medgan.files import write_folder
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from tests.evaluation.conftest import make_dataset, make_model

NOTHING_COMMON = "show none of the classes that the model makes (y, z), and two or more are needed"
ONE_COMMON = "show a of the classes that the model makes (a, z), and two or more are needed"


@pytest.mark.parametrize(
    ("names", "reason", "said"),
    [
        ("ab", None, []),
        ("abz", None, ["The data set has no z:"]),
        ("az", ONE_COMMON, ["The model does not know b:", "The data set has no z:"]),
        ("yz", NOTHING_COMMON, ["The model does not know a, b:", "The data set has no y, z:"]),
    ],
)
def test_classes_are_compared_where_model_and_set_both_have_them(
    names: str, reason: str | None, said: list[str], tmp_path: Path
) -> None:
    classes = tuple((name, 10) for name in names)
    config = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, classes=classes)
    write_folder(
        tmp_path / "model", lambda out: save_model(out, build_generator(config).eval(), ModelInfo(config))
    )
    data = make_dataset(tmp_path / "set", n=48, test=24)
    settings = Settings(count=36, features="random", parts=("quality",), bootstrap=20)
    report: dict[str, Any] = judge_model(tmp_path / "model", data, settings).report
    found = next(entry for entry in report["figures"] if entry["name"] == "class_accuracy")
    if reason is None:
        assert 0 <= found["value"] <= 1 and found["floor"] is not None
    else:
        assert found["value"] is None and reason in found["reason"]
    notes = [note for note in report["notes"] if "classes are compared where both have them" in note]
    assert [note.split(":")[0] + ":" for note in notes] == said


def test_the_discriminator_is_told_the_class_of_every_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def scores(folder: Path, **named: Any) -> tuple[np.ndarray, np.ndarray]:
        told.update(named)
        return np.arange(30.0), np.arange(20.0)

    monkeypatch.setattr(memorisation, "discriminator_scores", scores)
    data = make_dataset(tmp_path / "set", n=50, test=20)
    settings = Settings(count=16, features="random", parts=("memorisation",), bootstrap=20)
    judge_model(make_model(tmp_path / "model"), data, settings)
    columns = list(zip(data.column("class"), data.column("split"), strict=True))
    for name, part in (("train", "train"), ("heldout", "test")):
        assert list(told[f"{name}_classes"]) == [label for label, split in columns if split == part]
        assert np.array_equal(told[name], data.part(part))
