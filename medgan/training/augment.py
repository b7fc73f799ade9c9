"""What the discriminator sees of an image: changed a little, anew each time, real and generated alike
(Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data"; Zhao et al. 2020,
DiffAugment).

Every change is differentiable, so that the generator learns through it, and each is left out often enough
that it does not show in what is generated. All chance comes in as numbers, so that step k of a run sees the
same again."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from medgan.modalities import ALL, BLACK, MIRROR, NONE, Modality

STRONGEST = 0.8
"""Above this a change happens so often that the generator begins to show it (Karras et al. 2020, section
2.2)."""
_VALUES = ("shift_x", "shift_y", "scale", "rotation", "cut_x", "cut_y", "brightness", "contrast", "hue")
_GATES = ("shift", "scale", "rotation", "cutout", "brightness", "contrast", "hue")
DRAWS = 2 + len(_VALUES) + len(_GATES)
"""Uniform numbers that one image takes."""


class Augmentation:
    """The changes that a modality allows."""

    def __init__(self, modality: Modality) -> None:
        self.modality = modality

    def __call__(self, images: Tensor, draws: Tensor, strength: Tensor) -> Tensor:
        """Images `(N, C, S, S)` in [-1, 1] as the discriminator shall see them, fp32 and of that range but
        for changes of brightness. `draws` `(N, DRAWS)` is uniform in [0, 1); `strength`, in [0, 1], is how
        often each change happens. Symmetries happen always."""
        with torch.autocast(images.device.type, enabled=False):
            chance = _Chance(draws, strength)
            images = self._placed(images.float(), chance)
            images = self._cut(images, chance) if self.modality.cutout else images
            return self._coloured(images, chance)

    def _placed(self, images: Tensor, chance: _Chance) -> Tensor:
        matrix = self._where_from(chance)
        if matrix is None:
            return images
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        if self.modality.background == BLACK:  # -1 has to come in, and zeros do
            return F.grid_sample(images + 1, grid, align_corners=False) - 1
        # Mirrored by hand: not every device knows grid_sample's own. Edges are the centres of pixels.
        edge = 1 - 1 / images.shape[-1]
        inside = edge * (((grid / edge + 3) % 4) - 2).abs().sub(1)
        return F.grid_sample(images, inside, align_corners=False)

    def _where_from(self, chance: _Chance) -> Tensor | None:
        """`(N, 2, 3)`: for each place of the result, from which place of the image it comes."""
        m = self.modality
        if m.symmetry == NONE and not (m.shift or m.scale or m.rotation):
            return None
        angle = chance.value("rotation") * chance.on("rotation") * math.radians(m.rotation)
        mirrored = torch.ones_like(angle)
        if m.symmetry in (MIRROR, ALL):
            mirrored = 1 - 2 * (chance.symmetry[:, 0] < 0.5).float()
        if m.symmetry == ALL:
            angle = angle + (4 * chance.symmetry[:, 1]).floor() * (math.pi / 2)
        size = torch.exp(chance.value("scale") * chance.on("scale") * math.log1p(m.scale))
        shift = chance.on("shift") * (2 * m.shift)
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        rows = (
            torch.stack([cos * mirrored, -sin, chance.value("shift_x") * shift], dim=1),
            torch.stack([sin * mirrored, cos, chance.value("shift_y") * shift], dim=1),
        )
        return torch.stack(rows, dim=1)

    def _cut(self, images: Tensor, chance: _Chance) -> Tensor:
        """A square set to the background, or to mid-grey where the background is the image's own edge."""
        side = images.shape[-1]
        places = (torch.arange(side, device=images.device) + 0.5) * (2 / side) - 1
        inside = [
            (places - chance.value(name)[:, None]).abs() < self.modality.cutout for name in ("cut_y", "cut_x")
        ]
        hole = (inside[0][:, :, None] & inside[1][:, None, :]).float() * chance.on("cutout")[:, None, None]
        filled = -1.0 if self.modality.background == BLACK else 0.0
        return images + hole[:, None] * (filled - images)

    def _coloured(self, images: Tensor, chance: _Chance) -> Tensor:
        m = self.modality
        if m.hue and images.shape[1] == 3:
            images = torch.einsum("nij,njhw->nihw", self._hues(chance), images)
        if m.contrast:
            mean = images.mean(dim=(1, 2, 3), keepdim=True)
            times = torch.exp(chance.value("contrast") * chance.on("contrast") * math.log1p(m.contrast))
            images = (images - mean) * times.view(-1, 1, 1, 1) + mean
        if m.brightness:
            more = chance.value("brightness") * chance.on("brightness") * (2 * m.brightness)
            images = images + more.view(-1, 1, 1, 1)
        return images

    def _hues(self, chance: _Chance) -> Tensor:
        """`(N, 3, 3)`: rotations of colour about the axis of greys (Rodrigues)."""
        angle = (chance.value("hue") * chance.on("hue") * (2 * math.pi * self.modality.hue)).view(-1, 1, 1)
        # Made on the device: a CUDA graph records no copy from the host.
        one = torch.eye(3, device=angle.device)
        across = (one.roll(1, 0) - one.roll(1, 1)) / math.sqrt(3)
        cos, sin = torch.cos(angle), torch.sin(angle)
        return cos * one + (1 - cos) / 3 + sin * across


class _Chance:
    """Draws of a batch, by name."""

    def __init__(self, draws: Tensor, strength: Tensor) -> None:
        self.symmetry = draws[:, :2]
        self._values = draws[:, 2 : 2 + len(_VALUES)] * 2 - 1
        self._on = (draws[:, 2 + len(_VALUES) :] < strength).float()

    def value(self, name: str) -> Tensor:
        """Uniform in [-1, 1), `(N,)`."""
        return self._values[:, _VALUES.index(name)]

    def on(self, name: str) -> Tensor:
        """1 where the change happens, else 0, `(N,)`."""
        return self._on[:, _GATES.index(name)]
