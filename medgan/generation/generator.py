"""A model in three lines of Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from medgan.generation.export import only_class
from medgan.generation.sampling import OfClass, class_names, sample
from medgan.runs.checkpoint import load_generator


class Generator:
    """A trained model that makes images of seeds. `about` is what its `config.json` says of the training."""

    def __init__(self, folder: Path) -> None:
        """CheckpointError if `folder` is no model folder."""
        self.network, info = load_generator(folder)
        self.folder, self.about = folder, info.about

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.about.get("name") or self.folder.name)

    @property
    def classes(self) -> list[str]:
        """The classes that `sample` can be asked for; empty where the model tells none apart."""
        return class_names(self.network)

    def sample(self, seeds: Iterable[int], label: str | None = None, truncation: float = 1.0) -> np.ndarray:
        """The images of `seeds`, uint8 `(N, H, W, C)`, C 1 or 3: the same ones as on the command line and in
        the dashboard. Without a `label` each seed draws its class. `truncation` in (0, 1] as for
        `medgan.generation.sampling.inputs_of`. ConfigError for a class that the model cannot make, for no
        seeds, and for seeds or a truncation out of range."""
        network = self.network
        if label and (self.classes or label != only_class(self.about)):
            network = OfClass(network, label)
        return sample(network, list(seeds), truncation)

    def __repr__(self) -> str:
        config: Any = getattr(self.network, "classes", ())
        classes = f", classes {', '.join(name for name, _ in config)}" if config else ""
        return f"<medgan.Generator {self.name}{classes}>"
