from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from medgan.errors import MetricError
from medgan.metrics.authenticity import FLAG, SMALLEST, auc, authenticity, ct, membership_auc

D = 8


def normal(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, D))


TRAIN, HELDOUT = normal(80, 1), normal(50, 2)


def nearest(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distances, which = NearestNeighbors(n_neighbors=1).fit(TRAIN).kneighbors(x)
    return distances[:, 0], which[:, 0]


def test_authenticity_equals_a_second_implementation() -> None:
    generated = normal(60, 3, scale=0.8)
    own = NearestNeighbors(n_neighbors=2).fit(TRAIN).kneighbors(TRAIN)[0][:, 1]
    found = authenticity(generated=generated, train=TRAIN, heldout=HELDOUT)
    for images, one in ((generated, found.value), (HELDOUT, found.heldout)):
        near, which = nearest(images)
        assert one.value == pytest.approx(np.mean(near > own[which]))
        assert one.n == len(images)
    assert found.difference.value == pytest.approx(found.value.value - found.heldout.value)


def test_ct_equals_a_second_implementation() -> None:
    generated = normal(60, 3, scale=0.8)
    far, usual = nearest(generated)[0], nearest(HELDOUT)[0]
    u = mannwhitneyu(far, usual).statistic
    z = (u - 60 * 50 / 2) / np.sqrt(60 * 50 * 111 / 12)
    found = ct(generated=generated, train=TRAIN, heldout=HELDOUT)
    assert found.z.value == pytest.approx(z)
    assert found.share.value == pytest.approx(u / 3000)
    assert found.z.low < found.z.value < found.z.high


def test_new_images_of_the_same_kind_are_as_authentic_as_held_out_ones() -> None:
    fresh = normal(200, 3)
    found = authenticity(generated=fresh, train=TRAIN, heldout=HELDOUT)
    assert found.difference.low < 0 < found.difference.high
    assert ct(generated=fresh, train=TRAIN, heldout=HELDOUT).z.value > FLAG


@pytest.mark.parametrize(
    "generated",
    [TRAIN, TRAIN + normal(80, 5, scale=0.1), np.repeat(TRAIN[:1], 40, axis=0), np.tile(TRAIN[:20], (4, 1))],
    ids=["copies", "noisy copies", "one copy repeated", "20 copies repeated"],
)
def test_copies_are_not_authentic_and_too_near(generated: np.ndarray) -> None:
    found = authenticity(generated=generated, train=TRAIN, heldout=HELDOUT)
    assert found.value.high < 0.15
    assert found.difference.high < -0.3
    near = ct(generated=generated, train=TRAIN, heldout=HELDOUT)
    assert near.z.high < FLAG
    assert near.share.high < 0.2


def test_noise_is_far_from_all_and_that_is_not_copying() -> None:
    noise = normal(60, 3, scale=5)
    assert authenticity(generated=noise, train=TRAIN, heldout=HELDOUT).value.value == 1
    assert ct(generated=noise, train=TRAIN, heldout=HELDOUT).z.value > 3


def test_an_auc_equals_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(0)
    above, below = random.integers(0, 6, 70) + 1.0, random.integers(0, 6, 30) * 1.0
    truth = np.r_[np.ones(70), np.zeros(30)]
    assert auc(above=above, below=below).value == pytest.approx(roc_auc_score(truth, np.r_[above, below]))


def test_a_discriminator_that_remembers_is_told_from_one_that_does_not() -> None:
    random = np.random.default_rng(1)
    same = membership_auc(train=random.normal(size=80), heldout=random.normal(size=40))
    assert same.low < 0.5 < same.high
    apart = membership_auc(train=10 + random.normal(size=80), heldout=random.normal(size=40))
    assert (apart.value, apart.high) == (1, 1)
    assert 0.9 < apart.low < 1  # 40 images are few, however clear they are


@pytest.mark.parametrize(("shift", "m", "n"), [(0.0, 40, 40), (0.0, 200, 25), (0.8, 40, 40), (2.5, 60, 30)])
def test_the_interval_of_an_auc_holds_the_truth_about_as_often_as_it_says(
    shift: float, m: int, n: int
) -> None:
    truth, inside = norm.cdf(shift / np.sqrt(2)), []
    for seed in range(400):
        random = np.random.default_rng(seed)
        found = membership_auc(train=shift + random.normal(size=m), heldout=random.normal(size=n))
        inside.append(found.low <= truth <= found.high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_the_interval_of_authenticity_holds_the_truth_about_as_often_as_it_says() -> None:
    """The truth is the share over all images there could be, for these training images."""
    many = authenticity(generated=normal(20_000, 9, 0.8), train=TRAIN, heldout=normal(20_000, 10))
    inside = []
    for seed in range(200):
        found = authenticity(
            generated=normal(60, 1000 + seed, 0.8), train=TRAIN, heldout=normal(40, 5000 + seed)
        )
        for one, truth in ((found.value, many.value), (found.difference, many.difference)):
            inside.append(one.low <= truth.value <= one.high)
    assert 0.90 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("figure", [authenticity, ct])
def test_too_few_images_and_other_features_are_refused(figure) -> None:
    with pytest.raises(MetricError, match="9 held-out"):
        figure(generated=normal(20, 3), train=TRAIN, heldout=HELDOUT[: SMALLEST - 1])
    with pytest.raises(MetricError, match="different networks"):
        figure(generated=normal(20, 3)[:, :4], train=TRAIN, heldout=HELDOUT)


def test_scores_that_tell_nothing_are_refused() -> None:
    with pytest.raises(MetricError, match="3 of training"):
        membership_auc(train=np.zeros(3), heldout=np.zeros(20))
    with pytest.raises(MetricError, match="finite"):
        membership_auc(train=np.full(20, np.nan), heldout=np.zeros(20))
