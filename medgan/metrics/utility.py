"""Do images help a classifier? Frozen features and labels in, probabilities of real test images out, and
what those are worth beside those of another arm of the same study.

Source: the project's reference on evaluation ("Does it help a classifier?").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from medgan.errors import MetricError
from medgan.metrics.bootstrap import LEVEL, RESAMPLES, Interval
from medgan.metrics.distribution import check_features

BALANCED_ACCURACY, AUC = "balanced_accuracy", "auc"
MEASURES = {BALANCED_ACCURACY: "balanced accuracy", AUC: "macro-AUC"}
"""Both from 0 to 1, higher is better; guessing is at 1 / classes and at 0.5."""
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""What `choose_strength` chooses from: how far a classifier may follow its training images."""
FOLDS = 5
ITERATIONS = 1000
SEEN_AT_315 = 0.03
"""The smallest gain that can be seen with 315 test images in equal classes (reference measurement)."""
FEWEST = 5
"""Test images of a class below which nothing is said."""
_TINY = 1e-9

GOOD, WARN, FAIL, UNKNOWN = "good", "warn", "fail", "unknown"


@dataclass(frozen=True)
class Jury:
    """The real images that judge: `labels` `(n,)` from 0 to `classes` - 1, and `groups` `(n,)`, equal for
    images that are not independent (one patient), which are resampled together."""

    labels: np.ndarray
    groups: np.ndarray
    classes: int

    def __post_init__(self) -> None:
        counts = np.bincount(self.labels, minlength=self.classes)
        if self.classes < 2 or not counts.all():
            raise MetricError("A classifier is judged by two classes or more, each with test images.")

    def independent(self) -> np.ndarray:
        """Groups of each class, `(classes,)`: what counts as one observation."""
        return np.array([len(np.unique(self.groups[self.labels == k])) for k in range(self.classes)])


