"""Are the generated images as different from each other as real ones are?

Every figure is generated / real: 1 as varied as the reals, 0 one image repeated; above 1 more varied, as
noise is, which is no merit. Reals are images that can be compared fairly, held-out ones or the training set.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.distribution import check_features, distances, ms_ssim
from medgan.metrics.estimate import Estimate, Subsets, mean, positive
from medgan.metrics.lpips_net import Lpips

SMALLEST = 10
"""Images a side below which no ratio is computed: its interval would be wider than a factor of 2."""
WARN, FAIL = 0.8, 0.6
"""Levels of a ratio of mean distances. Held-out images over training images have 0.98 and 1.04 on two sets
in SqueezeNet's features, images blurred to 1/8 0.62 and 0.71, noise 0.18 and 0.35, one image repeated 0.
Five images repeated may have 0.9 and 20 images 0.99: what finds those is `vendi_ratio`."""
VENDI_WARN, VENDI_FAIL = 0.85, 0.7
"""Levels of `vendi_ratio`: held-out images 1.00 and 1.03, 20 images repeated 0.72 and 0.69, five 0.43 and
0.54, one 0.14 and 0.34."""
STAIRS_WARN, STAIRS_FAIL = 2.5, 4.0
"""Levels of `stairs` at 17 steps, above which it warns and fails."""
LPIPS_MOST = 200
"""Images a side that are compared by LPIPS."""
MS_SSIM_MOST, PARTNERS = 100, 2
"""Images a side that are compared by MS-SSIM, a slow figure, each with twice as many others."""
VENDI_MOST = 512
"""Images a side whose Vendi scores are compared."""
_ROWS = 512
_AT_ONCE = 16


def spread_ratio(*, real: np.ndarray, fake: np.ndarray, level: float = LEVEL) -> Estimate:
    """Mean Euclidean distance of all pairs of generated features `(m, D)`, over that of real ones `(n, D)`.

    The mean over pairs does not depend on how many images there are, so counts need not match. MetricError
    below `SMALLEST` images a side, or where all reals are the same.
    """
    _check(real, fake)
    return _ratio(_row_means(fake), _row_means(real), level)


def lpips_ratio(*, real: Tensor, fake: Tensor, network: Lpips, seed: int, level: float = LEVEL) -> Estimate:
    """Mean pairwise LPIPS of generated `(m, C, H, W)` over that of real images, float in [-1, 1].

    Over all pairs of at most `LPIPS_MOST` images a side, drawn by `seed` (fewer where vectors are large: 64
    of 128 x 128 with VGG). LPIPS is a squared distance of vectors, so all pairs cost no more than their mean.
    """
    _check_counts(len(real), len(fake))
    sides = []
    for images in (fake, real):
        count = min(LPIPS_MOST, network.block_size(images[:1]))
        chosen = images[torch.from_numpy(_some(len(images), count, seed))]
        sides.append(_squared_row_means(network, chosen))
    return _ratio(sides[0], sides[1], level)


def ms_ssim_ratio(*, real: Tensor, fake: Tensor, seed: int, level: float = LEVEL) -> Estimate:
    """Mean pairwise 1 - MS-SSIM of generated `(m, C, H, W)` over that of real images, float in [-1, 1].

    1 - MS-SSIM and not MS-SSIM, so that this ratio points the same way as the others. Each of at most
    `MS_SSIM_MOST` images a side is compared with its `2 * PARTNERS` neighbours on a ring in random order.
    """
    _check_counts(len(real), len(fake))
    sides = []
    for images in (fake, real):
        chosen = images[torch.from_numpy(_some(len(images), MS_SSIM_MOST, seed))]
        sides.append(_dissimilarities(chosen))
    return _ratio(sides[0], sides[1], level)


def vendi_ratio(*, real: np.ndarray, fake: np.ndarray, seed: int, level: float = LEVEL) -> Estimate:
    """Vendi score of generated features `(m, D)` over that of real ones `(n, D)`, at matched counts.

    exp of the entropy of the eigenvalues of K / n, K the cosines of all pairs (Friedman and Dieng 2023):
    how many different images there are in effect. It grows with the count, so the larger set is reduced
    to the smaller one's size, or `VENDI_MOST`, up to ten times, and logarithms are averaged.
    """
    _check(real, fake)
    count = min(len(real), len(fake), VENDI_MOST)
    random = np.random.default_rng(seed)
    sides = []
    for features in (fake, real):
        entropy = Subsets(len(features))
        for _ in range(1 if len(features) == count else 10):
            chosen = random.permutation(len(features))[:count]
            value, influences = _entropy(features[chosen])
            entropy.add(value, [(chosen, influences)])
        sides.append(entropy.result(count))
    (of_fake, (moves_fake,)), (of_real, (moves_real,)) = sides
    ratio = float(np.exp(of_fake - of_real))
    return positive(ratio, ratio * moves_fake, ratio * moves_real, n=len(fake), level=level)


def vendi(features: np.ndarray) -> float:
    """Vendi score of `(n, D)`: 1 for one image repeated, at most n; higher is more varied."""
    check_features(given=features)
    return float(np.exp(_entropy(features)[0]))


def stairs(paths: np.ndarray, *, level: float = LEVEL) -> Estimate:
    """How unevenly images change along straight paths between latent vectors; 1 is even, lower is better.

    `paths` `(P, S, D)` are features of the S images along each of P paths, S 3 or more. A path's index is
    its largest step over its mean step: 1 where each step changes as much as any other, S - 1 where the
    image stays as it is and jumps once, as a generator does that stores images instead of learning what
    lies between them. It grows with S for stairs and hardly for a slope, so compare at equal S. The mean
    over the paths on which anything changes, and its interval over paths; MetricError if those are fewer
    than two.

    Measured at 17 steps in SqueezeNet's features, 12 paths: real images faded into each other 1.5, a model
    that generalises 1.7, one that blends a few stored images 3.6, one that shows the nearest of them 6.9.
    """
    if paths.ndim != 3 or paths.shape[1] < 3 or not np.isfinite(paths).all():
        raise MetricError("Paths must be finite features of shape (paths, 3 or more steps, D).")
    steps = np.linalg.norm(np.diff(np.asarray(paths, np.float64), axis=1), axis=2)
    means = steps.mean(axis=1)
    moving = means > 1e-6 * np.abs(paths).max()
    if moving.sum() < 2:
        raise MetricError("The images do not change along the paths: the generator makes one image.")
    return mean(steps[moving].max(axis=1) / means[moving], level=level)


def _check(real: np.ndarray, fake: np.ndarray) -> None:
    check_features(real=real, fake=fake)
    _check_counts(len(real), len(fake))


def _check_counts(real: int, fake: int) -> None:
    if min(real, fake) < SMALLEST:
        raise MetricError(
            f"Diversity needs {SMALLEST} images on each side; here are {real} real and {fake} generated ones."
        )


def _ratio(fake: np.ndarray, real: np.ndarray, level: float) -> Estimate:
    """The ratio of two means over pairs, from the mean of each image's pairs."""
    above, below = float(fake.mean()), float(real.mean())
    if below <= _SAME:
        raise MetricError("All real images are the same, so there is no variety to compare with.")
    if above <= _SAME * below:
        above, fake = 0.0, np.zeros(len(fake))
    ratio = above / below
    # An image is in two pairs' places: a mean over pairs moves twice as much as its rows differ.
    return positive(
        ratio, 2 * (fake - above) / below, -2 * ratio * (real - below) / below, n=len(fake), level=level
    )


