from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import polynomial_kernel

from medgan.errors import MetricError
from medgan.metrics import distribution
from medgan.metrics.distribution import SMALLEST, kid, ms_ssim, spread

D = 8


def normal(n: int, seed: int, mean: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return mean + scale * np.random.default_rng(seed).normal(size=(n, D))


def value(real: np.ndarray, fake: np.ndarray) -> float:
    return kid(real=real, fake=fake, seed=0, resamples=10).value


def second_opinion(real: np.ndarray, fake: np.ndarray) -> float:
    """Unbiased MMD^2 from scikit-learn's kernel, written as in the definition."""
    within = []
    for side in (real, fake):
        kernel = polynomial_kernel(side, degree=3, gamma=None, coef0=1)
        pairs = [kernel[i, j] for i in range(len(side)) for j in range(len(side)) if i != j]
        within.append(np.mean(pairs))
    return within[0] + within[1] - 2 * polynomial_kernel(real, fake, degree=3, coef0=1).mean()


def true_distance(mean: float, scale: float) -> float:
    """MMD^2 of N(0, I) against N(mean, scale^2 I) in closed form: with this kernel it is a sum of squared
    differences of the moments of order 1 to 3."""
    unit = np.eye(D)

    def moments(mu: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        third = np.einsum("i,jk->ijk", mu, unit)
        third = third + third.transpose(1, 0, 2) + third.transpose(1, 2, 0)
        return mu, np.outer(mu, mu) + s**2 * unit, np.einsum("i,j,k->ijk", mu, mu, mu) + s**2 * third

    pairs = zip(moments(np.zeros(D), 1.0), moments(np.full(D, mean), scale), strict=True)
    squares = [float(np.square(a - b).sum()) for a, b in pairs]
    return 3 / D * squares[0] + 3 / D**2 * squares[1] + squares[2] / D**3


@pytest.mark.parametrize(("n", "m"), [(20, 20), (37, 15), (10, 60)])
def test_kid_equals_a_second_implementation(n: int, m: int) -> None:
    real, fake = normal(n, 1), normal(m, 2, mean=0.3)
    assert value(real, fake) == pytest.approx(second_opinion(real, fake), rel=1e-10)


def test_kid_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(37, 1), normal(23, 2, mean=0.3)
    whole = kid(real=real, fake=fake, seed=0, resamples=50)
    monkeypatch.setattr(distribution, "_ROWS", 5)
    blocks = kid(real=real, fake=fake, seed=0, resamples=50)
    assert (blocks.value, blocks.low, blocks.high, blocks.sd) == pytest.approx(
        (whole.value, whole.low, whole.high, whole.sd)
    )


def test_kid_of_two_halves_of_one_set_is_zero_in_expectation() -> None:
    values = [value(normal(30, 2 * seed), normal(30, 2 * seed + 1)) for seed in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert 0.3 < np.mean(np.array(values) < 0) < 0.8  # and it may be negative


@pytest.mark.parametrize(("mean", "scale"), [(0.4, 1.0), (0.0, 0.6), (1.0, 1.2)])
def test_kid_meets_the_closed_form_on_average(mean: float, scale: float) -> None:
    values = [value(normal(40, 2 * s), normal(60, 2 * s + 1, mean, scale)) for s in range(200)]
    assert np.mean(values) == pytest.approx(true_distance(mean, scale), abs=3 * np.std(values) / np.sqrt(200))


def test_kid_grows_with_the_shift_and_is_the_same_from_both_sides() -> None:
    real = normal(100, 1)
    values = [value(real, normal(100, 2, mean=shift)) for shift in (0.0, 0.3, 0.6, 1.2)]
    assert values == sorted(values)
    assert value(real, normal(60, 2, 0.6)) == pytest.approx(value(normal(60, 2, 0.6), real))


def test_kid_of_a_set_against_itself_is_below_zero_and_does_not_hide_that() -> None:
    assert value(normal(30, 1), normal(30, 1)) < 0


def test_a_collapse_onto_one_image_is_far_from_the_reals() -> None:
    real = normal(60, 1)
    floor = kid(real=real, fake=normal(60, 2), seed=0)
    collapsed = kid(real=real, fake=np.repeat(real[:1], 60, axis=0), seed=0)
    assert collapsed.low > floor.high


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (0.15, 1.0), (0.4, 1.0), (1.0, 1.0), (0.0, 0.6)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(mean: float, scale: float) -> None:
    truth, inside = true_distance(mean, scale), []
    for seed in range(200):
        distance = kid(
            real=normal(60, 2 * seed), fake=normal(60, 2 * seed + 1, mean, scale), seed=seed, resamples=200
        )
        inside.append(distance.low <= truth <= distance.high)
    assert 0.90 <= np.mean(inside) <= (1.0 if mean == 0 else 0.99)


@pytest.mark.parametrize("mean", [0.0, 0.4, 1.0])
def test_the_bootstrap_deviation_is_that_of_repeated_draws(mean: float) -> None:
    runs = [
        kid(real=normal(60, 2 * seed), fake=normal(60, 2 * seed + 1, mean), seed=seed, resamples=200)
        for seed in range(150)
    ]
    assert np.median([run.sd for run in runs]) == pytest.approx(np.std([run.value for run in runs]), rel=0.25)


def test_the_same_seed_gives_the_same_interval() -> None:
    runs = [kid(real=normal(20, 1), fake=normal(20, 2), seed=seed, resamples=50) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0].value == runs[2].value


def test_equal_images_everywhere_have_distance_zero_without_an_interval_of_nonsense() -> None:
    same = np.ones((20, D))
    distance = kid(real=same, fake=same, seed=0, resamples=50)
    assert (distance.value, distance.low, distance.high, distance.sd) == pytest.approx(
        (0, 0, 0, 0), abs=1e-12
    )


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (normal(SMALLEST - 1, 1), normal(50, 2), f"needs {SMALLEST} images"),
        (normal(50, 1), normal(0, 2), f"needs {SMALLEST} images"),
        (normal(20, 1), normal(20, 2)[:, :3], "different networks"),
        (normal(20, 1) * np.nan, normal(20, 2), "real images are not"),
        (normal(20, 1), normal(20, 2)[0], "fake images are not"),
    ],
)
def test_what_gives_no_distance_is_refused_with_the_reason(
    real: np.ndarray, fake: np.ndarray, words: str
) -> None:
    with pytest.raises(MetricError, match=words):
        kid(real=real, fake=fake, seed=0)


def test_spread_is_the_mean_distance_of_different_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "_ROWS", 4)
    features = normal(11, 1)
    all_pairs = pairwise_distances(features)[np.triu_indices(11, k=1)]
    assert spread(features) == pytest.approx(all_pairs.mean())
    assert spread(2 * features) == pytest.approx(2 * all_pairs.mean())
    assert spread(np.ones((5, D))) == pytest.approx(0, abs=1e-6)
    with pytest.raises(MetricError, match="two images"):
        spread(features[:1])


