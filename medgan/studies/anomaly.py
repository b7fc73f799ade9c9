"""Does a model of normal images find those that are not? f-AnoGAN beside kNN, principal components and the
mean image, on the test part of a labelled set."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from medgan import __version__
from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN
from medgan.errors import DataError
from medgan.files import write_folder, write_json
from medgan.generation.sampling import of_class
from medgan.images import kind, png
from medgan.metrics import anomaly
from medgan.metrics.bootstrap import LEVEL, RESAMPLES
from medgan.metrics.features import FeatureNetwork, load
from medgan.runs.checkpoint import load_generator, network_state
from medgan.runs.info import ModelInfo, model_sha256
from medgan.studies.encoding import ITERATIONS, Judge, discriminator_features, train_encoder
from medgan.studies.heatmaps import ramp, sheet

FORMAT = 1
SHOWN = 16
"""The most anomalous images that are shown."""
FEWEST = 10
"""Normal training images below which an encoder is not worth training."""
KNN, COMPONENTS, MEAN = "kNN on features", "principal components", "mean image"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Question:
    """What is asked of a model: which class is normal, by which features, how long the encoder learns."""

    normal: str
    features: str
    iterations: int = ITERATIONS
    seed: int = 0


@dataclass(frozen=True)
class _Images:
    train: np.ndarray
    test: np.ndarray
    abnormal: np.ndarray
    groups: np.ndarray
    rows: list[dict[str, str]]


def detect(
    model_folder: Path,
    data: Dataset,
    question: Question,
    out: Path,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Train the encoder on normal training images, score all test images, and write the new folder `out`:
    `anomaly.json` (returned), `encoder.safetensors`, the sheet `anomalies.png` and `heat/`.

    DataError for a class that is not there, too few images, or a model of other images; Interrupted, and
    nothing written, where `interrupted()` turns true.
    """
    if out.exists():
        raise DataError(f"{out} exists already; choose another name.")
    images = _images(data, question.normal)
    generator, info = load_generator(model_folder)
    _check(info, data)
    generator = of_class(generator, question.normal)
    features = discriminator_features(model_folder)
    network = load(question.features)
    judge = train_encoder(
        images.train,
        generator=generator,
        features=features,
        config=info.model,
        iterations=question.iterations,
        seed=question.seed,
        interrupted=interrupted,
        progress=progress,
    )
    scores = _scores(judge, network, images, progress)
    found = anomaly.areas(scores, abnormal=images.abnormal, groups=images.groups, seed=question.seed)
    result = _result(model_folder, info, data, question, images, judge, network, scores, found)
    write_folder(out, lambda folder: _fill(folder, result, judge, images, scores), new=True)
    return result


def _images(data: Dataset, normal: str) -> _Images:
    classes = data.info["classes"]
    if normal not in classes:
        raise DataError(f"{data.name} has no class {normal!r}; it has {', '.join(classes)}.")
    if len(classes) < 2:
        raise DataError(f"{data.name} has one class only, so there is nothing that is not normal.")
    train = [k for k, row in enumerate(data.manifest) if row["split"] == TRAIN and row["class"] == normal]
    test = [k for k, row in enumerate(data.manifest) if row["split"] == TEST]
    if len(train) < FEWEST:
        raise DataError(
            f"{normal} has {len(train)} images to train on, and an encoder needs {FEWEST} or more; add some."
        )
    rows = [data.manifest[k] for k in test]
    abnormal = np.array([row["class"] != normal for row in rows], dtype=bool)
    _, groups = np.unique([row["group"] for row in rows], return_inverse=True)
    if min(abnormal.sum(), (~abnormal).sum()) < anomaly.FEWEST:
        raise DataError(
            f"{data.name} has {(~abnormal).sum()} test images of {normal} and {abnormal.sum()} of other "
            f"classes, and {anomaly.FEWEST} of each are needed; prepare it with a larger test part (--split)."
        )
    return _Images(np.asarray(data.images[train]), np.asarray(data.images[test]), abnormal, groups, rows)


def _check(info: ModelInfo, data: Dataset) -> None:
    if (info.model.channels, info.model.size) != (data.channels, data.size):
        raise DataError(
            f"The model makes {kind(info.model)} images, but {data.name} has {kind(data)} ones; prepare the "
            "set to match."
        )


def _scores(
    judge: Judge, network: FeatureNetwork, images: _Images, progress: Progress
) -> dict[str, np.ndarray]:
    progress("Baselines", 0, 1)
    train, test = images.train, images.test
    return {
        _name(judge): judge.scores(test),
        KNN: anomaly.neighbour_scores(train=network.extract(train), test=network.extract(test)),
        COMPONENTS: anomaly.component_scores(train=train, test=test),
        MEAN: anomaly.mean_scores(train=train, test=test),
    }


