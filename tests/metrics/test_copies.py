from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.data.phantom import draw_set
from medgan.errors import MetricError
from medgan.images import resize_and_crop
from medgan.metrics import copies as module
from medgan.metrics.copies import SMALLEST, TURNS, Copies, contrast_free, copies, repeats, turns
from medgan.metrics.features import pixels

D = 12


def normal(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, D))


@cache
def phantoms() -> np.ndarray:
    return draw_set("dermoscopy", 160, seed=3, size=64)[0]


def seen(images: np.ndarray) -> list[np.ndarray]:
    network = pixels()
    return [contrast_free(network.extract(turned)) for turned in turns(images)]


@cache
def train_and_heldout() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return seen(phantoms()[:80]), seen(phantoms()[80:120])


def judged(images: np.ndarray) -> Copies:
    train, heldout = train_and_heldout()
    return copies(generated=iter(seen(images)), train=train, heldout=heldout)


def altered(images: np.ndarray) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    noisy = np.clip(images + random.normal(0, 8, images.shape), 0, 255).astype(np.uint8)
    bright = np.clip(images[:, :, ::-1] * 0.8 + 30, 0, 255).astype(np.uint8)
    return {
        "exact": images,
        "noisy": noisy,
        "turned": np.rot90(images, axes=(1, 2)),
        "mirrored and brightened": bright,
    }


def test_all_eight_turns_are_different_and_named() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert len({turned.tobytes() for turned in turns(image)}) == 8 == len(TURNS)
    assert np.array_equal(next(turns(image)), image)
    with pytest.raises(MetricError, match="square"):
        next(turns(np.zeros((1, 4, 6, 3), np.uint8)))


@pytest.mark.parametrize("kind", ["exact", "noisy", "turned", "mirrored and brightened"])
def test_altered_training_images_are_copies(kind: str) -> None:
    found = judged(altered(phantoms()[:80])[kind])
    assert found.share.low > 0.9
    assert found.heldout.value < 0.1
    assert {pair.train for pair in found.pairs if pair.copy} == {pair.generated for pair in found.pairs}


def test_new_images_blurred_ones_the_mean_image_and_noise_are_no_copies() -> None:
    fresh = phantoms()[120:]
    mean = np.repeat(phantoms()[:80].mean(axis=0, keepdims=True).astype(np.uint8), 20, axis=0)
    noise = np.random.default_rng(0).integers(0, 256, fresh.shape, dtype=np.uint8)
    small = fresh.reshape(len(fresh), 8, 8, 8, 8, 3).mean(axis=(2, 4)).astype(np.uint8)
    blurred = small.repeat(8, axis=1).repeat(8, axis=2)
    for images in (fresh, mean, noise, blurred):
        assert judged(images).share.value <= 0.1


def test_pairs_come_closest_first_with_the_turn_that_fits() -> None:
    images = np.concatenate([phantoms()[120:140], np.rot90(phantoms()[7:8], 3, axes=(1, 2))])
    first, *others = judged(images).pairs
    assert (first.generated, first.train, first.turn, first.copy) == (20, 7, "90°", True)
    assert [pair.distance for pair in others] == sorted(pair.distance for pair in others)
    assert len({pair.generated for pair in others}) == len(others) == 20


def test_near_copies_among_the_training_images_do_not_raise_the_bar() -> None:
    """A series of slices: without groups only what is nearer than a neighbouring slice would be a copy."""
    scans = normal(40, 1)
    train = np.concatenate([scans, scans + normal(40, 2, scale=0.01)])
    groups = [str(k % 40) for k in range(80)]
    generated = scans + normal(40, 3, scale=0.2)
    found = copies(generated=[generated], train=[train], heldout=[normal(30, 4)], groups=groups)
    assert found.share.value > 0.9
    assert copies(generated=[generated], train=[train], heldout=[normal(30, 4)]).share.value < 0.1