def pictures(n: int, size: int = 128, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.interpolate(
        torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1, size=size, mode="bilinear"
    )


def test_ms_ssim_of_one_image_repeated_is_one_and_of_different_ones_far_below() -> None:
    assert ms_ssim(pictures(1).repeat(4, 1, 1, 1), pairs=6, seed=0) == pytest.approx(1, abs=1e-4)
    assert ms_ssim(pictures(4), pairs=6, seed=0) < 0.5


def test_ms_ssim_of_all_pairs_is_the_plain_mean_over_them() -> None:
    import piq

    images = pictures(5, size=176)
    unit = (images + 1) / 2
    plain = [
        float(piq.multi_scale_ssim(unit[i : i + 1], unit[j : j + 1])) for i in range(5) for j in range(i)
    ]
    assert ms_ssim(images, pairs=100, seed=3) == pytest.approx(np.mean(plain), abs=1e-4)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9])
def test_ms_ssim_takes_each_pair_once_and_each_image_equally_often(n: int) -> None:
    left, right = distribution._balanced_pairs(n, 1000, seed=0)
    pairs = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    assert len(pairs) == len(left) == n * (n - 1) // 2
    assert all(len(pair) == 2 for pair in pairs)
    few, others = distribution._balanced_pairs(n, n, seed=0)
    if n > 2:
        assert np.bincount(np.concatenate([few, others])).tolist() == [2] * n


@pytest.mark.parametrize("size", [32, 64, 128])
def test_ms_ssim_works_at_every_size_that_models_have(size: int) -> None:
    assert -1 <= ms_ssim(pictures(3, size), pairs=3, seed=0) <= 1


def test_ms_ssim_refuses_what_it_cannot_compare() -> None:
    for images in (pictures(1), pictures(3, size=16)):
        with pytest.raises(MetricError, match="two images"):
            ms_ssim(images, pairs=3, seed=0)
