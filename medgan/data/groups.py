"""Groups: the images that must stand on one side of the split."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medgan.data.copies import Clusters, Pair
from medgan.data.distances import alike_below, blocks
from medgan.errors import DataError

Array = np.ndarray

PATIENT, AUTO, NONE = "patient", "auto", "none"
Key = Hashable | None
"""Where an image is known to come from (a patient, a volume, what a pattern finds), or None."""


@dataclass(frozen=True)
class Groups:
    """`numbers` is int64 `(N,)`, counted from 0 by first appearance; `words` says how they were found."""

    numbers: Array
    words: str

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.numbers.max(initial=-1)) + 1


def find_groups(
    how: str,
    names: Sequence[str],
    patients: Sequence[bytes | None],
    thumbs: Array,
    copies: Sequence[Pair] = (),
) -> Groups:
    """The group of each image. `thumbs` is uint8 `(N, 32, 32, 3)`.

    `how` is "patient"; "auto" (the patient, else the file that holds several slices, else likeness);
    "none" (each image alone); or a regular expression, whose first bracket, or all that it matches, names
    the group (what does not match goes as with auto). `copies`, pairs of one picture, share a group
    except with none. Images that are known to be of two patients are not joined for looking alike.
    DataError if there are no patients, or if the pattern is none or matches nothing.
    """
    if how == NONE:
        return Groups(np.arange(len(names)), "each image stands alone, as was chosen")
    keys, words = _known(how, names, patients)
    clusters = Clusters(len(names))
    _join_equal(clusters, keys)
    for pair in copies:
        clusters.join(pair.first, pair.second)
    unknown = np.array([key is None for key in keys], dtype=bool)
    if unknown.any():
        _join_alike(clusters, thumbs, unknown)
        words.append(_by_likeness(int(unknown.sum()), len(names)))
    return Groups(_numbered(clusters, len(names)), "; ".join(words))


def preview_pattern(pattern: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each name with the group that `pattern` finds in it, or None. DataError if it is no pattern."""
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(
            f"{pattern!r} is not a pattern ({error}). An example: the group is what stands before the "
            "first underscore: ^([^_/]+)_"
        ) from error
    return [(name, _matched(expression, name)) for name in names]


def _matched(expression: re.Pattern[str], name: str) -> str | None:
    match = expression.search(name)
    if match is None:
        return None
    return match.group(1 if expression.groups else 0) or None  # an empty match names nobody


def _known(how: str, names: Sequence[str], patients: Sequence[bytes | None]) -> tuple[list[Key], list[str]]:
    """Each image's key, and words on where keys come from."""
    if how == PATIENT and not any(patients):
        raise DataError(
            "No image names its patient. Give a table with --labels that has a column patient, or a "
            "pattern on file names with --group, or use --group auto."
        )
    if how in (PATIENT, AUTO):
        keys, words = _patients(how, patients)
    else:
        keys, words = _by_pattern(how, names)
    files = _files_of_slices(names)
    slices = [key is None and file is not None for key, file in zip(keys, files, strict=True)]
    if any(slices):
        count = len({file for file, used in zip(files, slices, strict=True) if used})
        words.append(_counted(count, "file of several images", "files of several images"))
    return [key or file for key, file in zip(keys, files, strict=True)], words


def _patients(how: str, patients: Sequence[bytes | None]) -> tuple[list[Key], list[str]]:
    keys: list[Key] = [("patient", patient) if patient else None for patient in patients]
    count = len(set(keys) - {None})
    if how == AUTO and count == 1 and None not in keys:  # one name for all, as some tools write it
        return [None] * len(keys), ["all images name one and the same patient, which divides nothing"]
    return keys, [_counted(count, "patient")] if count else []


def _by_pattern(pattern: str, names: Sequence[str]) -> tuple[list[Key], list[str]]:
    found = [group for _, group in preview_pattern(pattern, names)]
    matches = sum(group is not None for group in found)
    if not matches:
        example = f" (the first is {names[0]})" if names else ""
        raise DataError(f"The pattern {pattern!r} matches none of the {len(names)} names{example}.")
    words = f"{_counted(len(set(found) - {None}), 'group')} by the pattern"
    if matches < len(names):
        words += f", which {_counted(len(names) - matches, 'name does', 'names do')} not match"
    return [("pattern", group) if group is not None else None for group in found], [words]


def _files_of_slices(names: Sequence[str]) -> list[Key]:
    """The file of each image that is one of several of its file ("scan.nii.gz#0007"), else None."""
    files = [name.rpartition("#")[0] if re.search(r".#\d+$", name) else None for name in names]
    return [("file", file) if file else None for file in files]


def _join_equal(clusters: Clusters, keys: Sequence[Key]) -> None:
    first: dict[Key, int] = {}
    for index, key in enumerate(keys):
        if key is not None:
            clusters.join(first.setdefault(key, index), index)


def _join_alike(clusters: Clusters, thumbs: Array, unknown: Array) -> None:
    """Join images that look alike, and so the neighbours of neighbours, where one of them is `unknown`."""
    limit = alike_below(thumbs)
    roots = _roots(clusters, len(thumbs))
    for row, column, distances in blocks(thumbs):
        rows, columns = (slice(at, at + n) for at, n in zip((row, column), distances.shape, strict=True))
        close = (distances <= limit) & (unknown[rows, None] | unknown[None, columns])
        apart = close & (roots[rows, None] != roots[None, columns])
        while apart.any():  # a join for each row and column, then again: there may be millions of pairs
            for i in np.flatnonzero(apart.any(axis=1)).tolist():
                clusters.join(row + i, column + int(apart[i].argmax()))
            for j in np.flatnonzero(apart.any(axis=0)).tolist():
                clusters.join(row + int(apart[:, j].argmax()), column + j)
            roots = _roots(clusters, len(thumbs))
            apart = close & (roots[rows, None] != roots[None, columns])


def _roots(clusters: Clusters, count: int) -> Array:
    return np.array([clusters.find(k) for k in range(count)], dtype=np.int64)


def _numbered(clusters: Clusters, count: int) -> Array:
    """The smallest index stands for each cluster, so sorted roots are in order of appearance."""
    return np.unique(_roots(clusters, count), return_inverse=True)[1].astype(np.int64)


def _by_likeness(unknown: int, images: int) -> str:
    who = "images" if unknown == images else _counted(unknown, "other image")
    return f"{who} grouped by likeness"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
