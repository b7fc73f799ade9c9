from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import cosine_similarity

from medgan.errors import MetricError
from medgan.metrics import diversity, lpips_net
from medgan.metrics.distribution import ms_ssim
from medgan.metrics.diversity import lpips_ratio, ms_ssim_ratio, spread_ratio, stairs, vendi, vendi_ratio
from medgan.metrics.estimate import Estimate
from tests.metrics.backbone import use_random_weights

D = 8


def normal(n: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(n, D))


def pictures(n: int, seed: int = 0, strength: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = (torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1) * strength
    return torch.nn.functional.interpolate(small, size=64, mode="bilinear")


def vendi_of(**sets: np.ndarray) -> Estimate:
    return vendi_ratio(**sets, seed=0)


both = pytest.mark.parametrize("ratio", [spread_ratio, vendi_of])


def test_the_spread_is_the_mean_distance_of_different_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "_ROWS", 5)
    real, fake = normal(23, 1), normal(31, 2, scale=0.6)
    a, b = (pairwise_distances(x)[np.triu_indices(len(x), k=1)].mean() for x in (real, fake))
    assert spread_ratio(real=real, fake=fake).value == pytest.approx(b / a)


def test_vendi_equals_its_definition_and_counts_different_images() -> None:
    features = normal(30, 1)
    values = np.linalg.eigvalsh(cosine_similarity(features) / 30)
    values = values[values > 1e-12]
    assert vendi(features) == pytest.approx(np.exp(-(values * np.log(values)).sum()))
    assert vendi(np.ones((20, D))) == pytest.approx(1)
    assert vendi(np.tile(np.eye(5), (4, 1))) == pytest.approx(5)
    assert vendi(np.eye(12)) == pytest.approx(12)


@both
def test_other_images_of_the_same_kind_are_as_varied(ratio: Callable[..., Estimate]) -> None:
    found = ratio(real=normal(60, 3), fake=normal(150, 4))
    assert found.low < 1 < found.high
    assert found.value == pytest.approx(1, abs=0.1)


@both
def test_one_image_repeated_has_no_variety(ratio: Callable[..., Estimate]) -> None:
    found = ratio(real=normal(60, 1), fake=np.repeat(normal(1, 2), 60, axis=0))
    assert found.value == pytest.approx(0 if ratio is spread_ratio else 1 / vendi(normal(60, 1)), abs=1e-6)
    assert found.high < 0.6


def test_five_images_repeated_are_less_varied() -> None:
    fake = np.tile(normal(5, 2), (20, 1))
    assert spread_ratio(real=normal(60, 1), fake=fake).value < 0.9
    assert vendi_of(real=normal(60, 1), fake=fake).high < 0.8


def test_vendi_compares_at_the_same_count() -> None:
    """With 8 features it grows with the count up to 8; the ratio must not."""
    real, fake = normal(12, 1), normal(400, 2)
    assert vendi(fake) / vendi(real) > vendi_of(real=real, fake=fake).value + 0.1


def test_lpips_is_the_mean_of_all_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(tmp_path, monkeypatch)
    network = lpips_net.load("squeeze")
    real, fake = pictures(11, 1), pictures(10, 2, strength=0.3)
    plain = []
    for images in (fake, real):
        vectors = network.embed(images).double().numpy()
        plain.append(
            pairwise_distances(vectors, metric="sqeuclidean")[np.triu_indices(len(images), k=1)].mean()
        )
    found = lpips_ratio(real=real, fake=fake, network=network, seed=0)
    assert found.value == pytest.approx(plain[0] / plain[1], rel=1e-4)
    assert found.low < found.value < found.high
    same = lpips_ratio(real=real, fake=pictures(1, 2).repeat(10, 1, 1, 1), network=network, seed=0)
    assert (same.value, same.high) == pytest.approx((0, 0), abs=1e-5)


