from __future__ import annotations

import numpy as np
import pytest

from medgan.evaluation.references import BLURRED, MEAN, NOISE, REAL, blurred, mean_image, reference_rows


def train(n: int = 20, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(n, 64, 64, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_rows_have_the_images_that_they_promise(channels: int) -> None:
    images = train(channels=channels)
    rows = {row.name: row.images for row in reference_rows(images, count=8, seed=0)}
    assert {name: len(row) for name, row in rows.items()} == {REAL: 8, MEAN: 1, BLURRED: 8, NOISE: 8}
    assert all(row.dtype == np.uint8 and row.shape[1:] == (64, 64, channels) for row in rows.values())
    known = {image.tobytes() for image in images}
    assert len({image.tobytes() for image in rows[REAL]} & known) == 8


def test_there_are_no_more_real_images_than_there_are() -> None:
    rows = {row.name: len(row.images) for row in reference_rows(train(5), count=8, seed=0)}
    assert rows == {REAL: 5, MEAN: 1, BLURRED: 5, NOISE: 8}


def test_the_mean_image_is_that_of_all_training_images_and_not_of_the_chosen() -> None:
    images = train()
    mean = {row.name: row.images for row in reference_rows(images, count=2, seed=0)}[MEAN]
    assert np.abs(mean[0] - images.astype(float).mean(axis=0)).max() <= 0.5


def test_blurring_keeps_the_mean_and_takes_the_detail() -> None:
    images = train()
    assert blurred(images).mean() == pytest.approx(images.mean(), abs=1)
    assert blurred(images).std() < images.std() / 4


def test_a_flat_image_is_its_own_blur() -> None:
    flat = np.full((2, 64, 64, 1), 93, np.uint8)
    assert (blurred(flat) == flat).all()
    assert (mean_image(flat) == flat[:1]).all()


def test_noise_fills_the_whole_range_evenly() -> None:
    noise = {row.name: row.images for row in reference_rows(train(), count=8, seed=0)}[NOISE]
    assert (noise.min(), noise.max()) == (0, 255)
    assert noise.mean() == pytest.approx(127.5, abs=1)
    assert noise.std() == pytest.approx(73.9, abs=1)


def test_the_rows_are_named_by_their_seed() -> None:
    first, again, other = (reference_rows(train(), count=8, seed=s) for s in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert (a.images == b.images).all()
    assert (first[0].images != other[0].images).any()
    assert (first[3].images != other[3].images).any()
