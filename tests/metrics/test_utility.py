"""Known answers: what helps a classifier, what does not, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from medgan.errors import MetricError
from medgan.metrics import utility
from medgan.metrics.bootstrap import Interval
from medgan.metrics.utility import Gain, Jury

WIDTH, SHIFT = 24, 0.5


def patients(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of two classes that overlap, `count` of each."""
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1], count)
    return random.normal(0, 1, (2 * count, WIDTH)) + SHIFT * (2 * labels[:, None] - 1) * _direction(), labels


def _direction() -> np.ndarray:
    return np.linspace(-1, 1, WIDTH) / 1.5


def jury_of(labels: np.ndarray, groups: np.ndarray | None = None) -> Jury:
    return Jury(labels, np.arange(len(labels)) if groups is None else groups, int(labels.max()) + 1)


def judged(extra: list[tuple[np.ndarray, np.ndarray]], real_count: int = 15) -> tuple[str, str]:
    """The verdict on adding `extra` (another set a seed) to few real patients, by 400 test patients."""
    (real, labels), (test, truth) = patients(real_count, 1), patients(200, 2)
    jury = jury_of(truth)
    strength = utility.choose_strength(real, labels, seed=0)

    def learned(more: tuple[np.ndarray, np.ndarray] | None, seed: int) -> np.ndarray:
        x, y = (real, labels) if more is None else (np.vstack([real, more[0]]), np.append(labels, more[1]))
        return utility.probabilities(train=x, labels=y, test=test, strength=strength, seed=seed)

    draws = utility.draw(jury, seeds=len(extra), seed=0)
    base, arm = (
        utility.outcomes(
            np.stack([learned(m if with_more else None, s) for s, m in enumerate(extra)]), jury, draws
        )
        for with_more in (False, True)
    )
    name = utility.BALANCED_ACCURACY
    return utility.verdict([Gain("more", utility.difference(arm[name], base[name], jury))], jury=jury)


def test_an_oracle_with_many_more_images_of_the_truth_is_good() -> None:
    level, reason = judged([patients(400, 10 + seed) for seed in range(5)])
    assert level == utility.GOOD
    assert "gains +" in reason


def test_the_real_images_once_more_are_no_measurable_benefit() -> None:
    level, reason = judged([patients(15, 1)] * 5)
    assert level == utility.WARN
    assert "No measurable benefit" in reason and "+0.0 points [+0.0, +0.0]" in reason
    assert "400 test images, gains under 3 points cannot be seen" in reason


def test_as_many_again_by_chance_of_a_large_set_are_no_measurable_benefit() -> None:
    real, labels = patients(400, 3)
    level, _ = judged([(real[::40], labels[::40])] * 3, real_count=400)
    assert level == utility.WARN


def test_shuffled_labels_fail() -> None:
    def shuffled(seed: int) -> tuple[np.ndarray, np.ndarray]:
        features, labels = patients(75, 10 + seed)
        return features, 1 - labels

    level, reason = judged([shuffled(seed) for seed in range(5)])
    assert level == utility.FAIL
    assert "harms" in reason


def test_every_image_twice_gives_the_same_classifier() -> None:
    (real, labels), (test, _) = patients(20, 1), patients(30, 2)
    once = utility.probabilities(train=real, labels=labels, test=test, strength=0.1, seed=0)
    twice = utility.probabilities(
        train=np.vstack([real, real]), labels=np.append(labels, labels), test=test, strength=0.1, seed=0
    )
    np.testing.assert_allclose(once, twice, atol=1e-4)


def test_a_weaker_classifier_is_chosen_where_there_is_nothing_to_learn_with_less() -> None:
    features, labels = patients(100, 1)
    assert utility.choose_strength(features, labels, seed=0) in utility.STRENGTHS
    constant = np.zeros_like(features)
    assert utility.choose_strength(constant, labels, seed=0) == min(utility.STRENGTHS)


