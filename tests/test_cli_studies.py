"""The commands study-usefulness and anomaly, and what they say to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medgan.cli import INTERRUPTED, main
from medgan.runs.record import FAILED, FINISHED, STOPPED, Run
from tests.studies.conftest import lesions
from tests.test_cli import Caller, call

__all__ = ["call"]  # the fixture


@pytest.fixture
def lesion_set(tmp_path: Path) -> None:
    from medgan.data.prepare import store

    images, labels = lesions(34, 34)
    store(images, labels, tmp_path / "set", name="Lesions", split="44/2/22")


@pytest.mark.usefixtures("lesion_set")
def test_a_study_and_a_search_for_anomalies(call: Caller) -> None:
    study = (
        *("study-usefulness", "set", "--out", "study", "--features", "pixels", "--arms", "synthetic-x1"),
        *("--preset", "demo", "--set", "ngf=4", "--set", "ndf=4"),
        *("--seeds", 1, "--iterations", 1, "--device", "cpu"),
    )
    result = call.json(*study)
    assert result == json.loads(Path("study/study.json").read_text())
    assert call.json(*study) == result
    assert "other settings (train)" in call.fails(*study[:-2], "--seed", 7)
    models = ("--model", "healthy=study/models/00-healthy", "--model", "ill=study/models/01-ill")
    given = call.json(*study[:2], "--out", "given", *study[4:], *models)
    assert [model["doubt"] for model in given["models"]] == ["", ""]

    found = call.json(
        *("anomaly", "study/models/00-healthy", "set", "--normal", "healthy"),
        *("--out", "found", "--iterations", 2, "--features", "pixels"),
    )
    assert found == json.loads(Path("found/anomaly.json").read_text())
    assert found["settings"]["method"] == "izi_f"


@pytest.mark.usefixtures("lesion_set")
def test_a_study_is_followed_and_cancelled_by_files_in_its_folder(call: Caller) -> None:
    folder = Path("study")
    study = (
        *("study-usefulness", "set", "--out", folder, "--record", folder, "--features", "pixels"),
        *("--arms", "real", "--seeds", 1, "--iterations", 2, "--set", "ngf=4", "--set", "ndf=4"),
    )
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "stop").touch()
    assert main([*map(str, study)]) == INTERRUPTED
    assert Run(folder).status().state == STOPPED
    assert not (folder / "study.json").exists()
    (folder / "stop").unlink()
    assert call.json(*study) == json.loads((folder / "study.json").read_text())
    assert Run(folder).status().state == FINISHED

    search = ("anomaly", folder / "models" / "00-healthy", "set", "--normal", "nobody")
    refused = call.fails(*search, "--out", "found", "--record", "record")
    status = Run("record").status()
    assert (status.state, status.message) == (FAILED, refused.removeprefix("medgan: "))


@pytest.mark.usefixtures("lesion_set")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("study-usefulness", "nowhere", "--out", "x"), "not a prepared data set"),
        (("study-usefulness", "set", "--out", "x", "--seeds", 0), "--seeds is 0"),
        (("study-usefulness", "set", "--out", "x", "--iterations", -1), "--iterations is -1"),
        (("study-usefulness", "set", "--out", "x", "--arms", "all"), "There is no arm 'all'"),
        (("study-usefulness", "set", "--out", "x", "--model", "ill"), "--model CLASS=MODEL"),
        (("study-usefulness", "set", "--out", "x", "--model", "ill=nowhere"), "nowhere"),
        (("study-usefulness", "set", "--out", "x", "--classes", "ill"), "one class only"),
        (("study-usefulness", "set", "--out", "x", "--features", "vgg"), "no feature network 'vgg'"),
        (("anomaly", "m", "nowhere", "--normal", "a", "--out", "x"), "not a prepared data set"),
        (("anomaly", "nowhere", "set", "--normal", "a", "--out", "x"), "nowhere"),
        (("anomaly", "m", "set", "--out", "x"), "--normal"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: tuple[object, ...], sentence: str, call: Caller) -> None:
    assert sentence in call.fails(*arguments)
