"""The Studies page starts a study, follows it over cancelling and going on, and shows what came of it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.hardware import gpu_expected
from medgan.presets import usual_preset
from medgan.runs.record import FINISHED, STOPPED, Run
from medgan.studies import usefulness
from medgan.ui import jobs as jobs_module
from medgan.ui import study_start
from medgan.ui.jobs import Jobs
from medgan.ui.study_files import find_studies, results_of
from medgan.workspace import Workspace
from tests.evaluation.conftest import smooth_images
from tests.evaluation.made_up import EVIL
from tests.studies.conftest import lesions
from tests.ui.test_pages import open_page


@pytest.fixture
def labelled(workspace: Path) -> Dataset:
    images, labels = lesions(34, 34)
    return store(images, labels, workspace / "datasets" / "lesions", name="Lesions", split="44/2/22")


def arm(name: str, gain: float | None) -> dict[str, Any]:
    figure = {"value": 0.7, "low": 0.6, "high": 0.8, "difference": None}
    if gain is not None:
        figure["difference"] = {"value": gain, "low": gain - 0.1, "high": gain + 0.1}
    return {
        "title": name,
        "n": {"train": {"a": 600, "b": 644}, "test": 54},
        "balanced_accuracy": figure,
        "auc": figure,
    }


def result(data: Dataset, **more: Any) -> dict[str, Any]:
    """What a study writes, as far as it is shown."""
    return {
        "format": 1,
        "kind": "usefulness",
        "dataset": {"name": data.name, "content_sha256": data.info["content_sha256"], "test": 54},
        "settings": {"classes": ["a", "b"], "preset": "demo", "seeds": 10},
        "classifier": {"title": "Logistic regression on SqueezeNet"},
        "models": [],
        "arms": [arm("real images alone", None), arm("real + synthetic x5", -0.171)],
        "verdicts": {"usefulness": {"level": "fail", "reason": "It harms: by -17.1 points."}},
        "notes": ["The smallest class has 16 test images."],
    } | more


def write(folder: Path, values: Any) -> Path:
    """A study of the command line, which leaves no status."""
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{}")
    (folder / "study.json").write_text(json.dumps(values))
    return folder / "study.json"


def said(app: AppTest) -> str:
    return "\n".join(m.value for m in [*app.markdown, *app.caption])


def test_the_page_starts_what_was_chosen(
    space: Workspace, labelled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def study(self: Jobs, dataset: Path, *, name: str, options: dict[str, str]) -> Run:
        started.append((dataset.name, name, options))
        return Run(write(space.studies / name, result(labelled)).parent)

    monkeypatch.setattr(Jobs, "study", study)
    app = open_page("studies")
    assert "Trains 2 models" in said(app)
    next(n for n in app.number_input if n.label == "Steps for each model").set_value(7)
    app.selectbox(key="study_features").set_value("random").run()
    app.button(key="start_study").click().run()
    assert not app.exception
    options = {
        "preset": usual_preset(gpu=gpu_expected()),
        "iterations": "7",
        "seeds": "10",
        "features": "random",
    }
    assert started == [("lesions", "study-of-lesions", options)]
    assert "It harms" in said(app)


def test_classes_with_few_images_are_left_out_at_first(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["a"] * 30 + ["b"] * 30 + ["rare"] * 12
    store(smooth_images(72, 1), labels, space.datasets / "three", name="Three", split="50/0/22")
    chosen: list[dict[str, str]] = []

    def study(self: Jobs, dataset: Path, *, name: str, options: dict[str, str]) -> Run:
        chosen.append(options)
        return Run(space.studies / "none")

    monkeypatch.setattr(Jobs, "study", study)
    app = open_page("studies")
    assert "1 class has fewer than 20 images" in said(app)
    app.button(key="start_study").click().run()
    assert chosen[0]["classes"] == "a,b"
    app.multiselect[0].set_value(["a"]).run()
    assert not app.exception
    assert "Choose two classes or more" in said(app)
    assert study_start.FEWEST == usefulness.FEWEST


def test_a_set_of_one_class_cannot_be_studied(space: Workspace) -> None:
    store(smooth_images(30, 1), ["a"] * 30, space.datasets / "one", name=EVIL, split="20/0/10")
    app = open_page("studies")
    assert not app.exception
    assert "has one class only" in app.warning[0].value
    assert EVIL not in app.warning[0].value


def test_a_result_is_shown_in_a_sentence_and_a_table(space: Workspace, labelled: Dataset) -> None:
    write(space.studies / "mine", result(labelled))
    app = open_page("studies")
    assert not app.exception and not app.error
    badge = next(m.value for m in app.markdown if "badge" in m.value)
    assert "Fails" in badge and "red" in badge
    assert "It harms" in said(app) and "16 test images" in said(app)
    table = app.dataframe[0].value
    assert list(table["images"]) == ["1,244", "1,244"]
    assert list(table["against real"]) == ["", "-0.171 [-0.271, -0.071]"]
    app.button(key="delete_study").click().run()
    assert not (space.studies / "mine").exists()


def test_names_from_outside_are_text_and_not_markup(space: Workspace, labelled: Dataset) -> None:
    values = result(labelled, notes=[EVIL], verdicts={"usefulness": {"level": EVIL, "reason": EVIL}})
    values["settings"]["classes"] = values["dataset"]["name"] = EVIL
    write(space.studies / "evil", values)
    app = open_page("studies")
    assert not app.exception
    assert EVIL not in said(app)


@pytest.mark.parametrize("values", [[], {"format": 1}, {"format": 2, "kind": "usefulness"}, None])
def test_a_damaged_result_is_one_sentence(space: Workspace, labelled: Dataset, values: Any) -> None:
    write(space.studies / "bad", values)
    app = open_page("studies")
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    assert results_of(labelled, space) == {}


def test_only_studies_of_just_this_data_set_belong_to_it(space: Workspace, labelled: Dataset) -> None:
    mine = write(space.studies / "mine", result(labelled))
    other = {"name": "other", "content_sha256": "0" * 64, "test": 4}
    write(space.studies / "other", result(labelled, dataset=other))
    (space.studies / "empty").mkdir()
    assert {study.name for study in find_studies(space)} == {"mine", "other"}
    assert results_of(labelled, space) == {"mine": mine}


def test_a_killed_study_can_go_on_and_one_that_failed_says_why(
    space: Workspace, labelled: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "launch", lambda *_, **__: subprocess.Popen(["true"]))
    study = Jobs(space).study(labelled.folder, name="killed", options={})
    died = {"state": "running", "pid": 999_999, "pid_started": 1.0, "host": socket.gethostname()}
    (study.folder / "status.json").write_text(json.dumps(died))
    app = open_page("studies")
    assert "ended unexpectedly. What is done is kept" in app.warning[0].value
    assert app.button(key="study_on")
    (study.folder / "status.json").write_text(json.dumps({"state": "failed", "message": "No network."}))
    app = open_page("studies")
    assert "No network" in app.error[0].value
    (labelled.folder / "dataset.json").unlink()
    app.button(key="study_on").click().run()
    assert not app.exception
    assert "not a prepared data set" in app.error[-1].value


@pytest.mark.timeout(900)
def test_a_study_is_cancelled_goes_on_and_ends(space: Workspace, labelled: Dataset) -> None:
    app = open_page("studies")
    app.selectbox(key="study_preset").set_value("demo").run()
    next(n for n in app.number_input if n.label == "Steps for each model").set_value(2)
    app.number_input(key="study_seeds").set_value(1)
    app.selectbox(key="study_features").set_value("random").run()
    app.button(key="start_study").click().run()
    assert not app.exception
    app.button(key="cancel").click().run()
    [study] = find_studies(space)
    assert ended(study) == STOPPED, (study.folder / "log.txt").read_text()
    app = open_page("studies")
    assert "What is done is kept" in app.info[0].value
    app.button(key="study_on").click().run()
    assert not app.exception
    assert ended(study) == FINISHED, (study.folder / "log.txt").read_text()
    app = open_page("studies")
    assert not app.exception and not app.error
    assert len(app.dataframe[0].value) == 7
    assert results_of(labelled, space)


def ended(study: Run) -> str:
    end = time.monotonic() + 400
    while study.status().alive and time.monotonic() < end:
        time.sleep(0.5)
    return study.status().state
