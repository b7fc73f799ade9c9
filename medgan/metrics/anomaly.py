"""How far an image is from normal ones: f-AnoGAN's score, the plain baselines that it must beat, and how
well a score separates. Pure functions on arrays; higher scores are less normal everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL, RESAMPLES, Interval
from medgan.metrics.distribution import check_features, distances

KAPPA = 1.0
"""Weight of the discriminator's features in the score (Schlegl et al. 2019)."""
NEIGHBOURS = 5
VARIANCE = 0.9
"""Share of the variance of normal images that the principal components keep."""
FEWEST = 5
"""Normal and other test images each, below which an area means nothing."""
FEW = 30
"""Below this many on either side it must be said that there are few: the interval is about 0.1 wide."""


def residual(
    images: Tensor,
    rebuilt: Tensor,
    features: Tensor | None = None,
    rebuilt_features: Tensor | None = None,
    *,
    kappa: float = KAPPA,
) -> Tensor:
    """f-AnoGAN's loss and score of each image, `(N,)`; 0 for an image that is rebuilt perfectly.

    mean (x - G(E(x)))^2 + kappa mean (f(x) - f(G(E(x))))^2, the means over pixels and over features.
    `images` and `rebuilt` are `(N, C, H, W)` in [-1, 1], features `(N, ...)`; without features the second
    term is absent (izi). Source: Schlegl et al. 2019, equations 3 and 5 (izi_f).
    """
    score = (images - rebuilt).square().flatten(1).mean(dim=1)
    if features is None or rebuilt_features is None:
        return score
    return score + kappa * (features - rebuilt_features).square().flatten(1).mean(dim=1)