def test_ms_ssim_of_five_images_is_that_of_all_pairs() -> None:
    images = pictures(5, 2)
    all_pairs = 1 - ms_ssim(images, pairs=1000, seed=0)
    assert diversity._dissimilarities(images).mean() == pytest.approx(all_pairs, rel=1e-4)


def test_ms_ssim_sees_a_collapse_and_none_where_there_is_none() -> None:
    real = pictures(14, 1)
    found = ms_ssim_ratio(real=real, fake=pictures(20, 2), seed=0)
    assert found.low < 1 < found.high
    collapsed = ms_ssim_ratio(real=real, fake=pictures(1, 2).repeat(10, 1, 1, 1), seed=0)
    assert collapsed.value == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(scale: float) -> None:
    def direction(n: int, seed: int) -> np.ndarray:
        return normal(n, seed) + np.eye(D)[0] * 2

    near = [np.log(vendi(direction(40, 9000 + s) * [1, *[scale] * (D - 1)])) for s in range(600)]
    usual = [np.log(vendi(direction(40, 19000 + s))) for s in range(600)]
    truths = scale, np.exp(np.mean(near) - np.mean(usual))
    inside = np.zeros((300, 2))
    for s in range(300):
        found = (
            spread_ratio(real=normal(30, 2 * s), fake=normal(50, 2 * s + 1, scale)),
            vendi_of(real=direction(40, 2 * s), fake=direction(40, 2 * s + 1) * [1, *[scale] * (D - 1)]),
        )
        inside[s] = [one.low <= truth <= one.high for one, truth in zip(found, truths, strict=True)]
    assert ((inside.mean(axis=0) >= 0.90) & (inside.mean(axis=0) <= 0.99)).all()


def paths(kind: str, steps: int = 33, number: int = 20) -> np.ndarray:
    """Straight, bent, or stairs of a generator that shows the nearest of its stored images."""
    random = np.random.default_rng(0)
    ends = random.normal(size=(2, number, 1, D))
    t = np.linspace(0, 1, steps)[None, :, None]
    straight = ends[0] * (1 - t) + ends[1] * t
    if kind == "even":
        return straight
    if kind == "bent":
        return np.tanh(straight)
    if kind == "one jump":
        return np.where(t < 0.5, ends[0], ends[1])
    stored = random.normal(size=(30, D))
    return stored[((straight[:, :, None] - stored) ** 2).sum(axis=3).argmin(axis=2)]


def test_stairs_are_told_from_slopes() -> None:
    assert stairs(paths("even")).value == pytest.approx(1)
    assert 1 < stairs(paths("bent")).value < 2
    assert stairs(paths("one jump")).value == pytest.approx(32)
    stored = stairs(paths("stored images"))
    assert stored.low > 5
    assert stored.n == 20


def test_paths_on_which_nothing_changes_have_no_stairs() -> None:
    still = np.ones((5, 9, D))
    with pytest.raises(MetricError, match="makes one image"):
        stairs(still)
    assert stairs(np.concatenate([still, paths("even", 9)])).n == 20
    for wrong in (np.ones((5, 2, D)), np.ones((5, 9)), np.full((5, 9, D), np.nan)):
        with pytest.raises(MetricError, match="Paths must be"):
            stairs(wrong)


@both
def test_what_gives_no_ratio_is_refused_with_the_reason(ratio: Callable[..., Estimate]) -> None:
    with pytest.raises(MetricError, match="9 generated"):
        ratio(real=normal(20, 1), fake=normal(9, 2))
    with pytest.raises(MetricError, match="different networks"):
        ratio(real=normal(20, 1), fake=normal(20, 2)[:, :3])


def test_reals_that_are_all_the_same_give_no_ratio() -> None:
    with pytest.raises(MetricError, match="no variety"):
        spread_ratio(real=np.ones((20, D)), fake=normal(20, 1))
    with pytest.raises(MetricError, match="all 0"):
        vendi_of(real=np.zeros((20, D)), fake=normal(20, 1))
