"""One model against one data set: the paper's three figures, beside the rows that say what they mean.

Nothing here imports torch before `evaluate` is called, so that a saved report opens at once.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan import __version__
from medgan.data.dataset import Dataset
from medgan.data.split import TEST, TRAIN
from medgan.errors import DataError
from medgan.evaluation.notes import figure, notes
from medgan.evaluation.paper import PAPER
from medgan.evaluation.references import GENERATED, ROWS, Row, reference_rows
from medgan.evaluation.table import text_table
from medgan.files import write_json
from medgan.runs.info import ModelInfo, model_sha256, read_info

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from medgan.evaluation.figures import Watch

__all__ = ["evaluate", "figure", "load_report", "save_report", "text_table"]

FORMAT = 1
FEWEST = 2
"""Images on either side below which there is nothing to resample."""

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def evaluate(
    model_folder: Path,
    dataset: Dataset,
    *,
    count: int = 256,
    lpips_net: str = "alex",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """PSNR, MS-GMSD and LPIPS of seeds 0 to `count` - 1 against the held-out images, as a JSON-able report.

    `seed` draws the pairs, the reference rows and the resamples. Every entry of `figures` has its value,
    95 % interval, n, direction and, where it is absent, the reason. DataError if the model's images
    and the set's have other channels or sizes, or fewer than two images stand on a side; ConfigError for
    an unknown `lpips_net`; CheckpointError if the model cannot be read.
    """
    from medgan.evaluation.figures import Watch, measure
    from medgan.metrics.lpips_net import network

    network(lpips_net)
    info = read_info(model_folder)
    heldout = dataset.part(TEST)
    _check(info, dataset, len(heldout), count)
    watch = Watch(progress)
    with watch.stage("loading"):  # piq brings torchvision along: seconds that are not PSNR's
        import_module("piq")
    with watch.stage("sampling"):
        # Everything that is needed of the model is read first: a run that is still training deletes its
        # older checkpoints.
        generator, model = _load(model_folder, info)
        generated = _sample(generator, count, watch)
    rows = [Row(GENERATED, generated), *reference_rows(dataset.part(TRAIN), count=count, seed=seed)]
    figures, capped = measure(rows, heldout, lpips=lpips_net, seed=seed, watch=watch)
    report: dict[str, Any] = {
        "format": FORMAT,
        "model": model,
        "dataset": _dataset(dataset),
        "settings": _settings(count, seed, lpips_net),
        "versions": _versions(),
        "seconds": watch.seconds,
        "figures": figures,
        "paper": [dict(paper) for paper in PAPER],
    }
    return report | {"notes": notes(report, capped=capped)}


def save_report(report: Mapping[str, Any], path: Path) -> None:
    """Write the report as JSON, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(report))


def load_report(path: Path) -> dict[str, Any]:
    """A report that `save_report` wrote; DataError if the file is none."""
    try:
        report = json.loads(path.read_text("utf-8"))
        found = report["format"], report["figures"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not an evaluation report; evaluate the model again.") from error
    if found[0] != FORMAT:
        raise DataError(f"{path} has report format {found[0]}; this version reads {FORMAT}.")
    return dict(report)


def _check(info: ModelInfo, dataset: Dataset, heldout: int, count: int) -> None:
    if count < FEWEST:
        raise DataError(f"--count {count} is too few; give {FEWEST} or more, 256 for a steady figure.")
    model, words = info.model, {1: "grey", 3: "colour"}
    if (model.channels, model.size) != (dataset.channels, dataset.size):
        raise DataError(
            f"The model makes {words[model.channels]} images of {model.size} x {model.size} pixels, but "
            f"{dataset.name} holds {words.get(dataset.channels, 'other')} images of {dataset.size} x "
            f"{dataset.size}; prepare the set again with --size {model.size} --color "
            f"{'grey' if model.channels == 1 else 'rgb'}."
        )
    if heldout < FEWEST:
        raise DataError(
            f"{dataset.name} holds {heldout} images out, and {FEWEST} or more are needed; prepare it again "
            "with a larger test part (--split) or more images."
        )


def _load(folder: Path, info: ModelInfo) -> tuple[nn.Module, dict[str, Any]]:
    from medgan.runs.checkpoint import load_generator

    facts = {
        "name": str(info.about.get("name") or folder.name),
        "sha256": model_sha256(folder),
        "config": info.model.to_json(),
        "about": info.about,
    }
    return load_generator(folder)[0], facts


def _sample(generator: nn.Module, count: int, watch: Watch) -> np.ndarray:
    import numpy as np

    from medgan.generation.sampling import sample_batches

    advance = watch.counter("sampling", count)
    batches = []
    for batch in sample_batches(generator, range(count)):
        batches.append(batch)
        advance(len(batch))
    return np.concatenate(batches)


def _dataset(dataset: Dataset) -> dict[str, Any]:
    splits = dataset.info["splits"]
    return {
        "name": dataset.name,
        "content_sha256": dataset.info["content_sha256"],
        "train": splits.get(TRAIN, 0),
        "heldout": splits.get(TEST, 0),
        "classes": dataset.info["classes"],
        "channels": dataset.channels,
        "size": dataset.size,
    }


def _settings(count: int, seed: int, lpips_net: str) -> dict[str, Any]:
    from medgan.evaluation.figures import PAIRINGS, PER_IMAGE
    from medgan.metrics.bootstrap import LEVEL, RESAMPLES

    return {
        "count": count,
        "seed": seed,
        "lpips_net": lpips_net,
        "pairings": PAIRINGS,
        "pairs_per_image": PER_IMAGE,
        "bootstrap": {"over": "images", "level": LEVEL, "resamples": RESAMPLES},
        "rows": ROWS,
    }


def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "piq", "lpips", "numpy", "pillow")
    found = {package: version(package) for package in packages}
    return {"medgan": __version__, "python": platform.python_version(), **found}
