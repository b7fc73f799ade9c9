"""One discriminator and one generator update, and nothing else: no files, no prints, no host sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medgan.config import ModelConfig, TrainConfig
from medgan.modalities import OFF, modality
from medgan.models.build import build_discriminator, build_generator
from medgan.models.resize import Conditioning
from medgan.training.augment import STRONGEST, Augmentation
from medgan.training.average import Average, Strength
from medgan.training.bodies import body_of
from medgan.training.losses import loss_before_judges, loss_of_judges
from medgan.training.together import ALONE, Together, share_batch_norm

CLASSES_AFTER = 10_000
"""Images after which classes begin to matter, and after as many again they do so fully."""


@dataclass(frozen=True)
class StepResult:
    """Scalars of one step, still on the device (reading one would stall it)."""

    loss_d: Tensor
    loss_g: Tensor
    d_real: Tensor
    d_fake: Tensor


class GanStep:
    """The two networks with their optimisers; calling it does one step. Of several processes that train
    `together` each has one, and they stay equal."""

    def __init__(
        self,
        model: ModelConfig,
        train: TrainConfig,
        device: torch.device,
        precision: torch.dtype,
        together: Together = ALONE,
    ) -> None:
        self.device = device
        self.precision = precision
        self.together = together
        self.generator = self._place(build_generator(model, train.seed))
        self.discriminator = self._place(build_discriminator(model, train.seed + 1, body_of(model)))
        self.optimizer_g = _adam(self.generator, train)
        self.optimizer_d = _adam(self.discriminator, train)
        self.average = Average(self.generator, 1000 * train.ema_kimg) if train.ema_kimg else None
        self.augmentation: Augmentation | None = None
        self.strength: Strength | None = None
        if train.augment != OFF:
            self.augmentation = Augmentation(modality(train.augment))
            self.strength = Strength(STRONGEST, device)

    def __call__(
        self,
        real: Tensor,
        latents: Tensor,
        whole: int | None = None,
        *,
        draws: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> StepResult:
        """One update of each network from real images `(N, C, S, S)`, float in [-1, 1], and latents `(N,
        latent)`, both on the device. `draws` `(N, 2, DRAWS)` are for the augmentation of real and generated
        images, `labels` `(N,)` their classes. `whole` is the number of images of the batch where these are
        this process's part of it."""
        count = len(real) if whole is None else whole
        weight = self.together.weight(count)
        with self.together.at_work():
            with self.autocast():
                fake = self.generator(latents) if labels is None else self.generator(latents, labels)
            if self.augmentation is not None and self.strength is not None and draws is not None:
                real = self.augmentation(real, draws[:, 0], self.strength.value)
                fake = self.augmentation(fake, draws[:, 1], self.strength.value)
            real, fake = (x.contiguous(memory_format=torch.channels_last) for x in (real, fake))
            result = self._update_discriminator(real, fake.detach(), labels, count)
            loss_g = self._update_generator(fake, labels, weight)
            if self.average is not None:
                self.average.follow(self.generator, count)
            if labels is not None:
                tell_apart(list(self.networks().values()), count / CLASSES_AFTER)
        return StepResult(result[0], loss_g, result[1] * weight, result[2] * weight)

    def networks(self) -> dict[str, nn.Module]:
        """All networks that a checkpoint holds, by name, and what else changes with every step."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        more = {"ema": self.average, "strength": self.strength}
        return networks | {name: module for name, module in more.items() if module is not None}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Both optimisers by name."""
        return {"optimizer_g": self.optimizer_g, "optimizer_d": self.optimizer_d}

    def sampler(self) -> nn.Module:
        """The network to sample from: the average where there is one, else the generator."""
        return self.average.network if self.average is not None else self.generator

    def autocast(self) -> torch.autocast:
        """The precision context of the forward passes; losses are computed in fp32 outside it."""
        low = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision if low else None, enabled=low)

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, count: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        weight = self.together.weight(count)
        self.optimizer_d.zero_grad(set_to_none=True)
        # Real and fake pass apart, as in the paper: batch norm then sees them apart. One cached
        # spectral norm serves both passes, which is why their losses must be one sum.
        with self.autocast(), parametrize.cached():
            of_real = self._judged(real, labels)
            of_fake = self._judged(fake, labels)
        loss = loss_of_judges(of_real, of_fake) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        self.together.average_gradients(self.discriminator)
        self.optimizer_d.step()
        if self.strength is not None:
            sign = torch.sign(of_real[0].detach().float()).mean() * weight
            self.together.average([sign])
            self.strength.adapt(sign, count)
        own = (torch.sigmoid(x[0].detach().float()).mean() for x in (of_real, of_fake))
        real_score, fake_score = own
        return loss.detach(), real_score, fake_score

    def _update_generator(self, fake: Tensor, labels: Tensor | None, weight: float) -> Tensor:
        self.optimizer_g.zero_grad(set_to_none=True)
        # Without gradients for the discriminator's weights the step costs 8 % fewer operations.
        self.discriminator.requires_grad_(False)
        with self.autocast():
            of_fake = self._judged(fake, labels)
        loss = loss_before_judges(of_fake) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        self.together.average_gradients(self.generator)
        self.optimizer_g.step()
        self.discriminator.requires_grad_(True)
        return loss.detach()

    def _judged(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
        logits: tuple[Tensor, ...] = self.discriminator.judges(images, labels)  # type: ignore[operator]
        return logits

    def _place(self, network: nn.Module) -> nn.Module:
        # On a CPU the weights keep the plain layout: spectral norm and the matrix products of `layers`
        # take them as matrices, and convolutions follow the layout of their input anyhow.
        layout = torch.contiguous_format if self.device.type == "cpu" else torch.channels_last
        if self.together.count > 1:
            network = share_batch_norm(network)
        return network.to(self.device).to(memory_format=layout).train()


@torch.no_grad()
def tell_apart(networks: Sequence[nn.Module], more: float) -> None:
    """Let the classes of all networks matter a little more."""
    for conditioning in _conditionings(networks):
        conditioning.ramp += more


@torch.no_grad()
def begin_to_tell_apart(networks: Sequence[nn.Module], ramp: float) -> None:
    """Let the classes of all networks matter so much, whatever they did before."""
    for conditioning in _conditionings(networks):
        conditioning.ramp.fill_(ramp)


def _conditionings(networks: Sequence[nn.Module]) -> Iterator[Conditioning]:
    modules = (module for network in networks for module in network.modules())
    return (module for module in modules if isinstance(module, Conditioning))


def _adam(network: nn.Module, train: TrainConfig) -> torch.optim.Optimizer:
    # Fused Adam updates 12.8 M parameters in 10 ms instead of 30 to 140. On a GPU it must be fit for a
    # CUDA graph (graphs.py), which changes nothing else.
    parameters = list(network.parameters())
    return torch.optim.Adam(
        parameters,
        lr=train.learning_rate,
        betas=(train.beta1, train.beta2),
        fused=True,
        capturable=parameters[0].is_cuda,
    )
