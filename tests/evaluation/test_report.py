from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.errors import ConfigError, DataError
from medgan.evaluation.kinds import KINDS, PARTS
from medgan.evaluation.paper import PAPER
from medgan.evaluation.pictures import load_pictures, save_pictures
from medgan.evaluation.references import ROWS
from medgan.evaluation.report import figure, load_report, save_report, text_table
from medgan.evaluation.scorecard import Scorecard, judge_folder, judge_model
from medgan.evaluation.settings import Settings
from medgan.generation.export import Origin, export
from medgan.generation.seeds import Part
from medgan.metrics import diversity, lpips_net
from medgan.metrics.weights import Source
from medgan.models.build import build_discriminator
from medgan.runs.checkpoint import load_generator, network_state
from medgan.runs.info import model_sha256
from tests.evaluation.conftest import make_dataset, make_model
from tests.metrics.backbone import use_random_weights

COUNT = 24


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(tmp_path / "torch", monkeypatch)
    monkeypatch.setattr(diversity, "MS_SSIM_MOST", 10)


def settings(**changes) -> Settings:
    return Settings(**{"count": COUNT, "lpips": "squeeze", "features": "random", "bootstrap": 50} | changes)


def judged(model: Path, dataset: Dataset, progress=None, study=None, **changes) -> Scorecard:
    return judge_model(model, dataset, settings(**changes), progress=progress, study=study)


def evaluated(model: Path, dataset: Dataset, **changes) -> dict:
    return judged(model, dataset, **changes).report


def test_every_figure_has_all_that_belongs_to_it(model: Path, tmp_path: Path) -> None:
    report = evaluated(model, make_dataset(tmp_path / "set", n=72, test=30))
    assert [entry["name"] for entry in report["figures"]] == list(KINDS)
    for entry in report["figures"]:
        if entry["value"] is None:
            assert entry["reason"] and entry["level"] is None and entry["low"] is None, entry["name"]
            continue
        assert entry["reason"] is None
        assert entry["low"] <= entry["value"] <= entry["high"], entry["name"]
        assert entry["n"] > 0 and entry["direction"].endswith("is better") and entry["meaning"]
        decides = entry["warn_at"] is not None or entry["name"] == "kid"
        doubted = "so this rests on few of them" in (entry["warning"] or "")
        assert (entry["level"] is None) == (not decides or doubted)
        assert entry["warning"] or KINDS[entry["name"]].needs <= 24, "24 images are few"
        if entry["name"] != "stairs":
            assert entry["floor"] is not None, entry["name"]
            assert entry["noise"] is not None, entry["name"]
        if entry["features"]:
            assert entry["features_sha256"]
    missing = {entry["name"] for entry in report["figures"] if entry["value"] is None}
    assert missing == {"membership_auc", "class_accuracy"}
    assert set(report["verdicts"]) == {*PARTS, "usefulness"}
    assert report["verdicts"]["usefulness"]["level"] == "unknown"
    assert "study-usefulness" in report["verdicts"]["usefulness"]["reason"]


def test_the_papers_three_stand_in_rows_of_their_own(model: Path, dataset: Dataset) -> None:
    report = evaluated(model, dataset, parts=["quality"])
    names = [(f["name"], f["row"], f["pairing"]) for f in report["rows"]]
    expected = {(n, r, p) for n in ("PSNR", "MS-GMSD", "LPIPS") for r in ROWS for p in ("random", "nearest")}
    assert len(names) == len(set(names))
    assert set(names) == expected
    for entry in report["rows"]:
        assert entry["reason"] is None
        assert entry["direction"] == ("higher" if entry["name"] == "PSNR" else "lower") + " is better"
        if entry["n"]["pairs"] > 1:
            assert entry["low"] <= entry["value"] <= entry["high"]
    generated = figure(report, "PSNR", "generated", "random")
    assert generated["n"] == {"images": COUNT, "heldout": 12, "pairs": 4 * COUNT}


def test_only_the_parts_that_were_asked_for_are_judged(model: Path, dataset: Dataset) -> None:
    report = evaluated(model, dataset, parts=["memorisation"])
    assert {entry["part"] for entry in report["figures"]} == {"memorisation"}
    assert report["rows"] == []
    assert report["verdicts"]["quality"] == {"level": "unknown", "reason": "It was not asked for."}