def choose_strength(features: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """The one of `STRENGTHS` with the best balanced accuracy over five folds of real training images.

    It is chosen once, by the arm `real`, and serves all arms: else a gain could be one of settings.
    `features` `(n, D)`; ties go to the weaker one. MetricError if a class has fewer than two images.
    """
    from sklearn.model_selection import StratifiedKFold

    check_features(training=features)
    fewest = int(np.bincount(labels)[np.unique(labels)].min())
    if fewest < 2:
        raise MetricError("A class has one training image only; a classifier needs more.")
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    scores = dict.fromkeys(STRENGTHS, 0.0)
    for train, left in folds.split(features, labels):
        for strength in STRENGTHS:
            found = probabilities(
                train=features[train], labels=labels[train], test=features[left], strength=strength, seed=seed
            )
            hits = found.argmax(axis=1) == labels[left]
            scores[strength] += float(np.mean([hits[labels[left] == k].mean() for k in set(labels[left])]))
    return max(STRENGTHS, key=lambda strength: (round(scores[strength], 9), -strength))


def probabilities(
    *, train: np.ndarray, labels: np.ndarray, test: np.ndarray, strength: float, seed: int
) -> np.ndarray:
    """Class probabilities `(n, classes)` of features `test` `(n, D)`, by logistic regression on `train`.

    Features are standardised by the training images and classes weigh the same. The penalty is per image
    (C = strength / number of images), so that every image twice gives the very same classifier: what an
    arm gains is not gained by counting. Source: scikit-learn's LogisticRegression (lbfgs).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    check_features(training=train, test=test)
    scaler = StandardScaler().fit(train.astype(np.float64))
    model = LogisticRegression(
        C=strength / len(train), class_weight="balanced", max_iter=ITERATIONS, random_state=seed
    )
    model.fit(scaler.transform(train.astype(np.float64)), labels)
    found: np.ndarray = model.predict_proba(scaler.transform(test.astype(np.float64)))
    return found


@dataclass(frozen=True)
class Draws:
    """Resamples that all arms share, which makes their differences paired: how often each test image
    `(resamples, n)` and each seed `(resamples, seeds)` was drawn."""

    images: np.ndarray
    seeds: np.ndarray


def draw(jury: Jury, *, seeds: int, seed: int, resamples: int = RESAMPLES) -> Draws:
    """Test images are drawn with replacement, by group, and seeds too."""
    random = np.random.default_rng(seed)
    names, position = np.unique(jury.groups, return_inverse=True)
    groups = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    images = groups[:, position].astype(np.float64)
    everywhere = np.stack([images[:, jury.labels == k].sum(axis=1) for k in range(jury.classes)]) > 0
    images = images[everywhere.all(axis=0)]  # a draw without a class has no balanced accuracy
    drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(images)).astype(np.float64)
    return Draws(images, drawn)


@dataclass(frozen=True)
class Outcome:
    """A measure of one arm: the mean over seeds, and the same in every resample `(resamples,)`."""

    value: float
    resampled: np.ndarray


def outcomes(found: np.ndarray, jury: Jury, draws: Draws) -> dict[str, Outcome]:
    """Both `MEASURES` of probabilities `found` `(seeds, n, classes)`.

    Balanced accuracy is the mean share of each class that is named rightly (of equals, the first class);
    macro-AUC the mean over classes of the area under one-against-the-rest, ties counting half.
    """
    if found.ndim != 3 or found.shape[1:] != (len(jury.labels), jury.classes):
        raise MetricError(f"Probabilities of another set: their shape is {found.shape}.")
    if not np.isfinite(found).all():
        raise MetricError("The classifier gave probabilities that are not numbers.")
    once = np.ones((1, len(jury.labels)))
    measures = {BALANCED_ACCURACY: _balanced_accuracy, AUC: _auc}
    return {
        name: Outcome(
            float(measure(found, jury, once).mean()),
            (measure(found, jury, draws.images) * draws.seeds).sum(axis=1) / draws.seeds.sum(axis=1),
        )
        for name, measure in measures.items()
    }


def _balanced_accuracy(found: np.ndarray, jury: Jury, weights: np.ndarray) -> np.ndarray:
    """`(resamples, seeds)`."""
    hits = (found.argmax(axis=2) == jury.labels).astype(np.float64)
    shares = []
    for k in range(jury.classes):
        mine = jury.labels == k
        shares.append(weights[:, mine] @ hits[:, mine].T / weights[:, mine].sum(axis=1, keepdims=True))
    mean: np.ndarray = np.mean(shares, axis=0)
    return mean


def _auc(found: np.ndarray, jury: Jury, weights: np.ndarray) -> np.ndarray:
    """`(resamples, seeds)`."""
    areas = np.zeros((len(weights), len(found)))
    for k in range(jury.classes):
        mine = jury.labels == k
        inside, outside = weights[:, mine], weights[:, ~mine]
        pairs = inside.sum(axis=1) * outside.sum(axis=1)
        for s, scores in enumerate(found[:, :, k]):
            gap = scores[mine][:, None] - scores[~mine][None]
            won = (gap > 0) + 0.5 * (gap == 0)
            areas[:, s] += np.einsum("rp,rp->r", inside @ won, outside) / pairs
    return areas / jury.classes


def interval(outcome: Outcome, jury: Jury, level: float = LEVEL) -> Interval:
    """The percentile interval of an outcome, widened for small counts (Hesterberg 2015)."""
    return _interval(outcome.value, outcome.resampled, jury, level)


def difference(arm: Outcome, real: Outcome, jury: Jury, level: float = LEVEL) -> Interval:
    """`arm` minus `real` with its paired interval; above 0 the arm is better."""
    return _interval(arm.value - real.value, arm.resampled - real.resampled, jury, level)


def _interval(value: float, resampled: np.ndarray, jury: Jury, level: float) -> Interval:
    fewest = int(jury.independent().min())
    if fewest < 2:
        return Interval(value, None, None)
    wide = np.sqrt(fewest / (fewest - 1)) * t.ppf((1 - level) / 2, fewest - 1)
    tail = 100 * float(norm.cdf(wide))
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def smallest_visible(jury: Jury) -> float:
    """The gain in balanced accuracy below which nothing can be seen with these test images.

    3 points at 315 images in equal classes, and in proportion to the root of their number; of unequal
    classes the small one counts most, since balanced accuracy weighs them the same.
    """
    effective = jury.classes**2 / float((1 / jury.independent()).sum())
    return float(SEEN_AT_315 * np.sqrt(315 / effective))


@dataclass(frozen=True)
class Gain:
    """What an arm gained over `real` in balanced accuracy."""

    arm: str
    interval: Interval


def corrected_level(arms: int, level: float = LEVEL) -> float:
    """The level of each interval so that all `arms` together hold with `level` (Bonferroni): the best of
    three arms is looked at, and the best of three is better by chance more often than one."""
    return 1 - (1 - level) / max(1, arms)


def verdict(synthetic: Sequence[Gain], *, jury: Jury, augmented: Gain | None = None) -> tuple[str, str]:
    """A level (`good`, `warn`, `fail`, `unknown`) and the sentence with the figures behind it.

    `synthetic` are the arms of real and synthetic images, their intervals at `corrected_level`. `good`
    where one gains, its interval above 0 and the gain visible; `fail` where none does and one loses so;
    else `warn`, "no measurable benefit".
    """
    fewest, visible = int(jury.independent().min()), smallest_visible(jury)
    images = f"{len(jury.labels)} test images"
    if fewest < FEWEST:
        return UNKNOWN, (
            f"A class has {fewest} independent test image{'' if fewest == 1 else 's'}; below {FEWEST} "
            "nothing can be said about a gain."
        )
    known = [gain for gain in synthetic if gain.interval.low is not None and gain.interval.high is not None]
    if not known:
        return UNKNOWN, "No arm of real and synthetic images was measured."
    best = max(known, key=lambda gain: gain.interval.value)
    worst = min(known, key=lambda gain: gain.interval.value)
    limit = f"with {images}, gains under {100 * visible:.0f} points cannot be seen"
    if any(_gains(gain.interval, visible) for gain in known):
        best = max((g for g in known if _gains(g.interval, visible)), key=lambda g: g.interval.value)
        return (
            GOOD,
            f"{best.arm} gains {words(best.interval)} over real images alone{_beside(best, augmented)}.",
        )
    if any(_gains(_negative(gain.interval), visible) for gain in known):
        return FAIL, f"It harms: {worst.arm} changes balanced accuracy by {words(worst.interval)}; {limit}."
    return WARN, (
        f"No measurable benefit: at best {best.arm} changes balanced accuracy by {words(best.interval)}; "
        f"{limit}."
    )


def words(change: Interval) -> str:
    """`+3.1 points [-1.0, 7.2]`."""
    if change.low is None or change.high is None:
        return f"{100 * change.value + 0.0:+.1f} points"
    low, high = (round(100 * end, 1) + 0.0 for end in (change.low, change.high))
    return f"{round(100 * change.value, 1) + 0.0:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _gains(change: Interval, visible: float) -> bool:
    return change.low is not None and change.low > _TINY and change.value >= visible


def _negative(change: Interval) -> Interval:
    low, high = change.low, change.high
    return Interval(-change.value, None if high is None else -high, None if low is None else -low)


def _beside(best: Gain, augmented: Gain | None) -> str:
    if augmented is None:
        return ""
    same = augmented.interval.value >= best.interval.value
    than = "classical augmentation alone gives as much or more" if same else "classical augmentation alone"
    return f" ({than}: {words(augmented.interval)})"
