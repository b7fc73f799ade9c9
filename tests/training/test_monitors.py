from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from medgan.metrics.features import random_network
from medgan.training.monitor_words import FAIL, NOTE, WARN, Circumstances, words
from medgan.training.monitors import (
    COLLAPSE_PATIENCE,
    DIVERSITY_STOP,
    EARLY,
    EVALUATE_EVERY,
    MEMORY_FAIL,
    PATIENCE,
    Decision,
    EarlyStopping,
    Readings,
    overfitting_gap,
    sign_mean,
)
from medgan.training.reference import Reference


def test_sign_of_logits_counts_how_many_reals_are_recognised() -> None:
    logits = torch.tensor([3.0, 0.1, 2.0, -5.0])
    assert float(sign_mean(logits)) == pytest.approx(0.5)
    assert float(sign_mean(logits.bfloat16())) == pytest.approx(0.5)


def test_relativistic_signs_do_not_depend_on_where_the_logits_lie() -> None:
    real, fake = torch.tensor([3.0, 1.0, 2.0, -5.0]), torch.tensor([2.0, 2.0, 1.0, -6.0])
    assert float(sign_mean(real, fake)) == float(sign_mean(real - 100, fake - 100)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("heldout", "gap"), [(2.0, 0.0), (-1.0, 1.0), (0.5, 0.5), (2.3, -0.1), (float("nan"), None)]
)
def test_the_gap_is_the_share_of_the_way_from_train_to_fake(heldout: float, gap: float | None) -> None:
    assert overfitting_gap(train=2.0, heldout=heldout, fake=-1.0) == (
        None if gap is None else pytest.approx(gap)
    )


@pytest.mark.parametrize("fake", [2.0, 3.0, float("inf")])
def test_without_a_distance_of_train_and_fake_there_is_no_gap(fake: float) -> None:
    assert overfitting_gap(train=2.0, heldout=1.0, fake=fake) is None


def reading(kid: float, sd: float = 0.1, **others: float | str | None) -> Readings:
    return Readings(kid=kid, kid_sd=sd, **{"features": "squeezenet-1", **others})


def follow(readings: list[Readings], stopping: EarlyStopping | None = None, start: int = 4) -> list[Decision]:
    """Decisions on evaluations 1,000 steps and 10,000 images apart, the first after 40,000 images."""
    stopping = stopping or EarlyStopping()
    return [stopping.observe(k * 1000, k * 10_000, some) for k, some in enumerate(readings, start)]


def test_the_lowest_distance_is_the_best_even_where_it_is_no_improvement_that_counts() -> None:
    stopping = EarlyStopping()
    decisions = follow([reading(kid) for kid in (2.0, 1.0, 1.05, 0.97, 1.5)], stopping)
    assert [decision.best for decision in decisions] == [True, True, False, True, False]
    assert (stopping.best_step, stopping.best_kid) == (7000, 0.97)


def test_it_stops_after_five_evaluations_without_an_improvement_above_one_deviation() -> None:
    decisions = follow([reading(kid) for kid in (1.0, 0.95, 1.1, 0.92, 1.2, 0.91)])
    assert [decision.stop for decision in decisions] == [False] * PATIENCE + [True]
    assert "step 9,000" in str(decisions[-1].reason)


def test_a_slow_but_steady_fall_does_not_stop_it() -> None:
    decisions = follow([reading(2.0 - 0.03 * k) for k in range(40)])
    assert not any(decision.stop for decision in decisions)