def test_a_report_names_model_data_settings_versions_and_the_paper(model: Path, dataset: Dataset) -> None:
    report = evaluated(model, dataset, seed=5, parts=["memorisation"])
    assert report["format"] == 2
    assert report["model"]["name"] == "tiny"
    assert len(report["model"]["sha256"]) == 64
    assert report["dataset"]["content_sha256"] == dataset.info["content_sha256"]
    assert (report["dataset"]["train"], report["dataset"]["heldout"]) == (12, 12)
    assert (report["settings"]["count"], report["settings"]["seed"]) == (COUNT, 5)
    assert len(report["settings"]["features"]["sha256"]) == 64
    assert {"medgan", "torch", "piq", "lpips"} <= set(report["versions"])
    assert [paper["figures"]["PSNR"] for paper in report["paper"]] == [12.89, 11.80]


def test_the_same_seed_gives_the_same_report_and_another_one_does_not(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_dataset(tmp_path / "set", n=60, test=30)
    first = evaluated(model, dataset, seed=1)
    monkeypatch.setenv("MEDGAN_HOME", str(tmp_path / "elsewhere"))  # nothing is cached there
    again, other = evaluated(model, dataset, seed=1), evaluated(model, dataset, seed=2)
    for name in ("figures", "rows", "pairs", "map", "verdicts"):
        assert first[name] == again[name], name
    assert first["figures"] != other["figures"]


def test_a_second_run_makes_no_image_but_those_it_shows(
    model: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judged(model, dataset)

    def nobody(*arguments: object, **named: object) -> None:
        raise AssertionError("it was computed before")

    monkeypatch.setattr("medgan.evaluation.judged.sample_batches", nobody)
    monkeypatch.setattr("medgan.evaluation.scorecard.measure", nobody)
    monkeypatch.setattr("medgan.evaluation.diversity.ms_ssim_ratio", nobody)
    second = judged(model, dataset)
    assert second.report["figures"] == first.report["figures"]
    assert second.report["rows"] == first.report["rows"]
    assert np.array_equal(second.pictures.map, first.pictures.map)


def test_a_report_survives_the_way_to_disk_and_back(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    report = evaluated(model, dataset)
    save_report(report, tmp_path / "new" / "report.json")
    assert load_report(tmp_path / "new" / "report.json") == report
    assert "NaN" not in json.dumps(report)
    assert text_table(load_report(tmp_path / "new" / "report.json")) == text_table(report)


def test_pictures_survive_the_way_to_disk_and_back(model: Path, tmp_path: Path) -> None:
    card = judged(model, make_dataset(tmp_path / "set", n=60, test=20), parts=["memorisation"])
    save_pictures(card.pictures, tmp_path / "sprites")
    back = load_pictures(tmp_path / "sprites", card.report)
    for name in ("real", "generated", "pairs", "map"):
        assert np.array_equal(getattr(back, name), getattr(card.pictures, name)), name
    assert card.report["pictures"] == {"real": 20, "generated": 24, "pairs": 12, "map": 84}
    assert len(card.report["pairs"]) == 12
    assert len(card.report["map"]["points"]) == 84


def test_the_images_that_a_model_exported_are_judged_as_the_model_is(model: Path, tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "set", n=60, test=30)
    generator, _ = load_generator(model)
    export(generator, [Part(range(COUNT))], tmp_path / "images.zip", origin=Origin("tiny", "0" * 64))
    folder = judge_folder(tmp_path / "images.zip", dataset, settings()).report
    own = evaluated(model, dataset)
    assert "model" not in folder
    assert folder["folder"]["judged"] == COUNT
    assert folder["pairs"][0]["generated"] == f"images/seed-{own['pairs'][0]['generated']:06d}.png"
    for ours, theirs in zip(own["figures"], folder["figures"], strict=True):
        if ours["name"] != "stairs":
            assert theirs["value"] == ours["value"], ours["name"]


def test_a_checkpoints_discriminator_says_what_it_remembers(model: Path, dataset: Dataset) -> None:
    from safetensors.torch import save_file

    discriminator = build_discriminator(ModelConfig(channels=3, size=64, ngf=4, ndf=4))
    state = {f"discriminator.{name}": value for name, value in network_state(discriminator).items()}
    save_file(state, model / "training.safetensors")
    report = evaluated(model, dataset, parts=["memorisation"])
    found = report["figures"][-1]
    assert found["name"] == "membership_auc"
    assert 0.2 < found["value"] < 0.8, "it was never trained"
    (model / "training.safetensors").write_bytes(b"nonsense")
    found = evaluated(model, dataset, parts=["memorisation"])["figures"][-1]
    assert found["value"] is None and "cannot be read" in found["reason"]


def test_the_verdict_on_usefulness_is_that_of_the_study(model: Path, dataset: Dataset) -> None:
    verdict = {"level": "warn", "reason": "No measurable benefit."}
    study = {
        "verdicts": {"usefulness": verdict},
        "dataset": {"content_sha256": dataset.info["content_sha256"]},
        "models": [{"sha256": model_sha256(model)}],
    }
    report = evaluated(model, dataset, parts=["memorisation"], study=study)
    assert report["verdicts"]["usefulness"] == verdict
    others = evaluated(model, dataset, parts=["memorisation"], study=study | {"models": []})
    assert "models of its own" in others["verdicts"]["usefulness"]["reason"]
    with pytest.raises(DataError, match="another data set"):
        evaluated(model, dataset, parts=["memorisation"], study=study | {"dataset": {"content_sha256": "f"}})
    with pytest.raises(DataError, match="no result of study-usefulness"):
        evaluated(model, dataset, parts=["memorisation"], study={"format": 1})


def test_a_report_of_format_1_opens_with_its_figures_as_rows() -> None:
    path = Path(__file__).parents[2] / "docs" / "results" / "paper-isic.json"
    before, report = json.loads(path.read_text()), load_report(path)
    assert report["rows"] == before["figures"]
    assert report["figures"] == []
    assert {verdict["level"] for verdict in report["verdicts"].values()} == {"unknown"}
    assert "from before there were verdicts" in text_table(report)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99, "figures": []}', "nonsense"])
def test_a_file_that_is_no_report_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"report\.json"):
        load_report(path)


def test_where_the_weights_cannot_be_had_lpips_is_absent_and_the_others_stand(
    model: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    nowhere = Source("SqueezeNet 1.1", f"http://127.0.0.1:{port}/squeeze-00000000.pth", 4.7)
    monkeypatch.setattr(lpips_net, "source", lambda name: nowhere)
    report = evaluated(model, dataset)
    for entry in [*report["rows"], *report["figures"]]:
        if entry["name"] in ("LPIPS", "lpips_ratio"):
            assert (entry["value"], entry["low"], entry["high"]) == (None, None, None)
            assert "connection refused" in entry["reason"]
    assert figure(report, "PSNR", "generated", "random")["value"] is not None
    assert "connection refused" in " ".join(text_table(report).split())


def test_progress_is_told_for_every_stage_up_to_its_end(model: Path, dataset: Dataset) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}
    evaluated(model, dataset, progress=lambda stage, *numbers: heard.setdefault(stage, []).append(numbers))
    assert {"Features (random)", "Quality", "Diversity", "Memorisation", "PSNR", "LPIPS"} <= set(heard)
    for told in heard.values():
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]


