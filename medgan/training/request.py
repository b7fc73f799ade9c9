"""What to train, and the run folder made ready for it: a new one, or the settings of one that goes on."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medgan import __version__
from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import DataError, RunError
from medgan.generation.sampling import numbers_of
from medgan.modalities import AUTO
from medgan.runs.info import WEIGHTS, model_sha256, not_compared, read_info, trained_on
from medgan.runs.record import Run
from medgan.training.beginning import check_source


@dataclass(frozen=True)
class Request:
    """What to train. With `resume`, the run folder's own settings count, but for the goal where `train`
    gives one other than `epochs`. `device` of None is the run's own, or `auto`; `devices` says how many
    processes train together; `init` is the model folder whose weights a new run begins with."""

    dataset: Path
    run: Path
    preset: str
    model: ModelConfig
    train: TrainConfig
    device: str | None = None
    resume: bool = False
    devices: int = 1
    init: Path | None = None


def settings_of(run: Run) -> dict[str, Any]:
    """`config.json` of a run; RunError if the folder is none."""
    saved = run.config()
    if not {"dataset", "train", "model", "preset"} <= saved.keys():
        raise RunError(f"{run.folder} is not a run folder; name the one that `train --run` made.")
    return saved


def prepare(run: Run, request: Request) -> tuple[Request, Dataset, np.ndarray]:
    """Make the run folder, or take the settings of the one that is resumed; and read the images.

    All images for training are read now, uint8 `(N, H, W, C)`: whatever happens to the folder later, the
    training goes on. DataError where the data set is gone, is another one, or does not fit the model;
    CheckpointError where the model that a new run begins with is damaged.
    """
    saved = settings_of(run) if request.resume else None
    data = _open(run, request) if saved else Dataset(request.dataset)
    images = data.part(TRAIN)
    if saved:
        return _go_on(run, request, saved, data, images), data, images
    if data.channels != request.model.channels or data.size != request.model.size:
        raise DataError(f"{data.name} does not have the model's channels and size; prepare it again.")
    if not len(images):
        raise DataError(f"{data.name} has no images for training; prepare it again.")
    if request.init:
        check_source(request.init)
    request = replace(request, device=request.device or "auto", train=fitting(request.train, data))
    run.create(_config(request, data, images))
    return request, data, images


def labels_of(data: Dataset, model: ModelConfig) -> np.ndarray | None:
    """The class of each training image as its number among `model.classes`, `(n,)`; None where the model
    tells none apart. DataError naming a class that the model does not know."""
    if not model.classes:
        return None
    names = class_column(data, TRAIN)
    if unknown := sorted(set(names) - {name for name, _ in model.classes}):
        raise DataError(f"{data.name} has images of {unknown[0]!r}, a class that the model does not know.")
    return numbers_of(names, model.classes).numpy()


def class_column(data: Dataset, part: str) -> list[str]:
    """The class of each image of a part, by name."""
    rows = zip(data.column("class"), data.column("split"), strict=True)
    return [name for name, split in rows if split == part]


def classes_of(data: Dataset) -> tuple[tuple[str, int], ...]:
    """The classes that a class-conditional model of this set tells apart, with their numbers of training
    images. DataError where there are not two."""
    counts = data.training_classes
    if len(counts) < 2 or not all(name for name, _ in counts):
        raise DataError(
            f"{data.name} has no two classes to train on, which a class-conditional model needs; prepare it "
            "from folders named after classes or with a table of labels, or leave --conditional away."
        )
    return counts


def fitting(train: TrainConfig, data: Dataset) -> TrainConfig:
    """The settings with the augmentation that the data set's modality asks for, where they leave it open."""
    if train.augment != AUTO:
        return train
    return replace(train, augment=data.modality)


def _open(run: Run, request: Request) -> Dataset:
    try:
        return Dataset(request.dataset)
    except DataError as error:
        if (request.dataset / "dataset.json").exists():
            raise
        raise DataError(
            f"The data set of {run.name} is no longer in {request.dataset}; put it back, or say where it is "
            f"now: python -m medgan train FOLDER --run {run.folder} --resume."
        ) from error


def _go_on(run: Run, request: Request, saved: dict[str, Any], data: Dataset, images: np.ndarray) -> Request:
    known = saved["dataset"]
    if known["content_sha256"] != data.info["content_sha256"] or known.get("train_sha256") not in (
        None,
        digest(images),
    ):
        raise DataError(
            f"{request.dataset} is not the data set that {run.folder} was trained on, though it may have its "
            "name; name the folder of the right one, or start a new run."
        )
    if saved.get("init") and not run.checkpoints():  # it begins again, and with the same
        _check_origin(run, saved["init"])
    train = TrainConfig.from_json(saved["train"])
    train = train.with_goal(request.train.goal())
    moved = saved["dataset"] | {"path": str(request.dataset.resolve())}
    now = saved | {"train": train.to_json(), "dataset": moved, "devices": request.devices}
    if now != saved:
        run.change_config(now)  # the next resume shall know the new goal and place too
    return replace(
        request,
        preset=saved["preset"],
        model=ModelConfig.from_json(saved["model"]),
        train=train,
        device=request.device or str(saved.get("device", "auto")),
        init=Path(saved["init"]["path"]) if saved.get("init") else None,
    )


def digest(images: np.ndarray) -> str:
    """sha256 of shape and pixels: tells another set, or another split, under the same name."""
    sha = hashlib.sha256(repr(images.shape).encode())
    sha.update(np.ascontiguousarray(images).data)
    return sha.hexdigest()


def _check_origin(run: Run, origin: dict[str, str]) -> None:
    folder = Path(origin["path"])
    if not (folder / WEIGHTS).is_file() or model_sha256(folder) != origin["sha256"]:
        raise RunError(
            f"{origin['name']}, the model that {run.name} begins with, is no longer in {folder}; put it "
            "back, or start a new run."
        )


def _origin(folder: Path | None) -> dict[str, str] | None:
    """Which model a run begins with, for its record, and the data set that all it remembers is of, where it
    is one alone: the release gate must know whether it compares with that."""
    if folder is None:
        return None
    about = read_info(folder).about
    name = str(about.get("name") or folder.name)
    origin = {"name": name, "path": str(folder.resolve()), "sha256": model_sha256(folder)}
    return origin if not_compared(about) else origin | {"content_sha256": trained_on(about)}


def _config(request: Request, data: Dataset, images: np.ndarray) -> dict[str, Any]:
    return {
        "preset": request.preset,
        "model": request.model.to_json(),
        "train": request.train.to_json(),
        "device": request.device,
        "devices": request.devices,
        "dataset": {
            "path": str(request.dataset.resolve()),
            "name": data.name,
            "content_sha256": data.info["content_sha256"],
            "train_sha256": digest(images),
            "splits": data.info["splits"],
            "classes": data.info["classes"],
        },
        "init": _origin(request.init),
        "versions": {"medgan": __version__, "torch": torch.__version__},
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
