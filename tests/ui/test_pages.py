"""Every page runs, empty and with something in the workspace, and its buttons do what they say."""

from __future__ import annotations

import csv
import io
import json
import socket
import time
import zipfile
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.generation.journal import Journal, partial_of
from medgan.generation.sampling import labels_of
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.runs.record import FINISHED, Run, Status
from medgan.ui.jobs import Jobs
from medgan.ui.routes import ROUTES
from medgan.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"metadata.csv", "README.md", "LICENSE", "export.json"}
PAGES = ("home", "data", "train", "generate", "evaluate", "studies", "blind_test", "models")


def open_page(name: str, **chosen: str) -> AppTest:
    """A page, with what its address says is `chosen` there."""
    app = AppTest.from_file(str(ROOT / "medgan" / "ui" / "main.py"), default_timeout=60)
    app.run()
    if name != "home":
        for key, value in chosen.items():
            app.query_params[key] = value
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


def test_an_image_is_pinned_and_let_go(model: Path) -> None:
    app = open_page("generate")
    app.button(key="pin-2").click().run()
    app.button(key="pin-5").click().run()
    assert not app.exception
    assert [b.key for b in app.button if b.key.startswith("unpin-")] == ["unpin-2", "unpin-5"]
    app.toggle(key="walk").set_value(True).run()
    assert not app.exception
    assert app.get("download_button")
    app.button(key="unpin-2").click().run()
    assert [b.key for b in app.button if b.key.startswith("unpin-")] == ["unpin-5"]


def made(workspace: Path) -> zipfile.ZipFile:
    """The only export, when its process has ended."""
    [folder] = (workspace / "exports").iterdir()
    record = Run(folder)
    end = time.monotonic() + 120
    while record.status().alive and time.monotonic() < end:
        time.sleep(0.3)
    assert record.status().state == FINISHED, (folder / "log.txt").read_text()
    return zipfile.ZipFile(folder / f"{folder.name}.zip")


def test_seeds_that_are_none_are_told_and_nothing_is_offered(workspace: Path, model: Path) -> None:
    app = open_page("generate")
    app.number_input(key="first_seed").set_value(2_147_483_600).run()
    assert "Seeds begin at 0" in app.error[0].value
    assert app.button(key="make_zip").disabled
    app.number_input(key="first_seed").set_value(0).run()
    assert not app.error and not app.button(key="make_zip").disabled
    app.number_input(key="how_many").set_value(0).run()
    assert app.error and app.button(key="make_zip").disabled


def test_the_zip_button_starts_an_export_that_can_be_fetched(workspace: Path, model: Path) -> None:
    app = open_page("generate")
    app.number_input(key="how_many").set_value(3).run()
    app.button(key="make_zip").click().run()
    assert not app.exception
    with made(workspace) as archive:
        names = {name.split("/")[-1] for name in archive.namelist()}
        assert names == {f"seed-{k:06d}.png" for k in range(3)} | OTHERS
        assert "nobody can check" in archive.read("README.md").decode().replace("\n", " ")
    app = open_page("generate")
    assert not app.exception
    [found] = [m.value for m in app.markdown if "None of the 3 images was checked" in m.value]
    assert "put it on the Data page" in found and "dataset" not in found
    [name] = [folder.name for folder in (workspace / "exports").iterdir()]
    links = [found.proto for found in app.get("page_link")]
    [query] = [link.query_string for link in links if link.label == "Push to the Hub"]
    assert parse_qs(query) == {"push": [f"Images {name}"]}
    found = TestClient(Starlette(routes=ROUTES)).get(f"/exports/{name}.zip")
    assert found.status_code == 200 and found.content[:2] == b"PK"
    for wrong in ("nothing", "..%2f..%2fsecret", ".hidden"):
        assert TestClient(Starlette(routes=ROUTES)).get(f"/exports/{wrong}.zip").status_code == 404


