from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from medgan.errors import MetricError
from medgan.metrics import neighbours
from medgan.metrics.neighbours import FAIL, SMALLEST, WARN, copy_ratio, nearest_ratio

D = 16
Ratio = Callable[..., "neighbours.Interval"]
both = pytest.mark.parametrize("ratio", [nearest_ratio, copy_ratio])


def normal(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, D))


TRAIN, HELDOUT = normal(80, 1), normal(50, 2)


def test_the_ratio_equals_a_second_implementation() -> None:
    generated = normal(60, 3, scale=1.3)
    index = NearestNeighbors(n_neighbors=5).fit(TRAIN)
    of_fake, of_real = (index.kneighbors(x)[0] for x in (generated, HELDOUT))
    plain = nearest_ratio(generated=generated, train=TRAIN, heldout=HELDOUT, seed=0).value
    assert plain == pytest.approx(np.median(of_fake[:, 0]) / np.median(of_real[:, 0]))
    relative = copy_ratio(generated=generated, train=TRAIN, heldout=HELDOUT, seed=0).value
    a, b = (np.median(near[:, 0] / near.mean(axis=1)) for near in (of_fake, of_real))
    assert relative == pytest.approx(a / b)


@both
def test_new_images_of_the_same_kind_have_a_ratio_of_about_one(ratio: Ratio) -> None:
    found = ratio(generated=normal(200, 3), train=TRAIN, heldout=HELDOUT, seed=0)
    assert found.low < 1 < found.high
    assert found.value == pytest.approx(1, abs=0.1)


@both
def test_copies_have_a_ratio_of_zero(ratio: Ratio) -> None:
    found = ratio(generated=TRAIN[::2], train=TRAIN, heldout=HELDOUT, seed=0)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.high < FAIL


@both
def test_copies_with_a_little_noise_stay_below_the_level_of_failure(ratio: Ratio) -> None:
    noisy = TRAIN + normal(80, 5, scale=0.15)
    assert ratio(generated=noisy, train=TRAIN, heldout=HELDOUT, seed=0).value < FAIL < WARN


def test_what_all_distances_have_in_common_hides_copies_less_from_the_relative_ratio() -> None:
    """As a different sharpness does: every generated image is moved by the same vector."""
    moved = TRAIN + 0.8
    plain = nearest_ratio(generated=moved, train=TRAIN, heldout=HELDOUT, seed=0)
    relative = copy_ratio(generated=moved, train=TRAIN, heldout=HELDOUT, seed=0)
    assert plain.value > 0.9 > relative.high


def test_the_mean_image_is_near_to_all_and_a_copy_of_none() -> None:
    mean = np.repeat(TRAIN.mean(axis=0, keepdims=True), 20, axis=0)
    assert nearest_ratio(generated=mean, train=TRAIN, heldout=HELDOUT, seed=0).value < 0.9
    assert copy_ratio(generated=mean, train=TRAIN, heldout=HELDOUT, seed=0).value > 0.95


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """The truth is the ratio of the medians over all images there could be, for these training images."""
    many = [neighbours._nearest(normal(20_000, s, scale), TRAIN, 1) for s, scale in ((10, 0.8), (11, 1.0))]
    truth, inside = np.median(many[0]) / np.median(many[1]), []
    for seed in range(150):
        generated, heldout = normal(60, 1000 + seed, 0.8), normal(40, 5000 + seed)
        found = nearest_ratio(generated=generated, train=TRAIN, heldout=heldout, seed=seed, resamples=200)
        inside.append(found.low <= truth <= found.high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_blocks_do_not_change_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = neighbours._nearest(HELDOUT, TRAIN, 5)
    monkeypatch.setattr(neighbours, "_ROWS", 7)
    assert np.allclose(neighbours._nearest(HELDOUT, TRAIN, 5), whole)


@both
def test_held_out_images_that_are_copies_themselves_are_refused(ratio: Ratio) -> None:
    with pytest.raises(MetricError, match="split the data set again"):
        ratio(generated=normal(20, 3), train=TRAIN, heldout=TRAIN[:30], seed=0)


@both
def test_too_few_images_are_refused_with_their_numbers(ratio: Ratio) -> None:
    for few in (HELDOUT[: SMALLEST - 1], HELDOUT[:0]):
        with pytest.raises(MetricError, match=f"{len(few)} held-out"):
            ratio(generated=normal(20, 3), train=TRAIN, heldout=few, seed=0)


@both
def test_features_of_different_networks_are_refused(ratio: Ratio) -> None:
    with pytest.raises(MetricError, match="different networks"):
        ratio(generated=normal(20, 3)[:, :4], train=TRAIN, heldout=HELDOUT, seed=0)
