"""What a model folder is, read without torch, so that lists of models appear at once.

`config.json` says what to build and where it comes from, `model.safetensors` holds the generator, and
`README.md`, if there is one, is the model card: the Hub's layout.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medgan.config import ModelConfig
from medgan.errors import CheckpointError, ConfigError

FORMAT = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
MODEL_FILES = (CONFIG, WEIGHTS, CARD)
ALONE, TRAINING = "discriminator.safetensors", "training.safetensors"
"""Where a discriminator lies, if there is one: alone, or in a checkpoint."""


@dataclass(frozen=True)
class ModelInfo:
    """`config.json` of a model folder: what to build, and `about`, free facts on where it comes from."""

    model: ModelConfig
    about: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {"format": FORMAT, "model": self.model.to_json(), "about": self.about}


def read_info(folder: Path) -> ModelInfo:
    """`config.json` of a model folder; CheckpointError if it is missing or says something impossible."""
    try:
        values = json.loads((folder / CONFIG).read_text("utf-8"))
        found = values.get("format")
        if found != FORMAT:
            raise CheckpointError(f"{folder.name} has model format {found}; this version reads {FORMAT}.")
        return ModelInfo(ModelConfig.from_json(values["model"]), _checked(values.get("about", {}), folder))
    except ConfigError as error:
        raise CheckpointError(f"{folder.name}/{CONFIG}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{folder.name} has no readable {CONFIG}, so it is not a model folder."
        ) from error


_ABOUT: dict[str, type] = {
    "name": str,
    "preset": str,
    "step": int,
    "images_seen": int,
    "train": dict,
    "dataset": dict,
    "versions": dict,
}


def _checked(about: Any, folder: Path) -> dict[str, Any]:
    """`about` as written by us; pages rely on its kinds, and a stranger may have written the file."""
    facts = dict(about)
    wrong = [name for name, kind in _ABOUT.items() if name in facts and not isinstance(facts[name], kind)]
    dataset = {} if wrong else facts.get("dataset", {})
    classes = dataset.get("classes", {})
    if wrong or not (isinstance(classes, dict) and all(isinstance(c, dict) for c in classes.values())):
        what = wrong[0] if wrong else "dataset"
        raise CheckpointError(f"{folder.name}/{CONFIG} says something impossible under about.{what}.")
    if "init" in facts:
        facts["init"] = origin_of(facts["init"])  # older checkpoints name a folder of this machine
    return facts


def origin_of(init: Any) -> dict[str, Any] | None:
    """Name and hash of the model that a run begins with, by the `init` of its config, which names its folder
    too: a model goes to others, and what it says of itself goes into exports and reports."""
    kept = ("name", "sha256", "content_sha256")
    return {key: init[key] for key in kept if key in init} if isinstance(init, dict) else None


def trained_on(about: Mapping[str, Any]) -> str:
    """The content hash of the data set that a model was trained on; empty where it does not say."""
    dataset = about.get("dataset")
    return str(dataset.get("content_sha256") or "") if isinstance(dataset, Mapping) else ""


def not_compared(about: Mapping[str, Any]) -> str:
    """What nobody who compares with the model's data set can have seen, in a sentence; empty where that is
    all. A model that began with another one brings the memory of that along."""
    begun, content = about.get("init"), trained_on(about)
    if not content:
        return (
            "The model does not record which images it was trained on, so those that were compared may be "
            "others."
        )
    if not isinstance(begun, Mapping) or begun.get("content_sha256") == content:
        return ""
    return (
        f"The model began with the weights of {begun.get('name', 'another model')}: the images that that one "
        "was trained on were not compared, and copies of them would not be found."
    )


def has_discriminator(folder: Path) -> bool:
    """Whether the model folder holds one."""
    return any((folder / name).is_file() for name in (ALONE, TRAINING))


def begins_new(folder: Path, source: ModelConfig, classes: Sequence[str] = ()) -> str:
    """What a run of these classes that begins with the model in `folder` must learn from nothing, in words;
    empty where there is nothing of the kind."""
    known = [name for name, _ in source.classes]
    strange = [name for name in classes if name not in known] if known else []
    said = []
    if not has_discriminator(folder):
        said.append("It comes without a discriminator, so that begins new.")
    if strange:
        said.append(f"It does not know {', '.join(strange)}, so that begins new.")
    return " ".join(said)


def model_sha256(folder: Path) -> str:
    """sha256 of the weights file: the name under which a manifest refers to this model."""
    return file_sha256(folder / WEIGHTS)


def file_sha256(path: Path) -> str:
    """sha256 of a file as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
