"""Groups of near-copies stand on one side; the number held out and the classes come out right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from medgan.data.dataset import Dataset, prepare
from medgan.data.intake import find_records
from medgan.data.split import HELDOUT, TRAIN, heldout_count, near_duplicate_groups, split
from medgan.errors import DataError


def squares(count: int, seed: int = 0, low: int = 0, high: int = 256) -> np.ndarray:
    """Independent coarse pictures, uint8 `(count, 64, 64, 3)`."""
    values = np.random.default_rng(seed).integers(low, high, (count, 8, 8, 3), dtype=np.uint8)
    return values.repeat(8, axis=1).repeat(8, axis=2)


def apart(count: int) -> np.ndarray:
    return np.arange(count)


def sides(parts: list[str], groups: np.ndarray) -> set[frozenset[str]]:
    return {frozenset(np.asarray(parts)[groups == group].tolist()) for group in set(groups.tolist())}


def held(labels: list[str], parts: list[str]) -> Counter[str]:
    return Counter(label for label, part in zip(labels, parts, strict=True) if part == HELDOUT)


def test_near_copies_share_a_group_and_others_do_not() -> None:
    images = squares(20)
    noisy = np.clip(images[:5] + np.random.default_rng(1).integers(-9, 10, images[:5].shape), 0, 255)
    shifted = np.roll(images[5:8], 1, axis=2)
    groups = near_duplicate_groups(np.concatenate([images, noisy.astype(np.uint8), shifted]))
    assert len(set(groups[:20].tolist())) == 20
    assert np.array_equal(groups[20:25], groups[:5])
    assert np.array_equal(groups[25:], groups[5:8])


def test_neighbours_of_neighbours_share_a_group() -> None:
    a, b = squares(2, seed=3).astype(float)
    path = [np.round(a + (b - a) * t) for t in np.linspace(0, 1, 12)]  # adjacent slices of one body
    groups = near_duplicate_groups(np.concatenate([np.stack(path).astype(np.uint8), squares(30, seed=4)]))
    assert len(set(groups[:12].tolist())) == 1
    assert len(set(groups.tolist())) == 31


def test_a_bright_set_of_low_contrast_is_not_taken_for_one_image() -> None:
    groups = near_duplicate_groups(squares(60, low=230, high=243))
    assert len(set(groups.tolist())) == 60


def test_images_that_are_all_the_same_are_one_group_and_cannot_be_split() -> None:
    images = np.full((6, 64, 64, 1), 130, np.uint8)
    groups = near_duplicate_groups(images)
    assert set(groups.tolist()) == {0}
    with pytest.raises(DataError, match="look alike"):
        split(["a"] * 6, groups, 0.3, seed=0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("heldout", [0.1, 0.25, 0.5, 1, 7, 90])
def test_a_group_is_never_on_both_sides(seed: int, heldout: float) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 120)
    labels = [("a", "b", "c")[k] for k in rng.integers(0, 3, 120)]
    parts = split(labels, groups, heldout, seed)
    assert all(len(side) == 1 for side in sides(parts, groups))
    assert 0 < parts.count(HELDOUT) <= heldout_count(heldout, 120)


@pytest.mark.parametrize("heldout, expected", [(0.25, 30), (0.5, 60), (40, 40), (1, 1), (118, 118)])
def test_the_number_held_out_is_exact_where_images_stand_alone(heldout: float, expected: int) -> None:
    labels = ["a"] * 80 + ["b"] * 40
    assert split(labels, apart(120), heldout, seed=3).count(HELDOUT) == expected


def test_the_number_held_out_is_exact_around_groups() -> None:
    groups = np.array([0] * 30 + [1] * 20 + list(range(2, 52)))
    assert split(["a"] * 100, groups, 25, seed=0).count(HELDOUT) == 25


def test_each_class_gives_its_share() -> None:
    labels = ["a"] * 100 + ["b"] * 40 + ["c"] * 20
    assert held(labels, split(labels, apart(160), 0.25, seed=1)) == {"a": 25, "b": 10, "c": 5}


@pytest.mark.parametrize("seed", range(10))
def test_every_class_is_present_on_both_sides(seed: int) -> None:
    labels = ["common"] * 60 + ["rare"] * 2 + ["two groups"] * 20
    groups = np.array([*range(62), *[100] * 12, *[101] * 8])
    parts = split(labels, groups, 0.25, seed)
    for part in (TRAIN, HELDOUT):
        assert {label for label, p in zip(labels, parts, strict=True) if p == part} == set(labels)


def test_a_class_of_one_group_stays_in_training_while_others_can_give() -> None:
    labels = ["common"] * 30 + ["single"] * 5
    groups = np.array([*range(30), *[99] * 5])
    for seed in range(10):
        assert "single" not in held(labels, split(labels, groups, 0.4, seed))


def test_a_folder_for_each_patient_can_still_be_split() -> None:
    labels = [f"patient-{k}" for k in range(40)]
    assert split(labels, apart(40), 0.25, seed=0).count(HELDOUT) == 10


def test_the_same_seed_splits_the_same_way_and_another_does_not() -> None:
    labels = ["a", "b"] * 50
    first = split(labels, apart(100), 0.25, seed=7)
    assert split(labels, apart(100), 0.25, seed=7) == first
    assert split(labels, apart(100), 0.25, seed=8) != first


@pytest.mark.parametrize("heldout", [0, -1, -0.2, 99, 1000, 0.001, 0.999, float("nan"), float("inf")])
def test_a_held_out_part_that_leaves_nothing_is_refused(heldout: float) -> None:
    with pytest.raises(DataError, match=r"too few on one side; give a fraction .* from 1 to 98"):
        split(["a"] * 100, apart(100), heldout, seed=0)


@pytest.mark.parametrize("folder, heldout, train", [("isic", 200, 160), ("chest_ct/adenocarcinoma", 84, 120)])
def test_the_papers_numbers_come_out_on_real_images(
    real_data: Path, tmp_path: Path, folder: str, heldout: int, train: int
) -> None:
    data = prepare(find_records([real_data / folder]), tmp_path / "set", size=64, heldout=heldout)
    assert data.info["splits"] == {HELDOUT: heldout, TRAIN: train}
    _check_groups(data)


def test_every_real_class_is_present_on_both_sides(real_data: Path, tmp_path: Path) -> None:
    data = prepare(find_records([real_data / "chest_ct"]), tmp_path / "set", size=64)
    assert len(data.info["classes"]) == 4
    assert all(count > 0 for parts in data.info["classes"].values() for count in parts.values())
    _check_groups(data)


def _check_groups(data: Dataset) -> None:
    groups = np.array([int(row["group"]) for row in data.manifest])
    assert len(set(groups.tolist())) < len(groups)  # real sets hold near-copies
    assert all(len(side) == 1 for side in sides([row["split"] for row in data.manifest], groups))
