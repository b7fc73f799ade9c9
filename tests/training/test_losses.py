"""The objective is the original GAN loss, on logits."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy

from medgan.training.losses import discriminator_loss, generator_loss

REAL, FAKE = torch.tensor([2.0, -1.0, 0.3]), torch.tensor([-3.0, 0.5, 1.0])


def test_the_discriminator_loss_is_bce_of_the_sigmoids() -> None:
    plain = binary_cross_entropy(REAL.sigmoid(), torch.ones(3)) + binary_cross_entropy(
        FAKE.sigmoid(), torch.zeros(3)
    )
    assert torch.allclose(discriminator_loss(REAL, FAKE), plain)


def test_the_generator_loss_is_bce_against_real() -> None:
    assert torch.allclose(generator_loss(FAKE), binary_cross_entropy(FAKE.sigmoid(), torch.ones(3)))


def test_losses_and_gradients_stay_finite_where_a_sigmoid_would_round_to_zero() -> None:
    fake = torch.tensor([-200.0, 200.0], requires_grad=True)
    loss = generator_loss(fake)
    loss.backward()
    assert float(loss.detach()) == 100.0
    assert fake.grad is not None
    assert fake.grad.tolist() == [-0.5, 0.0]


def test_low_precision_logits_give_losses_in_full_precision() -> None:
    assert discriminator_loss(REAL.bfloat16(), FAKE.bfloat16()).dtype == torch.float32
