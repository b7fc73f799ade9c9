"""The networks of preset `small`: a generator that enlarges evenly, and a discriminator of two judges.

Where the paper's transposed convolutions leave a grid, a resize convolution (Odena et al. 2016,
"Deconvolution and Checkerboard Artifacts") cannot. Beside the paper's discriminator, which learns the
texture of these very images, stand small ones on the features of a frozen network (`frozen.py`), which know
from the start what shapes are: from a hundred images this is worth more than anything else that was tried
(docs/ablation.md)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from medgan.config import ModelConfig
from medgan.models.frozen import FrozenJudge, chosen
from medgan.models.layers import BatchSpread, Down, Modulation, ResizeUp, dcgan_init

WIDEST = 512


class Conditioning(nn.Module):
    """How far the classes of a network are told apart: conditioning collapses small sets when it is there
    from the start, one image for each class, and does not where it comes in after the network has learned
    what all have in common (Shahbazi et al. 2022, "Collapse by Conditioning"). `ramp` counts from -1: below
    0 the classes do not matter, at 1 they do fully."""

    ramp: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ramp", torch.tensor(-1.0))

    def forward(self) -> Tensor:
        """The share, in [0, 1]."""
        return self.ramp.clamp(0.0, 1.0)


class Generator(nn.Module):
    """Latents `(N, latent)`, and labels `(N,)` where there are classes, to images `(N, channels, size, size)`
    in [-1, 1]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stages = int(math.log2(config.size)) - 2  # doublings from 4x4
        widths = [min(config.ngf * 2**k, WIDEST) for k in reversed(range(stages))] + [max(4, config.ngf // 2)]
        self.latent, self.classes = config.latent, config.classes
        self.embedding = nn.Embedding(len(self.classes), config.latent) if self.classes else None
        self.conditioning = Conditioning() if self.classes else None
        inputs = config.latent * (2 if self.classes else 1)
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, widths[0], 4, 1, 0, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True), ResizeUp(wide, narrow)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(widths[-1], config.channels, 3, 1, 1), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        self.apply(dcgan_init)
        self.modulated = (
            nn.ModuleList(
                Modulation(inputs, width, 4 * 2**stage, seed=stage) for stage, width in enumerate(widths)
            )
            if config.modulated
            else None
        )
        if self.embedding is not None:  # as strong as the latent, it would be all that is listened to
            nn.init.normal_(self.embedding.weight, 0.0, 0.1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """`(N, latent)` float and `(N,)` whole numbers to `(N, C, S, S)` in [-1, 1]."""
        if self.embedding is not None and self.conditioning is not None:
            latents = torch.cat([latents, self.conditioning() * self.embedding(labels)], dim=1)
        first, *others = self.main
        # A fifth faster on a CPU than the plain layout (docs/benchmarks.md).
        x: Tensor = first(latents[:, :, None, None]).contiguous(memory_format=torch.channels_last)
        stage = 0
        for layer in others:
            x = layer(x)
            if self.modulated is not None and isinstance(layer, nn.BatchNorm2d):
                x, stage = self.modulated[stage](x, latents), stage + 1
        return x


class Discriminator(nn.Module):
    """Images `(N, channels, size, size)` in [-1, 1] to logits; above 0 means "real"."""

    def __init__(self, config: ModelConfig, body: nn.Module | None = None) -> None:
        super().__init__()
        self.frozen = FrozenJudge(config, body) if body is not None else None
        self.conditioning = Conditioning() if config.classes else None
        stages = int(math.log2(config.size)) - 2
        widths = [config.ndf * 2**k for k in range(stages)]
        layers: list[nn.Module] = [Down(config.channels, widths[0]), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            layers += [Down(narrow, wide), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        layers += [BatchSpread()] * config.batch_spread
        layers += [nn.Conv2d(widths[-1] + config.batch_spread, 1 + len(config.classes), 4, 1, 0, bias=False)]
        self.main = nn.Sequential(*layers)
        self.main.apply(dcgan_init)
        # Before batch norm it would be cancelled and cost a sixth of the step: the last one alone has it.
        spectral_norm(self.main[-1])

    def judges(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, ...]:
        """The logits of each judge, `(N, any)`; with classes, whether it is real *and* of its class."""
        share = self.conditioning() if self.conditioning is not None else None
        own = (chosen(self.main(images), labels, share),)
        return own if self.frozen is None else (*own, self.frozen(images, labels, share))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """`(N,)`: what the judge says that has learned from these images alone. It is the one that could come
        to know them by heart, and so the one to watch."""
        share = self.conditioning() if self.conditioning is not None else None
        return chosen(self.main(images), labels, share)[:, 0]
