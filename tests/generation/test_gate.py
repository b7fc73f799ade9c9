"""Copies and repeats do not leave; what is new does."""

from __future__ import annotations

import numpy as np
import pytest

from medgan.errors import MetricError
from medgan.generation.gate import COPY, PASSED, REPEAT, Gate


def blobs(count: int, seed: int) -> np.ndarray:
    """uint8 `(count, 64, 64, 3)`: smooth random images, each another one."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 4, 4, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((1, 16, 16, 1), np.float32)).astype(np.uint8)


@pytest.fixture(scope="module")
def train() -> np.ndarray:
    return blobs(60, 0)


def gate(train: np.ndarray) -> Gate:
    return Gate(train, [str(k) for k in range(len(train))])


def test_new_images_pass_and_say_which_training_image_is_nearest(train: np.ndarray) -> None:
    judged = gate(train).judge(blobs(40, 1))
    assert sum(one.verdict == PASSED for one in judged) >= 38
    assert all(0 <= one.train < 60 and one.distance > 0.1 for one in judged)


def test_copies_stay_here_mirrored_turned_and_brightened_ones_too(train: np.ndarray) -> None:
    noisy = np.clip(train[:5] + np.random.default_rng(2).normal(0, 10, train[:5].shape), 0, 255)
    changed = [
        train[:5],
        train[5:10, :, ::-1],
        np.rot90(train[10:15], axes=(1, 2)),
        train[15:20] // 2 + 60,
        noisy.astype(np.uint8),
    ]
    judged = gate(train).judge(np.concatenate(changed))
    assert [one.verdict for one in judged] == [COPY] * 25
    assert [one.train for one in judged[:20]] == list(range(20))


def test_an_image_that_comes_again_is_a_repeat_until_it_is_forgotten(train: np.ndarray) -> None:
    doorkeeper, image = gate(train), blobs(1, 3)
    assert doorkeeper.judge(image)[0].verdict == PASSED
    assert doorkeeper.judge(image)[0].verdict == REPEAT
    doorkeeper.forget()
    assert doorkeeper.judge(np.concatenate([image, image]))[1].verdict == REPEAT


def test_it_remembers_as_many_images_as_it_was_trained_on(train: np.ndarray) -> None:
    doorkeeper = gate(train)
    image = blobs(1, 3)
    doorkeeper.judge(image)
    doorkeeper.remember(blobs(60, 4))
    assert doorkeeper.judge(image)[0].verdict == PASSED


def test_too_few_training_images_cannot_say_what_a_copy_is(train: np.ndarray) -> None:
    with pytest.raises(MetricError, match="Copies need 20"):
        gate(train[:10])