@pytest.mark.parametrize("classes", [2, 3])
def test_both_measures_are_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), [30, 20, 10][:classes])
    found = random.dirichlet(np.ones(classes), (4, len(labels))).round(2)  # rounded, so that there are ties
    found /= found.sum(axis=2, keepdims=True)
    jury = jury_of(labels)
    measured = utility.outcomes(found, jury, utility.draw(jury, seeds=4, seed=0, resamples=10))
    right = [balanced_accuracy_score(labels, scores.argmax(axis=1)) for scores in found]
    assert measured[utility.BALANCED_ACCURACY].value == pytest.approx(np.mean(right))
    one_hot = np.eye(classes)[labels]
    area = [roc_auc_score(one_hot, scores, average="macro") for scores in found]
    assert measured[utility.AUC].value == pytest.approx(np.mean(area))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Test images differ in how hard they are for all seeds, as real ones do."""
    random, trials = np.random.default_rng(0), 200
    labels = np.repeat([0, 1], [25, 40])
    jury = jury_of(labels)
    held = {"accuracy": 0, "area": 0, "difference": 0}
    truth = {
        "accuracy": norm.cdf(1 / np.sqrt(1.25)),
        "area": norm.cdf(2 / np.sqrt(2 * 1.25)),
        "difference": 0.0,
    }
    for trial in range(trials):
        own = random.normal(0, 1, len(labels)) + (2 * labels - 1)
        arms = []
        for _ in range(2):
            odds = own + random.normal(0, 0.5, (6, len(labels)))
            positive = 1 / (1 + np.exp(-odds))
            arms.append(np.stack([1 - positive, positive], axis=2))
        draws = utility.draw(jury, seeds=6, seed=trial, resamples=300)
        first, second = (utility.outcomes(arm, jury, draws) for arm in arms)
        found = {
            "accuracy": utility.interval(first[utility.BALANCED_ACCURACY], jury),
            "area": utility.interval(first[utility.AUC], jury),
            "difference": utility.difference(
                first[utility.BALANCED_ACCURACY], second[utility.BALANCED_ACCURACY], jury
            ),
        }
        for name, interval in found.items():
            assert interval.low is not None and interval.high is not None
            held[name] += interval.low <= truth[name] <= interval.high
    assert all(0.90 <= count / trials <= 1.0 for count in held.values()), held


def test_images_of_one_patient_are_drawn_together() -> None:
    labels, groups = np.repeat([0, 1], 20), np.repeat(np.arange(8), 5)
    draws = utility.draw(jury_of(labels, groups), seeds=2, seed=0, resamples=50)
    for patient in range(8):
        spread = draws.images[:, groups == patient]
        assert (spread == spread[:, :1]).all()
    assert jury_of(labels, groups).independent().tolist() == [4, 4]


def test_what_can_be_seen_follows_from_the_test_images() -> None:
    assert utility.smallest_visible(jury_of(np.repeat([0, 1], [158, 157]))) == pytest.approx(0.03, abs=1e-4)
    assert utility.smallest_visible(jury_of(np.repeat([0, 1], [300, 15]))) > 0.06


def test_few_test_images_are_unknown_and_a_small_gain_is_none() -> None:
    few = jury_of(np.repeat([0, 1], [40, 4]))
    assert utility.verdict([Gain("x1", Interval(0.2, 0.1, 0.3))], jury=few)[0] == utility.UNKNOWN
    jury = jury_of(np.repeat([0, 1], [50, 50]))
    assert utility.verdict([Gain("x1", Interval(0.02, 0.01, 0.03))], jury=jury)[0] == utility.WARN
    level, reason = utility.verdict(
        [Gain("x1", Interval(0.2, 0.1, 0.3))], jury=jury, augmented=Gain("aug", Interval(0.25, 0.2, 0.3))
    )
    assert level == utility.GOOD
    assert "classical augmentation alone gives as much or more" in reason
    assert utility.verdict([], jury=jury)[0] == utility.UNKNOWN


def test_three_arms_are_asked_for_more() -> None:
    assert utility.corrected_level(3) == pytest.approx(1 - 0.05 / 3)


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(MetricError, match="two classes"):
        Jury(np.zeros(5, dtype=int), np.arange(5), 2)
    jury = jury_of(np.repeat([0, 1], 5))
    draws = utility.draw(jury, seeds=1, seed=0, resamples=5)
    with pytest.raises(MetricError, match="shape"):
        utility.outcomes(np.zeros((1, 9, 2)), jury, draws)
    with pytest.raises(MetricError, match="not numbers"):
        utility.outcomes(np.full((1, 10, 2), np.nan), jury, draws)
    with pytest.raises(MetricError, match="one training image"):
        utility.choose_strength(np.zeros((3, 2)), np.array([0, 0, 1]), seed=0)
