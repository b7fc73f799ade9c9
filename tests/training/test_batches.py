"""What each iteration sees depends on the seed and the step alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medgan.images import to_float
from medgan.training.batches import Batches, latents

CPU = torch.device("cpu")


def batches(count: int = 10, batch_size: int = 4, seed: int = 0) -> Batches:
    images = np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1).repeat(3, axis=3)
    return Batches(images, batch_size, seed, CPU)


def test_every_image_comes_once_an_epoch_and_the_last_batch_is_smaller() -> None:
    data = batches(10, 4)
    for epoch in range(3):
        parts = [data.indices(3 * epoch + k) for k in range(3)]
        assert [len(part) for part in parts] == [4, 4, 2]
        assert sorted(np.concatenate(parts)) == list(range(10))


def test_epochs_come_in_different_orders() -> None:
    data = batches(40, 40)
    assert list(data.indices(0)) != list(data.indices(1))


def test_indices_are_a_function_of_seed_and_step() -> None:
    forwards, backwards = batches(), batches()
    seen = {step: list(forwards.indices(step)) for step in range(9)}
    assert all(list(backwards.indices(step)) == seen[step] for step in reversed(range(9)))
    assert any(list(batches(seed=1).indices(step)) != seen[step] for step in range(9))


def test_real_gives_the_images_of_these_indices_in_the_networks_range() -> None:
    data = batches()
    expected = to_float(data.images.numpy()[data.indices(4)])
    assert torch.equal(data.real(4), expected)
    assert data.real(4).shape == (4, 3, 1, 1)


@pytest.mark.parametrize(("count", "batch_size"), [(10, 4), (160, 16), (3, 8), (5, 5)])
def test_images_seen_counts_what_was_shown(count: int, batch_size: int) -> None:
    data = batches(count, batch_size)
    shown = np.cumsum([0] + [len(data.indices(step)) for step in range(25)])
    assert [data.images_seen(step) for step in range(26)] == shown.tolist()


def test_latents_are_a_function_of_seed_and_step_and_standard_normal() -> None:
    assert torch.equal(latents(3, 7, 4, 100), latents(3, 7, 4, 100))
    for other in (latents(4, 7, 4, 100), latents(3, 8, 4, 100)):
        assert not torch.equal(latents(3, 7, 4, 100), other)
    many = torch.cat([latents(0, step, 16, 100) for step in range(50)])
    assert abs(float(many.mean())) < 0.02
    assert abs(float(many.std()) - 1) < 0.02
