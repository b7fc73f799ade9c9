"""How many images a class lacks, and whether a model can make them."""

from __future__ import annotations

from collections.abc import Mapping

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.images import kind


def lacking(classes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """For each class of a data set (`dataset.info["classes"]`), how many images its training part has less
    than the largest class."""
    counts = {label: int(parts.get(TRAIN, 0)) for label, parts in classes.items()}
    most = max(counts.values(), default=0)
    return {label: most - count for label, count in counts.items()}


def misfit(model: ModelConfig, data: Dataset) -> str:
    """Why images of the model cannot stand beside those of a data set; empty where they can."""
    if (model.channels, model.size) == (data.channels, data.size):
        return ""
    return (
        f"The model makes {kind(model)} images and {data.name} has {kind(data)} ones, and a classifier would "
        "tell them apart by that; choose a model that fits, or prepare the set anew (--size, --color)."
    )