def heat(images: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """|x - G(E(x))| of uint8 `(N, H, W, C)`, the mean over channels, float `(N, H, W)` in grey levels."""
    gap: np.ndarray = np.abs(images.astype(np.float32) - rebuilt.astype(np.float32)).mean(axis=3)
    return gap


def neighbour_scores(*, train: np.ndarray, test: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Mean distance of features `test` `(n, D)` to the k nearest of normal features `train`, `(n,)`."""
    check_features(training=train, test=test)
    near = np.partition(distances(test, train), min(k, len(train)) - 1, axis=1)
    scores: np.ndarray = near[:, : min(k, len(train))].mean(axis=1)
    return scores


def component_scores(*, train: np.ndarray, test: np.ndarray, variance: float = VARIANCE) -> np.ndarray:
    """Mean square of what principal components of normal images leave unexplained, `(n,)`.

    `train` and `test` are uint8 `(N, H, W, C)`; as many components are kept as hold `variance` of the
    variance among the `train` images. MetricError for fewer than two of them.
    """
    if len(train) < 2:
        raise MetricError("Principal components need two normal images or more.")
    flat, mean = _flat(train), _flat(train).mean(axis=0)
    # Rows are few and pixels many: the components come from the small matrix of inner products.
    _, strengths, components = np.linalg.svd(flat - mean, full_matrices=False)
    held = np.cumsum(strengths**2) / max(float((strengths**2).sum()), 1e-12)
    kept = components[: int(np.searchsorted(held, variance)) + 1]
    rest = _flat(test) - mean
    scores: np.ndarray = np.square(rest - rest @ kept.T @ kept).mean(axis=1)
    return scores


def mean_scores(*, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Mean squared difference of uint8 `test` images to the mean of `train`, `(n,)`."""
    scores: np.ndarray = np.square(_flat(test) - _flat(train).mean(axis=0)).mean(axis=1)
    return scores


def no_better_than_the_mean(images: np.ndarray, rebuilt: np.ndarray) -> bool:
    """Whether `rebuilt` is no nearer to `images`, uint8 `(N, H, W, C)`, than their mean is."""
    gap = np.square(_flat(images) - _flat(rebuilt)).mean()
    return bool(gap >= mean_scores(train=images, test=images).mean())


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255


@dataclass(frozen=True)
class Area:
    """The area under the ROC curve of a score, and the same in every resample."""

    value: float
    resampled: np.ndarray

    def interval(self, level: float = LEVEL) -> Interval:
        """With its percentile interval."""
        tail = 50 * (1 - level)
        low, high = np.percentile(self.resampled, [tail, 100 - tail])
        return Interval(self.value, float(low), float(high))

    def minus(self, other: Area, level: float = LEVEL) -> Interval:
        """The difference to another score on the same images, with its paired interval."""
        return Area(self.value - other.value, self.resampled - other.resampled).interval(level)


def areas(
    scores: dict[str, np.ndarray],
    *,
    abnormal: np.ndarray,
    groups: np.ndarray,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Area]:
    """The chance that an abnormal image scores above a normal one, for every score; 1 is perfect, 0.5
    blind, ties count half. Source: scikit-learn's roc_auc_score.

    `abnormal` is bool `(n,)`; images of one of `groups` `(n,)` (a patient) are resampled together, the
    same for all scores, which makes their differences paired. MetricError with fewer than five images on
    either side, or for a score that is not finite.
    """
    from sklearn.metrics import roc_auc_score

    sides = int(abnormal.sum()), int((~abnormal).sum())
    if min(sides) < FEWEST:
        raise MetricError(
            f"Here are {sides[1]} normal and {sides[0]} other test images; an area under the curve needs "
            f"{FEWEST} of each. Prepare the set with a larger test part (--split)."
        )
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise MetricError(f"The score {name} is not a finite number for every image.")
    random = np.random.default_rng(seed)
    names, place = np.unique(groups, return_inverse=True)
    drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)[:, place]
    inside, outside = drawn[:, abnormal].astype(float), drawn[:, ~abnormal].astype(float)
    both = (inside.sum(axis=1) > 0) & (outside.sum(axis=1) > 0)
    inside, outside = inside[both], outside[both]
    pairs = inside.sum(axis=1) * outside.sum(axis=1)
    found = {}
    for name, values in scores.items():
        gap = values[abnormal][:, None] - values[~abnormal][None]
        won = (gap > 0) + 0.5 * (gap == 0)
        resampled = np.einsum("rp,rp->r", inside @ won, outside) / pairs
        found[name] = Area(float(roc_auc_score(abnormal, values)), resampled)
    return found


def which_wins(found: dict[str, Area], *, ours: str, level: float = LEVEL) -> str:
    """The sentence that says which score separates best, and whether `ours` is measurably apart from it."""
    best = max(found, key=lambda name: found[name].value)
    rivals = {name: area for name, area in found.items() if name != best}
    second = max(rivals, key=lambda name: rivals[name].value)
    other = second if best == ours else ours
    # The best of several is best by chance more often than one: its lead is asked for more.
    gap = found[best].minus(found[other], 1 - (1 - level) / len(rivals))
    low, high = gap.low or 0.0, gap.high or 0.0
    clear = "measurably" if low > 0 else "not measurably"
    sentence = (
        f"{best} separates best, with an area of {found[best].value:.2f}: {clear} better than {other} "
        f"({found[other].value:.2f}; the difference is {gap.value:.2f} [{low:.2f}, {high:.2f}])."
    )
    if found[best].interval(level).low is not None and (found[best].interval(level).low or 0) <= 0.5:
        sentence += " Even that is not measurably better than guessing."
    return sentence


def backwards(found: dict[str, Area], level: float = LEVEL) -> list[str]:
    """A sentence for every score that is measurably below 0.5: it is no detector turned round."""
    return [
        f"{name} runs the wrong way ({area.value:.2f}): normal images are further from normal ones than the "
        "others are. They differ in something else, such as brightness, detail or where they were taken."
        for name, area in found.items()
        if (area.interval(level).high or 0.0) < 0.5
    ]
