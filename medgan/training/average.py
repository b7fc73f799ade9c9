"""What follows a training slowly: the average of the generator, and the strength of augmentation.

Both live in buffers on the device, changed in place: reading them would make the device wait.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

RAMP = 0.05
"""An average reaches back over this share of what was seen: else the first thousands would haunt it."""


class Average(nn.Module):
    """An exponential moving average of a generator's weights, whose images are better than those of any
    single step (Karras et al. 2018; Yazici et al. 2019). `half_life` is in images. Batch norm's buffers are
    copied: they are measured anew before anybody samples."""

    seen: Tensor

    def __init__(self, network: nn.Module, half_life: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.half_life = half_life
        device = next(network.parameters()).device
        self.register_buffer("seen", torch.zeros((), device=device))

    @torch.no_grad()
    def follow(self, network: nn.Module, images: float) -> None:
        """Take in the weights after a step of `images`."""
        self.seen += images
        half_life = torch.clamp(self.seen * RAMP, max=self.half_life)
        new = 1 - torch.pow(0.5, images / half_life)
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.add_((theirs - mine) * new)


class Strength(nn.Module):
    """How often the discriminator sees an image changed, from 0 to `most`: more while it knows its real
    images too surely, less while it does not (ADA, Karras et al. 2020, with r_t = E[sign D(real)])."""

    TARGET, START, IMAGES = 0.6, 0.4, 100_000
    value: Tensor

    def __init__(self, most: float, device: torch.device) -> None:
        super().__init__()
        self.most = most
        self.register_buffer("value", torch.tensor(min(self.START, most), device=device))

    @torch.no_grad()
    def adapt(self, real_sign: Tensor, images: float) -> None:
        """A little up or down after a step of `images`, whose real ones gave the mean sign `real_sign`."""
        self.value += torch.sign(real_sign - self.TARGET) * (images / self.IMAGES)
        self.value.clamp_(0.0, self.most)
