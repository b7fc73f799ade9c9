"""A discriminator that looks through a network that is never trained (Sauer et al. 2021, "Projected GANs
Converge Faster"; Kumari et al. 2022, "Ensembling Off-the-shelf Models for GAN Training").

A network that has seen a million photographs already tells edges, textures and shapes apart. Small heads
learn which of them real images have, at several depths, and the generator is told through the frozen
network."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from medgan.config import ModelConfig
from medgan.models.layers import BatchSpread

FEWEST = 128
"""Side in pixels below which images are enlarged first: the deeper features would be one or two places."""
TAPS = {1: 64, 4: 128, 7: 256, 12: 512}
"""After which layers of SqueezeNet 1.1 a head looks, and how many features it finds there."""
WIDTH = 64
_ENOUGH = 9
"""Heads halve until a side has fewer places than this."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FrozenJudge(nn.Module):
    """Images `(N, C, S, S)` in [-1, 1] to logits `(N, places of all heads)`. `body` is torchvision's
    SqueezeNet 1.1 `features`: not part of the state, since everybody has the same."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, body: nn.Module) -> None:
        super().__init__()
        self._body = [body.eval().requires_grad_(False)]  # in a list: no part of this module
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        sides = _sides(max(config.size, FEWEST))
        outputs = 1 + len(config.classes)
        self.heads = nn.ModuleList(_head(TAPS[tap], sides[tap], outputs, config.batch_spread) for tap in TAPS)

    def forward(self, images: Tensor, labels: Tensor | None = None, share: Tensor | None = None) -> Tensor:
        """As the class says; with classes, logits of each image's own, as far as `share` lets it count."""
        pairs = zip(self.heads, self._features(images), strict=True)
        return torch.cat([chosen(head(x), labels, share) for head, x in pairs], dim=1)

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        if images.shape[-1] < FEWEST:
            images = F.interpolate(images, size=(FEWEST, FEWEST), mode="bilinear")
        x = ((images.expand(-1, 3, -1, -1) + 1) / 2 - self.mean) / self.std
        x = x.contiguous(memory_format=torch.channels_last)
        for k, layer in enumerate(self._body[0].children()):
            x = layer(x)
            if k in TAPS:
                yield x

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        self._body[0]._apply(fn, recurse)  # type: ignore[no-untyped-call]  # it follows to the device
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]


def chosen(outputs: Tensor, labels: Tensor | None = None, share: Tensor | None = None) -> Tensor:
    """`(N, 1 + classes, h, w)` to `(N, h * w)`: the first for all images, plus `share` of that of its class.
    This is the projection discriminator (Miyato and Koyama 2018): a linear part for every class beside a
    common one."""
    common = outputs[:, 0]
    if labels is not None and outputs.shape[1] > 1:
        own = outputs[torch.arange(len(outputs), device=outputs.device), 1 + labels]
        common = common + (own if share is None else own * share)
    return common.flatten(1)


def _sides(size: int) -> dict[int, int]:
    """Places a side after each tap: a convolution without padding, then three poolings that round up."""
    side = (size - 3) // 2 + 1
    found = {1: side}
    for tap in (4, 7, 12):
        side = -(-(side - 3) // 2) + 1
        found[tap] = side
    return found


def _head(inputs: int, side: int, outputs: int, spread: bool) -> nn.Module:
    layers: list[nn.Module] = []
    while side > _ENOUGH:
        layers += [nn.Conv2d(inputs, WIDTH, 4, 2, 1), nn.BatchNorm2d(WIDTH), nn.LeakyReLU(0.2)]
        inputs, side = WIDTH, side // 2
    layers += [nn.Conv2d(inputs, WIDTH, 3, 1, 1), nn.BatchNorm2d(WIDTH), nn.LeakyReLU(0.2)]
    layers += [BatchSpread()] * spread
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(WIDTH + spread, outputs, 3)))