def test_nothing_is_stopped_before_the_early_images_are_over() -> None:
    stopping = EarlyStopping()
    decisions = [stopping.observe(k, k * 1000, reading(1.0 + k)) for k in range(EARLY // 1000)]
    assert not any(decision.stop for decision in decisions)
    assert stopping.observe(99, EARLY, reading(99)).stop


@pytest.mark.parametrize("name", ["nearest_ratio", "copy_ratio"])
def test_a_memorising_checkpoint_is_never_the_best(name: str) -> None:
    stopping = EarlyStopping()
    copies = {name: MEMORY_FAIL - 0.01}
    decisions = follow([reading(2.0), reading(0.1, **copies), reading(1.5)], stopping)
    assert [decision.best for decision in decisions] == [True, False, True]
    assert "repeats training images" in str(decisions[1].reason)
    assert stopping.best_kid == 1.5


def test_a_run_that_only_memorises_ends_without_a_best_checkpoint() -> None:
    stopping = EarlyStopping()
    decisions = follow([reading(1.0 - 0.1 * k, nearest_ratio=0.1) for k in range(PATIENCE)], stopping)
    assert decisions[-1].stop
    assert stopping.best_step is None
    assert "No checkpoint" in str(decisions[-1].reason)


def test_at_the_limit_itself_and_without_a_ratio_a_checkpoint_may_be_the_best() -> None:
    assert all(d.best for d in follow([reading(1.0, nearest_ratio=MEMORY_FAIL), reading(0.5)]))


def test_collapsed_diversity_stops_it_at_the_second_time() -> None:
    low = DIVERSITY_STOP - 0.01
    readings = [reading(1.0 - 0.2 * k, diversity=d) for k, d in enumerate((low, 0.9, low, low))]
    decisions = follow(readings)
    assert [decision.stop for decision in decisions] == [False, False, False, True]
    assert COLLAPSE_PATIENCE == 2
    assert "alike" in str(decisions[-1].reason)


@pytest.mark.parametrize("kid", [None, math.nan, math.inf])
def test_an_evaluation_without_a_distance_counts_for_nothing(kid: float | None) -> None:
    stopping = EarlyStopping()
    follow([reading(1.0)], stopping)
    before = stopping.state_dict()
    assert stopping.observe(9, 99_999, Readings(kid=kid)) == Decision()
    assert stopping.state_dict() == before


def test_another_feature_network_starts_the_search_anew_and_says_so() -> None:
    stopping = EarlyStopping()
    first, other = follow([reading(0.001), reading(2.0, features="random-1")], stopping)
    assert first.best and other.best
    assert "another feature network" in str(other.reason)
    assert stopping.best_kid == 2.0


def test_stopping_goes_on_exactly_where_its_state_was_taken() -> None:
    rng = np.random.default_rng(0)
    readings = [
        reading(float(1 + rng.normal() / 5), diversity=float(rng.uniform(0.5, 1)), nearest_ratio=float(r))
        for r in rng.uniform(0.4, 1.2, 20)
    ]
    straight = follow(readings)
    first, second = EarlyStopping(), EarlyStopping()
    cut = follow(readings[:7], first)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert cut + follow(readings[7:], second, start=11) == straight


def test_readings_survive_a_line_of_events_with_other_things_in_it() -> None:
    readings = reading(1.0, diversity=0.0, gap=-0.2, nearest_ratio=None)
    line = json.loads(json.dumps({"step": 3, **readings.to_json()}))
    assert "nearest_ratio" not in line
    assert line["diversity"] == 0
    assert Readings.from_json(line) == readings
    assert Readings.from_json(Readings(missing=("why",)).to_json()) == Readings(missing=("why",))


ABOUT = Circumstances(train_images=120, heldout_images=60, images_seen=50_000)
WELL = Readings(
    real_sign=0.6, gap=0.2, diversity=0.95, ms_ssim_excess=0.02, nearest_ratio=1.1, copy_ratio=1.0, kid=0.5
)


def test_where_all_is_well_nothing_is_said() -> None:
    assert words(WELL, ABOUT) == []
    assert words(Readings(), ABOUT) == []


@pytest.mark.parametrize(
    ("readings", "level", "phrases"),
    [
        (Readings(gap=0.72), WARN, ("memorising your 120 images", "0.72", "More images")),
        (Readings(real_sign=0.96), WARN, ("98%", "80%", "augmentation")),
        (Readings(diversity=0.7), WARN, ("too much alike", "0.70")),
        (Readings(diversity=0.5), FAIL, ("collapsed", "Stop")),
        (Readings(ms_ssim_excess=0.24), WARN, ("same layout", "0.24")),
        (Readings(nearest_ratio=0.7), WARN, ("close to your training images", "0.70")),
        (Readings(nearest_ratio=1.2, copy_ratio=0.3), FAIL, ("copies", "patients", "0.30")),
        (Readings(missing=("A distance needs 10 images.",)), NOTE, ("needs 10",)),
    ],
)
def test_each_monitor_says_what_it_means_and_what_to_do(
    readings: Readings, level: str, phrases: tuple[str, ...]
) -> None:
    (caution,) = words(readings, ABOUT)
    assert caution.level == level
    assert all(phrase in caution.text for phrase in phrases)


def test_the_gravest_is_said_first() -> None:
    cautions = words(Readings(gap=0.9, diversity=0.2, missing=("x",)), ABOUT)
    assert [caution.level for caution in cautions] == [FAIL, WARN, NOTE]


def test_few_held_out_images_are_said_and_not_hidden() -> None:
    (caution,) = words(WELL, Circumstances(train_images=100, heldout_images=14, images_seen=50_000))
    assert caution.level == NOTE
    assert "Only 14 images are held out" in caution.text


def test_an_early_run_is_not_judged_and_a_young_one_not_called_collapsed() -> None:
    bad = Readings(diversity=0.1, gap=0.9)
    assert words(bad, Circumstances(120, 60, EVALUATE_EVERY - 1)) == []
    young = words(bad, Circumstances(120, 60, EARLY - 1))
    assert {caution.level for caution in young} == {WARN}
    assert any("Early in a run" in caution.text for caution in young)


def pictures(n: int, seed: int, size: int = 32) -> np.ndarray:
    """Soft spots of any place, colour and strength, on noise: as different as images of one kind are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    spots = [
        np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / width)[:, :, None] * rng.uniform(40, 200, 3)
        for cx, cy, width in rng.uniform((0.2, 0.2, 0.01), (0.8, 0.8, 0.1), (n, 3))
    ]
    return np.clip(np.stack(spots) + rng.normal(30, 4, (n, size, size, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(random_network(), train=pictures(80, 1), heldout=pictures(40, 2), seed=0)


def test_other_real_images_read_as_well(reference: Reference) -> None:
    readings = reference.measure(pictures(70, 3))
    assert readings.missing == ()
    assert abs(readings.kid) < 3 * readings.kid_sd
    assert readings.diversity == pytest.approx(1, abs=0.15)
    assert readings.ms_ssim_excess == pytest.approx(0, abs=0.1)
    assert readings.nearest_ratio == pytest.approx(1, abs=0.25)
    assert readings.copy_ratio == pytest.approx(1, abs=0.15)
    assert readings.features == random_network().identity
    assert words(readings, ABOUT) == []


def test_a_copier_with_noise_reads_as_one_that_copies(reference: Reference) -> None:
    copies = pictures(80, 1)[:60].astype(int) + np.random.default_rng(0).normal(0, 6, (60, 32, 32, 3))
    readings = reference.measure(np.clip(copies, 0, 255).astype(np.uint8))
    assert readings.memory < MEMORY_FAIL
    assert words(readings, ABOUT)[0].level == FAIL


def test_a_generator_of_two_images_reads_as_collapsed(reference: Reference) -> None:
    readings = reference.measure(pictures(2, 5)[np.arange(60) % 2])
    assert readings.diversity < DIVERSITY_STOP
    assert readings.ms_ssim_excess > 0.2
    assert readings.kid > 5 * readings.kid_sd


def test_noise_is_far_from_all(reference: Reference) -> None:
    readings = reference.measure(np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8))
    assert readings.kid > 10 * readings.kid_sd
    assert readings.nearest_ratio > 2


def test_the_same_samples_read_the_same(reference: Reference) -> None:
    samples = pictures(20, 3)
    before = torch.random.get_rng_state()
    assert reference.measure(samples) == reference.measure(samples)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("heldout", [0, 5])
def test_too_few_held_out_images_leave_out_figures_with_their_reasons(heldout: int) -> None:
    reference = Reference(random_network(), train=pictures(30, 1), heldout=pictures(40, 2)[:heldout], seed=0)
    readings = reference.measure(pictures(20, 3))
    assert readings.kid is readings.nearest_ratio is readings.copy_ratio is None
    assert readings.diversity is not None
    assert len(readings.missing) == 2
    assert all("10 images" in sentence for sentence in readings.missing)
