"""A map of training, held-out and generated images: the two directions in which real ones differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medgan.evaluation.encoded import Features

EACH = 200
"""Images of each set on the map, at most."""
METHOD = "PCA"


@dataclass(frozen=True)
class Place:
    """Image number `k` of the set `name`, at x, y."""

    name: str
    k: int
    x: float
    y: float


def places(features: Features, *, seed: int) -> list[Place]:
    """At most `EACH` images of each set, by the first two principal components of the real ones among them.
    Each component's largest weight is positive, so that the same images give the same map."""
    random = np.random.default_rng(seed)
    sets = {"train": features.train, "heldout": features.heldout, "generated": features.generated}
    chosen = {name: np.sort(random.permutation(len(images))[:EACH]) for name, images in sets.items()}
    rows = {name: np.asarray(images[chosen[name]], np.float64) for name, images in sets.items()}
    reals = np.concatenate([rows["train"], rows["heldout"]])
    centre = reals.mean(axis=0)
    axes = np.linalg.svd(reals - centre, full_matrices=False)[2][:2]
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    axes = axes * np.sign(largest)[:, None]
    found = []
    for name, images in rows.items():
        for k, (x, y) in zip(chosen[name], (images - centre) @ axes.T, strict=True):
            found.append(Place(name, int(k), float(x), float(y)))
    return found


def to_json(found: Sequence[Place], labels: dict[str, Sequence[Any]]) -> dict[str, Any]:
    """The report's `map`; `labels` names the images of each set."""
    return {
        "method": METHOD,
        "points": [
            {"set": p.name, "x": round(p.x, 4), "y": round(p.y, 4), "index": labels[p.name][p.k]}
            for p in found
        ],
    }
