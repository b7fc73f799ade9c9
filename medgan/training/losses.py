"""The objective: the original GAN loss (Goodfellow 2014, non-saturating), on logits.

BCE on logits is the sigmoid and BCELoss of the paper in one, without its rounding to log(0).
All take logits `(N,)` and return a scalar in fp32; lower is better for whom it is meant.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """BCE(real, 1) + BCE(fake, 0)."""
    return softplus(-real.float()).mean() + softplus(fake.float()).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """BCE(fake, 1): make the discriminator say "real"."""
    return softplus(-fake.float()).mean()
