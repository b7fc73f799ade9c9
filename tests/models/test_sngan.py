"""The paper's networks: sizes, initialisation, and what spectral norm and batch norm do to each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.models.build import build_discriminator, build_generator, count_parameters
from medgan.models.layers import normalised_weight
from medgan.presets import preset

SMALL = ModelConfig(size=64, ngf=8, ndf=8)


def convolutions(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


def underlying_weight(layer: Any) -> Tensor:
    """The weight that is learned, before spectral normalisation."""
    weight = layer.parametrizations.weight.original if parametrize.is_parametrized(layer) else layer.weight
    return weight.detach()


def largest_singular_value(layer: Any) -> float:
    return float(torch.linalg.matrix_norm(normalised_weight(layer), 2))


def freed_convolutions(discriminator: Any) -> list[nn.Conv2d]:
    """Replace every convolution by a plain one that starts at the normalised weight."""
    for k, layer in enumerate(discriminator.main):
        if isinstance(layer, nn.Conv2d):
            shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
            discriminator.main[k] = nn.Conv2d(*shape, bias=False)
            discriminator.main[k].weight.copy_(layer.weight)
    return convolutions(discriminator)


def images(count: int, config: ModelConfig) -> Tensor:
    shape = (count, config.channels, config.size, config.size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_networks_fit_together_at_every_size_in_grey_and_colour(channels: int, size: int) -> None:
    config = ModelConfig(channels=channels, size=size, ngf=4, ndf=4)
    generated = build_generator(config)(torch.randn(2, config.latent))
    assert generated.shape == (2, channels, size, size)
    assert generated.abs().max() <= 1.0
    assert build_discriminator(config)(generated).shape == (2,)


@pytest.mark.parametrize(
    ("name", "millions"), [("paper", (12.8, 11.2)), ("demo", (1.1, 0.7))], ids=["paper", "demo"]
)
def test_parameter_counts_are_the_published_ones(name: str, millions: tuple[float, float]) -> None:
    model = preset(name).model
    counts = (count_parameters(build_generator(model)), count_parameters(build_discriminator(model)))
    assert tuple(round(count / 1e6, 1) for count in counts) == millions


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_the_dcgan_initialisation_reaches_the_weights(build: Any) -> None:
    # On layers that are wrapped first, N(0, 0.02) is silently lost and PyTorch's own scale stays.
    network = build(preset("paper").model)
    for layer in convolutions(network):
        weight = underlying_weight(layer)
        assert float(weight.std()) == pytest.approx(0.02, rel=0.05)
        assert abs(float(weight.mean())) < 0.002
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        assert float(norm.weight.detach().std()) == pytest.approx(0.02, rel=0.5)
        assert float(norm.weight.detach().mean()) == pytest.approx(1.0, abs=0.02)
        assert not norm.bias.any()


def test_only_the_discriminator_is_spectrally_normalised() -> None:
    assert all(map(parametrize.is_parametrized, convolutions(build_discriminator(SMALL))))
    assert not any(map(parametrize.is_parametrized, convolutions(build_generator(SMALL))))


def test_every_discriminator_convolution_has_spectral_norm_one_after_many_passes() -> None:
    discriminator = build_discriminator(SMALL).train()
    before = [
        float(torch.linalg.matrix_norm(underlying_weight(c).flatten(1), 2))
        for c in convolutions(discriminator)
    ]
    with torch.no_grad():
        for _ in range(100):
            discriminator(images(2, SMALL))
    for layer, raw in zip(convolutions(discriminator), before, strict=True):
        assert largest_singular_value(layer) == pytest.approx(1.0, abs=0.01)
        assert abs(raw - 1.0) > 0.1  # without the normalisation it would not be


def test_the_norm_follows_a_weight_that_grows_tenfold() -> None:
    discriminator = build_discriminator(SMALL).train()
    with torch.no_grad():
        for layer in convolutions(discriminator):
            layer.parametrizations.weight.original.mul_(10)
            layer.parametrizations.weight.original[0].mul_(5)  # and turns
        for _ in range(100):
            discriminator(images(2, SMALL))
    for layer in convolutions(discriminator):
        assert largest_singular_value(layer) == pytest.approx(1.0, abs=0.01)


def test_batch_norm_cancels_the_spectral_norm_of_all_convolutions_but_the_last() -> None:
    # The paper's oddity: BN(c W x) = BN(W x). The first convolution has no batch norm of its own, but
    # leaky ReLU passes a factor on to the second convolution and its batch norm.
    discriminator = build_discriminator(SMALL)
    with torch.no_grad():
        layers = freed_convolutions(discriminator)
        before = discriminator(images(8, SMALL))
        for layer in layers[:-1]:
            layer.weight.mul_(7.3)
        assert (discriminator(images(8, SMALL)) - before).abs().max() < 1e-3
        layers[-1].weight.mul_(7.3)
        assert (discriminator(images(8, SMALL)) - 7.3 * before).abs().max() < 1e-2


def test_the_discriminator_stays_finite_at_a_constant_image() -> None:
    black = -torch.ones(4, 3, 64, 64)
    assert torch.isfinite(build_discriminator(SMALL)(black)).all()


def test_the_seed_decides_the_weights_and_leaves_other_draws_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (build_generator(SMALL, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not any(torch.equal(a, c) for a, _, c in pairs if a.dim() == 4)


def test_an_unknown_architecture_is_refused_with_the_valid_ones() -> None:
    for build in (build_generator, build_discriminator):
        with pytest.raises(ConfigError, match=r"'vae'; valid are: sngan"):
            build(ModelConfig(architecture="vae"))
