"""From images back to latents: f-AnoGAN's encoder (Schlegl et al. 2019), and the discriminator's features."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.models.layers import Down, dcgan_init


class Encoder(nn.Module):
    """Images `(N, C, S, S)` in [-1, 1] to latents `(N, latent)`.

    The discriminator's stages without spectral norm, and as many outputs as the generator has inputs. No
    squashing at the end: latents are normal, not bounded.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stages = int(math.log2(config.size)) - 2
        widths = [config.ndf * 2**k for k in range(stages)]
        layers: list[nn.Module] = [Down(config.channels, widths[0]), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            layers += [Down(narrow, wide), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(widths[-1], config.latent, 4, 1, 0)]
        self.main = nn.Sequential(*layers)
        self.apply(dcgan_init)

    def forward(self, images: Tensor) -> Tensor:
        """`(N, C, S, S)` to `(N, latent)`."""
        latents: Tensor = self.main(images).flatten(1)
        return latents


def build_encoder(config: ModelConfig, seed: int = 0) -> Encoder:
    """A freshly initialised encoder; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(config)


class Features(nn.Module):
    """What the last layer of a discriminator is given, `(N, ...)`: its description of an image."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator
        layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self._given: list[Tensor] = []
        layers[-1].register_forward_pre_hook(lambda _, inputs: self._given.append(inputs[0]))

    def forward(self, images: Tensor) -> Tensor:
        """`(N, C, S, S)` in [-1, 1] to the features."""
        self._given.clear()
        self.discriminator(images)
        return self._given.pop().flatten(1)
