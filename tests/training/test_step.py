"""One training step: what it changes, and that its shortcuts change nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medgan.config import ModelConfig, TrainConfig
from medgan.models.layers import normalised_weight
from medgan.training.step import GanStep, StepResult

MODEL = ModelConfig(channels=3, size=64, ngf=8, ndf=8, latent=16)
TRAIN = TrainConfig(batch_size=4)
CPU = torch.device("cpu")


def new_step(precision: torch.dtype = torch.float32, **train: Any) -> GanStep:
    return GanStep(MODEL, TrainConfig(**({"batch_size": 4} | train)), CPU, precision)


def batch(k: int, count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(k)
    real = torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1
    return real, torch.randn(count, MODEL.latent, generator=generator)


def parameters(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def test_one_step_changes_every_parameter_of_both_networks() -> None:
    step = new_step()
    before = parameters(step.generator), parameters(step.discriminator)
    step(*batch(0))
    for network, old in zip((step.generator, step.discriminator), before, strict=True):
        still = [name for name, value in network.named_parameters() if torch.equal(value, old[name])]
        assert not still


def test_the_discriminator_is_unfrozen_after_the_step() -> None:
    step = new_step()
    step(*batch(0))
    assert all(p.requires_grad for p in step.discriminator.parameters())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_the_cached_spectral_norm_still_gives_gradients_to_its_weights(precision: torch.dtype) -> None:
    # A cache first filled without gradients would leave them all without, and nobody would notice.
    step = new_step(precision)
    for k in range(3):
        step(*batch(k))
        for name, parameter in step.discriminator.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_the_reported_losses_and_scores_are_those_before_the_update() -> None:
    step = new_step()
    real, noise = batch(0)
    twin_g, twin_d = copy.deepcopy(step.generator), copy.deepcopy(step.discriminator)
    result = step(real, noise)
    bce = nn.BCELoss()
    fake = twin_g(noise).detach()
    with parametrize.cached():
        d_real, d_fake = twin_d(real).sigmoid(), twin_d(fake).sigmoid()
    loss = bce(d_real, torch.ones(4)) + bce(d_fake, torch.zeros(4))
    assert torch.allclose(result.loss_d, loss, atol=1e-5)
    assert torch.allclose(result.d_real, d_real.mean(), atol=1e-5)
    assert torch.allclose(result.d_fake, d_fake.mean(), atol=1e-5)
    assert not any(value.requires_grad for value in vars(result).values())


class PlainLoop:
    """The DCGAN tutorial's loop: sigmoid and BCELoss, a backward pass for each of real, fake and
    generator, plain Adam, no channels-last, nothing frozen.

    One thing is made equal: real and fake pass share one power iteration of the spectral norm, where
    the tutorial's loop would make one each.
    """

    def __init__(self, step: GanStep) -> None:
        self.generator, self.discriminator = copy.deepcopy(step.generator), copy.deepcopy(step.discriminator)
        for network in (self.generator, self.discriminator):
            network.to(memory_format=torch.contiguous_format)
        adam = {"lr": TRAIN.learning_rate, "betas": (TRAIN.beta1, TRAIN.beta2), "foreach": False}
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), **adam)

    def __call__(self, real: Tensor, noise: Tensor) -> StepResult:
        bce, ones, zeros = nn.BCELoss(), torch.ones(len(real)), torch.zeros(len(real))
        self.discriminator.zero_grad()
        fake = self.generator(noise)
        with parametrize.cached():
            d_real = self.discriminator(real).sigmoid()
            loss_real = bce(d_real, ones)
            loss_real.backward(retain_graph=True)
            d_fake = self.discriminator(fake.detach()).sigmoid()
            loss_fake = bce(d_fake, zeros)
            loss_fake.backward()
        self.optimizer_d.step()
        self.generator.zero_grad()
        loss_g = bce(self.discriminator(fake).sigmoid(), ones)
        loss_g.backward()
        self.optimizer_g.step()
        return StepResult((loss_real + loss_fake).detach(), loss_g.detach(), d_real.mean(), d_fake.mean())


def test_several_steps_in_full_precision_equal_the_plain_tutorial_loop() -> None:
    step = new_step()
    plain = PlainLoop(step)
    for k in range(5):
        data = batch(k, count=4 if k != 2 else 3)  # one smaller batch, as at the end of an epoch
        fast, slow = step(*data), plain(*data)
        assert torch.allclose(fast.loss_d, slow.loss_d, rtol=1e-3)
        assert torch.allclose(fast.loss_g, slow.loss_g, rtol=1e-3)
    for mine, theirs in ((step.generator, plain.generator), (step.discriminator, plain.discriminator)):
        for (name, a), b in zip(mine.state_dict().items(), theirs.state_dict().values(), strict=True):
            # Adam turns a gradient that is nearly zero into a step of full size (2e-4), whichever sign
            # rounding gives it, so a single weight may differ; on average they do not.
            difference = (a - b).abs().float()
            assert difference.max() < 4e-4, name
            assert difference.mean() < 1e-6, name


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_spectral_norms_stay_near_one_while_the_weights_learn(precision: torch.dtype) -> None:
    step = new_step(precision, learning_rate=1e-3)
    for k in range(30):
        step(*batch(k))
    for layer in step.discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            with torch.no_grad():
                largest = float(torch.linalg.matrix_norm(normalised_weight(layer), 2))
            assert largest == pytest.approx(1.0, abs=0.05)


def test_the_discriminator_learns_to_tell_real_from_generated() -> None:
    step = new_step()
    first = step(*batch(0))
    for k in range(1, 25):
        last = step(batch(0)[0], batch(k)[1])
    assert last.loss_d < 0.5 * first.loss_d
    assert last.d_real > 0.7 > 0.3 > last.d_fake


def test_the_same_seed_trains_the_same_networks_and_another_seed_others() -> None:
    steps = [new_step(seed=seed) for seed in (1, 1, 2)]
    for step in steps:
        step(*batch(0))
        step(*batch(1))
    one, same, other = (parameters(step.generator) for step in steps)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["main.0.weight"], other["main.0.weight"])
