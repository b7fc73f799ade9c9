"""Augmentation: decided by its draws, differentiable, and never what a modality forbids."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from medgan.modalities import ALL, BLACK, EDGE, MIRROR, MODALITIES, NONE, Modality
from medgan.training.augment import _GATES, _VALUES, DRAWS, Augmentation, _Chance

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


def _chance(drawn: Tensor) -> _Chance:
    return _Chance(drawn, ALWAYS)


def fixed(**changes: float) -> Tensor:
    """The draws of one image for which nothing happens, but for `changes`: `shift_x=0.5` moves half of what
    is possible."""
    drawn = torch.full((1, DRAWS), 0.5)
    drawn[:, 0] = 0.9  # not mirrored
    drawn[:, 1] = 0.0  # not turned
    for name, value in changes.items():
        drawn[:, 2 + _VALUES.index(name)] = (value + 1) / 2
    return drawn


def only(**values: object) -> Modality:
    """A modality that allows nothing, but for `values`."""
    nothing = dict.fromkeys(("shift", "scale", "rotation", "cutout", "brightness", "contrast", "hue"), 0.0)
    return Modality("made-up", "Made up", **(nothing | values))  # type: ignore[arg-type]


def test_a_shift_moves_by_its_share_of_the_side_and_black_comes_in() -> None:
    x = images(1)
    y = Augmentation(only(shift=0.25))(x, fixed(shift_x=1.0, shift_y=0.5), ALWAYS)
    assert torch.allclose(y[..., :-4, :-8], x[..., 4:, 8:], atol=1e-5)
    assert torch.allclose(y[..., -4:, :], -torch.ones(()), atol=1e-5)
    assert torch.allclose(y[..., -8:], -torch.ones(()), atol=1e-5)


def test_where_the_edge_is_the_background_the_image_goes_on_mirrored() -> None:
    x = images(1)
    y = Augmentation(only(shift=0.25, background=EDGE))(x, fixed(shift_x=1.0), ALWAYS)
    assert torch.allclose(y[..., :-8], x[..., 8:], atol=1e-5)
    assert torch.allclose(y[..., -8:], x[..., -9:-1].flip(-1), atol=1e-5)


def test_scale_and_rotation_keep_the_middle_where_it_is() -> None:
    x = -torch.ones(1, 1, 33, 33)
    x[..., 16, 16] = 1.0
    x = F.avg_pool2d(x, 3, 1, 1)
    modality = only(scale=0.2, rotation=15.0)
    y = Augmentation(modality)(x, fixed(scale=1.0, rotation=-1.0), ALWAYS)
    mass = (y + 1).sum((0, 1))
    rows = (mass.sum(1) * torch.arange(33)).sum() / mass.sum()
    columns = (mass.sum(0) * torch.arange(33)).sum() / mass.sum()
    assert float(rows) == pytest.approx(16, abs=0.05)
    assert float(columns) == pytest.approx(16, abs=0.05)
    assert float(mass.sum() / (x + 1).sum()) == pytest.approx(1 / 1.2**2, rel=0.1)


@pytest.mark.parametrize(("background", "value"), [(BLACK, -1.0), (EDGE, 0.0)])
def test_a_cutout_is_a_square_of_the_background_and_leaves_the_rest(background: str, value: float) -> None:
    x = images(1)
    y = Augmentation(only(cutout=0.25, background=background))(x, fixed(), ALWAYS)
    assert torch.allclose(y[..., 12:20, 12:20], torch.full((), value), atol=1e-6)
    changed = (y != x).any(1)[0]
    assert int(changed.sum()) == 8 * 8


def test_contrast_and_brightness_change_as_much_as_they_may() -> None:
    x = images(1)
    y = Augmentation(only(brightness=0.1))(x, fixed(brightness=1.0), ALWAYS)
    assert torch.allclose(y, x + 0.2, atol=1e-6)  # the range is 2 wide
    y = Augmentation(only(contrast=0.1))(x, fixed(contrast=1.0), ALWAYS)
    assert torch.allclose(y - x.mean(), 1.1 * (x - x.mean()), atol=1e-5)


def test_a_turn_of_hue_keeps_brightness_and_saturation() -> None:
    x = images(1)
    y = Augmentation(only(hue=0.1))(x, fixed(hue=1.0), ALWAYS)
    assert not torch.allclose(y, x, atol=0.01)
    assert torch.allclose(y.mean(1), x.mean(1), atol=1e-5)
    assert torch.allclose(
        (y - y.mean(1, keepdim=True)).norm(dim=1), (x - x.mean(1, keepdim=True)).norm(dim=1)
    )
    back = Augmentation(only(hue=0.1))(y, fixed(hue=-1.0), ALWAYS)
    assert torch.allclose(back, x, atol=1e-5)


@pytest.mark.parametrize("name", list(MODALITIES))
def test_what_comes_out_stays_near_the_range(name: str) -> None:
    modality = MODALITIES[name]
    y = Augmentation(modality)(images(64), draws(64), ALWAYS)
    hue = modality.hue * 2 * math.pi  # a turn moves by no more than its arc, of a radius of at most sqrt(8/3)
    most = (1 + hue * math.sqrt(8 / 3)) * (1 + 2 * modality.contrast) + 2 * modality.brightness
    assert y.abs().max() <= most < 1.8


@pytest.mark.parametrize("name", [n for n, m in MODALITIES.items() if m.symmetry != ALL])
def test_up_and_down_never_change_places_however_strong(name: str) -> None:
    x = -torch.ones(128, 1, 64, 64)
    x[:, :, 50:56, 16:48] = 1.0  # a table
    y = (Augmentation(MODALITIES[name])(x, draws(128), ALWAYS) + 0.6).clamp_min(0)
    above, below = y[..., :32, :].sum((1, 2, 3)), y[..., 32:, :].sum((1, 2, 3))
    assert (above <= below).all() and (below > 5).float().mean() > 0.9


@pytest.mark.parametrize("name", [n for n, m in MODALITIES.items() if m.symmetry == NONE])
def test_a_letter_is_never_mirrored_or_turned_however_strong(name: str) -> None:
    """An F among all that becomes of it is nearer to itself than to any of its seven other turns."""
    letter = -torch.ones(1, 1, 64, 64)
    letter[..., 16:48, 24:30] = letter[..., 16:22, 24:42] = letter[..., 30:36, 24:38] = 1.0
    modality = replace(MODALITIES[name], cutout=0.0)  # a hole that hides half of it proves nothing
    found = Augmentation(modality)(letter.repeat(128, 1, 1, 1), draws(128), ALWAYS)
    for kept, *others in zip(*(_likeness(found, turn) for turn in turns(letter[0])), strict=True):
        assert kept > max(others)


def test_changes_happen_as_often_as_the_strength_says() -> None:
    chance = _Chance(draws(4000), torch.tensor(0.3))
    often = [float(chance.on(name).mean()) for name in _GATES]
    assert all(share == pytest.approx(0.3, abs=0.03) for share in often)
    together = chance.on("shift") * chance.on("cutout")
    assert float(together.mean()) == pytest.approx(0.09, abs=0.02)  # each for itself


def test_grey_images_are_what_colour_images_of_equal_channels_are() -> None:
    grey = images(4, 1)
    augment = Augmentation(MODALITIES["histology"])
    colour = augment(grey.expand(-1, 3, -1, -1), draws(), ALWAYS)
    assert torch.allclose(augment(grey, draws(), ALWAYS).expand(-1, 3, -1, -1), colour, atol=1e-5)


def test_low_precision_outside_changes_nothing() -> None:
    augment, x = Augmentation(MODALITIES["dermoscopy"]), images().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        y = augment(x, draws(), ALWAYS)
    assert y.dtype == torch.float32
    assert torch.equal(y, augment(x.float(), draws(), ALWAYS))


def _likeness(found: Tensor, turn: Tensor) -> list[float]:
    """How much of `turn` is in each image at the best place, blurred so that a small change costs little."""
    small, pattern = (F.avg_pool2d(x + 1, 4) for x in (found, turn[None]))
    return F.conv2d(small, pattern, padding=6).flatten(1).amax(1).tolist()
