"""The average of the generator and the strength of augmentation, against plain arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medgan.training.augment import STRONGEST
from medgan.training.average import RAMP, Average, Strength


def test_the_average_follows_with_its_half_life_and_its_ramp() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    average, expected = Average(network, half_life=100), 0.0
    for k in range(1, 400):
        nn.init.constant_(network.weight, float(k))
        average.follow(network, 16)
        half_life = min(100.0, RAMP * 16 * k)
        expected += (k - expected) * (1 - 0.5 ** (16 / half_life))
        assert float(average.network.weight) == pytest.approx(expected, rel=1e-4)
    assert not any(p.requires_grad for p in average.parameters())


def test_strength_goes_up_while_reals_are_known_too_surely_and_down_otherwise() -> None:
    strength = Strength(0.8, torch.device("cpu"))
    start = float(strength.value)
    strength.adapt(torch.tensor(0.9), 1000)
    assert float(strength.value) == pytest.approx(start + 1000 / Strength.IMAGES)
    strength.adapt(torch.tensor(0.1), 2000)
    assert float(strength.value) == pytest.approx(start - 1000 / Strength.IMAGES)
    for _ in range(200):
        strength.adapt(torch.tensor(0.9), 1000)
    assert float(strength.value) == pytest.approx(0.8)
    for _ in range(200):
        strength.adapt(torch.tensor(0.1), 1000)
    assert float(strength.value) == 0.0


def test_after_one_half_life_half_of_what_was_before_is_left() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1.0)
    average = Average(network, half_life=64)
    average.seen.fill_(1e6)  # long after the ramp
    nn.init.constant_(network.weight, 0.0)
    for _ in range(4):
        average.follow(network, 16)
    assert float(average.network.weight) == pytest.approx(0.5)


def test_an_average_counts_images_and_not_steps() -> None:
    network, averages = nn.Linear(3, 3), []
    for _ in range(2):
        averages.append(Average(network, half_life=100))
        averages[-1].seen.fill_(1e6)
    other = nn.Linear(3, 3)
    for average, batch in zip(averages, (8, 16), strict=True):
        for _ in range(64 // batch):
            average.follow(other, batch)
    assert torch.allclose(averages[0].network.weight, averages[1].network.weight, atol=1e-6)


def test_an_average_is_not_the_network_that_learns_and_changes_in_place() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(network, half_life=10)
    places = {name: value.data_ptr() for name, value in average.state_dict().items()}
    with torch.no_grad():
        network[0].weight += 1.0
    average.follow(network, 4)
    assert {name: value.data_ptr() for name, value in average.state_dict().items()} == places
    assert average.network[0].weight.data_ptr() != network[0].weight.data_ptr()
    assert network[0].weight.requires_grad


def test_strength_is_bounded_from_the_start_and_counts_images() -> None:
    assert float(Strength(0.1, torch.device("cpu")).value) == pytest.approx(0.1)
    strength = Strength(STRONGEST, torch.device("cpu"))
    assert 0 < float(strength.value) < STRONGEST
    place, start = strength.value.data_ptr(), float(strength.value)
    for _ in range(10):
        strength.adapt(torch.tensor(1.0), 16)
    assert float(strength.value) == pytest.approx(start + 160 / Strength.IMAGES, abs=1e-6)
    strength.adapt(torch.tensor(Strength.TARGET), 16)  # exactly as wanted
    assert float(strength.value) == pytest.approx(start + 160 / Strength.IMAGES, abs=1e-6)
    assert strength.value.data_ptr() == place  # a CUDA graph reads it there