def test_new_images_fall_below_the_level_in_about_one_case_of_a_hundred() -> None:
    found = [
        copies(
            generated=[normal(200, 3 * s)], train=[normal(150, 3 * s + 1)], heldout=[normal(40, 3 * s + 2)]
        )
        for s in range(20)
    ]
    assert np.mean([one.share.value for one in found]) < 0.02


def test_blocks_do_not_change_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"generated": [normal(40, 1)], "train": [normal(60, 2)], "heldout": [normal(30, 3)]}
    whole = copies(**sets)
    monkeypatch.setattr(module, "_ROWS", 7)
    blocks = copies(**sets)
    assert blocks.share == whole.share
    assert [pair.train for pair in blocks.pairs] == [pair.train for pair in whole.pairs]


@pytest.mark.parametrize("images", [1, 5, 20])
def test_a_collapsed_generator_repeats_itself(images: int) -> None:
    generated = np.tile(normal(images, 1), (200 // images, 1)) + normal(200, 5, scale=0.05)
    found = repeats(generated=generated, train=normal(100, 2), seed=0)
    assert found.value > 0.95
    assert found.low > 0.9


def test_different_images_hardly_repeat_themselves_whatever_their_number() -> None:
    for n in (60, 100, 1500):
        assert repeats(generated=normal(n, 1), train=normal(100, 2), seed=0).value < 0.08


def test_the_interval_of_repeats_holds_the_truth_about_as_often_as_it_says() -> None:
    """Half of the images come from ten originals; the level is the same throughout."""
    train = normal(60, 2)

    def share(seed: int) -> module.Estimate:
        random = np.random.default_rng(seed)
        originals = 3 * np.random.default_rng(0).normal(size=(10, D))
        generated = np.where(
            random.random((60, 1)) < 0.5, originals[random.integers(0, 10, 60)], random.normal(size=(60, D))
        )
        return repeats(generated=generated, train=train, seed=seed)

    found = [share(seed) for seed in range(400)]
    truth = np.mean([one.value for one in found])
    assert 0.90 <= np.mean([one.low <= truth <= one.high for one in found[:300]]) <= 0.995


def test_what_gives_no_figure_is_refused_with_the_reason() -> None:
    train, heldout, few = [normal(40, 1)], [normal(20, 2)], [normal(SMALLEST - 1, 3)]
    with pytest.raises(MetricError, match=f"need {SMALLEST} training"):
        copies(generated=heldout, train=few, heldout=heldout)
    with pytest.raises(MetricError, match="needs 10 images; here are 3"):
        copies(generated=[normal(3, 1)], train=train, heldout=heldout)
    with pytest.raises(MetricError, match="in 2 turns cannot"):
        copies(generated=heldout * 2, train=train, heldout=heldout)
    with pytest.raises(MetricError, match="prepare the data set again"):
        copies(generated=heldout, train=[np.tile(train[0], (2, 1))], heldout=heldout)
    with pytest.raises(MetricError, match="40 generated and 19 training"):
        repeats(generated=train[0], train=few[0], seed=0)
    with pytest.raises(MetricError, match="Too many training images"):
        repeats(generated=train[0], train=np.tile(train[0], (2, 1)), seed=0)


def test_on_real_images_copies_are_found_and_other_patients_are_none(real_data: Path) -> None:
    paths = sorted((real_data / "isic").rglob("*.jpg"))[::3][:110]
    if len(paths) < 110:
        pytest.skip("needs 110 images of isic")
    images = np.stack([resize_and_crop(Image.open(path), 64, 3) for path in paths])
    train, heldout = seen(images[:70]), seen(images[70:90])
    fresh = copies(generated=seen(images[90:]), train=train, heldout=heldout)
    assert fresh.share.value <= 0.1
    for changed in altered(images[:20]).values():
        assert copies(generated=seen(changed), train=train, heldout=heldout).share.value > 0.9
