"""The MedGAN paper's networks: DCGAN's, with spectral normalisation in the discriminator.

The paper leaves much open; the choices here are the DCGAN tutorial's, which its text and figures
follow. Its oddities are kept on purpose, each with a comment, so that preset `paper` reproduces it.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.models.layers import Down, Up, dcgan_init, wrap_spectral_norm


class Generator(nn.Module):
    """Latents `(N, latent)` to images `(N, channels, size, size)` in [-1, 1].

    Transposed 4x4 convolutions, batch norm and ReLU, Tanh at the end. The 4x4 stride-2 kernels leave
    a faint checkerboard in the images: that is the paper's network, kept as it is.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stages = int(math.log2(config.size)) - 2  # doublings from 4x4
        widths = [config.ngf * 2**k for k in reversed(range(stages))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(config.latent, widths[0], 4, 1, 0, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True)]
            layers += [Up(wide, narrow)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        layers += [Up(widths[-1], config.channels), nn.Tanh()]
        self.latent = config.latent
        self.main = nn.Sequential(*layers)
        self.apply(dcgan_init)

    def forward(self, latents: Tensor) -> Tensor:
        """`(N, latent)` float to `(N, C, S, S)` in [-1, 1]."""
        images: Tensor = self.main(latents[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Images `(N, channels, size, size)` in [-1, 1] to logits `(N,)`; the sigmoid is in the loss."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stages = int(math.log2(config.size)) - 2
        widths = [config.ndf * 2**k for k in range(stages)]
        layers: list[nn.Module] = [Down(config.channels, widths[0])]
        layers += [nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            # Batch norm after spectral norm cancels it (BN(c W x) = BN(W x)), for the first convolution
            # too, since leaky ReLU passes the factor on to the next: only the last one is constrained.
            # The paper says both; so both are here.
            layers += [Down(narrow, wide), nn.BatchNorm2d(wide)]
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False)]
        self.main = nn.Sequential(*layers)
        # First the N(0, 0.02) init, then the wrap: the other way round the init would be lost.
        self.apply(dcgan_init)
        wrap_spectral_norm(self.main)

    def judges(self, images: Tensor, labels: None = None) -> tuple[Tensor, ...]:
        """The logits of its only judge."""
        return (self(images),)

    def forward(self, images: Tensor) -> Tensor:
        """`(N, C, S, S)` in [-1, 1] to logits `(N,)`; above 0 means "real"."""
        logits: Tensor = self.main(images)
        return torch.flatten(logits)
