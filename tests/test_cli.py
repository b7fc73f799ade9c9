"""The command line from end to end on the phantoms, and what it says to bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from medgan.arguments import build_parser
from medgan.cli import COMMANDS, main
from medgan.cli.data import chosen_settings
from medgan.cli.generating import _parts, _read_counts
from medgan.cli.work import chosen_preset
from medgan.config import ModelConfig
from medgan.errors import DataError
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.runs.record import STOPPED, Run

QUICK = ("--preset", "demo", "--iterations", 1, "--device", "cpu")


class Caller:
    """Calls commands in a folder of their own; `json` returns what came on stdout."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def json(self, *arguments: object) -> Any:
        assert main([*map(str, arguments), "--json"]) == 0, self.capsys.readouterr().err
        return json.loads(self.capsys.readouterr().out)

    def fails(self, *arguments: object) -> str:
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
        out, err = self.capsys.readouterr()
        assert code == 2
        assert out == ""
        lines = err.replace("\r", "\n").strip().splitlines()
        return lines[-1]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    monkeypatch.chdir(tmp_path)
    return Caller(tmp_path, capsys)


def test_the_whole_path_on_phantoms(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = call.json("prepare", "phantom:chest-ct", "--count", 24, "--size", 64, "--out", "ct")
    assert made["splits"] == {"train": 16, "validation": 4, "test": 4}
    assert made["channels"] == 1

    first = call.json("train", "ct", "--run", "run", "--preset", "demo", "--iterations", 3, "--device", "cpu")
    assert (first["state"], first["step"], first["images"]) == ("finished", 3, 3 * 16)
    more = call.json("train", "ct", "--run", "run", "--resume", "--iterations", 5, "--device", "cpu")
    assert more["step"] == 5
    assert [event["step"] for event in Run("run").events()] == [3, 5]

    zipped = call.json("generate", "run", "--seeds", "3,0-1", "--out", "images.zip")
    call.json("generate", "run", "--seeds", "0-4", "--out", "images")
    with zipfile.ZipFile("images.zip") as archive:
        for seed in (0, 1, 3):
            name = f"images/seed-{seed:06d}.png"
            data = archive.read(name)
            assert data == (call.folder / "images" / name).read_bytes(), "a seed is one image in any batch"
            assert Image.open(io.BytesIO(data)).mode == "L"
        rows = list(csv.DictReader(io.StringIO(archive.read("metadata.csv").decode())))
    assert [row["seed"] for row in rows] == ["3", "0", "1"]
    assert zipped["checked"] is False and "nobody can check" in zipped["reason"]
    assert {row["model_sha256"] for row in rows} == {zipped["model_sha256"]}

    monkeypatch.setenv("TORCH_HOME", str(call.folder / "no-weights"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    how = ("--count", 8, "--features", "random", "--bootstrap", 20)
    report = call.json("evaluate", "run", "ct", *how, "--out", "report.json", "--html", "report.html")
    assert report == json.loads(Path("report.json").read_text())
    assert set(report["verdicts"]) == {"quality", "diversity", "memorisation", "usefulness"}
    assert "</html>" in Path("report.html").read_text()
    rows = {(f["name"], f["row"], f["pairing"]): f for f in report["rows"]}
    psnr = rows["PSNR", "generated", "random"]
    assert psnr["low"] <= psnr["value"] <= psnr["high"]
    lpips = rows["LPIPS", "generated", "random"]
    assert lpips["value"] is None and lpips["reason"]

    part = ("--parts", "memorisation", "--record", "pictures")
    folder = call.json("evaluate", "images", "ct", *how, *part, "--out", "folder.json")
    assert folder["folder"]["judged"] == 5
    assert folder["rows"] == []
    assert Path("pictures/map.png").is_file()

    call.json("models", "pack", "run", "--out", "packed")
    call.json("models", "card", "packed", "--note", "Drawn by a program.")
    assert "Drawn by a program." in Path("packed/README.md").read_text()
    call.json("generate", "packed", "--seeds", "0", "--out", "from-packed")


def test_a_class_is_named_in_the_manifest_when_there_is_only_one(call: Caller) -> None:
    from medgan.generation.export import only_class

    assert only_class({"dataset": {"classes": {"nevus": {"train": 3}}}}) == "nevus"
    assert only_class({"dataset": {"classes": {"nevus": {}, "melanoma": {}}}}) == ""
    assert only_class({}) == ""


@pytest.mark.parametrize("command", [("train", "x"), ("study-usefulness", "x", "--out", "y")])
@pytest.mark.parametrize(
    ("given", "found", "name"),
    [
        ((), "cpu", "small-cpu"),
        ((), "mps", "small"),
        (("--device", "cpu"), "cpu", "small-cpu"),
        (("--preset", "paper"), "cpu", "paper"),
    ],
)
def test_without_a_preset_the_device_decides(
    command: tuple[str, ...],
    given: tuple[str, ...],
    found: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from medgan.training import devices

    asked: list[str] = []
    monkeypatch.setattr(devices, "choose_device", lambda wanted: asked.append(wanted) or torch.device(found))
    options = build_parser(COMMANDS).parse_args([*command, *given])
    assert chosen_preset(options) == name
    assert asked in ([], [options.device or "auto"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("prepare", "nowhere", "--out", "x"), "nowhere does not exist."),
        (("prepare", "phantom:brain", "--out", "x"), "chest-ct"),
        (("prepare", "phantom:chest-ct", "folder", "--out", "x"), "no other source"),
        (("train", "nowhere", "--run", "x"), "not a prepared data set"),
        (("train", "x", "--run", "y", "--preset", "demmo"), "invalid choice: 'demmo'"),
        (("generate", "nowhere", "--out", "x"), "nowhere"),
        (("generate", "nowhere", "--out", "x", "--seeds", "5-3"), "5-3"),
        (("generate", "isic", "--out", "x", "--count", "0"), "--count is 0"),
        (("generate", "isic", "--out", "x", "--no-gate", "--classes", "a=1,a=2"), "names a twice"),
        (
            ("generate", "isic", "--out", "x", "--no-gate", "--classes", "a=1", "--class", "a"),
            "leave --class",
        ),
        (("generate", "isic", "--out", "x", "--no-gate", "--classes", "a=0"), "--classes asks for no images"),
        (("generate", "isic-classes", "--out", "x", "--no-gate", "--class", ""), "cannot make ''"),
        (("models", "pack", "isic-classes", "--with-discriminator", "--out", "x"), "leave --with-disc"),
        (("train", "x", "--run", "y", "--flavor", "t4-small"), "--flavor is for trainings elsewhere"),
        (
            ("train", "x", "--run", "y", "--on", "slurm", "--init", "isic", "--set", "ngf=8"),
            "leave --set ngf away",
        ),
        (("evaluate", "nowhere", "ct", "--out", "x.json"), "nowhere"),
        (("evaluate", "x", "ct", "--parts", "beauty", "--out", "x.json"), "quality, diversity"),
        (("evaluate", "x", "ct", "--features", "eyes", "--out", "x.json"), "dinov2"),
        (("evaluate", "x", "ct", "--study", "none.json", "--out", "x.json"), "none.json"),
        (("models", "pull"), "Name the repository"),
        (("models", "pull", "not a repo"), "not a repo"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...], sentence: str, call: Caller
) -> None:
    said = call.fails(*arguments)
    assert said.startswith("medgan: ")
    assert sentence in said


def test_a_class_may_have_commas_in_its_name() -> None:
    known = ["a, b", "x=1,y", "normal"]
    assert _read_counts(["a, b=2", "x=1,y=3", "normal=1"], known) == {"a, b": 2, "x=1,y": 3, "normal": 1}
    assert _read_counts(["p=2, q=3"], ["p", "q"]) == {"p": 2, "q": 3}
    with pytest.raises(DataError, match="names p twice"):
        _read_counts(["p=2", "p=1"], ["p", "q"])


def test_a_set_is_filled_up_with_images_of_its_own_kind(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    said = call.fails("generate", "isic", "--fill", "ct", "--out", "x")
    assert "colour 128 x 128 images and ct has grey 64 x 64 ones" in said


def test_networks_of_a_first_model_are_taken_as_they_are_and_that_is_said(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    config = ModelConfig("resize", channels=1, size=64, ngf=4, ndf=4, classes=(("normal", 3), ("other", 3)))
    Path("first").mkdir()
    save_model(Path("first"), build_generator(config).eval(), ModelInfo(config, {"name": "first"}))
    begun = ("train", "ct", "--run", "second", "--init", "first", *QUICK)
    assert "leave --set ngf away" in call.fails(*begun, "--set", "ngf=8")
    assert "There is no model ''" in call.fails("train", "ct", "--run", "second", "--init", "", *QUICK)
    assert main([*map(str, begun)]) == 0
    said = "".join(call.capsys.readouterr())
    assert "Begins with first and takes its networks" in said and "not kept apart" in said
    assert "without a discriminator" in said


def test_a_class_that_lacks_nothing_may_be_one_that_the_model_does_not_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("medgan.cli.generating._counts", lambda options, known: {"normal": 1, "other": 0})
    options = build_parser(COMMANDS).parse_args(["generate", "x", "--out", "y"])
    info = ModelInfo(ModelConfig("resize", classes=(("normal", 3), ("ill", 3))), {})
    assert [(list(part.seeds), part.label) for part in _parts(options, info, range(9))] == [([0], "normal")]


def test_a_run_folder_is_never_overwritten(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    call.json("train", "ct", "--run", "run", *QUICK)
    assert "--resume" in call.fails("train", "ct", "--run", "run", *QUICK)
    assert Run("run").status().step == 1


def test_another_data_set_is_refused_on_resume(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "a")
    call.json("prepare", "phantom:chest-ct", "--count", 9, "--size", 64, "--out", "b")
    call.json("train", "a", "--run", "run", *QUICK)
    assert "not the data set" in call.fails("train", "b", "--run", "run", "--resume")
    assert Run("run").status().state == "finished", "what it has learned is as good as before"


def test_interrupt_saves_the_run_and_exits_with_130(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 24, "--size", 64, "--out", "ct")
    command = [sys.executable, "-m", "medgan", "train", "ct", "--run", "run", *QUICK[:2], *QUICK[4:]]
    root = str(Path(__file__).resolve().parents[1])
    process = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": root}, stderr=subprocess.PIPE, text=True
    )
    run = Run("run")
    while process.poll() is None and run.status().step < 10:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    status = run.status()
    assert status.state == STOPPED
    latest = run.latest()
    assert latest is not None and latest.name == f"step-{status.step:06d}"
    assert "--resume" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("inspect", "phantom:nope"), "drawn when it is prepared"),
        (("prepare", "", "--out", "x"), "A source is empty"),
        (("prepare", "hub:a/b", "--out", "x"), "hub:datasets/owner/name"),
        (("inspect", "ct", "--size", 64), "leave the other options away"),
        (("inspect", "ct", "--modality", "lung"), "valid are: dermoscopy, chest-ct"),
        (("prepare", "ct", "--out", "x"), "is a prepared data set"),
        (("prepare", ".", "--out", "x", "--count", 5), "--count is for phantoms"),
        (("prepare", ".", "--out", "x", "--limit-megapixels", 0), "--limit-megapixels is 0"),
        (("prepare", ".", "--out", "x", "--window", "liver"), "mediastinum"),
    ],
)
def test_wrong_sources_and_settings_are_told_in_one_sentence(
    arguments: tuple[object, ...], sentence: str, call: Caller
) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    assert sentence in call.fails(*arguments)


def test_a_window_below_zero_needs_no_equals_sign(call: Caller) -> None:
    for k in range(4):
        (call.folder / "set").mkdir(exist_ok=True)
        Image.effect_noise((40, 30), 50 + k).save(call.folder / "set" / f"{k}.png")
    seen = call.json("inspect", "set", "--window", "-1350,150", "--size", 64)
    assert (seen["settings"]["window"], seen["size"]) == ("-1350,150", 64)


def test_names_and_patterns_may_begin_with_a_dash(call: Caller) -> None:
    for k in range(8):
        (call.folder / "set").mkdir(exist_ok=True)
        Image.effect_noise((40, 30), 50 + k).save(call.folder / "set" / f"-{k // 2}_{k}.png")
    seen = call.json("inspect", "set", "--group", "-(.)_", "--exclude", "-0_0.png", "--size", 64)
    assert seen["grouping"] == "4 groups by the pattern"
    assert [entry["file"] for entry in seen["rejected"]] == ["-0_0.png"]


def test_a_prepared_set_is_inspected_down_to_its_pixels(call: Caller) -> None:
    call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    seen = call.json("inspect", "ct")
    assert (seen["images"], seen["changes"]) == (8, [])
    path = Path("ct/images.npy")
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert "differences: 1, the first: the pixels of" in call.fails("inspect", "ct")


def test_a_prepared_set_learns_what_it_shows(call: Caller) -> None:
    made = call.json("prepare", "phantom:chest-ct", "--count", 8, "--size", 64, "--out", "ct")
    assert call.json("inspect", "ct")["settings"]["modality"] == "chest-ct"
    seen = call.json("inspect", "ct", "--modality", "chest-x-ray")
    assert (seen["settings"]["modality"], seen["changes"]) == ("chest-x-ray", [])
    assert call.json("inspect", "ct")["settings"]["modality"] == "chest-x-ray"
    assert seen["content_sha256"] == made["content_sha256"]
    assert main(["inspect", "ct"]) == 0
    assert "Chest X-ray (chest-x-ray). Seen in training: Never mirrored" in call.capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("medmnist:octmnist",), "oct"),
        (("medmnist:octmnist", "--modality", "fundus"), "fundus"),
        (("phantom:dermoscopy",), "dermoscopy"),
        (("phantom:dermoscopy", "--modality", "other"), "other"),
        (("phantom:nothing",), "other"),
        (("medmnist:octmnist", "medmnist:retinamnist"), "other"),
        (("octmnist", "hub:datasets/owner/octmnist"), "other"),
    ],
)
def test_what_a_named_set_shows_is_known_and_can_be_said_otherwise(
    given: tuple[str, ...], shown: str
) -> None:
    options = build_parser(COMMANDS).parse_args(["prepare", *given, "--out", "x"])
    assert chosen_settings(options).modality == shown


def test_inspecting_a_folder_prints_the_report_and_writes_nothing(call: Caller) -> None:
    for k in range(6):
        (call.folder / "set").mkdir(exist_ok=True)
        Image.effect_noise((40, 30), 50 + k).save(call.folder / "set" / f"{k}.png")
    (call.folder / "set" / "bad.png").write_bytes(b"?")
    seen = call.json("inspect", "set", "--size", 64)
    assert seen["accepted"] == 6
    assert [entry["file"] for entry in seen["rejected"]] == ["bad.png"]
    assert sorted(path.name for path in call.folder.iterdir()) == ["set"]
