"""The leak check finds the most alike pair across the split and says what it means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medgan.data.leaks import Leak, _details, _likeness, nearest_across
from medgan.data.prepare import inspect
from medgan.data.records import find_records
from medgan.data.settings import Settings
from medgan.data.split import TEST, TRAIN, VALIDATION
from tests.data.samples import png_file
from tests.data.test_groups import squares


def test_the_nearest_pair_across_the_split_is_found() -> None:
    thumbs = squares(8)
    thumbs[6] = thumbs[2]
    thumbs[6, 0, 0] ^= 16
    thumbs[1] = thumbs[0]  # on one side, so of no concern
    splits = [TRAIN] * 4 + [VALIDATION] * 2 + [TEST] * 2
    leak = nearest_across(thumbs, splits)
    assert leak is not None
    assert (leak.first, leak.second, leak.part) == (2, 6, TEST)
    assert leak.distance == pytest.approx(16 * (3 / 3072) ** 0.5)
    assert leak.ratio == pytest.approx(leak.distance / leak.typical)


def test_a_pair_of_validation_and_test_is_no_leak_into_training() -> None:
    thumbs = squares(3)
    thumbs[2] = thumbs[1]
    leak = nearest_across(thumbs, [TRAIN, VALIDATION, TEST])
    assert leak is not None and leak.first == 0 and leak.distance > 0


def test_pairs_beyond_one_block_are_looked_at() -> None:
    thumbs = squares(2300)
    thumbs[2299] = thumbs[1050]
    leak = nearest_across(thumbs, [TRAIN] * 1100 + [TEST] * 1200)
    assert leak is not None
    assert (leak.first, leak.second, leak.distance) == (1050, 2299, 0)


@pytest.mark.parametrize("splits", [[TRAIN] * 3, [TEST] * 3, []])
def test_with_one_side_there_is_nothing_to_compare(splits: list[str]) -> None:
    assert nearest_across(squares(len(splits)), splits) is None


def test_a_near_pair_is_warned_of_and_a_far_one_is_not() -> None:
    near, far = Leak(0, 1, TEST, 12.0, 50.0), Leak(0, 1, TEST, 20.0, 50.0, 0.83)
    assert "24%" in near.warning and "flatter" in near.warning
    assert far.warning == ""
    assert "20.0 of 255 grey levels, 40% of the usual 50.0" in far.words and "0.83 of 1" in far.words
    assert "to 0.84 of 1, as two images of one body do" in Leak(0, 1, TEST, 20.0, 50.0, 0.84).warning


def test_a_set_of_one_picture_repeated_is_warned_of() -> None:
    leak = nearest_across(np.full((4, 32, 32, 3), 9, np.uint8), [TRAIN, TRAIN, TEST, TEST])
    assert leak is not None and leak.ratio == 0 and leak.warning


def bodies(count: int) -> np.ndarray:
    """Thumbnails with detail of their own, uint8 `(count, 32, 32, 3)`."""
    rng = np.random.default_rng(0)
    grey = np.kron(rng.integers(60, 190, (count, 16, 16)), np.ones((1, 2, 2), int))
    return np.repeat(grey[..., None], 3, axis=3).astype(np.uint8)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darker": lambda image: image // 3,
    "brighter": lambda image: image + 60,
    "another window": lambda image: np.clip(image.astype(int) * 2 - 100, 0, 255).astype(np.uint8),
    "a gradient": lambda image: (image + np.arange(32)[:, None, None]).astype(np.uint8),
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image),
    "turned and mirrored": lambda image: np.rot90(image, 3)[::-1],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_body_in_other_light_or_orientation_is_warned_of(change: str) -> None:
    """By their difference such pairs are far apart, so groups do not join them."""
    thumbs = bodies(12)
    thumbs[9] = CHANGES[change](thumbs[2])
    leak = nearest_across(thumbs, [TRAIN] * 6 + [TEST] * 6)
    assert leak is not None
    assert (leak.first, leak.second) == (2, 9)
    assert leak.likeness > 0.84 and leak.ratio > 0.3 and leak.warning


def test_different_bodies_are_not_warned_of() -> None:
    leak = nearest_across(bodies(60), [TRAIN] * 40 + [TEST] * 20)
    assert leak is not None and not leak.warning and leak.likeness < 0.5


def test_noise_on_flat_pictures_is_no_detail() -> None:
    rng = np.random.default_rng(0)
    thumbs = np.stack([np.full((32, 32, 3), 10 * k, np.uint8) for k in range(12)])
    thumbs[:, 3, 3] += rng.integers(1, 3, (12, 1)).astype(np.uint8)
    leak = nearest_across(thumbs, [TRAIN] * 6 + [TEST] * 6)
    assert leak is not None and leak.likeness == 0


def test_likeness_does_not_depend_on_the_order_of_sums() -> None:
    """No sum may grow beyond what float32 holds exactly, whatever the picture."""
    y, x = np.mgrid[:32, :32]
    hardest = np.where((x + y) % 2, 255, 0).astype(np.uint8)
    thumbs = np.repeat(np.stack([hardest, 255 - hardest])[..., None], 3, axis=3)
    details = _details(thumbs)
    assert np.array_equal(details, np.rint(details))
    assert (details.astype(np.float64) ** 2).sum(axis=(1, 2)).max() < 2**24
    assert (
        _likeness(details, np.array([0]), np.array([1]))[0, 0] == 1
    )  # one turned by 90 degrees is the other


@pytest.mark.parametrize("folder, warned", [("isic", False), ("chest_ct", True)])
def test_real_sets_are_warned_of_where_bodies_are_divided(folder: str, warned: bool, real_data: Path) -> None:
    report = inspect(find_records([real_data / folder]), Settings(size=64), workers=0)
    check = report["leak_check"]
    assert bool(check["warning"]) == warned
    assert check["nameless"].startswith("No patient is known, so images of one patient may stand on both")


def test_where_patients_are_known_nothing_is_said_of_unknown_ones(tmp_path: Path) -> None:
    for k in range(12):
        png_file(tmp_path / "set" / f"p{k // 2}_{k}.png", k)
    found = find_records([tmp_path / "set"])
    known = inspect(found, Settings(size=64, group="^(p[0-9])_"), workers=0)
    unknown = inspect(found, Settings(size=64, group="none"), workers=0)
    some = inspect(found, Settings(size=64, group="^(p[0-3])_"), workers=0)
    assert known["leak_check"]["nameless"] == ""
    assert "No patient is known, so" in unknown["leak_check"]["nameless"]
    assert "No patient is known of 4 images, so" in some["leak_check"]["nameless"]
