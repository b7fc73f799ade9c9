"""A model in three lines of Python."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from medgan.errors import ConfigError
from medgan.generation.export import only_class
from medgan.generation.sampling import OfClass, class_names, sample
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import model_sha256
from medgan.runs.models import read_source


class Generator:
    """A trained model that makes images of seeds. `about` is what its `config.json` says of the training."""

    def __init__(self, folder: Path) -> None:
        """CheckpointError if `folder` is no model folder."""
        self.network, info = load_generator(folder)
        self.folder, self.about, self._model = folder, info.about, info.model

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.about.get("name") or self.folder.name)

    @property
    def classes(self) -> list[str]:
        """The classes that `sample` can be asked for; empty where the model tells none apart."""
        return class_names(self.network)

    @property
    def info(self) -> dict[str, Any]:
        """What it is: `name`, `architecture`, `size` (pixels a side), `channels`, `classes`, `sha256` of the
        weights, `about`, and `repo` and `revision` where it came from the Hub."""
        model = self._model
        return {
            "name": self.name,
            "architecture": model.architecture,
            "size": model.size,
            "channels": model.channels,
            "classes": self.classes,
            "sha256": model_sha256(self.folder),
            "about": self.about,
            **read_source(self.folder),
        }

    def sample(self, seeds: Iterable[int], label: str | None = None, truncation: float = 1.0) -> np.ndarray:
        """The images of `seeds`, uint8 `(N, H, W, C)`, C 1 or 3: the same ones as on the command line and in
        the dashboard. Without a `label` each seed draws its class. `truncation` in (0, 1] as for
        `medgan.generation.sampling.inputs_of`. ConfigError for a class that the model cannot make, for no
        seeds, for what is no whole number, and for seeds or a truncation out of range."""
        network, named = self.network, _whole(seeds)
        if label and (self.classes or label != only_class(self.about)):
            network = OfClass(network, label)
        return sample(network, named, truncation)

    def __repr__(self) -> str:
        config: Any = getattr(self.network, "classes", ())
        classes = f", classes {', '.join(name for name, _ in config)}" if config else ""
        return f"<medgan.Generator {self.name}{classes}>"


def _whole(seeds: Iterable[int]) -> list[int]:
    """ConfigError where they are not whole numbers, or a single one."""
    try:
        return [operator.index(seed) for seed in seeds]
    except TypeError:
        raise ConfigError(f"seeds is {seeds!r}; give whole numbers, such as [7] or range(16).") from None