def _name(judge: Judge) -> str:
    return f"f-AnoGAN ({judge.method})"


def _result(
    folder: Path,
    info: ModelInfo,
    data: Dataset,
    question: Question,
    images: _Images,
    judge: Judge,
    network: FeatureNetwork,
    scores: dict[str, np.ndarray],
    found: dict[str, anomaly.Area],
) -> dict[str, Any]:
    n = {
        "train": len(images.train),
        "normal": int((~images.abnormal).sum()),
        "other": int(images.abnormal.sum()),
    }
    figures = []
    for name, area in found.items():
        interval = area.interval()
        gap = None if name == _name(judge) else area.minus(found[_name(judge)])
        figures.append(
            {
                "name": name,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
                "n": n,
                "direction": "higher is better",
                "features": network.identity if name == KNN else None,
                "over_f_anogan": gap and {"value": gap.value, "low": gap.low, "high": gap.high},
            }
        )
    return {
        "format": FORMAT,
        "kind": "anomaly",
        "model": {
            "name": str(info.about.get("name") or folder.name),
            "sha256": model_sha256(folder),
            "about": info.about,
        },
        "dataset": {"name": data.name, "content_sha256": data.info["content_sha256"]},
        "settings": {
            "normal": question.normal,
            "features": network.name,
            "features_title": network.label,
            "iterations": question.iterations,
            "seed": question.seed,
            "method": judge.method,
            "kappa": anomaly.KAPPA,
            "neighbours": anomaly.NEIGHBOURS,
            "variance": anomaly.VARIANCE,
            "bootstrap": {"over": "images (by group)", "level": LEVEL, "resamples": RESAMPLES},
        },
        "versions": _versions(),
        "n": n,
        "figures": figures,
        "sentence": anomaly.which_wins(found, ours=_name(judge)),
        "notes": [*anomaly.backwards(found), *_notes(info, question, judge, images, n)],
        "scores": [
            {
                "file": row["file"],
                "class": row["class"],
                **{name: float(values[k]) for name, values in scores.items()},
            }
            for k, row in enumerate(images.rows)
        ],
    }


def _notes(
    info: ModelInfo, question: Question, judge: Judge, images: _Images, n: dict[str, int]
) -> list[str]:
    notes = []
    if anomaly.no_better_than_the_mean(images.train, judge.rebuilt(images.train)):
        notes.append(
            "What the model makes of normal training images is no nearer to them than their mean image: "
            "it has not learned them, and its score says nothing. Train the model, or the encoder, longer."
        )
    if judge.features is None:
        notes.append(
            "The model folder holds no discriminator, as a run folder does, so the score is of pixels "
            "alone: izi."
        )
    trained_on = info.about.get("dataset", {})
    classes = list(trained_on.get("classes", {}))
    if not trained_on.get("content_sha256"):
        notes.append(
            "The model does not say what it was trained on, so it cannot be known whether it has seen the "
            "test images, or images that are not normal."
        )
    elif classes != [question.normal]:
        notes.append(
            f"The model was trained on {', '.join(classes) or 'unnamed classes'}, not on {question.normal} "
            "alone: it may rebuild the others as well, and f-AnoGAN is at a disadvantage."
        )
    if min(n["normal"], n["other"]) < anomaly.FEW:
        notes.append(
            f"Only {n['normal']} normal and {n['other']} other test images: the intervals are wide, and "
            f"themselves rough below {anomaly.FEW}."
        )
    if n["train"] < 100:
        notes.append(f"The encoder saw {n['train']} normal images; with so few it learns them by heart.")
    return notes


def _fill(
    folder: Path, result: dict[str, Any], judge: Judge, images: _Images, scores: dict[str, np.ndarray]
) -> None:
    write_json(folder / "anomaly.json", result)
    save_file(network_state(judge.encoder), folder / "encoder.safetensors")
    order = np.argsort(-scores[_name(judge)], kind="stable")[:SHOWN]
    shown = images.test[order]
    rebuilt = judge.rebuilt(shown)
    heat = anomaly.heat(shown, rebuilt)
    top = max(1.0, float(np.quantile(heat, 0.995)))  # one scale for all, so that they can be compared
    (folder / "heat").mkdir()
    for rank, k in enumerate(order):
        (folder / "heat" / f"{rank + 1:02d}-{images.rows[k]['sha256'][:8]}.png").write_bytes(
            png(ramp(heat[rank], top))
        )
    marks = [bool(images.abnormal[k]) for k in order]
    (folder / "anomalies.png").write_bytes(png(sheet(shown, rebuilt, heat, top, marks)))


def _versions() -> dict[str, str]:
    packages = ("torch", "scikit-learn", "numpy", "scipy")
    return {
        "medgan": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
