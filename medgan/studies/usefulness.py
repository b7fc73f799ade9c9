"""Do synthetic images help a classifier? The whole study: models, arms, seeds, and what came of it.

The models and the classifiers learn from the training part alone and are judged by the test part; the
validation part is not looked at. Killed or interrupted, the same call goes on and ends with the same result.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from medgan import __version__
from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN
from medgan.errors import DataError, Interrupted
from medgan.metrics import utility
from medgan.metrics.bootstrap import LEVEL, RESAMPLES
from medgan.metrics.features import load
from medgan.runs.info import model_sha256
from medgan.runs.models import usable
from medgan.studies.arms import ARMS, AUGMENTATION, BASE, Arm, members
from medgan.studies.classifiers import FROZEN, Classifier, Frozen, ResNet18
from medgan.studies.ledger import Ledger
from medgan.studies.models import ClassModel, Recipe, check_given, models_of
from medgan.studies.sources import Sources, of_dataset
from medgan.training.devices import choose_device

FORMAT = 1
FEWEST = 20
"""Training images of a class below which a model of its own only learns them by heart."""

Progress = Callable[[str, int, int], None]


def _ignore(what: str, done: int, total: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Plan:
    """What to study. `features` names the network of the classifier `frozen`; `epochs` is for `resnet18`;
    `given` maps classes to model folders that are used instead of training; `seed` is the bootstrap's."""

    recipe: Recipe
    features: str
    classifier: str = FROZEN
    epochs: int = 10
    seeds: int = 10
    arms: tuple[Arm, ...] = tuple(ARMS.values())
    classes: tuple[str, ...] = ()
    given: Mapping[str, Path] = field(default_factory=dict)
    seed: int = 0


def study(
    data: Dataset,
    out: Path,
    plan: Plan,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Progress = _ignore,
) -> dict[str, Any]:
    """Do the study in the folder `out`, or go on with it; returns what `out/study.json` then holds.

    DataError for a set without classes or with too few images, or a folder of another study; Interrupted
    where `interrupted()` turns true, everything done so far being kept.
    """
    labels = _labels(data, plan)
    check_given(plan.given, data)  # before there is a folder, and hours of training
    # Before hours of training: an unknown network is said, a missing one downloaded.
    network = load(plan.features) if plan.classifier == FROZEN else None
    ledger = Ledger(out, _settings(data, plan, labels))
    models = models_of(data, labels, out, plan.recipe, plan.given, interrupted=interrupted, progress=progress)
    sources = of_dataset(data, labels, [model.load() for model in models])

    def advance(what: str, done: int, total: int) -> None:
        progress(what, done, total)
        if interrupted():
            raise Interrupted("Stopped.")

    identity = " ".join([data.info["content_sha256"], *(model.sha256 for model in models)])
    classifier: Classifier
    if network:
        classifier = Frozen(sources, network, out / "features", identity=identity, progress=advance)
    else:
        classifier = ResNet18(
            sources,
            epochs=plan.epochs,
            device=choose_device(plan.recipe.device),
            progress=advance,
            interrupted=interrupted,
        )
    found = {arm.name: _learn(arm, plan, sources, classifier, ledger, advance) for arm in plan.arms}
    result = _result(data, plan, sources, models, classifier, found)
    ledger.finish(result)
    return result


def _labels(data: Dataset, plan: Plan) -> list[str]:
    there = data.info["classes"]
    labels = list(plan.classes or there)
    unknown = [label for label in (*labels, *plan.given) if label not in there]
    if unknown:
        raise DataError(f"{data.name} has no class {unknown[0]!r}; it has {', '.join(there)}.")
    if len(labels) < 2:
        raise DataError(
            f"{data.name} has one class only, and a classifier needs two or more; prepare a set with a "
            "folder for each class, or with --labels."
        )
    for label in labels:
        train, test = there[label].get(TRAIN, 0), there[label].get(TEST, 0)
        if train < FEWEST:
            raise DataError(
                f"{label} has {train} images to train on, and a model of its own needs {FEWEST} or more; add "
                "images, or name the other classes with --classes."
            )
        if not test:
            raise DataError(f"{label} has no test images; prepare the set with a larger test part (--split).")
    return labels


def _settings(data: Dataset, plan: Plan, labels: Sequence[str]) -> dict[str, Any]:
    """What must stay the same in a folder; arms and seeds may be added later."""
    recipe = plan.recipe
    return {
        "dataset": data.info["content_sha256"],
        "classes": list(labels),
        "preset": recipe.preset,
        "model": recipe.model.to_json(),
        "train": recipe.train.to_json(),
        "models": {label: model_sha256(usable(folder)) for label, folder in sorted(plan.given.items())},
        "classifier": plan.classifier,
        **({"features": plan.features} if plan.classifier == FROZEN else {"epochs": plan.epochs}),
    }


