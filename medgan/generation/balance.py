"""How many images a class lacks."""

from __future__ import annotations

from collections.abc import Mapping

from medgan.data.split import TRAIN


def lacking(classes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """For each class of a data set (`dataset.info["classes"]`), how many images its training part has less
    than the largest class."""
    counts = {label: int(parts.get(TRAIN, 0)) for label, parts in classes.items()}
    most = max(counts.values(), default=0)
    return {label: most - count for label, count in counts.items()}
