from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from medgan.data.dataset import Dataset
from medgan.errors import ConfigError, DataError
from medgan.evaluation.paper import PAPER
from medgan.evaluation.references import ROWS
from medgan.evaluation.report import evaluate, figure, load_report, save_report, text_table
from medgan.metrics import lpips_net
from medgan.metrics.weights import Source
from tests.evaluation.conftest import make_dataset, make_model
from tests.metrics.backbone import use_random_weights

COUNT = 10


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(tmp_path / "torch", monkeypatch)


def evaluated(model: Path, dataset: Dataset, **settings) -> dict:
    return evaluate(model, dataset, **{"count": COUNT, "lpips_net": "squeeze"} | settings)


def test_a_report_has_every_figure_of_every_row_with_all_that_belongs_to_it(
    model: Path, dataset: Dataset
) -> None:
    report = evaluated(model, dataset)
    names = [(f["name"], f["row"], f["pairing"]) for f in report["figures"]]
    expected = {(n, r, p) for n in ("PSNR", "MS-GMSD", "LPIPS") for r in ROWS for p in ("random", "nearest")}
    assert len(names) == len(set(names))
    assert set(names) == expected
    for entry in report["figures"]:
        assert entry["reason"] is None
        assert entry["direction"] == ("higher" if entry["name"] == "PSNR" else "lower") + " is better"
        assert entry["unit"] == ("dB" if entry["name"] == "PSNR" else "")
        if entry["n"]["pairs"] > 1:
            assert entry["low"] <= entry["value"] <= entry["high"]
        if entry["name"] == "LPIPS":
            assert (entry["network"]["name"], entry["network"]["range"]) == ("squeeze", "[-1, 1]")
    generated = figure(report, "PSNR", "generated", "random")
    assert generated["n"] == {"images": COUNT, "heldout": 12, "pairs": 4 * COUNT}
    assert figure(report, "PSNR", "generated", "nearest")["n"]["pairs"] == COUNT


def test_a_report_names_model_data_settings_versions_and_the_paper(model: Path, dataset: Dataset) -> None:
    report = evaluated(model, dataset, seed=5)
    assert report["model"]["name"] == "tiny"
    assert len(report["model"]["sha256"]) == 64
    assert report["dataset"]["content_sha256"] == dataset.info["content_sha256"]
    assert (report["dataset"]["train"], report["dataset"]["heldout"]) == (12, 12)
    assert (report["settings"]["count"], report["settings"]["seed"]) == (COUNT, 5)
    assert {"medgan", "torch", "piq", "lpips"} <= set(report["versions"])
    assert [paper["figures"]["PSNR"] for paper in report["paper"]] == [12.89, 11.80]


def test_the_same_seed_gives_the_same_report_and_another_one_does_not(model: Path, dataset: Dataset) -> None:
    first, again, other = (evaluated(model, dataset, seed=s) for s in (1, 1, 2))
    assert first["figures"] == again["figures"] != other["figures"]


def test_a_report_survives_the_way_to_disk_and_back(model: Path, dataset: Dataset, tmp_path: Path) -> None:
    report = evaluated(model, dataset)
    save_report(report, tmp_path / "new" / "report.json")
    assert load_report(tmp_path / "new" / "report.json") == report
    assert "NaN" not in json.dumps(report)
    assert text_table(load_report(tmp_path / "new" / "report.json")) == text_table(report)


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
    for entry in report["figures"]:
        if entry["name"] == "LPIPS":
            assert (entry["value"], entry["low"], entry["high"]) == (None, None, None)
            assert "connection refused" in entry["reason"]
        else:
            assert entry["value"] is not None
    table = text_table(report)
    assert table.count("absent:") == 1
    assert "connection refused" in " ".join(table.split())


def test_progress_is_told_for_every_stage_up_to_its_end(model: Path, dataset: Dataset) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}
    report = evaluated(
        model, dataset, progress=lambda stage, *numbers: heard.setdefault(stage, []).append(numbers)
    )
    assert list(heard) == ["sampling", "PSNR", "MS-GMSD", "LPIPS"]
    for told in heard.values():
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
    assert set(heard) < set(report["seconds"])


def test_the_notes_say_that_held_out_images_were_not_seen_when_the_content_hash_is_the_same(
    dataset: Dataset, tmp_path: Path
) -> None:
    about = {"dataset": {"content_sha256": dataset.info["content_sha256"]}}
    notes = " ".join(evaluated(make_model(tmp_path / "own", about=about), dataset)["notes"])
    assert "it has not seen the held-out images" in notes


@pytest.mark.parametrize("about", [{}, {"dataset": {"content_sha256": "f00"}}])
def test_the_notes_say_that_it_cannot_be_known_otherwise(
    about: dict[str, object], dataset: Dataset, tmp_path: Path
) -> None:
    notes = " ".join(evaluated(make_model(tmp_path / "other", about=about), dataset)["notes"])
    assert "it cannot be known whether it has seen the held-out images" in notes


def test_the_notes_warn_of_what_makes_these_figures_weak(model: Path, dataset: Dataset) -> None:
    notes = " ".join(evaluated(model, dataset, count=16)["notes"])
    assert "cannot rank generators" in notes
    assert "the mean image beats real images on PSNR" in notes
    assert "Only 12 images are held out" in notes
    assert "There are only 12 training images" in notes


def test_a_grey_model_is_judged_on_a_grey_set(tmp_path: Path) -> None:
    report = evaluated(make_model(tmp_path / "grey", channels=1), make_dataset(tmp_path / "set", channels=1))
    assert all(entry["value"] is not None for entry in report["figures"])
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


def test_two_images_on_each_side_are_enough(model: Path, tmp_path: Path) -> None:
    report = evaluated(model, make_dataset(tmp_path / "few", test=2), count=2)
    assert all(entry["value"] is not None for entry in report["figures"])


def test_an_unknown_network_is_refused_before_any_work(model: Path, dataset: Dataset) -> None:
    heard: list[str] = []
    with pytest.raises(ConfigError, match="alex, vgg, squeeze"):
        evaluated(model, dataset, lpips_net="resnet", progress=lambda stage, *_: heard.append(stage))
    assert heard == []


def test_the_table_shows_rows_intervals_the_paper_and_the_notes_in_narrow_lines(
    model: Path, dataset: Dataset
) -> None:
    report = evaluated(model, dataset)
    table = text_table(report)
    lines = table.splitlines()
    for row in ROWS:
        assert sum(line.startswith(row) for line in lines) == 2
    for paper in PAPER:
        assert any(line.startswith(paper["name"]) and "LPIPS" not in line for line in lines)
    entry = figure(report, "PSNR", "generated", "random")
    assert f"{entry['value']:.2f} [{entry['low']:.2f}, {entry['high']:.2f}]" in table
    assert "LPIPS squeeze, lower better" in table
    assert all(len(line) <= 110 for line in lines)
    assert "cannot rank generators" in " ".join(table.split())


def test_a_saved_report_opens_without_torch() -> None:
    heavy = ("torch", "lpips", "piq")
    code = f"import sys, medgan.evaluation.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
