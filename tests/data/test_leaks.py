"""The leak check finds the most alike pair across the split and says what it means."""

from __future__ import annotations

import numpy as np
import pytest

from medgan.data.leaks import Leak, nearest_across
from medgan.data.split import TEST, TRAIN, VALIDATION
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
    near, far = Leak(0, 1, TEST, 12.0, 50.0), Leak(0, 1, TEST, 20.0, 50.0)
    assert "24%" in near.warning and "flatter" in near.warning
    assert far.warning == ""
    assert "20.0 of 255 grey levels, 40% of the usual 50.0" in far.words


def test_a_set_of_one_picture_repeated_is_warned_of() -> None:
    leak = nearest_across(np.full((4, 32, 32, 3), 9, np.uint8), [TRAIN, TRAIN, TEST, TEST])
    assert leak is not None and leak.ratio == 0 and leak.warning
