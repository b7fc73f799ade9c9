"""One discriminator and one generator update, and nothing else: no files, no prints, no host sync."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medgan.config import ModelConfig, TrainConfig
from medgan.models.build import build_discriminator, build_generator
from medgan.training.losses import discriminator_loss, generator_loss
from medgan.training.together import ALONE, Together, share_batch_norm


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
        self.discriminator = self._place(build_discriminator(model, train.seed + 1))
        self.optimizer_g = _adam(self.generator, train)
        self.optimizer_d = _adam(self.discriminator, train)
        self.ema: nn.Module | None = None  # an average of the generator, where a preset wants one

    def __call__(self, real: Tensor, latents: Tensor, weight: float = 1.0) -> StepResult:
        """One update of each network from real images `(N, C, S, S)`, float in [-1, 1], and latents
        `(N, latent)`, both on the device. `weight` multiplies the figures where these are this process's
        part of a batch (`Together.weight`)."""
        real = real.contiguous(memory_format=torch.channels_last)
        with self.together.at_work():
            with self.autocast():
                fake = self.generator(latents)
            loss_d, *scores = self._update_discriminator(real, fake.detach(), weight)
            loss_g = self._update_generator(fake, weight)
        return StepResult(loss_d, loss_g, scores[0] * weight, scores[1] * weight)

    def networks(self) -> dict[str, nn.Module]:
        """All networks that a checkpoint holds, by name."""
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return networks | {"ema": self.ema} if self.ema is not None else networks

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Both optimisers by name."""
        return {"optimizer_g": self.optimizer_g, "optimizer_d": self.optimizer_d}

    def sampler(self) -> nn.Module:
        """The network to sample from: the average where there is one, else the generator."""
        return self.ema if self.ema is not None else self.generator

    def autocast(self) -> torch.autocast:
        """The precision context of the forward passes; losses are computed in fp32 outside it."""
        low = self.precision != torch.float32
        return torch.autocast(self.device.type, self.precision if low else None, enabled=low)

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        self.optimizer_d.zero_grad(set_to_none=True)
        # Real and fake pass apart, as in the paper: batch norm then sees them apart. One cached
        # spectral norm serves both passes, which is why their losses must be one sum.
        with self.autocast(), parametrize.cached():
            real_logits = self.discriminator(real)
            fake_logits = self.discriminator(fake)
        loss = discriminator_loss(real_logits, fake_logits) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        self.together.average_gradients(self.discriminator)
        self.optimizer_d.step()
        real_score, fake_score = (
            torch.sigmoid(x.detach().float()).mean() for x in (real_logits, fake_logits)
        )
        return loss.detach(), real_score, fake_score

    def _update_generator(self, fake: Tensor, weight: float) -> Tensor:
        self.optimizer_g.zero_grad(set_to_none=True)
        # Without gradients for the discriminator's weights the step costs 8 % fewer operations.
        self.discriminator.requires_grad_(False)
        with self.autocast():
            logits = self.discriminator(fake)
        loss = generator_loss(logits) * weight
        loss.backward()  # type: ignore[no-untyped-call]
        self.together.average_gradients(self.generator)
        self.optimizer_g.step()
        self.discriminator.requires_grad_(True)
        return loss.detach()

    def _place(self, network: nn.Module) -> nn.Module:
        # On a CPU the weights keep the plain layout: spectral norm and the matrix products of `layers`
        # take them as matrices, and convolutions follow the layout of their input anyhow.
        layout = torch.contiguous_format if self.device.type == "cpu" else torch.channels_last
        if self.together.count > 1:
            network = share_batch_norm(network)
        return network.to(self.device).to(memory_format=layout).train()


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
