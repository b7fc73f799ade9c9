from __future__ import annotations

import numpy as np
import pytest
import torch

from medgan.errors import MetricError
from medgan.metrics.pairwise import PSNR_CAP, ms_gmsd, nearest_pairs, psnr, random_pairs


def images(n: int = 4, channels: int = 3, size: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, size, size, generator=generator) * 1.6 - 0.8


def test_psnr_of_a_constant_offset_is_the_textbook_value() -> None:
    real = torch.zeros(2, 1, 16, 16)
    fake = real + 0.2  # 0.1 of the whole range, so 10 log10(1 / 0.01)
    assert psnr(real=real, fake=fake).tolist() == pytest.approx([20.0, 20.0], abs=1e-3)


def test_the_peak_of_psnr_is_the_whole_range_and_not_half_of_it() -> None:
    real, fake = images(seed=1), images(seed=2)
    mse = (real - fake).square().mean(dim=(1, 2, 3))
    with_peak_1 = 10 * torch.log10(1 / mse)
    assert (psnr(real=real, fake=fake) - with_peak_1).tolist() == pytest.approx([6.0206] * 4, abs=1e-3)


def test_psnr_of_identical_images_ends_at_the_documented_cap() -> None:
    assert psnr(real=images(), fake=images()).tolist() == pytest.approx([PSNR_CAP] * 4, abs=1e-3)


def test_one_grey_level_of_difference_stays_far_below_the_cap() -> None:
    value = psnr(real=torch.zeros(1, 1, 16, 16), fake=torch.full((1, 1, 16, 16), 2 / 255))
    assert float(value) == pytest.approx(48.13, abs=0.02)


def test_ms_gmsd_of_identical_images_is_zero_and_of_others_above() -> None:
    assert ms_gmsd(real=images(), fake=images()).tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    assert (ms_gmsd(real=images(seed=1), fake=images(seed=2)) > 0.05).all()


@pytest.mark.parametrize("metric", [psnr, ms_gmsd])
def test_grey_images_score_the_same_when_expanded_to_three_channels(metric) -> None:
    real, fake = images(channels=1, seed=1), images(channels=1, seed=2)
    expanded = metric(real=real.expand(-1, 3, -1, -1), fake=fake.expand(-1, 3, -1, -1))
    assert expanded.tolist() == pytest.approx(metric(real=real, fake=fake).tolist(), rel=1e-4)


@pytest.mark.parametrize("metric", [psnr, ms_gmsd])
@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (images(2), images(3), "equal shapes"),
        (images(2, channels=1), images(2), "equal shapes"),
        (images() * 100, images(), r"in \[-1, 1\]"),
        (images() * float("nan"), images(), r"in \[-1, 1\]"),
        (images().to(torch.uint8), images(), "float"),
        (images(channels=2), images(channels=2), "1 or 3"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_the_reason(metric, real, fake, words) -> None:
    with pytest.raises(MetricError, match=words):
        metric(real=real, fake=fake)


def test_ms_gmsd_refuses_images_that_are_too_small_for_its_scales() -> None:
    with pytest.raises(MetricError, match="17 x 17"):
        ms_gmsd(real=images(size=16), fake=images(size=16))


def test_random_pairs_are_distinct_and_each_image_has_its_number() -> None:
    pairs = random_pairs(real=9, fake=20, per_image=4, seed=3)
    drawn = list(zip(pairs.fake.tolist(), pairs.real.tolist(), strict=True))
    assert len(set(drawn)) == len(drawn) == len(pairs) == 80
    assert np.bincount(pairs.fake).tolist() == [4] * 20
    assert set(pairs.real.tolist()) == set(range(9))


def test_random_pairs_are_named_by_their_seed() -> None:
    first, again, other = (random_pairs(real=9, fake=20, per_image=4, seed=s).real for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_with_fewer_held_out_images_than_asked_for_all_are_taken() -> None:
    pairs = random_pairs(real=2, fake=3, per_image=4, seed=0)
    assert pairs.fake.tolist() == [0, 0, 1, 1, 2, 2]


def test_pairing_nothing_is_refused() -> None:
    with pytest.raises(MetricError, match="Nothing to compare"):
        random_pairs(real=0, fake=3, per_image=4, seed=0)


def test_the_nearest_pair_is_the_one_with_the_smallest_squared_difference() -> None:
    real, fake = images(7, seed=1), images(70, seed=2)
    distances = (fake[:, None] - real[None]).square().mean(dim=(2, 3, 4))
    pairs = nearest_pairs(real=real, fake=fake)
    assert pairs.real.tolist() == distances.argmin(dim=1).tolist()
    assert pairs.fake.tolist() == list(range(70))


def test_a_copy_is_its_own_nearest_image() -> None:
    real = images(7)
    assert nearest_pairs(real=real, fake=real[[5, 2]]).real.tolist() == [5, 2]
