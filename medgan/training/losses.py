"""Objectives on logits of any shape; each returns a scalar in fp32, lower is better for whom it is meant.

BCE is the original, non-saturating loss (Goodfellow 2014): on logits it is the sigmoid and BCELoss of the
paper in one, without its rounding to log(0). Hinge (Lim and Ye 2017, Miyato 2018) is what discriminators on
frozen features learn with (Sauer et al. 2021): what they are sure of teaches them nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import relu, softplus


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """BCE(real, 1) + BCE(fake, 0)."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """BCE(fake, 1): make the discriminator say "real"."""
    return softplus(-fake.float()).mean()


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Real above 1, fake below -1."""
    return relu(1 - real.float()).mean() + relu(1 + fake.float()).mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """As high as it can be."""
    return -fake.float().mean()


def loss_of_judges(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """BCE of the first judge, which learns alone, and hinge of those that look through a frozen network."""
    loss = discriminator_loss(real[0], fake[0])
    for r, f in zip(real[1:], fake[1:], strict=True):
        loss = loss + hinge_discriminator_loss(r, f)
    return loss


def loss_before_judges(fake: Sequence[Tensor]) -> Tensor:
    """The generator's, before the same judges."""
    loss = generator_loss(fake[0])
    for f in fake[1:]:
        loss = loss + hinge_generator_loss(f)
    return loss
