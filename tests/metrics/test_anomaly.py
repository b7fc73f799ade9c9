"""Known answers of scores and of the area under their curve."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from medgan.errors import MetricError
from medgan.metrics import anomaly


def test_what_is_rebuilt_perfectly_scores_0_and_features_add_their_part() -> None:
    images = torch.rand(3, 1, 8, 8) * 2 - 1
    assert anomaly.residual(images, images).tolist() == [0, 0, 0]
    rebuilt = images + 0.5
    torch.testing.assert_close(anomaly.residual(images, rebuilt), torch.full((3,), 0.25))
    features, others = torch.zeros(3, 4, 2), torch.ones(3, 4, 2)
    torch.testing.assert_close(
        anomaly.residual(images, rebuilt, features, others, kappa=2.0), torch.full((3,), 2.25)
    )


def test_heat_is_where_the_images_differ() -> None:
    image = np.zeros((1, 4, 4, 3), np.uint8)
    rebuilt = image.copy()
    rebuilt[0, 1, 2] = (30, 60, 90)
    heat = anomaly.heat(image, rebuilt)
    assert heat[0, 1, 2] == 60
    assert heat.sum() == 60


def test_neighbours_are_the_nearest_normal_ones() -> None:
    train = np.array([[0.0], [1.0], [10.0]])
    assert anomaly.neighbour_scores(train=train, test=np.array([[0.0], [4.0]]), k=2).tolist() == [0.5, 3.5]
    assert anomaly.neighbour_scores(train=train, test=np.array([[0.0]]), k=9) == pytest.approx(11 / 3)


def test_components_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (12, 6, 6, 1), dtype=np.uint8)
    test = random.integers(0, 256, (5, 6, 6, 1), dtype=np.uint8)
    flat = [images.reshape(len(images), -1) / 255 for images in (train, test)]
    pca = PCA(0.9, svd_solver="full").fit(flat[0])
    rest = flat[1] - pca.inverse_transform(pca.transform(flat[1]))
    np.testing.assert_allclose(
        anomaly.component_scores(train=train, test=test), np.square(rest).mean(axis=1), rtol=1e-4
    )


def test_the_mean_image_scores_0_against_itself() -> None:
    train = np.stack([np.zeros((4, 4, 1), np.uint8), np.full((4, 4, 1), 200, np.uint8)])
    scores = anomaly.mean_scores(train=train, test=np.full((1, 4, 4, 1), 100, np.uint8))
    assert scores[0] == pytest.approx(0, abs=1e-9)
    assert anomaly.no_better_than_the_mean(train, np.full_like(train, 100))
    assert not anomaly.no_better_than_the_mean(train, train)


def test_the_area_is_that_of_scikit_learn_and_its_interval_holds_the_truth() -> None:
    random, held, trials = np.random.default_rng(0), 0, 200
    abnormal = np.repeat([True, False], [30, 25])
    truth = norm.cdf(1 / np.sqrt(2))
    for trial in range(trials):
        scores = random.normal(abnormal * 1.0, 1)
        area = anomaly.areas(
            {"score": scores}, abnormal=abnormal, groups=np.arange(55), seed=trial, resamples=300
        )["score"]
        assert area.value == roc_auc_score(abnormal, scores)
        interval = area.interval()
        assert interval.low is not None and interval.high is not None
        held += interval.low <= truth <= interval.high
    assert 0.90 <= held / trials <= 0.99


def test_a_score_is_never_apart_from_itself_and_the_best_is_named() -> None:
    abnormal = np.repeat([True, False], 20)
    random = np.random.default_rng(0)
    scores = {
        "ours": random.normal(size=40),
        "kNN": abnormal + random.normal(0, 0.1, 40),
        "again": abnormal * 0.3 + random.normal(size=40),
    }
    found = anomaly.areas(scores, abnormal=abnormal, groups=np.arange(40), seed=0)
    same = found["kNN"].minus(found["kNN"])
    assert (same.value, same.low, same.high) == (0, 0, 0)
    sentence = anomaly.which_wins(found, ours="ours")
    assert sentence.startswith("kNN separates best, with an area of 1.00: measurably better than ours")
    blind = anomaly.areas(
        {"ours": random.normal(size=40), "kNN": random.normal(size=40)},
        abnormal=abnormal,
        groups=np.arange(40),
        seed=0,
    )
    assert "not measurably better than" in anomaly.which_wins(blind, ours="ours")
    assert anomaly.backwards(found) == []


def test_a_score_that_runs_the_wrong_way_is_said() -> None:
    abnormal = np.repeat([True, False], 20)
    found = anomaly.areas({"x": -1.0 * abnormal}, abnormal=abnormal, groups=np.arange(40), seed=0)
    assert anomaly.backwards(found)[0].startswith("x runs the wrong way (0.00)")


def test_what_cannot_be_measured_is_said() -> None:
    abnormal = np.repeat([True, False], [4, 20])
    with pytest.raises(MetricError, match="20 normal and 4 other"):
        anomaly.areas({"x": np.zeros(24)}, abnormal=abnormal, groups=np.arange(24), seed=0)
    abnormal = np.repeat([True, False], 10)
    with pytest.raises(MetricError, match="not a finite number"):
        anomaly.areas({"x": np.full(20, np.nan)}, abnormal=abnormal, groups=np.arange(20), seed=0)
    with pytest.raises(MetricError, match="two normal images"):
        anomaly.component_scores(train=np.zeros((1, 4, 4, 1)), test=np.zeros((1, 4, 4, 1)))
