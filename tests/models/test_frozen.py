"""The judge that looks through a frozen network: what it sees, and that it stays as it is."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgan.config import ModelConfig
from medgan.metrics.features import load
from medgan.models.build import build_discriminator
from medgan.models.frozen import FEWEST, TAPS, FrozenJudge, _sides, chosen
from medgan.training.bodies import body_of
from tests.metrics.backbone import use_random_weights

CONFIG = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, frozen="squeezenet")


@pytest.fixture
def body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    use_random_weights(tmp_path, monkeypatch)
    found = body_of(CONFIG)
    assert found is not None
    return found


def images(count: int = 2, channels: int = 3, size: int = 64) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_features_at_each_tap_are_as_large_as_its_head_expects(size: int, body: nn.Module) -> None:
    judge = FrozenJudge(CONFIG, body)
    found = [tuple(x.shape[1:]) for x in judge._features(images(1, size=size))]
    sides = _sides(max(size, FEWEST))
    assert found == [(width, sides[tap], sides[tap]) for tap, width in TAPS.items()]


def test_small_images_are_enlarged_and_large_ones_seen_as_they_are(body: nn.Module) -> None:
    judge, small = FrozenJudge(CONFIG, body), images()
    large = F.interpolate(small, size=(FEWEST, FEWEST), mode="bilinear")
    assert torch.allclose(judge(small), judge(large), atol=1e-5)


def test_a_grey_image_is_one_of_three_equal_channels(body: nn.Module) -> None:
    judge = FrozenJudge(CONFIG, body)
    grey = images(channels=1)
    assert torch.allclose(judge(grey), judge(grey.expand(-1, 3, -1, -1)), atol=1e-5)


def test_it_sees_what_the_network_that_measures_sees(body: nn.Module) -> None:
    """The same weights, and pixels brought into the same range."""
    *_, last = FrozenJudge(CONFIG, body)._features(images(size=FEWEST))
    network = load("squeezenet")
    scaled = (images(size=FEWEST) + 1) / 2
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (network.mean, network.std))
    assert torch.allclose(network.module.features((scaled - mean) / std), last, atol=1e-4)


def test_training_the_discriminator_does_not_wake_the_frozen_network(body: nn.Module) -> None:
    network = build_discriminator(CONFIG, body=body).train().requires_grad_(True)
    assert not any(module.training for module in body.modules())
    assert not any(p.requires_grad for p in body.parameters())
    assert all(p.requires_grad for p in network.parameters())
    assert len(list(network.modules())) == len(list(build_discriminator(CONFIG, body=body).modules()))


def test_it_is_copied_and_moved_with_the_discriminator(body: nn.Module) -> None:
    network = build_discriminator(CONFIG, body=body)
    twin = copy.deepcopy(network).to(torch.float64).to(memory_format=torch.channels_last)
    mine, theirs = (n.frozen._body[0] for n in (network, twin))
    assert next(mine.parameters()).dtype == torch.float32
    weight = theirs[0].weight
    assert weight.dtype == torch.float64 and weight.is_contiguous(memory_format=torch.channels_last)
    assert [x.dtype for x in twin.judges(images().double())] == [torch.float64] * 2


def test_what_a_head_has_looked_at_stays_as_it_was(body: nn.Module) -> None:
    """A layer that overwrites its input would change what was already handed out."""
    judge = FrozenJudge(CONFIG, body)
    kept = []
    for x in judge._features(images()):
        kept.append((x, x.clone()))
    assert all(torch.equal(now, then) for now, then in kept)


def test_the_state_of_a_discriminator_is_the_same_with_any_body(body: nn.Module) -> None:
    first = build_discriminator(CONFIG, 3, body)
    with torch.no_grad():
        body[0].weight.zero_()
    second = build_discriminator(CONFIG, 3, body)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    without = build_discriminator(CONFIG, 3)
    assert {name for name in first.state_dict() if not name.startswith("frozen.")} == set(
        without.state_dict()
    )


def test_every_place_gets_the_common_logit_and_that_of_its_images_class() -> None:
    outputs = torch.randn(3, 1 + 4, 2, 5)
    labels = torch.tensor([3, 0, 3])
    found = chosen(outputs, labels)
    assert found.shape == (3, 10)
    for k, label in enumerate(labels.tolist()):
        assert torch.equal(found[k], (outputs[k, 0] + outputs[k, 1 + label]).flatten())
    assert torch.equal(chosen(outputs, labels, torch.tensor(0.0)), chosen(outputs))


def test_a_class_learns_only_from_its_own_images() -> None:
    outputs = torch.randn(3, 1 + 4, 2, 2, requires_grad=True)
    chosen(outputs, torch.tensor([3, 0, 3])).sum().backward()
    assert outputs.grad is not None
    learned = outputs.grad.abs().sum((2, 3)) > 0
    assert learned.tolist() == [
        [True, False, False, False, True],
        [True, True, False, False, False],
        [True, False, False, False, True],
    ]
