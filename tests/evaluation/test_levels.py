from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medgan.evaluation.figures import Basis, absent, attempt, figure
from medgan.evaluation.judged import Spool, is_image_folder
from medgan.evaluation.kinds import KINDS, PARTS
from medgan.evaluation.levels import kid_level, level, verdict
from medgan.metrics.copies import turned, turns
from medgan.metrics.estimate import Estimate
from medgan.metrics.features import pixels
from tests.evaluation.conftest import smooth_images

BASIS = Basis(n=200, reals=200, seed=0)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("fid_ratio", 0.9, "good"),
        ("fid_ratio", 0.7, "warn"),
        ("fid_ratio", 0.4, "fail"),
        ("copies", 0.01, "good"),
        ("copies", 0.05, "warn"),
        ("copies", 0.2, "fail"),
        ("ct", -2.9, "good"),
        ("ct", -20.0, "warn"),
        ("fid", 1e9, None),
    ],
)
def test_levels(name: str, value: float, expected: str | None) -> None:
    assert level(KINDS[name], value, low=value, high=value) == expected


def test_a_failure_whose_interval_holds_what_reals_have_only_warns() -> None:
    assert level(KINDS["fid_ratio"], 0.4, low=0.1, high=1.1) == "warn"


def test_what_held_out_images_surely_have_of_copies_is_taken_off() -> None:
    assert level(KINDS["copies"], 0.2, low=0.1, high=0.3, less=0.18) == "good"


def test_kid_warns_above_what_reals_have_and_fails_halfway_to_blurred_reals() -> None:
    assert kid_level(0.3, 0.05, floor_high=0.1, blurred=0.5) == "good"
    assert kid_level(0.3, 0.2, floor_high=0.1, blurred=0.7) == "warn"
    assert kid_level(0.3, 0.2, floor_high=0.1, blurred=0.5) == "fail"


def entries(**values: float | None) -> list[dict]:
    return [
        figure(
            name,
            absent("Nobody knows.") if value is None else attempt(Estimate, value, value, value, 200),
            BASIS,
        )
        for name, value in values.items()
    ]


def test_a_verdict_is_that_of_the_worst_figure_and_names_it() -> None:
    found = verdict("quality", entries(fid_ratio=0.3, precision=0.5, fid=3.0))
    assert found["level"] == "fail"
    assert found["reason"] == "FID ratio 0.30, fails below 0.50."
    assert verdict("quality", entries(fid_ratio=0.9, precision=0.5))["level"] == "warn"
    assert verdict("quality", entries(fid_ratio=0.9, precision=None))["level"] == "good"


def test_a_part_of_which_nothing_is_known_is_unknown_with_the_reason() -> None:
    assert verdict("quality", entries(fid_ratio=None, fid=2.0)) == {
        "level": "unknown",
        "reason": "Nobody knows.",
    }


def test_few_images_are_said_with_the_count_at_which_a_figure_means_something() -> None:
    found = attempt(Estimate, 0.9, 0.8, 1.0, 30)
    few = figure("fid_ratio", found, Basis(n=1000, reals=30, seed=0))
    assert few["warning"] == "Only 30 real images: FID ratio is rough below 50."
    assert figure("fid_ratio", found, BASIS)["warning"] is None


def test_a_figure_that_rests_on_few_images_decides_nothing_and_says_so() -> None:
    found = figure("ct", attempt(Estimate, -9.0, -9.0, -9.0, 200), BASIS, doubt="It rests on one image.")
    assert (found["value"], found["level"], found["warning"]) == (-9.0, None, "It rests on one image.")


def test_every_kind_belongs_to_a_part_and_says_what_it_means() -> None:
    for kind in KINDS.values():
        assert kind.part in PARTS
        assert kind.meaning.endswith(".")


def test_pixels_of_turned_images_are_the_turned_pixels() -> None:
    images, network = smooth_images(3, 3), pixels()
    for quick, slow in zip(turned(network.extract(images)), turns(images), strict=True):
        assert np.allclose(quick, network.extract(slow), atol=1e-5)


def test_a_spool_gives_back_what_it_took() -> None:
    images, spool = smooth_images(5, 1), Spool((64, 64, 1))
    spool.add(images[:2])
    spool.add(images[2:])
    assert np.array_equal(spool.read(1, 3), images[1:4])
    assert len(spool.read(4, 9)) == 1
    spool.clear()
    assert spool.count == 0


def test_a_folder_of_images_is_told_from_a_model_and_from_a_run(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("model/config.json", "run/status.json", "set.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert is_image_folder(str(tmp_path / "images"))
    assert is_image_folder(str(tmp_path / "set.zip"))
    assert not is_image_folder(str(tmp_path / "model"))
    assert not is_image_folder(str(tmp_path / "run"))
    assert not is_image_folder("isic-demo")