def test_the_notes_say_that_held_out_images_were_not_seen_when_the_content_hash_is_the_same(
    dataset: Dataset, tmp_path: Path
) -> None:
    about = {"dataset": {"content_sha256": dataset.info["content_sha256"]}}
    own = make_model(tmp_path / "own", about=about)
    notes = " ".join(evaluated(own, dataset, parts=["memorisation"])["notes"])
    assert "it has not seen the held-out images" in notes


def test_a_model_of_another_data_set_is_not_cleared_of_copying_by_this_one(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "set", n=72, test=30)
    other = make_model(tmp_path / "other", about={"dataset": {"content_sha256": "f00"}})
    verdict = evaluated(other, dataset, parts=["memorisation"])["verdicts"]["memorisation"]
    assert verdict["level"] != "good"


@pytest.mark.parametrize("about", [{}, {"dataset": {"content_sha256": "f00"}}])
def test_the_notes_say_that_it_cannot_be_known_otherwise(
    about: dict[str, object], dataset: Dataset, tmp_path: Path
) -> None:
    other = make_model(tmp_path / "other", about=about)
    notes = " ".join(evaluated(other, dataset, parts=["memorisation"])["notes"])
    assert "it cannot be known whether it has seen the held-out images" in notes


def test_the_notes_warn_of_what_makes_these_figures_weak(model: Path, dataset: Dataset) -> None:
    notes = " ".join(evaluated(model, dataset, parts=["quality"])["notes"])
    assert "cannot rank generators" in notes
    assert "the mean image beats real images on PSNR" in notes
    assert "Only 12 images are held out" in notes
    assert "There are only 12 training images" in notes


