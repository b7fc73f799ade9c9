from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medgan.data.prepare import prepare
from medgan.data.records import find_records
from medgan.data.settings import Settings
from medgan.evaluation import rows as module
from medgan.evaluation.references import MEAN, REAL, ROWS, Row, reference_rows
from medgan.evaluation.rows import measure
from medgan.evaluation.watch import Watch
from medgan.metrics import lpips_net
from tests.conftest import SHARED
from tests.evaluation.conftest import smooth_images
from tests.metrics.backbone import use_random_weights

Figures = dict[tuple[str, str, str], dict]


def measured(rows: list[Row], heldout: np.ndarray, seed: int = 0) -> Figures:
    entries, _ = measure(rows, heldout, lpips="squeeze", seed=seed, watch=Watch(None))
    return {(entry["name"], entry["row"], entry["pairing"]): entry for entry in entries}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(tmp_path / "torch", monkeypatch)


def test_the_figures_do_not_depend_on_how_many_vectors_fit_into_memory(
    weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heldout, rows = smooth_images(20, 3, seed=1), [Row(REAL, smooth_images(9, 3, seed=2))]
    at_once = measured(rows, heldout)
    monkeypatch.setattr(lpips_net, "VECTOR_BYTES", 1)
    in_blocks = measured(rows, heldout)
    for key, entry in at_once.items():
        assert in_blocks[key]["value"] == pytest.approx(entry["value"], rel=1e-5)


def test_copies_of_held_out_images_are_counted_and_score_the_best_there_is(weights: None) -> None:
    heldout = smooth_images(6, 1)
    entries, capped = measure(
        [Row("generated", heldout)], heldout, lpips="squeeze", seed=0, watch=Watch(None)
    )
    nearest = {entry["name"]: entry["value"] for entry in entries if entry["pairing"] == "nearest"}
    assert nearest == {
        "PSNR": pytest.approx(80, abs=1e-3),
        "MS-GMSD": pytest.approx(0, abs=1e-6),
        "LPIPS": pytest.approx(0, abs=1e-9),
    }
    assert capped >= 6


def test_grey_images_score_as_their_three_equal_channels(weights: None) -> None:
    heldout, images = smooth_images(6, 1, seed=1), smooth_images(5, 1, seed=2)
    grey = measured([Row(REAL, images)], heldout)
    colour = measured([Row(REAL, images.repeat(3, axis=3))], heldout.repeat(3, axis=3))
    for key, entry in grey.items():
        assert colour[key]["value"] == pytest.approx(entry["value"], rel=1e-4)


def test_the_mean_image_meets_every_held_out_image(weights: None) -> None:
    found = measured([Row(MEAN, smooth_images(1, 3))], smooth_images(7, 3, seed=1))
    assert found["PSNR", MEAN, "random"]["n"] == {"images": 1, "heldout": 7, "pairs": 7}
    alone = found["PSNR", MEAN, "nearest"]
    assert alone["n"]["pairs"] == 1
    assert alone["value"] is not None
    assert alone["low"] is None


def test_the_nearest_held_out_image_is_nearer_than_a_random_one(weights: None) -> None:
    found = measured([Row(REAL, smooth_images(20, 3, seed=2))], smooth_images(20, 3, seed=1))
    assert found["PSNR", REAL, "nearest"]["value"] > found["PSNR", REAL, "random"]["value"]


def test_a_failure_of_lpips_itself_is_no_missing_network(
    weights: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_lpips_values", broken)
    with pytest.raises(ZeroDivisionError):
        measured([Row(REAL, smooth_images(3, 3))], smooth_images(3, 3, seed=1))


def test_on_real_chest_ct_the_reference_rows_come_out_as_they_are_known_to(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SHARED / "torch_home"
    if not (home / "hub" / "checkpoints").is_dir():
        pytest.skip(f"needs the SqueezeNet weights in {home}")
    monkeypatch.setenv("TORCH_HOME", str(home))
    files = sorted((real_data / "chest_ct" / "adenocarcinoma").glob("test_*.jpg"))
    data = prepare(find_records(files), tmp_path / "ct", Settings(split="0.5/0/0.5"))
    rows = reference_rows(data.part("train"), count=64, seed=0)
    found = measured(rows, data.part("test"))
    value = {
        (name, row): found[name, row, "random"]["value"]
        for name in module.METRICS
        for row in ROWS
        if row != "generated"
    }

    # Known from all pairs of such a set: reals 13.36 and .326, blurred 14.50, mean 16.40, noise 7.35.
    assert value["PSNR", "real"] == pytest.approx(13.36, abs=0.5)
    assert value["MS-GMSD", "real"] == pytest.approx(0.326, abs=0.01)
    assert value["PSNR", "mean image"] == pytest.approx(16.40, abs=0.5)
    assert value["PSNR", "noise"] == pytest.approx(7.35, abs=0.5)
    assert (
        value["PSNR", "mean image"]
        > value["PSNR", "blurred reals"]
        > value["PSNR", "real"]
        > value["PSNR", "noise"]
    )
    for cheat in ("mean image", "blurred reals", "noise"):
        assert value["MS-GMSD", cheat] < value["MS-GMSD", "real"]
        assert value["LPIPS", cheat] > value["LPIPS", "real"]
