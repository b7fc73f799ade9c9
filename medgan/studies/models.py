"""A model of each class for a study: trained in its folder, or one that the user has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.errors import DataError, Interrupted
from medgan.generation.sampling import of_class
from medgan.images import kind
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import ModelInfo, model_sha256, read_info, trained_on
from medgan.runs.models import usable
from medgan.runs.record import FINISHED, QUEUED, Run
from medgan.runs.status import Status
from medgan.studies.class_sets import class_set, folder_name
from medgan.training.loop import train
from medgan.training.request import Request

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How the models of a study are trained; the same for every class."""

    preset: str
    model: ModelConfig
    train: TrainConfig
    device: str


@dataclass(frozen=True)
class ClassModel:
    """A model of one class. `doubt` is the sentence that says why it cannot be known whether it has seen
    the test images; empty where it is known that it has not."""

    label: str
    folder: Path
    sha256: str
    doubt: str
    about: dict[str, Any]

    def load(self) -> nn.Module:
        """The generator, in eval mode; of this class alone where it tells classes apart."""
        return of_class(load_generator(self.folder)[0], self.label)

    def to_json(self) -> dict[str, Any]:
        """For the result; no path, which says nothing elsewhere."""
        names = [name for name in ("name", "preset", "step", "images_seen") if name in self.about]
        facts: dict[str, Any] = {name: self.about[name] for name in names}
        return {"class": self.label, "sha256": self.sha256, "doubt": self.doubt, **facts}


def models_of(
    data: Dataset,
    labels: Sequence[str],
    folder: Path,
    recipe: Recipe,
    given: Mapping[str, Path],
    *,
    interrupted: Callable[[], bool],
    progress: Progress,
) -> list[ClassModel]:
    """A model of each class: the one in `given`, or one trained in `folder` on its training images alone.

    What is trained already is kept, what was interrupted goes on. Interrupted where `interrupted()` turns
    true; everything learned is saved then.
    """
    names = {label: folder_name(position, label) for position, label in enumerate(labels)}
    sets = {label: class_set(data, label, folder / "classes" / name) for label, name in names.items()}
    found = {label: _existing(label, given[label], data, sets[label]) for label in labels if label in given}
    for position, label in enumerate(labels):
        if label not in found:
            run = Run(folder / "models" / names[label])
            what = f"Training {label}, model {position + 1} of {len(labels)}"
            _train(run, sets[label], what, recipe, interrupted, progress)
            found[label] = _existing(label, run.folder, data, sets[label])
    return [found[label] for label in labels]


def _train(
    run: Run,
    data: Dataset,
    what: str,
    recipe: Recipe,
    interrupted: Callable[[], bool],
    progress: Progress,
) -> None:
    if run.exists() and run.status().state == FINISHED:
        return
    request = Request(
        dataset=data.folder,
        run=run.folder,
        preset=recipe.preset,
        model=recipe.model,
        train=TrainConfig() if run.exists() else recipe.train,  # a run that goes on keeps its own
        device=recipe.device,
        resume=run.exists(),
    )

    def report(status: Status) -> None:
        words = f"{what}. {status.message}" if status.state == QUEUED else what
        progress(words, status.step, status.iterations)

    status = train(request, interrupted=interrupted, report=report)
    if status.state != FINISHED:
        raise Interrupted("Stopped.")


def check_given(given: Mapping[str, Path], data: Dataset) -> None:
    """DataError where a model that is given for a class makes other images than the data set has."""
    for label, folder in given.items():
        model = read_info(usable(folder)).model
        if (model.channels, model.size) != (data.channels, data.size):
            raise DataError(
                f"The model of {label} makes {kind(model)} images, but {data.name} has {kind(data)} ones; "
                "choose another model, or leave it away to have one trained."
            )
        known = [name for name, _ in model.classes]
        if known and label not in known:
            raise DataError(
                f"The model of {label} makes {', '.join(known)} and no {label}; choose another model, or "
                "leave it away to have one trained."
            )


def _existing(label: str, folder: Path, data: Dataset, mine: Dataset) -> ClassModel:
    folder = usable(folder)
    info = read_info(folder)
    doubt = _doubt(label, info, data, mine)
    return ClassModel(label, folder, model_sha256(folder), doubt, info.about)


def _doubt(label: str, info: ModelInfo, data: Dataset, mine: Dataset) -> str:
    digest, begun = trained_on(info.about), info.about.get("init")
    here = [one.info["content_sha256"] for one in (mine, data)]
    what = ""
    if digest not in here:
        what = "was trained on another data set" if digest else "does not say what it was trained on"
    elif isinstance(begun, Mapping) and begun.get("content_sha256") not in here:
        what = f"began with {begun.get('name', 'a model')}, which was trained on other images"
    if what:
        return f"The model of {label} {what}, so it may have seen the test images."
    if digest == here[0] or info.model.classes or list(info.about["dataset"].get("classes", {})) == [label]:
        return ""
    return (
        f"The model of {label} was trained on all classes of this data set, so its images are not of that "
        "class alone."
    )