def _learn(
    arm: Arm, plan: Plan, sources: Sources, classifier: Classifier, ledger: Ledger, advance: Progress
) -> np.ndarray:
    """Probabilities `(seeds, n, classes)`, those that are in the ledger and those that were missing."""
    done = ledger.done(arm.name)
    for seed in range(plan.seeds):
        if seed not in done:
            advance(f"Classifiers, {arm.title}", seed, plan.seeds)
            done[seed] = classifier.probabilities(members(arm, sources.counts(), seed=seed), seed)
            ledger.note(arm.name, done)
    return np.stack([done[seed] for seed in range(plan.seeds)])


def _result(
    data: Dataset,
    plan: Plan,
    sources: Sources,
    models: Sequence[ClassModel],
    classifier: Classifier,
    found: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    jury = sources.jury
    draws = utility.draw(jury, seeds=plan.seeds, seed=plan.seed)
    measured = {name: utility.outcomes(values, jury, draws) for name, values in found.items()}
    level, reason = _verdict(plan, jury, measured, models)
    return {
        "format": FORMAT,
        "kind": "usefulness",
        "dataset": {
            "name": data.name,
            "content_sha256": data.info["content_sha256"],
            "classes": {label: data.info["classes"][label] for label in sources.labels},
            "test": len(jury.labels),
            "test_groups": jury.independent().tolist(),
        },
        "settings": {
            **_settings(data, plan, sources.labels),
            "arms": [arm.name for arm in plan.arms],
            "seeds": plan.seeds,
            "bootstrap": {
                "over": "test images (by group) and seeds, paired",
                "level": LEVEL,
                "resamples": RESAMPLES,
                "seed": plan.seed,
            },
        },
        "versions": _versions(),
        "models": [model.to_json() for model in models],
        "classifier": classifier.about(),
        "smallest_visible": utility.smallest_visible(jury),
        "arms": [_row(arm, sources, measured) for arm in plan.arms],
        "verdicts": {"usefulness": {"level": level, "reason": reason}},
        "notes": _notes(sources, plan, models),
    }


def _row(arm: Arm, sources: Sources, measured: Mapping[str, dict[str, utility.Outcome]]) -> dict[str, Any]:
    jury, own, base = sources.jury, measured[arm.name], measured[BASE.name]
    counts = [arm.real * count + arm.extra * count for count in sources.counts()]
    return {
        "name": arm.name,
        "title": arm.title,
        "n": {"train": dict(zip(sources.labels, counts, strict=True)), "test": len(jury.labels)},
        "direction": "higher is better",
        **{
            name: {
                **_ends(utility.interval(own[name], jury)),
                "difference": None if arm is BASE else _ends(utility.difference(own[name], base[name], jury)),
            }
            for name in utility.MEASURES
        },
    }


def _ends(found: Any) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _verdict(
    plan: Plan,
    jury: utility.Jury,
    measured: Mapping[str, dict[str, utility.Outcome]],
    models: Sequence[ClassModel],
) -> tuple[str, str]:
    judged = [arm for arm in plan.arms if arm.judged]

    def gain(arm: Arm, level: float) -> utility.Gain:
        own, base = (measured[name][utility.BALANCED_ACCURACY] for name in (arm.name, BASE.name))
        return utility.Gain(arm.title, utility.difference(own, base, jury, level))

    level, reason = utility.verdict(
        [gain(arm, utility.corrected_level(len(judged))) for arm in judged],
        jury=jury,
        augmented=gain(AUGMENTATION, LEVEL) if AUGMENTATION in plan.arms else None,
    )
    doubts = [model.doubt for model in models if model.doubt]
    if doubts and level == utility.GOOD:
        return utility.UNKNOWN, f"{reason} But: {' '.join(doubts)}"
    return level, reason


def _notes(sources: Sources, plan: Plan, models: Sequence[ClassModel]) -> list[str]:
    notes = [model.doubt for model in models if model.doubt]
    fewest = int(sources.jury.independent().min())
    if fewest < 100:
        notes.append(
            f"The smallest class has {fewest} independent test images: the intervals are wide, and they hold "
            "for these training images; others would give other figures."
        )
    if plan.seeds < 10:
        notes.append(f"{plan.seeds} seeds are few; 10 or more are usual.")
    if plan.classifier == FROZEN and plan.features in ("random", "pixels"):
        notes.append(
            f"The features ({plan.features}) were never trained: what is no help here may be one to others."
        )
    return notes


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "scikit-learn", "numpy", "scipy")
    found = {package: version(package) for package in packages}
    return {"medgan": __version__, "python": platform.python_version(), **found}
