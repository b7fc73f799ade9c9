"""The encoder fits its generator, and the discriminator's features are what its last layer sees."""

from __future__ import annotations

import pytest
import torch

from medgan.config import ModelConfig
from medgan.models.build import build_discriminator
from medgan.models.encoder import Features, build_encoder


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 128)])
def test_an_encoder_gives_as_many_latents_as_the_generator_takes(channels: int, size: int) -> None:
    config = ModelConfig(channels=channels, size=size, ngf=2, ndf=2, latent=7)
    assert build_encoder(config)(torch.zeros(3, channels, size, size)).shape == (3, 7)


def test_the_seed_decides_the_weights_and_nobody_elses_draws() -> None:
    config = ModelConfig(channels=1, size=64, ndf=2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (build_encoder(config, seed).state_dict()["main.0.weight"] for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_features_are_what_the_last_layer_is_given() -> None:
    config = ModelConfig(channels=1, size=64, ndf=2)
    network = build_discriminator(config).eval().requires_grad_(False)
    images = torch.rand(2, 1, 64, 64) * 2 - 1
    features = Features(network)(images)
    assert torch.equal(features, network.main[:-1](images).flatten(1))
