"""Every page runs, empty and with something in the workspace, and its buttons do what they say."""

from __future__ import annotations

import json
import socket
import time
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.runs.record import FINISHED, Run, Status

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("home", "data", "train", "generate", "evaluate", "models")


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


def open_page(name: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "medgan" / "ui" / "main.py"), default_timeout=60)
    app.run()
    if name != "home":
        app.switch_page(str(ROOT / "pages" / f"{name}.py")).run()
    return app


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_in_an_empty_workspace(name: str) -> None:
    app = open_page(name)
    assert not app.exception
    assert app.title


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_data_and_a_model(name: str, model: Path) -> None:
    app = open_page(name)
    assert not app.exception
    assert not app.error


def test_the_seed_slider_changes_the_images_and_names_them(model: Path) -> None:
    app = open_page("generate")
    before = _captions(app)
    assert before[0] == "seed 0"
    app.slider(key="seed").set_value(41).run()
    assert not app.exception
    assert _captions(app)[:2] == ["seed 41", "seed 42"]


def test_the_zip_button_makes_a_download(workspace: Path, model: Path) -> None:
    app = open_page("generate")
    app.number_input[1].set_value(3).run()
    app.button(key="make_zip").click().run()
    assert not app.exception
    [path] = (workspace / "exports").iterdir()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [*(f"images/seed-{k:06d}.png" for k in range(3)), "manifest.csv"]


def test_start_trains_in_a_process_that_the_page_finds_again(workspace: Path, data: Dataset) -> None:
    app = open_page("train")
    next(n for n in app.number_input if n.label == "Iterations").set_value(2)
    app.button(key="start").click().run()
    assert not app.exception
    [folder] = (workspace / "runs").iterdir()
    assert Run(folder).status().alive, "the page shows it as starting before torch is even loaded"
    assert _wait_for_end(Run(folder)).state == FINISHED, (folder / "log.txt").read_text()
    again = open_page("train")
    assert not again.exception
    assert any("Finished" in m.value for m in again.markdown)
    assert len(again.get("plotly_chart")) == 2


def test_evaluate_makes_a_report_with_all_rows(
    workspace: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no weights: LPIPS is absent, the others stand
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    app = open_page("evaluate")
    assert "makes colour images" in app.warning[0].value, "the model that ships comes first"
    assert app.button(key="evaluate").disabled
    app.selectbox(key="model").set_value("hub:someone/tiny").run()
    app.number_input[0].set_value(16)
    app.button(key="evaluate").click().run()
    assert not app.exception
    [folder] = (workspace / "reports").iterdir()
    assert _wait_for_end(Run(folder)).state == FINISHED, (folder / "log.txt").read_text()
    again = open_page("evaluate")
    assert not again.exception
    table = again.dataframe[0].value
    assert {"generated", "noise"} <= set(table[""])
    assert any("LPIPS is absent" in w.value for w in again.warning)


def test_a_dead_training_is_shown_as_interrupted(workspace: Path, data: Dataset) -> None:
    run = Run(workspace / "runs" / "dead")
    run.create({"preset": "demo", "dataset": {"name": "phantoms", "path": str(data.folder)}})
    died = {"state": "running", "pid": 999_999, "pid_started": 1.0, "host": socket.gethostname()}
    run.folder.joinpath("status.json").write_text(json.dumps(died | {"step": 10, "iterations": 50}))
    app = open_page("train")
    assert not app.exception
    assert any("interrupted" in m.value for m in app.markdown)
    assert app.button(key="resume")


def _wait_for_end(run: Run, seconds: float = 120.0) -> Status:
    end = time.monotonic() + seconds
    while run.status().alive and time.monotonic() < end:
        time.sleep(0.2)
    return run.status()


def _captions(app: AppTest) -> list[str]:
    return [image.proto.imgs[0].caption for image in app.get("image")]
