"""Which images train, which are watched (validation) and which judge (test): whole groups, by class."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from medgan.data.balance import Balance
from medgan.errors import DataError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)

_FORMS = "give shares such as 0.7/0.15/0.15 or 0.8/0.2, or numbers of images such as 160/0/200"


@dataclass(frozen=True)
class Fractions:
    """Shares of the parts, which sum to 1, or whole numbers of images. Of numbers, the one for training is
    the least: images that are left over train too. DataError if they cannot be."""

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15

    def __post_init__(self) -> None:
        values = (self.train, self.validation, self.test)
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise DataError(f"--split {self} is not possible; {_FORMS}.")
        if not self.whole and abs(sum(values) - 1) > 1e-6:
            raise DataError(f"--split {self} sums to {sum(values):g}, not to 1; {_FORMS}.")
        if not self.train or not self.test:
            raise DataError(
                f"--split {self} leaves no images for {TEST if self.train else TRAIN}; a model is judged by "
                f"images that it has not seen, so both are needed: {_FORMS}."
            )

    def __str__(self) -> str:
        return f"{self.train:g}/{self.validation:g}/{self.test:g}"

    @property
    def whole(self) -> bool:
        """Whether these are numbers of images."""
        values = (self.train, self.validation, self.test)
        return sum(values) > 1 and all(float(value).is_integer() for value in values)

    def counts(self, images: int) -> dict[str, int]:
        """The most images of `images` that each part is to have; training has the rest. DataError if a
        part would have none."""
        if self.whole and self.train + self.validation + self.test > images:
            raise DataError(f"--split {self} needs more images than there are ({images:,}); {_FORMS}.")
        scale = 1 if self.whole else images
        validation, test = round(self.validation * scale), round(self.test * scale)
        train = images - validation - test
        for part, count, least in (
            (TRAIN, train, 2),
            (VALIDATION, validation, int(self.validation > 0)),
            (TEST, test, 1),
        ):
            if count < least:
                raise DataError(
                    f"--split {self} of {images:,} images leaves too few for {part}; {_FORMS}, or add images."
                )
        return {TRAIN: train, VALIDATION: validation, TEST: test}


def parse_split(text: str) -> Fractions:
    """Shares ("0.7/0.15/0.15", or "0.8/0.2" without validation) or numbers of images ("160/0/200").
    DataError for what is neither, and for percent, which could be numbers of images."""
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        values = []
    if len(values) == 2:
        values.insert(1, 0.0)
    if len(values) != 3:
        raise DataError(f"--split {text} is not understood; {_FORMS}.")
    fractions = Fractions(*values)
    if fractions.whole and sum(values) == 100:
        shares = "/".join(f"{value / 100:g}" for value in values)
        raise DataError(f"--split {text} could mean percent or images; for percent write {shares}.")
    return fractions


def split(labels: Sequence[str], groups: np.ndarray, fractions: Fractions, seed: int) -> list[str]:
    """`train`, `validation` or `test` for every image: whole groups, in each class its share, seeded.

    Test is chosen first, then validation from the rest, never more images than asked, and exactly as many
    where enough images of each class stand alone. Numbers of images are kept to like this; a class of few
    large groups can leave a part short. Shares are then met as nearly as whole groups allow, above and
    below (`Balance`), and a class of three groups or more is in every part that has room for an image of
    each such class. A class of two groups or more always trains. With the same groups and seed the result
    is the same, in whatever order images stand. Of numbers validation may come out empty if no group fits;
    DataError if test would.
    """
    wanted = fractions.counts(len(labels))
    generator = np.random.default_rng(seed)
    splits = _within(labels, groups, wanted, generator)
    if not fractions.whole and len(set(groups.tolist())) > 1:
        splits = _balanced(labels, groups, wanted, splits, generator)
    if TEST not in splits:
        raise DataError(_nothing_fits(groups, wanted[TEST]))
    return splits


def _within(
    labels: Sequence[str], groups: np.ndarray, wanted: dict[str, int], generator: np.random.Generator
) -> list[str]:
    """The parts, none of which has more images than wanted."""
    spread = Counter(label for label, _ in set(zip(labels, groups.tolist(), strict=True)))
    splits = np.full(len(labels), TRAIN, dtype=object)
    for part in (TEST, VALIDATION):
        rest = np.flatnonzero(splits == TRAIN)
        later = 1 if part == TEST and wanted[VALIDATION] else 0
        choice = _Choice([labels[k] for k in rest.tolist()], groups[rest], wanted[part], spread, later)
        if wanted[part]:
            choice.fill(generator.permutation(np.unique(groups[rest])).tolist(), needed=part == TEST)
        splits[rest[np.isin(groups[rest], list(choice.chosen))]] = part
    return list(splits)


def _balanced(
    labels: Sequence[str],
    groups: np.ndarray,
    wanted: dict[str, int],
    splits: Sequence[str],
    generator: np.random.Generator,
) -> list[str]:
    """The parts after every exchange of groups that brings them nearer to the wanted numbers."""
    order = generator.permutation(np.unique(groups))
    row = np.argsort(order)[np.searchsorted(np.sort(order), groups)]
    names, column = np.unique(list(labels), return_inverse=True)
    members = np.zeros((len(order), len(names)), dtype=np.int64)
    np.add.at(members, (row, column), 1)
    at = np.zeros(len(order), dtype=np.int64)
    at[row] = [PARTS.index(part) for part in splits]
    Balance(members, [wanted[part] for part in PARTS], at).improve()
    return [PARTS[part] for part in at[row].tolist()]


def _nothing_fits(groups: np.ndarray, wanted: int) -> str:
    sizes = np.unique(groups, return_counts=True)[1]
    if len(sizes) == 1:
        return (
            "All images are in one group (they look alike, or are of one patient or one file), so none can "
            "be kept for test without a near-copy staying in training; add images of other patients."
        )
    return (
        f"The smallest of {len(sizes)} groups has {sizes.min()} images, more than the {wanted} for test; "
        "give test a larger share with --split, or divide into smaller groups with --group."
    )


class _Choice:
    """The groups of one part, as they are chosen one by one.

    `spread` is the number of groups of each class in the whole set; `later` is the number of groups that
    a class that can is to keep for parts that are chosen later.
    """

    def __init__(
        self, labels: Sequence[str], groups: np.ndarray, wanted: int, spread: Counter[str], later: int
    ) -> None:
        self.wanted = wanted
        self.spread = spread
        self.chosen: set[int] = set()
        self.members: dict[int, Counter[str]] = defaultdict(Counter)
        for label, group in zip(labels, groups.tolist(), strict=True):
            self.members[group][label] += 1
        self.left = Counter(label for classes in self.members.values() for label in classes)
        self.keep = {label: max(1, min(1 + later, count - 1)) for label, count in self.left.items()}
        self.quota = {label: wanted / len(labels) * count for label, count in Counter(labels).items()}

    def fill(self, order: Sequence[int], needed: bool) -> None:
        """Choose groups in the given order until nothing more fits; at least one that fits, if `needed`."""
        self._take_one_of_each(order)
        self._take(order, lambda group: self._in_share(group) and self._leaves_some(group))
        self._take(order, lambda group: self._near_share(group) and self._leaves_some(group))
        self._take(order, lambda group: self._near_share(group) and self._takes_none_away(group))
        if needed and not self.chosen:
            self._take(order, self._takes_none_away, most=1)

    def _size(self, group: int) -> int:
        return self.members[group].total()

    def _in_share(self, group: int) -> bool:
        """Whether its classes still have their share to give."""
        return all(count <= round(self.quota[label]) for label, count in self.members[group].items())

    def _near_share(self, group: int) -> bool:
        """Whether its classes come no further from their shares with it than without it, give or take an
        image; classes of one group, which cannot give a part of it, share one share."""
        members, single = self.members[group], 0
        for label, count in members.items():
            if self.spread[label] == 1:
                single += count
            elif count > 2 * self.quota[label] + 1:
                return False
        shared = sum(quota for label, quota in self.quota.items() if self.spread[label] == 1)
        return not single or single <= round(shared)

    def _leaves_some(self, group: int) -> bool:
        """Whether every class keeps a group to train on, and one for each later part."""
        return all(self.left[label] > self.keep[label] for label in self.members[group])

    def _takes_none_away(self, group: int) -> bool:
        """The same, but for classes of one group, which cannot be on two sides anyway."""
        return all(
            self.spread[label] == 1 or self.left[label] > self.keep[label] for label in self.members[group]
        )

    def _take(self, groups: Iterable[int], allowed: Callable[[int], bool], most: int | None = None) -> None:
        """Choose those of `groups` that fit and are `allowed`, at most `most` of them."""
        for group in groups:
            if most == 0:
                return
            if group not in self.chosen and self._size(group) <= self.wanted and allowed(group):
                self.chosen.add(group)
                self.wanted -= self._size(group)
                for label, count in self.members[group].items():
                    self.left[label] -= 1
                    self.quota[label] -= count
                most = None if most is None else most - 1

    def _take_one_of_each(self, order: Sequence[int]) -> None:
        """A group of every class: the first that is in its share, or else the smallest."""
        by_class: dict[str, list[int]] = defaultdict(list)
        for group in order:
            for label in self.members[group]:
                by_class[label].append(group)
        for label in sorted(by_class):
            share = max(1, round(self.quota[label]))
            ranked = sorted(by_class[label], key=lambda g: max(share, self._size(g)))
            if self.chosen.isdisjoint(ranked):
                self._take(ranked, self._leaves_some, most=1)
