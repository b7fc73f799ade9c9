"""The average of the generator and the strength of augmentation, against plain arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

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
