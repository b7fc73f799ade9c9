"""What the discriminator alone may see must not show in what is generated.

Bodies with a bright mark that is always on their left, a little training at the strongest augmentation, and
a look at where the mark is in the samples. The control shows that the measure would notice: where mirroring
is allowed as a symmetry, the marks are on both sides. It shows nothing of long trainings, or of weaker
transforms than mirroring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.generation.sampling import sample, with_standing_statistics
from medgan.training.augment import STRONGEST
from medgan.training.stepper import Stepper

SIZE, STEPS = 64, 220


def bodies(count: int = 48) -> np.ndarray:
    """Grey discs on black, somewhere near the middle, uint8 `(count, 64, 64, 1)`, the mark on the left."""
    random, rows, columns = np.random.default_rng(0), *np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE, 1), np.uint8)
    for image in images:
        y, x = 32 + random.integers(-3, 4, 2)
        radius = random.integers(20, 25)
        image[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.integers(80, 120)
        image[(rows - y) ** 2 + (columns - x + radius // 2) ** 2 < 36] = 255
    return images


def sides(images: np.ndarray) -> np.ndarray:
    """From 1 where all that is bright is on the left to -1 where it is on the right, one value an image."""
    bright = np.clip(images[..., 0].astype(float) - 160, 0, None)
    left, right = bright[..., : SIZE // 2].sum((1, 2)), bright[..., SIZE // 2 :].sum((1, 2))
    return (left - right) / np.maximum(left + right, 1)


def trained(modality: str) -> np.ndarray:
    """Samples after a little training."""
    model = ModelConfig("resize", channels=1, size=SIZE, latent=16, ngf=16, ndf=8)
    train = TrainConfig(batch_size=16, augment=modality, beta2=0.99, learning_rate=5e-4)
    stepper = Stepper(model, train, bodies(), torch.device("cpu"), torch.float32)
    assert stepper.step.strength is not None
    for k in range(STEPS):
        stepper.step.strength.value.fill_(STRONGEST)
        stepper(k)
    return sample(with_standing_statistics(stepper.step.sampler(), 16), range(64))


@pytest.mark.parametrize(("modality", "kept"), [("chest-ct", True), ("brain-mri", False)])
def test_a_mark_changes_sides_only_where_the_modality_may_be_mirrored(modality: str, kept: bool) -> None:
    assert (sides(bodies()) > 0.9).all()
    found = sides(trained(modality))
    if kept:
        assert np.mean(found > 0.5) > 0.9 and not (found < -0.5).any()
    else:
        assert min(np.mean(found > 0.5), np.mean(found < -0.5)) > 0.03
