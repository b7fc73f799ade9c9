from __future__ import annotations

import numpy as np
import pytest

from medgan.errors import MetricError
from medgan.metrics.bootstrap import image_bootstrap
from medgan.metrics.pairwise import Pairs, random_pairs

TRUTH = 3.0


def draw(seed: int, fakes: int = 40, reals: int = 30) -> tuple[np.ndarray, Pairs]:
    """Values of pairs whose mean is known: each is TRUTH + what its two images add + noise of its own."""
    rng = np.random.default_rng(seed)
    pairs = random_pairs(real=reals, fake=fakes, per_image=4, seed=seed)
    of_fake, of_real = rng.normal(size=fakes), 0.7 * rng.normal(size=reals)
    own = 0.3 * rng.normal(size=len(pairs))
    return TRUTH + of_fake[pairs.fake] + of_real[pairs.real] + own, pairs


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    inside = []
    for seed in range(300):
        values, pairs = draw(seed)
        interval = image_bootstrap(values, fake=pairs.fake, real=pairs.real, seed=seed, resamples=300)
        inside.append(interval.low <= TRUTH <= interval.high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_resampling_images_gives_a_wider_interval_than_resampling_pairs() -> None:
    values, pairs = draw(0)
    by_image = image_bootstrap(values, fake=pairs.fake, real=pairs.real, seed=0)
    by_pair = image_bootstrap(values, fake=np.arange(len(pairs)), real=None, seed=0)
    assert by_image.high - by_image.low > 1.5 * (by_pair.high - by_pair.low)
    assert by_image.value == by_pair.value == pytest.approx(values.mean())


def test_with_fixed_held_out_images_the_interval_is_that_of_independent_values() -> None:
    values = np.random.default_rng(1).normal(size=200)
    interval = image_bootstrap(values, fake=np.arange(200), real=None, seed=0, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(200)
    assert interval.high - interval.value == pytest.approx(half, rel=0.1)
    assert interval.value - interval.low == pytest.approx(half, rel=0.1)


def test_one_image_against_all_resamples_the_held_out_side_alone() -> None:
    values = np.random.default_rng(1).normal(size=200)
    interval = image_bootstrap(values, fake=np.zeros(200, int), real=np.arange(200), seed=0)
    assert interval.low < interval.value < interval.high


def test_a_single_pair_has_a_value_and_no_interval() -> None:
    one = np.zeros(1, int)
    interval = image_bootstrap(np.array([2.5]), fake=one, real=one, seed=0)
    assert (interval.value, interval.low, interval.high) == (2.5, None, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, pairs = draw(5)
    runs = [image_bootstrap(values, fake=pairs.fake, real=pairs.real, seed=s) for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")]])
def test_values_that_are_not_finite_numbers_are_refused(values: list[float]) -> None:
    places = np.arange(len(values))
    with pytest.raises(MetricError, match="finite"):
        image_bootstrap(np.array(values), fake=places, real=None, seed=0)