def test_an_export_whose_model_learned_more_begins_anew(workspace: Path, model: Path) -> None:
    jobs = Jobs(Workspace(workspace))
    record = jobs.export("hub:someone/tiny", name="tiny", options=["--seeds=0-2", "--no-gate"])
    made(workspace).close()
    path = record.folder / f"{record.name}.zip"
    path.unlink()
    left = Journal(path, {"model_sha256": "another"})
    left.close()
    left.leave()
    jobs.export_on(record)
    with made(workspace) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 3
    assert not partial_of(path).exists()


@pytest.fixture
def conditional(workspace: Path) -> Path:
    """A model that was trained on nodules three times as often as on normal chests."""
    folder = workspace / "models" / "someone--classes"
    folder.mkdir(parents=True)
    classes = (("nodule", 9), ("n_o", 3))
    config = ModelConfig("resize", channels=1, size=64, ngf=4, ndf=4, classes=classes)
    about = {"name": "classes", "init": {"name": "chests"}}
    save_model(folder, build_generator(config).eval(), ModelInfo(config, about))
    (folder / "source.json").write_text('{"repo": "someone/classes", "revision": "0"}')
    return folder


def test_a_model_of_classes_is_asked_for_one_or_for_any(conditional: Path) -> None:
    app = open_page("generate")
    app.selectbox(key="model").set_value("hub:someone/classes").run()
    assert not app.exception and not app.error
    assert any("began with chests · tells 2 classes apart" in c.value for c in app.caption)
    drawn = labels_of(range(16), (("nodule", 9), ("n_o", 3))).tolist()
    names = [("nodule", "n o")[k] for k in drawn]
    assert _captions(app) == [f"seed {k} · {name}" for k, name in enumerate(names)]
    assert set(drawn) == {0, 1}
    app.selectbox(key="class-hub:someone/classes").set_value("n_o").run()
    assert not app.exception
    assert _captions(app)[:2] == ["seed 0 · n o", "seed 1 · n o"]


@pytest.mark.parametrize("label", ["", "n_o"])
def test_the_manifest_names_the_class_of_each_image(workspace: Path, conditional: Path, label: str) -> None:
    app = open_page("generate")
    app.selectbox(key="model").set_value("hub:someone/classes").run()
    app.selectbox(key="class-hub:someone/classes").set_value(label).run()
    app.number_input(key="how_many").set_value(11).run()
    app.button(key="make_zip").click().run()
    assert not app.exception
    with made(workspace) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("metadata.csv").decode())))
    drawn = labels_of(range(11), (("nodule", 9), ("n_o", 3))).tolist()
    assert [row["label"] for row in rows] == [label or ("nodule", "n_o")[k] for k in drawn]


def test_a_model_without_classes_asks_for_none(model: Path) -> None:
    app = open_page("generate")
    assert not [s for s in app.selectbox if s.label == "Class"]


def test_start_trains_in_a_process_that_the_page_finds_again(workspace: Path, data: Dataset) -> None:
    app = open_page("train")
    app.radio(key="preset").set_value("demo").run()
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
    """What stands below each image, on the button that pins it."""
    return [button.label for button in app.button if str(button.key).startswith("pin-")]


def test_a_number_to_fill_up_that_is_none_is_told(workspace: Path, conditional: Path, data: Dataset) -> None:
    app = open_page("generate")
    app.selectbox(key="model").set_value("hub:someone/classes").run()
    app.segmented_control(key="export_way").set_value("Fill up my classes").run()
    assert app.button(key="make_zip").disabled  # the classes of this set are others
    app.number_input(key="fill-phantoms-nodule").set_value(-1).run()
    assert "0 to 1,000,000 images" in app.error[0].value and app.button(key="make_zip").disabled
    app.number_input(key="fill-phantoms-nodule").set_value(2).run()
    assert not app.error and not app.exception and not app.button(key="make_zip").disabled


def test_a_set_of_other_images_is_not_filled_up(workspace: Path, data: Dataset) -> None:
    app = open_page("generate")
    app.selectbox(key="model").set_value("isic-classes").run()
    app.segmented_control(key="export_way").set_value("Fill up my classes").run()
    assert any("a classifier would tell them apart" in warning.value for warning in app.warning)
    assert not app.exception and app.button(key="make_zip").disabled
