"""The whole study, small: what it writes, that it goes on after a kill, and what it says to bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import ConfigError, DataError, Interrupted
from medgan.runs.record import Run
from medgan.studies.arms import ARMS, REAL, SYNTHETIC, chosen, members, pool_size
from medgan.studies.augment import augmented
from medgan.studies.class_sets import class_set, folder_name
from medgan.studies.usefulness import Plan, study
from medgan.studies.words import usefulness_table
from tests.evaluation.conftest import make_model, smooth_images

ROOT = Path(__file__).resolve().parents[2]
MakePlan = Callable[..., Plan]


@pytest.fixture(scope="module")
def finished(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nobody interrupted."""
    from tests.studies.conftest import make_plan

    os.environ["OMP_NUM_THREADS"] = "1"
    out = tmp_path_factory.mktemp("studies") / "whole"
    study(data, out, make_plan())
    return out


def test_the_result_holds_arms_intervals_verdict_and_what_repeats_it(finished: Path, data: Dataset) -> None:
    result = json.loads((finished / "study.json").read_text())
    rows = {row["name"]: row for row in result["arms"]}
    assert list(rows) == ["real", "augmented", "duplicated", "synthetic-x1", "synthetic-only"]
    counts = {label: parts["train"] for label, parts in data.info["classes"].items()}
    assert rows["synthetic-x1"]["n"]["train"] == {label: 2 * count for label, count in counts.items()}
    assert rows["synthetic-only"]["n"]["train"] == {label: 5 * count for label, count in counts.items()}
    accuracy = rows["real"]["balanced_accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["difference"] is None
    twice = rows["duplicated"]["balanced_accuracy"]["difference"]
    assert (twice["value"], twice["low"], twice["high"]) == (0, 0, 0)
    verdict = result["verdicts"]["usefulness"]
    assert verdict["level"] in ("good", "warn", "fail") and "points" in verdict["reason"]
    assert result["dataset"]["content_sha256"] == data.info["content_sha256"]
    assert {"scikit-learn", "torch", "medgan"} <= result["versions"].keys()
    assert [model["doubt"] for model in result["models"]] == ["", ""]
    table = usefulness_table(result)
    assert "real + synthetic x1" in table and verdict["reason"][:20] in table


def test_models_learn_from_the_training_part_of_their_class_alone(finished: Path, data: Dataset) -> None:
    for k, label in enumerate(data.info["classes"]):
        of_class = Dataset(finished / "classes" / folder_name(k, label))
        assert of_class.changes() == []
        assert set(of_class.column("class")) == {label}
        config = Run(finished / "models" / folder_name(k, label)).config()
        assert config["dataset"]["content_sha256"] == of_class.info["content_sha256"]
        assert config["train"]["stop_on"] == "never"
        rows = [(row["sha256"], row["split"]) for row in data.manifest if row["class"] == label]
        assert rows == [(row["sha256"], row["split"]) for row in of_class.manifest]


@pytest.mark.parametrize("moment", ["Training ill", "Features, synthetic healthy", "Classifiers, synthetic"])
def test_an_interrupted_study_ends_as_the_others(
    moment: str, data: Dataset, plan: MakePlan, out: Path, finished: Path
) -> None:
    reached = [False]

    def progress(what: str, done: int, total: int) -> None:
        reached[0] = reached[0] or (what.startswith(moment) and done > 0)

    with pytest.raises(Interrupted):
        study(data, out, plan(), interrupted=lambda: reached[0], progress=progress)
    assert not (out / "study.json").exists()
    study(data, out, plan())
    assert (out / "study.json").read_bytes() == (finished / "study.json").read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from medgan.data.dataset import Dataset
from medgan.studies.usefulness import study
from tests.studies.conftest import make_plan
def progress(what, done, total):
    if what.startswith(sys.argv[3]) and done:
        os.kill(os.getpid(), signal.SIGKILL)
study(Dataset(sys.argv[1]), Path(sys.argv[2]), make_plan(), progress=progress)
"""


def test_a_killed_study_ends_as_the_others(data: Dataset, plan: MakePlan, out: Path, finished: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(data.folder), str(out), "Classifiers, real + synthetic"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert (out / "arms" / "real.json").exists() and not (out / "study.json").exists()
    study(data, out, plan())
    assert (out / "study.json").read_bytes() == (finished / "study.json").read_bytes()


def test_more_seeds_and_arms_may_be_added_but_other_settings_may_not(
    data: Dataset, plan: MakePlan, finished: Path
) -> None:
    before = (finished / "study.json").read_bytes()
    more = study(data, finished, plan(seeds=3, arms=tuple(chosen("synthetic-x1,synthetic-x2"))))
    assert [row["name"] for row in more["arms"]] == ["real", "synthetic-x1", "synthetic-x2"]
    with pytest.raises(DataError, match=r"other settings \(features\)"):
        study(data, finished, plan(features="random"))
    study(data, finished, plan())
    assert (finished / "study.json").read_bytes() == before


def test_a_model_that_may_have_seen_the_test_images_is_said(
    data: Dataset, plan: MakePlan, out: Path, finished: Path
) -> None:
    stranger = make_model(out.parent / "stranger", channels=1)
    own = Run(finished / "models" / folder_name(0, "healthy")).folder
    result = study(
        data, out, plan(given={"ill": stranger, "healthy": own}, arms=tuple(chosen("synthetic-x1")))
    )
    doubts = {model["class"]: model["doubt"] for model in result["models"]}
    assert doubts["healthy"] == ""
    assert "does not say what it was trained on" in doubts["ill"]
    assert doubts["ill"] in result["notes"]
    assert result["verdicts"]["usefulness"]["level"] != "good"


def test_a_resnet_learns_what_cannot_be_missed(data: Dataset, plan: MakePlan, out: Path) -> None:
    model = make_model(out.parent / "model", channels=1)
    result = study(
        data,
        out,
        plan(
            classifier="resnet18",
            epochs=6,
            seeds=1,
            arms=tuple(chosen("real")),
            given={"healthy": model, "ill": model},
        ),
    )
    assert result["classifier"]["steps"] == 6 * 2
    assert result["arms"][0]["auc"]["value"] > 0.8
    assert result["verdicts"]["usefulness"]["level"] == "unknown"


def test_sets_that_cannot_be_studied_are_told_in_one_sentence(
    data: Dataset, plan: MakePlan, out: Path, tmp_path: Path
) -> None:
    images = smooth_images(40, 1)
    one = store(images, ["a"] * 40, tmp_path / "one", name="One", split="30/0/10")
    with pytest.raises(DataError, match="one class only"):
        study(one, out, plan())
    few = store(images, ["a"] * 30 + ["b"] * 10, tmp_path / "few", name="Few", split="30/0/10")
    with pytest.raises(DataError, match=r"b has \d images to train on, and a model of its own needs 20"):
        study(few, out, plan())
    with pytest.raises(DataError, match="no class 'nope'"):
        study(data, out, plan(classes=("ill", "nope")))
    out.mkdir()
    (out / "thesis.txt").write_text("")
    with pytest.raises(DataError, match="holds no study"):
        study(data, out, plan())


def test_arms_draw_nested_images_that_differ_by_seed() -> None:
    counts = [20, 30]
    one, two = (members(ARMS[f"synthetic-x{k}"], counts, seed=4) for k in (1, 2))
    assert [sum(m.source == REAL for m in arm) for arm in (one, two)] == [50, 50]
    assert set(one) <= set(two)
    other = members(ARMS["synthetic-x1"], counts, seed=5)
    assert set(one) != set(other)
    assert max(m.index for m in two if m.source == SYNTHETIC and m.label == 0) < pool_size(SYNTHETIC, 20)
    assert len(members(ARMS["duplicated"], counts, seed=0)) == 100
    assert [arm.name for arm in chosen("synthetic-x1")] == ["real", "synthetic-x1"]
    with pytest.raises(ConfigError, match="no arm 'x9'"):
        chosen("x9")


def test_augmentation_changes_little_and_never_mirrors_a_scan() -> None:
    ramp = np.tile(np.linspace(20, 200, 64).astype(np.uint8)[None, :, None], (64, 1, 1))
    copies = [augmented(ramp, np.random.default_rng(seed)) for seed in range(20)]
    assert all(copy.shape == ramp.shape and copy.dtype == np.uint8 for copy in copies)
    assert all(copy[:, 48:].mean() > copy[:, :16].mean() for copy in copies)
    assert all(np.abs(copy.astype(int) - ramp).mean() < 45 for copy in copies)
    np.testing.assert_array_equal(copies[3], augmented(ramp, np.random.default_rng(3)))
    colour = np.repeat(ramp, 3, axis=2)
    mirrored = [augmented(colour, np.random.default_rng(seed)) for seed in range(20)]
    assert 3 < sum(copy[:, 48:].mean() < copy[:, :16].mean() for copy in mirrored) < 17


def test_a_class_set_is_made_once_and_its_folder_named_whatever_the_class(data: Dataset, out: Path) -> None:
    first = class_set(data, "ill", out)
    assert class_set(data, "ill", out).info == first.info
    assert first.info["part_of"]["content_sha256"] == data.info["content_sha256"]
    with pytest.raises(DataError, match="another data set"):
        class_set(data, "healthy", out)
    with pytest.raises(DataError, match="no class"):
        class_set(data, "nope", out)
    assert folder_name(1, "a/b: c") == "01-a-b-c"
    assert folder_name(2, "???") == "02"
