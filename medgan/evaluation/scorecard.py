"""A model, or a folder of images, against a data set: figures, verdicts and pictures."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from medgan import __version__
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.evaluation import embedding
from medgan.evaluation.case import Case
from medgan.evaluation.classes import classes
from medgan.evaluation.diversity import diversity
from medgan.evaluation.drawing import draw
from medgan.evaluation.encoded import KEPT, encode, references, without_contrast
from medgan.evaluation.figures import Figure
from medgan.evaluation.judged import Judged, OfFolder, OfModel
from medgan.evaluation.kinds import DIVERSITY, MEMORISATION, PARTS, QUALITY
from medgan.evaluation.memorisation import memorisation
from medgan.evaluation.notes import notes
from medgan.evaluation.paper import PAPER
from medgan.evaluation.pictures import Pictures
from medgan.evaluation.quality import manifolds, quality
from medgan.evaluation.reals import Reals, read_reals
from medgan.evaluation.references import GENERATED, ROWS, Row, reference_rows
from medgan.evaluation.report import FORMAT
from medgan.evaluation.rows import PAIRINGS, PER_IMAGE, measure
from medgan.evaluation.settings import USUAL, Settings
from medgan.evaluation.verdicts import verdicts
from medgan.evaluation.watch import Progress, Watch
from medgan.metrics import lpips_net
from medgan.metrics.bootstrap import LEVEL
from medgan.metrics.copies import Pair
from medgan.metrics.features import RANDOM, SCORECARD, FeatureNetwork, choose, load, pixels
from medgan.workspace import Workspace

PACKAGES = ("torch", "torchvision", "timm", "piq", "lpips", "numpy", "scipy", "pillow")
FLATTERED = (
    " The model was trained to please this very network, so these figures flatter it: read them beside those "
    "of another one (--features dinov2, or random)."
)
LPIPS_ORDER = ("alex", "squeeze", "vgg")
"""The backbone of LPIPS where nobody names one: the first whose weights are here, else the first."""


@dataclass(frozen=True)
class Scorecard:
    """The report, as JSON values (docs/scorecard.md), and the pictures beside it."""

    report: dict[str, Any]
    pictures: Pictures


@dataclass
class _Results:
    figures: list[Figure] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    capped: int = 0


def judge_model(
    folder: Path,
    dataset: Dataset,
    settings: Settings = USUAL,
    *,
    study: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Judge seeds 0 to `count` - 1 of a model folder. DataError if its images and the set's do not fit or too
    few are held out; ConfigError for settings that cannot be; CheckpointError if it cannot be read."""
    settings.check()
    reals = read_reals(dataset, settings.split)
    with closing(OfModel(folder, dataset, settings.count)) as judged:
        return _judge(judged, dataset, reals, settings, study, progress)


