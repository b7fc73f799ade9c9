"""A division that comes as near to the wanted numbers as whole groups allow, in every class.

All numbers are whole (shares are counted in images times all images), so every machine decides alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

TRAIN, VALIDATION, TEST = range(3)
"""The rows of arrays `(3, …)`, and the numbers of the parts."""

_PAIRS = ((TRAIN, TEST), (TRAIN, VALIDATION), (VALIDATION, TEST))
_LEAST = (2, 0, 1)
"""Images that each part needs."""
_TRIED = 1_000_000
"""Numbers that one look at two parts computes with: it bounds time and memory where all groups differ."""
_STEPS = 1000


@dataclass(frozen=True)
class _Step:
    """What moving groups to other parts gains, and which: (group, its new part)."""

    gain: int
    moves: tuple[tuple[int, int], ...] = ()


class Balance:
    """Groups on their way to a better division.

    `members` is int64 `(G, C)`, the images of each class in each group; `counts` the images wanted in
    train, validation and test; `at` int64 `(G,)` the part of each group, which `improve` changes.
    """

    def __init__(self, members: Array, counts: Sequence[int], at: Array) -> None:
        spread = (members > 0).sum(axis=0)
        several = members[:, spread > 1]
        # a class of one group cannot give a part of it: such classes have one share together
        single = members[:, spread == 1].sum(axis=1, keepdims=True)
        self.members = np.concatenate([several, single], axis=1)
        self.stands = (several > 0).astype(np.int64)
        self.counts, self.at = np.array(counts, dtype=np.int64), at
        self.images, self.classes = int(members.sum()), self.members.sum(axis=0)
        self.weight = self._weights(spread[spread > 1])

    def improve(self) -> None:
        """Move a group to another part, or exchange two, as long as that comes nearer to what is wanted. Of
        equal steps the first in the order of groups is taken. Single images are left as they are, unless a
        class is missing somewhere: there is always one that could be exchanged for a tiny gain."""
        if self.members.sum(axis=1).max() == 1 and not any(map(self._misses, range(3))):
            return
        pairs = [pair for pair in _PAIRS if self.counts[list(pair)].all()]
        for _ in range(_STEPS):
            step = max((self._best_step(*pair) for pair in pairs), key=lambda step: step.gain)
            if step.gain <= 0:
                return
            for group, part in step.moves:
                self.at[group] = part

    def _weights(self, spread: Array) -> Array:
        """How much it weighs that a class is absent from a part, int64 `(3, C)`: most in training, and for a
        class of three groups in every part that has room for an image of each such class; less for a class
        of two groups where it is at first."""
        at_first = np.stack([self.stands[self.at == part].any(axis=0) for part in range(3)])
        room = self.counts >= max(1, int((spread > 2).sum()))
        heavy = room[:, None] & (spread > 2)
        heavy[TRAIN] = True
        weights: Array = np.where(heavy, len(spread) + 1, at_first).astype(np.int64)
        return weights

    def _misses(self, part: int) -> bool:
        """Whether a class is absent that is to be in a part."""
        return bool((self.weight[part] * (self.stands[self.at == part].sum(axis=0) == 0)).any())

    def _cost(self, part: int, images: Array, groups: Array) -> Array:
        """How far a part with so many images and groups of each class, int64 `(…, C)`, is from what is
        wanted; lower is better. Absent classes weigh most; then each image that the part has too many or
        too few counts, and in each class those beyond one, which rounding may cost."""
        wanted, total = int(self.counts[part]), images.sum(axis=-1)
        off = np.abs(self.images * images - wanted * self.classes)
        cost: Array = np.maximum(off - self.images, 0).sum(axis=-1)
        cost += self.images * np.abs(total - wanted)
        absent = (self.weight[part] * (groups == 0)).sum(axis=-1)
        absent += (len(self.classes) + 1) * (total < _LEAST[part])
        cost += (4 * self.images**2 + 1) * absent  # more than all numbers can
        return cost

    def _best_step(self, first: int, second: int) -> _Step:
        """The step between two parts that gains most."""
        ours, theirs = self._kinds(first), self._kinds(second)
        images = _differences(self.members, ours, theirs)
        groups = _differences(self.stands, ours, theirs)
        costs: Array = np.zeros(images.shape[:2], dtype=np.int64)
        before = 0
        for part, sign in ((first, -1), (second, 1)):
            mine = self.at == part
            has, stand = self.members[mine].sum(axis=0), self.stands[mine].sum(axis=0)
            before += int(self._cost(part, has, stand))
            costs += self._cost(part, has + sign * images, stand + sign * groups)
        i, j = divmod(int(costs.argmin()), len(theirs) + 1)
        moves = [(group, second) for group in ours[i : i + 1].tolist()]
        moves += [(group, first) for group in theirs[j : j + 1].tolist()]
        return _Step(before - int(costs[i, j]), tuple(moves))

    def _kinds(self, part: int) -> Array:
        """The groups of a part, of those with the same images of each class the first one alone."""
        mine = np.flatnonzero(self.at == part)
        if not len(mine):
            return mine
        firsts = np.sort(np.unique(self.members[mine], axis=0, return_index=True)[1])
        most = max(8, int((_TRIED / self.members.shape[1]) ** 0.5))
        kinds: Array = mine[firsts[:most]]
        return kinds


def _differences(values: Array, first: Array, second: Array) -> Array:
    """`(len(first) + 1, len(second) + 1, C)`: what goes there less what comes back; the last is nothing."""
    nothing = np.zeros((1, values.shape[1]), dtype=np.int64)
    there, back = (np.concatenate([values[groups], nothing]) for groups in (first, second))
    difference: Array = there[:, None] - back[None, :]
    return difference
