from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from medgan.errors import MetricError
from medgan.metrics.fid import SMALLEST, Fid, fid, frechet

D = 16
SCALES = 1 / np.sqrt(np.arange(1, D + 1))


def normal(n: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return SCALES * (shift + scale * np.random.default_rng(seed).normal(size=(n, D)))


def second_opinion(real: np.ndarray, fake: np.ndarray) -> float:
    a, b = (fid_features_to_statistics(torch.from_numpy(x)) for x in (real, fake))
    return float(fid_statistics_to_metric(a, b, verbose=False)["frechet_inception_distance"])


@pytest.mark.parametrize(("n", "m"), [(40, 60), (200, 30), (17, 17)])
def test_the_distance_equals_torch_fidelity(n: int, m: int) -> None:
    real, fake = normal(n, 1), normal(m, 2, shift=0.3, scale=0.7)
    assert frechet(real=real, fake=fake) == pytest.approx(second_opinion(real, fake), rel=1e-6)


@pytest.mark.parametrize("n", [2, 5, 12])
def test_fewer_images_than_features_are_no_trouble(n: int) -> None:
    """The trace of the root from the eigenvalues of the product, in rank-deficient covariances."""
    real, fake = normal(n, 1), normal(n, 2, shift=0.3)
    a, b = np.cov(real.T), np.cov(fake.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0))
    apart = real.mean(axis=0) - fake.mean(axis=0)
    plain = apart @ apart + np.trace(a) + np.trace(b) - 2 * roots.sum()
    assert frechet(real=real, fake=fake) == pytest.approx(plain, rel=1e-5)


def test_the_distance_of_a_set_to_itself_is_zero_and_a_shift_is_its_square() -> None:
    real = normal(30, 1)
    assert frechet(real=real, fake=real) == pytest.approx(0, abs=1e-10)
    assert frechet(real=real, fake=real + 2) == pytest.approx(4 * D)
    assert frechet(real=real, fake=normal(20, 2)) == pytest.approx(frechet(real=normal(20, 2), fake=real))


def test_other_real_images_have_a_ratio_of_one() -> None:
    found = fid(real=normal(80, 1), fake=normal(200, 2), seed=0)
    assert found.ratio.low < 1 < found.ratio.high
    assert found.ratio.value == pytest.approx(found.floor.value / found.value.value)
    assert (found.count, found.value.n, found.floor.n) == (40, 200, 80)


@pytest.mark.parametrize(
    "fake",
    [
        np.repeat(normal(1, 1), 100, axis=0),
        np.repeat(normal(5, 1), 20, axis=0),
        0.3 * normal(100, 2),
        normal(100, 2, scale=4),
        normal(100, 2, shift=2),
    ],
    ids=["one image", "five images", "blurred", "noise", "elsewhere"],
)
def test_what_is_unlike_the_reals_has_a_low_ratio(fake: np.ndarray) -> None:
    assert fid(real=normal(80, 3), fake=fake, seed=0).ratio.high < 0.8


def test_copies_of_these_very_images_show_as_a_ratio_above_one() -> None:
    real = normal(80, 1)
    assert fid(real=real, fake=real, seed=0).ratio.value > 1.2


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(shift: float) -> None:
    """The truth is the expected distance at the count at which it is computed."""
    pairs = [(normal(20, 9000 + s), normal(20, 19000 + s)) for s in range(400)]
    floor = np.mean([frechet(real=a, fake=b) for a, b in pairs])
    value = np.mean([frechet(real=a, fake=b + shift * SCALES) for a, b in pairs])
    found = [fid(real=normal(40, 2 * s), fake=normal(50, 2 * s + 1, shift=shift), seed=s) for s in range(80)]
    for name, truth in (("value", value), ("floor", floor), ("ratio", floor / value)):
        inside = [getattr(one, name).low <= truth <= getattr(one, name).high for one in found]
        # Equal distributions differ by less than a first order says, so there it is wider than need be.
        assert 0.90 <= np.mean(inside) <= (1.0 if name == "floor" or not shift else 0.995)


def test_the_same_seed_gives_the_same_figures() -> None:
    runs: list[Fid] = [fid(real=normal(30, 1), fake=normal(40, 2), seed=seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (normal(SMALLEST - 1, 1), normal(50, 2), f"need {SMALLEST} images"),
        (normal(50, 1), normal(5, 2), "5 generated"),
        (np.ones((30, D)), np.ones((30, D)), "All real images"),
        (normal(30, 1), normal(30, 2)[:, :3], "different networks"),
        (normal(30, 1) * np.nan, normal(30, 2), "real images are not"),
    ],
)
def test_what_gives_no_figure_is_refused_with_the_reason(
    real: np.ndarray, fake: np.ndarray, words: str
) -> None:
    with pytest.raises(MetricError, match=words):
        fid(real=real, fake=fake, seed=0)
