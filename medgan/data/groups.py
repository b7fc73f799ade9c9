"""Groups: the images that must stand on one side of the split."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medgan.data.copies import Clusters, Pair
from medgan.data.distances import alike_below, blocks
from medgan.errors import DataError

Array = np.ndarray

PATIENT, AUTO, NONE = "patient", "auto", "none"
LONGEST = 500
"""Characters of a pattern."""
SECONDS = 5
"""For trying a pattern on all names. Python's regular expressions can take for ever, and nothing in the same
process can stop them."""

Key = tuple[str, Hashable] | None
"""Where an image is known to come from (a patient, a file, what a pattern finds), or None."""


@dataclass(frozen=True)
class Groups:
    """`numbers` is int64 `(N,)`, counted from 0 by first appearance; `words` says how they were found;
    `nameless` counts the images of which neither a patient nor the user's pattern says whose they are."""

    numbers: Array
    words: str
    nameless: int = 0

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
    "none" (each image alone); or a regular expression, as `preview_pattern` applies it (what does not match
    goes as with auto). Pictures of one file always share a group. `copies`, pairs of one picture, do so,
    too, except with none. Images that are known to be of two patients are not joined for looking alike.
    DataError if there are no patients, or if the pattern is none, matches nothing, puts everything into one
    group, or takes too long.
    """
    files = _files_of_slices(names)
    clusters = Clusters(len(names))
    _join_equal(clusters, files)
    if how == NONE:
        return Groups(_numbered(clusters, len(names)), _alone(files), len(names))
    keys, words = _known(how, names, files, patients)
    _join_equal(clusters, keys)
    for pair in copies:
        clusters.join(pair.first, pair.second)
    unknown = np.array([key is None for key in keys], dtype=bool)
    if unknown.any():
        _join_alike(clusters, thumbs, unknown)
        words.append(_by_likeness(int(unknown.sum()), len(names)))
    nameless = sum(key is None or key[0] == "file" for key in keys)
    return Groups(_numbered(clusters, len(names)), "; ".join(words), nameless)


def check_pattern(pattern: str) -> None:
    """DataError if `pattern` is no regular expression, empty or longer than `LONGEST`."""
    if not 0 < len(pattern) <= LONGEST:
        raise DataError(f"A pattern has 1 to {LONGEST} characters, not {len(pattern):,}. {_EXAMPLE}")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(f"{pattern!r} is not a pattern ({error}). {_EXAMPLE}") from error


def preview_pattern(pattern: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each name with the group that `pattern` finds in it, or None: its first bracket, or all it matches.

    What is searched is the file's own name, of `melanoma/P0_0.nii.gz#0007` `P0_0.nii.gz`; with a `/` in the
    pattern, or where it finds nothing in any of these, the whole path. DataError if it is no pattern, or if
    it takes longer than `SECONDS`.
    """
    check_pattern(pattern)
    paths = [_file_of_slice(name) or name for name in names]
    found: list[str | None] = [None] * len(paths)
    if "/" not in pattern:
        found = _matches(pattern, [path.rpartition("/")[2] for path in paths])
    if not any(found):
        found = _matches(pattern, paths)
    return list(zip(names, found, strict=True))


_EXAMPLE = "An example: the group is what stands before the first underscore of the file's name: ^([^_]+)_"
_MATCHING = """
import json, re, signal, sys
pattern, texts, seconds = json.load(sys.stdin)
if hasattr(signal, "alarm"):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)  # ends this process also where nobody is left to end it
expression = re.compile(pattern)
matches = map(expression.search, texts)
group = 1 if expression.groups else 0
print(json.dumps([match.group(group) or None if match else None for match in matches]))
"""


def _matches(pattern: str, texts: Sequence[str]) -> list[str | None]:
    """What `pattern` finds in each text; an empty match names nobody. In a process that can be ended."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", "-c", _MATCHING],
            input=json.dumps([pattern, texts, SECONDS]),
            capture_output=True,
            text=True,
            timeout=SECONDS + 5,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(_too_long(pattern)) from error
    if hasattr(signal, "SIGALRM") and done.returncode == -signal.SIGALRM:
        raise DataError(_too_long(pattern))
    if done.returncode:
        raise DataError(f"The pattern {pattern!r} cannot be tried on the names; write a simpler one.")
    found: list[str | None] = json.loads(done.stdout)
    return found


def _too_long(pattern: str) -> str:
    return (
        f"The pattern {pattern!r} takes longer than {SECONDS} s on the names of this set; write a simpler "
        "one, without a repetition inside a repetition such as (a+)+."
    )


def _known(
    how: str, names: Sequence[str], files: Sequence[Key], patients: Sequence[bytes | None]
) -> tuple[list[Key], list[str]]:
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
    slices = [key is None and file is not None for key, file in zip(keys, files, strict=True)]
    if any(slices):
        words.append(_of_several({file for file, used in zip(files, slices, strict=True) if used}))
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
        raise DataError(
            f"The pattern {pattern!r} matches none of the {len(names)} names{example}; change the pattern, "
            f"or use --group auto. {_EXAMPLE}"
        )
    kinds = set(found)
    if len(kinds) == 1 and len(names) > 1:
        raise DataError(
            f"The pattern {pattern!r} puts all {len(names):,} images into one group ({found[0]}), which "
            "cannot be divided; put the brackets round what differs from patient to patient, or use "
            "--group auto."
        )
    words = f"{_counted(len(kinds - {None}), 'group')} by the pattern"
    if matches < len(names):
        words += f", which {_counted(len(names) - matches, 'name does', 'names do')} not match"
    return [("pattern", group) if group is not None else None for group in found], [words]


def _files_of_slices(names: Sequence[str]) -> list[Key]:
    """The file of each image that is one of several of its file, else None."""
    files = [_file_of_slice(name) for name in names]
    return [("file", file) if file else None for file in files]


def _file_of_slice(name: str) -> str:
    """`scan.nii.gz` of the slice `scan.nii.gz#0007`, "" for what is no slice."""
    return name.rpartition("#")[0] if re.search(r"[^/]#\d{4,}$", name) else ""


def _alone(files: Sequence[Key]) -> str:
    several = set(files) - {None}
    if not several:
        return "each image stands alone, as was chosen"
    return f"each file stands alone, as was chosen, with all its pictures; {_of_several(several)}"


def _of_several(files: set[Key]) -> str:
    return _counted(len(files), "file of several images", "files of several images")


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
