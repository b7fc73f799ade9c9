"""Generators whose faults are known, made of real (or phantom) images."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import MetricError
from medgan.evaluation import diversity, scorecard
from medgan.evaluation.references import blurred, mean_image
from medgan.evaluation.scorecard import Scorecard, judge_folder
from medgan.evaluation.settings import Settings
from medgan.images import to_pil
from medgan.metrics import lpips_net


@dataclass(frozen=True)
class Images:
    """Three disjoint sets of real images: to train on, to judge by, and as a perfect generator's."""

    train: np.ndarray
    heldout: np.ndarray
    others: np.ndarray


def disjoint(images: Images) -> np.ndarray:
    return images.others


def identical(images: Images) -> np.ndarray:
    return images.train


def one_image(images: Images) -> np.ndarray:
    return repeated(images.others, 1)


def five_images(images: Images) -> np.ndarray:
    return repeated(images.others, 5)


def twenty_images(images: Images) -> np.ndarray:
    return repeated(images.others, 20)


def repeated(images: np.ndarray, count: int) -> np.ndarray:
    """In 80 images, each with a little noise of its own, as samples of a collapsed generator have."""
    random = np.random.default_rng(0)
    chosen = images[np.arange(80) % count]
    return np.clip(chosen + random.normal(0, 1.5, chosen.shape), 0, 255).astype(np.uint8)


def noisy_copies(images: Images) -> np.ndarray:
    random = np.random.default_rng(1)
    return np.clip(images.train + random.normal(0, 8, images.train.shape), 0, 255).astype(np.uint8)


def flipped_copies(images: Images) -> np.ndarray:
    return images.train[:, :, ::-1]


def flipped_noisy_copies(images: Images) -> np.ndarray:
    return noisy_copies(images)[:, :, ::-1]


def blurrer(images: Images) -> np.ndarray:
    return blurred(images.others)


def noise(images: Images) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, size=images.others.shape, dtype=np.uint8)


def mean_images(images: Images) -> np.ndarray:
    return repeated(mean_image(images.train), 1)


Generator = Callable[[Images], np.ndarray]


def refused(*arguments: object, **named: object) -> None:
    raise MetricError("It is not measured here.")


class Bench:
    """Judges each generator once against one data set, in a workspace of its own."""

    def __init__(self, folder: Path, images: Images, *, features: str, weights: Path | None = None) -> None:
        self.folder, self.images, self.features, self.weights = folder, images, features, weights
        reals = np.concatenate([images.train, images.heldout])
        split = f"{len(images.train)}/0/{len(images.heldout)}"
        self.dataset = stored(reals, folder / "dataset", split, len(images.train))
        self._cards: dict[str, Scorecard] = {}

    def card(self, generator: Generator) -> Scorecard:
        name = generator.__name__
        if name not in self._cards:
            out = self.folder / name
            write_images(generator(self.images), out)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("MEDGAN_HOME", str(self.folder / "workspace"))
                if self.weights:
                    patch.setenv("TORCH_HOME", str(self.weights))
                # The paper's figures, LPIPS and MS-SSIM decide nothing, and are slow.
                patch.setattr(scorecard, "measure", lambda *_, **__: ([], 0))
                patch.setattr(diversity, "ms_ssim_ratio", refused)
                patch.setattr(lpips_net, "load", refused)
                settings = Settings(features=self.features, bootstrap=200)
                self._cards[name] = judge_folder(out, self.dataset, settings)
        return self._cards[name]

    def levels(self, generator: Generator) -> dict[str, str]:
        return {part: found["level"] for part, found in self.card(generator).report["verdicts"].items()}

    def value(self, generator: Generator, name: str) -> float:
        found = next(f for f in self.card(generator).report["figures"] if f["name"] == name)
        return float(found["value"])


def stored(images: np.ndarray, out: Path, split: str, train: int) -> Dataset:
    """A data set whose first `train` images train and whose others are the test part."""
    store(images, ["a"] * len(images), out, name="Reals", split=split)
    with (out / "manifest.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for k, row in enumerate(rows):
        row["split"] = "train" if k < train else "test"
    with (out / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return Dataset(out)


def write_images(images: np.ndarray, out: Path) -> None:
    out.mkdir(parents=True)
    for k, image in enumerate(images):
        to_pil(image).save(out / f"{k:04d}.png", compress_level=1)
