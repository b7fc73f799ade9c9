"""From a case to the pictures beside its report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medgan.evaluation import embedding
from medgan.evaluation.case import Case
from medgan.evaluation.pictures import SHOWN, Pictures, thumbnails
from medgan.metrics.copies import TURNS, Pair


def draw(case: Case, pairs: Sequence[Pair], found: Sequence[embedding.Place]) -> Pictures:
    """The pictures of a case: real and generated ones, the closest pairs, and the places of its map."""
    judged, reals = case.judged, case.reals
    sources = {
        "train": lambda k: reals.train[k],
        "heldout": lambda k: reals.heldout[k],
    }
    wanted = [place.k for place in found if place.name == "generated"]
    generated = dict(zip(wanted, judged.some(wanted), strict=True))
    sources["generated"] = lambda k: generated[k]
    shape = reals.train.shape[1:]
    closest = np.empty((len(pairs), 2, *shape), np.uint8)
    for row, pair in zip(closest, pairs, strict=True):
        row[0] = _turned(judged.some([pair.generated])[0], TURNS.index(pair.turn))
        row[1] = reals.train[pair.train]
    return Pictures(
        real=reals.heldout[:SHOWN],
        generated=case.kept[:SHOWN],
        pairs=closest,
        map=np.concatenate([thumbnails(sources[place.name](place.k)[None]) for place in found]),
    )


def _turned(image: np.ndarray, turn: int) -> np.ndarray:
    flipped = image[:, ::-1] if turn >= len(TURNS) // 2 else image
    return np.rot90(flipped, turn % 4, axes=(0, 1))