_SAME = 1e-6
"""Rounding puts equal images this far apart."""


def _row_means(features: np.ndarray) -> np.ndarray:
    """Mean distance of each row to all others, `(n,)`; in blocks, so that 10,000 fit."""
    x = np.asarray(features, np.float64)
    x = x - x.mean(axis=0)  # distances of near images lose fewer digits
    parts = []
    for start in range(0, len(x), _ROWS):
        block = distances(x[start : start + _ROWS], x)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        parts.append(block.sum(axis=1) / (len(x) - 1))
    return np.concatenate(parts)


def _squared_row_means(network: Lpips, images: Tensor) -> np.ndarray:
    """Mean squared distance of each image's vector to all others: n |v - mean|^2 and the others'
    |v - mean|^2. Embedded twice, a few at a time: the vectors of 200 images are 400 MB."""
    n, some = len(images), torch.split(images, _AT_ONCE)
    centre = sum(network.embed(chunk).sum(dim=0, dtype=torch.float64) for chunk in some) / n
    squares = torch.cat([(network.embed(chunk) - centre).square().sum(dim=1) for chunk in some]).numpy()
    means: np.ndarray = (n * squares + squares.sum()) / (n - 1)
    return means


def _dissimilarities(images: Tensor) -> np.ndarray:
    """Mean 1 - MS-SSIM of each image and its neighbours on the ring."""
    n = len(images)
    totals, numbers = np.zeros(n), np.zeros(n)
    for step in range(1, min(PARTNERS, (n - 1) // 2) + 1):
        for k in range(n):
            pair = [k, (k + step) % n]
            totals[pair] += 1 - ms_ssim(images[pair], pairs=1, seed=0)
            numbers[pair] += 1
    return np.asarray(totals / numbers)


def _some(total: int, count: int, seed: int) -> np.ndarray:
    """At most `count` of `total` places, in random order."""
    return np.random.default_rng(seed).permutation(total)[:count]


def _entropy(features: np.ndarray) -> tuple[float, np.ndarray]:
    """Entropy of the eigenvalues of the cosines over n, and its influences -phi' log(rho) phi - H."""
    x = np.asarray(features, np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise MetricError("The features of an image are all 0, so it has no cosine with others.")
    x = x / lengths
    n = len(x)
    left, roots, _ = np.linalg.svd(x / np.sqrt(n), full_matrices=False)
    values = np.square(roots)
    logs = np.log(values, out=np.zeros_like(values), where=values > 1e-14)
    entropy = float(-(values * logs).sum())
    return entropy, -n * np.square(left) @ (values * logs) - entropy
