"""Augmentation: decided by its draws, differentiable, and never what a modality forbids."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from medgan.modalities import ALL, BLACK, MIRROR, MODALITIES, NONE
from medgan.training.augment import DRAWS, Augmentation

NEVER, ALWAYS = torch.tensor(0.0), torch.tensor(1.0)


def images(count: int = 4, channels: int = 3, side: int = 32) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def draws(count: int = 4, seed: int = 2) -> Tensor:
    return torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(seed))


def turns(image: Tensor) -> list[Tensor]:
    """All eight, `(C, S, S)` each."""
    flips = (image, image.flip(2))
    return [torch.rot90(flip, k, (1, 2)) for flip, k in itertools.product(flips, range(4))]


@pytest.mark.parametrize("name", [n for n, m in MODALITIES.items() if m.symmetry == NONE])
def test_without_strength_an_image_without_symmetry_stays_as_it_is(name: str) -> None:
    x = images()
    assert torch.allclose(Augmentation(MODALITIES[name])(x, draws(), NEVER), x, atol=1e-5)


@pytest.mark.parametrize("name", [n for n, m in MODALITIES.items() if m.symmetry != NONE])
def test_without_strength_exactly_the_symmetries_are_seen(name: str) -> None:
    x = images(1).repeat(200, 1, 1, 1)
    found = Augmentation(MODALITIES[name])(x, draws(200), NEVER)
    possible = turns(x[0])
    near = [[bool(torch.allclose(y, turn, atol=1e-4)) for turn in possible] for y in found]
    seen = {row.index(True) for row in near}  # each is one of the eight
    assert len(seen) == {ALL: 8, MIRROR: 2}[MODALITIES[name].symmetry]


@pytest.mark.parametrize("name", list(MODALITIES))
def test_draws_decide_and_gradients_flow(name: str) -> None:
    x = images().requires_grad_()
    augment = Augmentation(MODALITIES[name])
    first, again, other = (
        augment(x, draws(), ALWAYS),
        augment(x, draws(), ALWAYS),
        augment(x, draws(4, 3), ALWAYS),
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == x.shape and torch.isfinite(first).all()
    first.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", [n for n, m in MODALITIES.items() if m.symmetry == NONE])
def test_a_mark_on_one_side_stays_there_however_strong(name: str) -> None:
    x = -torch.ones(64, 1, 32, 32)
    x[:, :, 13:19, 4:10] = 1.0  # left of the middle
    y = (Augmentation(MODALITIES[name])(x, draws(64), ALWAYS) + 1).clamp_min(0)
    left, right = y[..., :16].sum((1, 2, 3)), y[..., 16:].sum((1, 2, 3))
    assert (left >= right - 20).all()  # a cutout may take the mark, and mid-grey be what is left


@pytest.mark.parametrize("name", list(MODALITIES))
def test_what_comes_in_from_outside_is_the_background(name: str) -> None:
    modality = MODALITIES[name]
    y = Augmentation(modality)._placed(torch.ones(32, 1, 32, 32), _chance(draws(32)))
    if modality.background == BLACK:
        assert y.min() < -0.9
    else:
        assert torch.allclose(y, torch.ones_like(y), atol=1e-5)


def test_hue_leaves_grey_images_and_grey_pixels_alone() -> None:
    augment = Augmentation(MODALITIES["histology"])
    grey = images(4, 1).repeat(1, 3, 1, 1)
    turned = torch.einsum("nij,njhw->nihw", augment._hues(_chance(draws())), grey)
    assert torch.allclose(turned, grey, atol=1e-5)
    assert augment(images(4, 1), draws(), ALWAYS).shape == (4, 1, 32, 32)


def _chance(drawn: Tensor):  # type: ignore[no-untyped-def]
    from medgan.training.augment import _Chance

    return _Chance(drawn, ALWAYS)
