"""Which row of a CSV speaks for which image.

A row is matched to the image that shares the longest end of its path, so that both full paths and bare
file names work; then without the ending. What could mean two images, or two classes, is never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medgan.data import kinds, names
from medgan.data.labels import Labels
from medgan.errors import DataError


@dataclass(frozen=True)
class Assigned:
    """Label and patient of each image by its index, or the reason why it has none."""

    found: dict[int, tuple[str, str | None]]
    refused: dict[int, str]
    notes: list[str]


def assign(labels: Labels, images: Sequence[str], same: Callable[[Sequence[int]], bool]) -> Assigned:
    """Match the rows of `labels` to `images`, which are names with folders.

    `same` says whether several images hold the same bytes: then one row may speak for all of them.
    DataError if no image is named.
    """
    matcher = _Matcher(images, same)
    unused = sum(not matcher.offer(*row) for row in labels.rows)
    found, refused = matcher.result(labels.name)
    if not matcher.offers:
        row = labels.rows[0][0] if labels.rows else "nothing"
        raise DataError(
            f"{labels.name} names none of the {len(images):,} images: its column {labels.columns.file} has "
            f"for example {names.shortened(row)!r}, the images {names.shortened(images[0])!r}."
        )
    notes = [f"{labels.name}: {labels.columns}.", *labels.notes]
    if unused:
        rows = "1 row" if unused == 1 else f"{unused:,} rows"
        notes.append(f"Named in {labels.name} but not here: the images of {rows}.")
    return Assigned(found, refused, notes)


@dataclass
class _Offer:
    """The best rows so far for one image: how well they match, what they say, and what they may mean else."""

    rank: tuple[int, int]
    values: set[tuple[str, str | None]]
    row: str
    rivals: int = 1


class _Matcher:
    """Finds images by every end of their paths: as written, whatever the case, without the ending."""

    def __init__(self, images: Sequence[str], same: Callable[[Sequence[int]], bool]) -> None:
        self.images, self.same = images, same
        self.offers: dict[int, _Offer] = {}
        self.said: dict[int, set[str]] = defaultdict(set)  # the classes by every spelling of a name
        self.index: tuple[dict[str, list[int]], ...] = ({}, {}, {})
        self.identical: dict[tuple[int, ...], bool] = {}
        for number, image in enumerate(images):
            for index, form in zip(self.index, _forms(image), strict=True):
                for end in _ends(form):
                    index.setdefault(end, []).append(number)

    def offer(self, file: str, label: str, patient: str | None) -> bool:
        """Note what a row says of the images that it names best; False if it names none."""
        rank, hits = self._hits(file)
        if len(hits) == 1 and label and self._is_whole(file, rank, self.images[hits[0]]):
            self.said[hits[0]].add(label)
        rivals = 1 if len(hits) < 2 or self._identical(hits) else len(hits)
        for number in hits:
            offer = self.offers.get(number)
            if offer is None or rank > offer.rank:
                self.offers[number] = _Offer(rank, {(label, patient)}, file, rivals)
            elif rank == offer.rank:
                offer.values.add((label, patient))
                offer.rivals = max(offer.rivals, rivals)
        return bool(hits)

    def result(self, source: str) -> tuple[dict[int, tuple[str, str | None]], dict[int, str]]:
        """What each image is, or why it is refused."""
        found, refused = {}, {}
        for number in range(len(self.images)):
            offer = self.offers.get(number)
            if reason := _doubt(offer, source, self.said[number]):
                refused[number] = reason
            elif offer:
                (found[number],) = offer.values
        return found, refused

    def _hits(self, file: str) -> tuple[tuple[int, int], list[int]]:
        forms = [_ends(form) for form in _forms(file)]
        depth = len(forms[0])
        for shorter in range(depth):
            for kind, index in enumerate(self.index):
                if shorter < len(forms[kind]) and (hits := index.get(forms[kind][shorter])):
                    return (depth - shorter, -kind), hits
        return (0, 0), []

    def _is_whole(self, file: str, rank: tuple[int, int], image: str) -> bool:
        """Whether a row names this image by another spelling, and not one that is not here: the same end in
        another folder, or with another ending."""
        row, known = _forms(file), _forms(image)
        kind, depth = -rank[1], rank[0]
        endings = kind < 2 or row[1] == row[2] or known[1] == known[2]
        return endings and depth in (len(_ends(row[kind])), len(_ends(known[kind])))

    def _identical(self, hits: list[int]) -> bool:
        key = tuple(hits)
        if key not in self.identical:
            self.identical[key] = self.same(hits)
        return self.identical[key]


def _doubt(offer: _Offer | None, source: str, said: set[str]) -> str:
    if offer is None:
        return f"is not named in {source}"
    if offer.rivals > 1:
        row = names.shortened(offer.row)
        return (
            f"is one of {offer.rivals} files that {row!r} in {source} may mean; write the folder there, too"
        )
    labels = sorted({label for label, _ in offer.values})
    if len(labels) > 1:
        return f"has more than one class in {source} ({_some(labels)})"
    if labels[0] and len(said | {labels[0]}) > 1:
        every = _some(sorted(said | {labels[0]}))
        return f"has more than one class in {source} ({every}), by different spellings of its name"
    if not labels[0]:
        return f"has no class in {source}"
    return f"has more than one patient in {source}" if len(offer.values) > 1 else ""


def _some(labels: list[str]) -> str:
    return ", ".join(map(names.shortened, labels[:5]))


def _forms(file: str) -> tuple[str, str, str]:
    exact = "/".join(names.safe_parts(file))
    folded = exact.casefold()
    known = next((e for e in sorted(kinds.EXTENSIONS, key=len, reverse=True) if folded.endswith(e)), "")
    return exact, folded, folded.removesuffix(known)


def _ends(path: str) -> list[str]:
    """`a/b/c`, `b/c`, `c`."""
    parts = path.split("/")
    return ["/".join(parts[k:]) for k in range(len(parts))] if path else []