def judge_folder(
    folder: Path,
    dataset: Dataset,
    settings: Settings = USUAL,
    *,
    study: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Scorecard:
    """Judge at most `count` images of a folder or ZIP. Errors as for `judge_model`."""
    settings.check()
    reals = read_reals(dataset, settings.split)
    report = partial(Watch(progress).report, "Reading images")
    with closing(OfFolder(folder, dataset, settings.count, seed=settings.seed, report=report)) as judged:
        return _judge(judged, dataset, reals, settings, study, progress)


def _judge(
    judged: Judged,
    dataset: Dataset,
    reals: Reals,
    settings: Settings,
    study: Mapping[str, Any] | None,
    progress: Progress | None,
) -> Scorecard:
    watch = Watch(progress)
    with watch.stage("Loading"):  # piq brings torchvision along: seconds that are not a figure's
        import_module("piq")
        network, sentence = _network(settings, watch, judged)
    case = _case(judged, dataset, reals, network, settings, watch)
    results = _results(case, settings)
    found = embedding.places(case.features, seed=settings.seed)
    labels = {
        "train": reals.train_index.tolist(),
        "heldout": reals.heldout_index.tolist(),
        "generated": judged.labels,
    }
    with watch.stage("Pictures"):
        pictures = draw(case, results.pairs, found)
    report: dict[str, Any] = {
        "format": FORMAT,
        **judged.facts,
        "dataset": _dataset(dataset, reals, settings.split),
        "settings": _settings(settings, case, len(results.rows)),
        "verdicts": verdicts(results.figures, settings.parts, judged, dataset, study),
        "figures": results.figures,
        "rows": results.rows,
        "pairs": [_pair(pair, judged, reals) for pair in results.pairs],
        "map": embedding.to_json(found, labels),
        "pictures": {name: len(getattr(pictures, name)) for name in ("real", "generated", "pairs", "map")},
        "paper": [dict(paper) for paper in PAPER],
        "versions": _versions(),
        "seconds": watch.seconds,
    }
    report["notes"] = [sentence, *notes(report, capped=results.capped), *results.notes, *judged.notes]
    return Scorecard(report, pictures)


def _network(settings: Settings, watch: Watch, judged: Judged) -> tuple[FeatureNetwork, str]:
    """The network to compare by, and the sentence that says which. A generator may have learned to please
    the one that its discriminator looked through, so that one is not taken unasked."""
    pleased = judged.info.model.frozen if judged.info else ""
    if settings.features is None:
        choice = choose([name for name in SCORECARD if name != pleased])
        return choice.network, choice.sentence
    listener = (lambda done, total: watch.report("Weights", done, total)) if watch.progress else None
    network = load(settings.features, progress=listener)
    if network.name == RANDOM:
        return network, choose((RANDOM,)).sentence
    flattered = FLATTERED if network.name == pleased else ""
    return network, f"Images are compared by {network.label}.{flattered}"


def _case(
    judged: Judged,
    dataset: Dataset,
    reals: Reals,
    network: FeatureNetwork,
    settings: Settings,
    watch: Watch,
) -> Case:
    beside = references(reals, count=len(judged), seed=settings.seed)
    folder = Workspace.default().feature_cache
    features = encode(network, judged, reals, beside, folder=folder, watch=watch)
    plain = encode(pixels(), judged, reals, beside, folder=folder, watch=watch)
    with watch.stage("Sampling"):
        kept = judged.some(range(min(KEPT, len(judged))))
    return Case(
        judged=judged,
        reals=reals,
        beside=beside,
        network=network,
        features=features,
        pixels=without_contrast(plain),
        kept=kept,
        seed=settings.seed,
        resamples=settings.bootstrap,
        lpips=settings.lpips or _lpips_here(),
        watch=watch,
        key=_key(judged, dataset, settings),
    )


def _key(judged: Judged, dataset: Dataset, settings: Settings) -> str:
    content = dataset.info["content_sha256"]
    drawn = (len(judged), settings.split, settings.bootstrap, settings.seed)
    return f"{FORMAT} {judged.key} {content} {drawn} {sorted(_versions().items())}"


def _lpips_here() -> str:
    from medgan.metrics.weights import cache_folder

    here = [name for name in LPIPS_ORDER if (cache_folder() / lpips_net.source(name).file).is_file()]
    return (here or list(LPIPS_ORDER))[0]


def _results(case: Case, settings: Settings) -> _Results:
    results, watch = _Results(), case.watch
    parts = [part for part in PARTS if part in settings.parts]
    balls = manifolds(case) if {QUALITY, DIVERSITY} & set(parts) else {}
    for part in parts:
        watch.report(part.capitalize(), 0, 1)
        with watch.stage(part.capitalize()):
            if part == QUALITY:
                results.figures += quality(case, balls)
                figures, results.notes = classes(case)
                results.figures += figures
            elif part == DIVERSITY:
                results.figures += diversity(case, balls)
            elif part == MEMORISATION:
                figures, results.pairs = memorisation(case)
                results.figures += figures
        watch.report(part.capitalize(), 1, 1)
    if QUALITY in parts:
        found = case.remembered(f"rows {case.lpips}", lambda: _rows(case))
        results.rows, results.capped = found
    return results


def _rows(case: Case) -> list[Any]:
    """The paper's three figures of all rows, and the number of pairs at PSNR's cap."""
    reference = reference_rows(case.reals.train, count=len(case.kept), seed=case.seed)
    rows, capped = measure(
        [Row(GENERATED, case.kept), *reference],
        case.reals.heldout,
        lpips=case.lpips,
        seed=case.seed,
        watch=case.watch,
        resamples=case.resamples,
    )
    return [rows, capped]


def _pair(pair: Pair, judged: Judged, reals: Reals) -> dict[str, Any]:
    return {
        "generated": judged.labels[pair.generated],
        "train": int(reals.train_index[pair.train]),
        "distance": round(pair.distance, 4),
        "turn": pair.turn,
        "flagged": pair.copy,
    }


def _dataset(dataset: Dataset, reals: Reals, split: str) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "content_sha256": dataset.info["content_sha256"],
        TRAIN: len(reals.train),
        "heldout": len(reals.heldout),
        "split": split,
        "classes": dataset.info["classes"],
        "channels": dataset.channels,
        "size": dataset.size,
    }


def _settings(settings: Settings, case: Case, rows: int) -> dict[str, Any]:
    network = case.network
    return {
        "count": len(case.judged),
        "split": settings.split,
        "features": {"name": network.name, "label": network.label, "sha256": network.weights_hash},
        "parts": [part for part in PARTS if part in settings.parts],
        "bootstrap": {"over": "images", "level": LEVEL, "resamples": settings.bootstrap},
        "seed": settings.seed,
        "lpips_net": case.lpips,
        "rows": ROWS if rows else {},
        "row_images": len(case.kept),
        "pairings": PAIRINGS,
        "pairs_per_image": PER_IMAGE,
    }


def _versions() -> dict[str, str]:
    found = {"medgan": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an extra that is not installed
            continue
    return found
