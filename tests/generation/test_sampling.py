"""A seed names an image: the same one alone, in any batch, in any order, on any day."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.generation.sampling import (
    BATCH,
    MAX_SEED,
    latents_of,
    sample,
    sample_ahead,
    sample_batches,
    with_standing_statistics,
)
from medgan.images import to_uint8
from medgan.models.build import build_generator


def ready(channels: int = 3, ngf: int = 4, size: int = 64) -> nn.Module:
    """A generator in eval mode whose images differ from seed to seed and use the whole range."""
    generator = drifted(channels, ngf, size)
    return with_standing_statistics(generator, batch_size=8, batches=2)


def drifted(channels: int = 3, ngf: int = 8, size: int = 64) -> nn.Module:
    """A generator as training leaves it: its running averages are those of earlier weights."""
    generator = build_generator(ModelConfig(channels=channels, size=size, ngf=ngf, latent=32)).train()
    with torch.no_grad():
        for k in range(3):
            generator(latents_of(range(100 * k, 100 * k + 16), 32))
        for name, parameter in generator.named_parameters():
            if parameter.dim() == 4:
                parameter.mul_(8.0 if name == "main.0.weight" else 3.0)
    return generator


@pytest.mark.parametrize(("channels", "ngf"), [(1, 4), (3, 4), (3, 64)], ids=["grey", "colour", "full width"])
def test_a_seed_gives_the_same_image_alone_in_any_batch_and_in_any_order(channels: int, ngf: int) -> None:
    generator = ready(channels, ngf)
    seeds = list(range(11))
    together = sample(generator, seeds)
    assert together.shape == (11, 64, 64, channels)
    assert together.dtype == np.uint8
    assert len({image.tobytes() for image in together}) == 11
    shuffled = random.Random(0).sample(seeds, 11)
    for seed, image in zip(shuffled, sample(generator, shuffled), strict=True):
        assert (image == together[seed]).all()
    for seed in (0, 7, 10):
        assert (sample(generator, [seed])[0] == together[seed]).all()
    for count in (2, BATCH, BATCH + 1):
        assert (sample(generator, seeds[-count:]) == together[-count:]).all()
    assert (sample(generator, [5, 5, 5]) == together[5]).all()


def test_seeds_are_pytorchs_own_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    rows = latents_of([17, 0], 100)
    sample(ready(), [1])
    assert torch.equal(torch.rand(2), expected)
    for row, seed in zip(rows, (17, 0), strict=True):
        torch.manual_seed(seed)
        assert torch.equal(row, torch.randn(100))


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match=f"Seed {seed} is not possible; seeds are 0 to {MAX_SEED}"):
        sample(ready(), [3, seed])
    assert len(latents_of([0, MAX_SEED], 4)) == 2


def test_batches_come_as_they_are_asked_for_and_together_are_the_sample() -> None:
    generator = ready()
    asked: list[int] = []

    def count(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        asked.append(len(arguments[0]))

    generator.register_forward_pre_hook(count)
    stream = sample_batches(generator, range(2 * BATCH + 3))
    first = next(stream)
    assert asked == [BATCH]
    rest = list(stream)
    assert asked == [BATCH] * 3  # the last one is filled up, so that rounding is the same
    assert [len(part) for part in (first, *rest)] == [BATCH, BATCH, 3]


@pytest.mark.parametrize("threads", [1, 3])
def test_images_made_ahead_are_those_of_the_sample_and_no_more_than_wanted(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model, left, seen = ready(), 30, list[int]()
        made = sample_ahead(model, iter(range(1000)), 1.0, lambda: left)
        for batch, images in made:
            assert np.array_equal(images, sample(model, batch))
            seen += batch
            left -= 7  # of each batch one is kept back
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == list(range(5 * BATCH))


def test_standing_statistics_are_deterministic() -> None:
    one, two = (with_standing_statistics(drifted(), 16) for _ in range(2))
    for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_standing_statistics_do_not_alter_the_network_in_training() -> None:
    generator = drifted()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    momenta = [m.momentum for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    copied = with_standing_statistics(generator, 16)
    assert torch.equal(torch.rand(2), expected)
    assert generator.training
    assert not copied.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert [m.momentum for m in generator.modules() if isinstance(m, nn.BatchNorm2d)] == momenta
    with torch.no_grad():
        next(copied.parameters()).zero_()
    assert torch.equal(next(generator.parameters()), before["main.0.weight"])


def test_images_in_eval_mode_look_like_those_of_train_mode() -> None:
    generator = drifted()
    latents = latents_of(range(64), 32)
    with torch.no_grad():
        train_mode = generator(latents)
        lagging = generator.eval()(latents)
        standing = with_standing_statistics(generator.train(), 64)(latents)

    def difference(images: Tensor) -> float:
        """Between the images of the same seeds, in units of how far images differ from one another."""
        return float((images - train_mode).abs().mean() / (train_mode[1:] - train_mode[:-1]).abs().mean())

    assert difference(standing) < 0.2
    assert difference(lagging) > 0.4  # what the running averages of training would have given
    assert float(standing.mean()) == pytest.approx(float(train_mode.mean()), abs=0.02)
    assert float(standing.std()) == pytest.approx(float(train_mode.std()), rel=0.05)


def test_sample_is_the_generators_output_as_bytes() -> None:
    generator = ready()
    with torch.inference_mode():
        expected = to_uint8(generator(latents_of(range(BATCH), 32)))
    assert (sample(generator, range(BATCH)) == expected).all()
