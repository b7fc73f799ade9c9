from __future__ import annotations

import numpy as np
import pytest
from prdc import compute_prdc

from medgan.errors import MetricError
from medgan.metrics import manifold as module
from medgan.metrics.manifold import SMALLEST, Manifold, manifold

D = 6
NAMES = ("precision", "recall", "density", "coverage")


def normal(n: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return shift + scale * np.random.default_rng(seed).normal(size=(n, D))


def values(found: Manifold) -> dict[str, float]:
    return {name: getattr(found, name).value for name in NAMES}


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_figures_equal_prdc(k: int) -> None:
    real, fake = normal(40, 1), normal(40, 2, shift=0.6)
    plain = compute_prdc(real_features=real, fake_features=fake, nearest_k=k)
    assert values(manifold(real=real, fake=fake, seed=0, k=k)) == pytest.approx(plain)


def test_swapping_real_and_generated_swaps_precision_and_recall() -> None:
    a, b = normal(40, 1), normal(40, 2, shift=0.4, scale=0.6)
    one, other = manifold(real=a, fake=b, seed=0), manifold(real=b, fake=a, seed=0)
    assert one.precision.value == other.recall.value != one.recall.value == other.precision.value
    assert (one.precision.low, one.precision.high) == (other.recall.low, other.recall.high)


def test_identical_sets_are_covered_wholly_and_disjoint_ones_not_at_all() -> None:
    real = normal(50, 1)
    assert list(values(manifold(real=real, fake=real, seed=0)).values()) == [1, 1, 1, 1]
    apart = manifold(real=real, fake=normal(50, 2, shift=30), seed=0)
    assert set(values(apart).values()) == {0.0}
    assert apart.recall.low == 0 < apart.recall.high < 0.15  # nothing varies, and yet 50 images are few


@pytest.mark.parametrize(("images", "coverage", "recall"), [(1, 0.4, 0.1), (5, 0.7, 0.1), (20, 0.9, 0.8)])
def test_a_collapse_lowers_recall_and_coverage_and_not_precision(
    images: int, coverage: float, recall: float
) -> None:
    real = normal(120, 1)
    fake = np.tile(normal(images, 2, scale=0.7), (120 // images, 1))
    found = manifold(real=real, fake=fake, seed=0)
    assert found.precision.value > 0.95
    assert found.recall.value <= recall
    assert found.coverage.value < coverage


def test_blurred_images_are_precise_and_do_not_reach_far() -> None:
    found = manifold(real=normal(100, 1), fake=normal(100, 2, scale=0.3), seed=0)
    assert found.precision.value > 0.95
    assert found.recall.high < 0.5


def test_more_generated_images_do_not_inflate_coverage() -> None:
    """40 reals against 1,000 images from elsewhere: unmatched, nearly all are covered."""
    real, fake = normal(40, 1), normal(1000, 2, shift=0.8)
    found = manifold(real=real, fake=fake, seed=0)
    unmatched = compute_prdc(real_features=real, fake_features=fake, nearest_k=5)
    one = manifold(real=real, fake=fake[:40], seed=0)
    assert unmatched["coverage"] > 0.95
    assert found.coverage.value < 0.85
    assert (found.count, found.precision.n, found.coverage.n) == (40, 1000, 40)
    assert found.precision.high - found.precision.low < one.precision.high - one.precision.low


@pytest.mark.parametrize("field", ["covered", "density", "held"])
def test_influences_are_those_of_leaving_each_image_out(field: str) -> None:
    balls, points = normal(25, 1), normal(30, 2, shift=0.5)
    whole = getattr(module._balls(balls, points, 5), field)
    without = [
        [getattr(module._balls(np.delete(balls, j, 0), points, 5), field).value for j in range(25)],
        [getattr(module._balls(balls, np.delete(points, j, 0), 5), field).value for j in range(30)],
    ]
    for moves, left in zip((whole.of_balls, whole.of_points), without, strict=True):
        assert moves == pytest.approx((len(left) - 1) * (np.mean(left) - np.array(left)))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.8, 1.0), (0.0, 0.5)])
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(shift: float, scale: float) -> None:
    many = [
        values(manifold(real=normal(40, 9000 + s), fake=normal(40, 19000 + s, shift, scale), seed=0))
        for s in range(200)
    ]
    found = [
        manifold(real=normal(40, 2 * s), fake=normal(40, 2 * s + 1, shift, scale), seed=s) for s in range(200)
    ]
    for name in NAMES:
        truth = np.mean([one[name] for one in many])
        inside = [getattr(one, name).low <= truth <= getattr(one, name).high for one in found]
        # Near 1 a share of 40 images has few values to take, and the interval is wider than need be.
        assert 0.90 <= np.mean(inside) <= (0.995 if truth < 0.9 else 1.0), name


@pytest.mark.parametrize(
    ("real", "fake", "k", "words"),
    [
        (normal(SMALLEST - 1, 1), normal(50, 2), 5, f"need {SMALLEST} images"),
        (normal(50, 1), normal(5, 2), 5, "5 generated"),
        (normal(30, 1), normal(30, 2), 8, "from 1 to 7"),
        (normal(30, 1), normal(30, 2), 0, "from 1 to 7"),
        (normal(30, 1), normal(30, 2)[:, :3], 5, "different networks"),
    ],
)
def test_what_gives_no_figure_is_refused_with_the_reason(
    real: np.ndarray, fake: np.ndarray, k: int, words: str
) -> None:
    with pytest.raises(MetricError, match=words):
        manifold(real=real, fake=fake, seed=0, k=k)
