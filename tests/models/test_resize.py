"""The networks of preset `small`: no grid, all sizes, and a judge that is looked through, never trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.models.build import build_discriminator, build_generator
from medgan.models.frozen import TAPS, _sides, chosen
from medgan.models.layers import BatchSpread, Modulation, ResizeUp
from medgan.training.bodies import body_of
from tests.metrics.backbone import use_random_weights

CLASSES = (("melanoma", 3), ("nevus", 5))


def tiny(**changes: object) -> ModelConfig:
    return ModelConfig(**({"architecture": "resize", "size": 64, "ngf": 4, "ndf": 4, "latent": 8} | changes))


@pytest.fixture
def body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    use_random_weights(tmp_path, monkeypatch)
    found = body_of(tiny(frozen="squeezenet"))
    assert found is not None
    return found


def test_resize_up_repeats_each_place_and_then_convolves() -> None:
    layer, x = ResizeUp(3, 5), torch.randn(2, 3, 6, 6)
    kernel = layer.weight.transpose(0, 1).flip(2, 3)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), kernel, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_a_settled_resize_up_gives_the_same_and_keeps_its_state() -> None:
    torch.manual_seed(0)
    layer, x = ResizeUp(6, 4).requires_grad_(False), torch.randn(2, 6, 8, 8)
    names, expected = list(layer.state_dict()), layer(x)
    layer.settle()
    assert torch.equal(layer(x), expected) and list(layer.state_dict()) == names


def test_a_modulation_gives_the_same_in_place() -> None:
    torch.manual_seed(0)
    layer, x, latents = Modulation(8, 4, 16, seed=1), torch.randn(2, 4, 16, 16), torch.randn(2, 8)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    expected = layer(x, latents)
    expected.sum().backward()
    with torch.no_grad():
        place = x.data_ptr()
        assert torch.equal(layer(x, latents), expected) and x.data_ptr() == place
        assert torch.equal(x, expected)


@torch.no_grad()
def test_a_modulation_says_nothing_at_first_and_later_adds_what_the_latent_names() -> None:
    layer, again = (Modulation(20, 3, 16, seed=2) for _ in range(2))
    x, latents = torch.randn(4, 3, 16, 16), torch.randn(4, 20)
    assert torch.equal(layer(x.clone(), latents), x)
    for one in (layer, again):
        nn.init.ones_(one.strength)
    noise = (layer(x.clone(), latents) - x)[:, 0]
    assert torch.allclose(
        again(x.clone(), latents) - x, layer(x.clone(), latents) - x
    )  # everybody builds the same
    assert (noise[0] - noise[1]).abs().max() > 0.5
    assert noise.abs().max() <= 1.001 and noise.std() == pytest.approx(0.7, abs=0.1)
    beside = torch.corrcoef(torch.stack([noise[..., 1:].flatten(), noise[..., :-1].flatten()]))[0, 1]
    assert beside.abs() < 0.15  # as if drawn place by place


def test_the_spread_of_a_batch_is_seen_in_groups_of_four() -> None:
    alike = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    assert BatchSpread()(alike).shape == (8, 4, 4, 4)
    assert BatchSpread()(alike)[:, 3].abs().max() < 1e-3
    assert BatchSpread()(torch.randn(8, 3, 4, 4))[:, 3].min() > 0.4
    assert BatchSpread()(torch.randn(7, 3, 4, 4))[:, 3].min() > 0.4
    assert torch.isfinite(BatchSpread()(torch.randn(1, 3, 4, 4))).all()


def test_the_papers_networks_have_no_such_parts() -> None:
    for part, words in (("modulated", "modulation"), ("batch_spread", "spread of a batch")):
        with pytest.raises(ConfigError, match=f"know no {words}; use preset small"):
            ModelConfig(**{part: True})  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="true or false"):
            tiny(**{part: "yes"})


def test_resize_up_makes_no_grid_of_an_even_image() -> None:
    inside = ResizeUp(3, 5)(torch.ones(1, 3, 8, 8))[..., 1:-1, 1:-1]
    assert (inside - inside[..., :1, :1]).abs().max() < 1e-5


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("parts", [False, True])
def test_every_size_and_colour_goes_through_both_networks(
    size: int, channels: int, parts: bool, body: nn.Module
) -> None:
    config = tiny(
        size=size, channels=channels, frozen="squeezenet", modulated=parts, batch_spread=parts, latent=8
    )
    images = build_generator(config)(torch.randn(2, 8))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    own, frozen = build_discriminator(config, body=body).judges(images)
    assert own.shape == (2, 1)
    assert frozen.shape[0] == 2 and frozen.shape[1] >= 4 * len(TAPS)


@pytest.mark.parametrize("size", [128, 256])
def test_the_sides_of_the_frozen_features_are_foreseen(size: int, body: nn.Module) -> None:
    x, found = torch.zeros(1, 3, size, size), {}
    for k, layer in enumerate(body.children()):
        x = layer(x)
        if k in TAPS:
            found[k] = x.shape[-1]
            assert x.shape[1] == TAPS[k]
    assert found == _sides(size)


def test_the_frozen_network_is_no_part_of_the_state_and_learns_nothing(body: nn.Module) -> None:
    network = build_discriminator(tiny(size=128, frozen="squeezenet"), body=body)
    before = [p.clone() for p in body.parameters()]
    mine = {id(p) for p in network.parameters()}
    assert not mine & {id(p) for p in body.parameters()}
    assert not any("body" in name for name in network.state_dict())
    images = torch.randn(2, 3, 128, 128, requires_grad=True)
    sum(x.sum() for x in network.judges(images)).backward()
    assert all(p.grad is None for p in body.parameters())
    assert images.grad is not None and images.grad.abs().max() > 0
    assert all(torch.equal(a, b) for a, b in zip(before, body.parameters(), strict=True))


def test_the_frozen_network_follows_to_another_type(body: nn.Module) -> None:
    build_discriminator(tiny(frozen="squeezenet"), body=body).to(torch.float64)
    assert next(body.parameters()).dtype == torch.float64


def test_a_class_adds_its_own_part_to_the_common_one() -> None:
    outputs = torch.arange(2 * 3.0).view(2, 3, 1, 1)
    assert chosen(outputs, None).flatten().tolist() == [0.0, 3.0]
    labels = torch.tensor([1, 0])
    assert chosen(outputs, labels).flatten().tolist() == [0.0 + 2.0, 3.0 + 4.0]
    assert chosen(outputs, labels, torch.tensor(0.5)).flatten().tolist() == [1.0, 5.0]


def test_classes_do_not_matter_before_their_time_and_do_afterwards() -> None:
    network = build_generator(tiny(classes=CLASSES)).eval()
    z, labels = torch.randn(1, 8).repeat(2, 1), torch.tensor([0, 1])
    first, second = network(z, labels)
    assert torch.equal(first, second)
    network.conditioning.ramp.fill_(1.0)
    first, second = network(z, labels)
    assert not torch.allclose(first, second)


def test_the_papers_networks_refuse_classes() -> None:
    with pytest.raises(ConfigError, match="use preset small"):
        build_generator(ModelConfig(classes=CLASSES))


@pytest.mark.parametrize("classes", [[["one", 3]], [["a", 1], ["a", 2]], [["a", 0], ["b", 2]], ["ab"], 3])
def test_impossible_classes_are_refused(classes: object) -> None:
    with pytest.raises(ConfigError, match="two to 1000 different names"):
        ModelConfig.from_json({"classes": classes})


def test_classes_survive_json() -> None:
    config = tiny(classes=CLASSES)
    assert ModelConfig.from_json(config.to_json()) == config
