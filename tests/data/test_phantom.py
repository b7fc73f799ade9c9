"""The built-in demo sets: drawn by seed, the same at every size, different from image to image."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from medgan.data.groups import find_groups
from medgan.data.phantom import PHANTOMS, draw, draw_set
from medgan.data.phantom.anatomy import NODULE, NORMAL
from medgan.data.phantom.chest import draw_chest
from medgan.data.phantom.skin import MELANOMA, NEVUS, draw_skin
from medgan.data.prepare import store
from medgan.data.survey import thumbnail
from medgan.errors import DataError

KINDS = list(PHANTOMS)
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def sets() -> dict[str, tuple[np.ndarray, list[str]]]:
    return {kind: draw_set(kind, 120, seed=0, size=64) for kind in KINDS}


def halved(image: np.ndarray) -> np.ndarray:
    size = image.shape[0] // 2
    return np.asarray(image.astype(float).reshape(size, 2, size, 2, -1).mean(axis=(1, 3)))


def chests(label: str, count: int) -> np.ndarray:
    return np.stack([draw_chest(np.random.default_rng(k), label) for k in range(count)])


@kinds
@pytest.mark.parametrize("size", [64, 128, 256])
def test_a_phantom_is_uint8_of_the_size_and_channels_it_says(kind: str, size: int) -> None:
    image, label = draw(kind, 3, size)
    assert image.dtype == np.uint8
    assert image.shape == (size, size, PHANTOMS[kind].channels)
    assert label in PHANTOMS[kind].classes


@kinds
def test_a_seed_draws_the_same_phantom_every_time(kind: str) -> None:
    first, again = draw(kind, 17), draw(kind, 17)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_a_seed_draws_the_same_phantom_in_another_process() -> None:
    code = "from medgan.data.phantom import *; print([draw(k, 5)[0].tobytes().hex() for k in PHANTOMS])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str([draw(kind, 5)[0].tobytes().hex() for kind in KINDS])


@kinds
def test_a_seed_shows_the_same_phantom_at_every_size(kind: str) -> None:
    large, middle, small = (draw(kind, 4, size)[0] for size in (256, 128, 64))
    assert np.abs(halved(large) - middle).max() <= 1  # rounding
    assert np.abs(halved(middle) - small).max() <= 1


@kinds
def test_image_k_of_a_set_depends_on_the_seed_and_k_alone(kind: str) -> None:
    few, few_labels = draw_set(kind, 4, seed=5, size=64)
    more, more_labels = draw_set(kind, 7, seed=5, size=64)
    other, _ = draw_set(kind, 4, seed=6, size=64)
    assert np.array_equal(few, more[:4])
    assert few_labels == more_labels[:4]
    assert not any(np.array_equal(a, b) for a, b in zip(few, other, strict=True))


@kinds
@pytest.mark.parametrize("count", [4, 7, 10])
def test_the_classes_of_a_set_are_balanced(kind: str, count: int) -> None:
    counts = Counter(draw_set(kind, count, size=64)[1])
    assert set(counts) == set(PHANTOMS[kind].classes)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_progress_is_told_after_each_image() -> None:
    told: list[tuple[int, int]] = []
    draw_set("chest-ct", 4, size=64, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@kinds
def test_phantoms_differ_enough_that_few_are_near_copies(
    kind: str, sets: dict[str, tuple[np.ndarray, list[str]]]
) -> None:
    thumbs = np.stack([thumbnail(image) for image in sets[kind][0]])
    sizes = Counter(find_groups("auto", ["x"] * 120, [None] * 120, thumbs).numbers.tolist())
    assert len(sizes) >= 100
    assert max(sizes.values()) <= 12


@kinds
@pytest.mark.parametrize("heldout", [0.1, 0.25, 0.5])
def test_the_requested_share_of_a_phantom_set_can_be_held_out(
    kind: str, heldout: float, sets: dict[str, tuple[np.ndarray, list[str]]], tmp_path: Path
) -> None:
    images, labels = sets[kind]
    data = store(images, labels, tmp_path / "set", name="demo", split=f"{1 - heldout}/0/{heldout}")
    assert data.info["splits"]["test"] == heldout * 120
    for parts in data.info["classes"].values():
        assert abs(parts["test"] - heldout * 60) <= 3


def test_with_and_without_a_nodule_the_chest_is_the_same_elsewhere() -> None:
    with_nodule, without = chests(NODULE, 12), chests(NORMAL, 12)
    changed = np.abs(with_nodule - without)[..., 0] > 40
    area = changed.mean(axis=(1, 2))
    assert (area > 0.0005).all()  # there is one, and it can be seen
    assert (area < 0.05).all()  # and nothing else has moved


def test_a_nodule_lies_beside_the_midline_and_not_at_the_edge() -> None:
    changed = np.abs(chests(NODULE, 12) - chests(NORMAL, 12))[..., 0] > 40
    for mask in changed:
        y, x = np.argwhere(mask).mean(axis=0)
        assert abs(x - 128) > 10
        assert 20 < x < 236
        assert 30 < y < 215


def test_the_chest_lies_in_radiological_orientation() -> None:
    mean = np.mean([draw("chest-ct", seed)[0][:, :, 0] for seed in range(60)], axis=0)
    heart_row = mean[45:62]
    assert heart_row[:, 66:84].mean() > heart_row[:, 44:62].mean() + 10  # patient's left is on the right
    middle = mean[:, 60:68].mean(axis=1)
    assert middle[74:96].max() > middle[:30].max()  # the vertebra lies below
    corners = mean[112:, :].mean(), mean[:16, :].mean()
    assert corners[0] > corners[1]  # the table too


def test_lungs_are_dark_and_bone_is_bright() -> None:
    for seed in range(10):
        image = draw("chest-ct", seed)[0][:, :, 0].astype(int)
        inside = image[40:80, 24:104]
        assert np.percentile(inside, 15) < 75
        assert np.percentile(image, 99) > 120


def test_a_lesion_is_darker_than_the_skin_around_it() -> None:
    for seed in range(20):
        image = draw("dermoscopy", seed)[0].astype(float)
        skin = np.median(image[4:-4:8, [14, 113]], axis=(0, 1))
        darkest = np.percentile(image[32:96, 32:96].mean(axis=2), 5)
        assert darkest < skin.mean() - 12


def traits(label: str) -> tuple[float, float]:
    """Spread of the hues inside the lesions, and the share of their area that half a turn does not map
    on itself; means over lesions, without borders and hairs."""
    y, x = np.mgrid[-31.5:32, -31.5:32]
    hues, asymmetry = [], []
    for seed in range(40):
        picture = halved(halved(draw_skin(np.random.default_rng(seed), label)))
        grey = picture.mean(axis=2)
        dark = (grey < np.median(grey) - 30) & (np.hypot(x, y) < 30)
        inner = binary_erosion(dark, iterations=3)
        if inner.sum() > 40:
            hues.append((picture[inner] / picture[inner].sum(axis=1, keepdims=True)).std(axis=0).sum())
            row, column = np.round(np.argwhere(dark).mean(axis=0)).astype(int)
            half = min(row, column, 63 - row, 63 - column)
            centred = dark[row - half : row + half + 1, column - half : column + half + 1]
            asymmetry.append((centred != centred[::-1, ::-1]).sum() / dark.sum())
    return float(np.mean(hues)), float(np.mean(asymmetry))


def test_melanoma_like_lesions_have_more_colours_and_less_symmetry() -> None:
    melanoma, nevus = traits(MELANOMA), traits(NEVUS)
    assert melanoma[0] > 1.2 * nevus[0]
    assert melanoma[1] > 1.2 * nevus[1]


def test_an_unknown_kind_is_refused_with_the_valid_names() -> None:
    with pytest.raises(DataError, match="chest-ct, dermoscopy"):
        draw("brain-mr", 0)
    with pytest.raises(DataError, match="chest-ct, dermoscopy"):
        draw_set("brain-mr", 10)


@pytest.mark.parametrize("count", [-1, 0, 3, 20_001])
def test_a_set_that_cannot_be_split_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="from 4 to 20,000"):
        draw_set("chest-ct", count)


def test_an_impossible_size_or_seed_is_refused() -> None:
    with pytest.raises(DataError, match="64, 128, 256"):
        draw("chest-ct", 0, size=100)
    with pytest.raises(DataError, match="at least 0"):
        draw_set("dermoscopy", 4, seed=-1)