def test_a_grey_model_is_judged_on_a_grey_set(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "set", channels=1, n=60, test=30)
    report = evaluated(make_model(tmp_path / "grey", channels=1), dataset)
    absent = {entry["name"] for entry in report["figures"] if entry["value"] is None}
    assert absent == {"membership_auc", "class_accuracy"}
    assert all(entry["value"] is not None for entry in report["rows"])
    assert report["model"]["name"] == "grey"


@pytest.mark.parametrize(
    ("channels", "size", "words"), [(1, 64, "grey images of 64 x 64"), (3, 128, "colour images of 128 x 128")]
)
def test_a_model_of_other_images_is_refused_with_what_to_do(
    channels: int, size: int, words: str, dataset: Dataset, tmp_path: Path
) -> None:
    other = make_model(tmp_path / "other", channels=channels, size=size)
    with pytest.raises(DataError, match=words) as caught:
        evaluated(other, dataset)
    assert f"--size {size} --color {'grey' if channels == 1 else 'rgb'}" in str(caught.value)


def test_too_few_images_on_either_side_are_refused(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--count 1 is too few"):
        evaluated(model, dataset, count=1)
    with pytest.raises(DataError, match="holds 1 images out"):
        evaluated(model, make_dataset(tmp_path / "few", test=1))


def test_two_images_on_each_side_give_a_report_that_says_what_it_lacks(model: Path, tmp_path: Path) -> None:
    report = evaluated(model, make_dataset(tmp_path / "few", test=2), count=2)
    assert all(entry["value"] is not None for entry in report["rows"])
    for part in PARTS:
        mine = [entry for entry in report["figures"] if entry["part"] == part and entry["name"] != "stairs"]
        assert all(entry["value"] is None and entry["reason"] for entry in mine)
    assert report["verdicts"]["quality"]["level"] == "unknown"
    assert "20 images on each side" in report["verdicts"]["quality"]["reason"]
    assert report["verdicts"]["memorisation"]["level"] == "unknown"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lpips": "resnet"}, "alex, vgg, squeeze"),
        ({"features": "resnet"}, "dinov2, inception, squeezenet"),
        ({"parts": ["beauty"]}, "quality, diversity, memorisation"),
        ({"split": "train"}, "test, validation"),
        ({"bootstrap": 1}, "2 or more"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    wrong: dict, sentence: str, model: Path, dataset: Dataset
) -> None:
    heard: list[str] = []
    with pytest.raises(ConfigError, match=sentence):
        judged(model, dataset, progress=lambda stage, *_: heard.append(stage), **wrong)
    assert heard == []


def test_the_table_shows_rows_intervals_the_paper_and_the_notes_in_narrow_lines(
    model: Path, dataset: Dataset
) -> None:
    report = evaluated(model, dataset, parts=["quality"])
    table = text_table(report)
    lines = table.splitlines()
    for row in ROWS:
        assert sum(line.startswith(row) for line in lines) == 2
    for paper in PAPER:
        assert any(line.startswith(paper["name"]) and "LPIPS" not in line for line in lines)
    entry = figure(report, "PSNR", "generated", "random")
    assert f"{entry['value']:.2f} [{entry['low']:.2f}, {entry['high']:.2f}]" in table
    assert "LPIPS squeeze, lower better" in table
    assert table.index("Usefulness    UNKNOWN") < table.index("FID") < table.index("PSNR")
    assert all(len(line) <= 110 for line in lines)
    assert "cannot rank generators" in " ".join(table.split())


def test_a_saved_report_opens_without_torch() -> None:
    heavy = ("torch", "lpips", "piq")
    code = f"import sys, medgan.evaluation.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
