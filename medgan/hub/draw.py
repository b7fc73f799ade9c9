"""Which images are taken when not all are, and what they are called on this disk."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LONGEST = 80
"""Letters of a class or file name that are kept."""
_BYTES = 160
"""The same in UTF-8: file systems allow 255, and a number and an extension follow."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows does not let a file have."""


def draw(labels: Sequence[str], count: int | None, seed: int) -> list[int]:
    """Indices of at most `count` images, ascending: of each class its share (largest remainders), at random
    with `seed`; all where `count` is None or enough for all. The same arguments give the same indices."""
    if count is None or count >= len(labels):
        return list(range(len(labels)))
    members: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    classes = sorted(members)
    shares = _shares([len(members[label]) for label in classes], count)
    rng = np.random.default_rng(seed)
    chosen: list[int] = []
    for label, share in zip(classes, shares, strict=True):
        order = rng.permutation(len(members[label]))[:share]
        chosen += [members[label][k] for k in order.tolist()]
    return sorted(chosen)


def _shares(sizes: list[int], count: int) -> list[int]:
    """Whole shares of `count` in proportion to `sizes`; whole-number arithmetic, so that every machine
    shares alike."""
    total = sum(sizes)
    shares = [size * count // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda k: (-(sizes[k] * count % total), k))
    for k in by_remainder[: count - sum(shares)]:
        shares[k] += 1
    return shares


class Names:
    """Gives classes and files names of their own inside one folder, whatever they are called elsewhere.

    Names from a repository are hostile input: what comes out has no separators, no `..`, no control
    characters and no leading dot, is short, and is unique even where case does not count.
    """

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._taken: dict[str, int] = {}

    def place(self, label: str, stem: str, suffix: str) -> Path:
        """`<class>/<file>`, relative; `suffix` (`.png`) is the caller's own, not the repository's."""
        if label not in self._folders:
            self._folders[label] = self._free("", clean(label), "")
        folder = self._folders[label]
        return Path(folder) / self._free(f"{folder}/", clean(stem), suffix)

    def _free(self, within: str, stem: str, suffix: str) -> str:
        name = stem + suffix
        key = first = _key(within + name)
        while key in self._taken:
            self._taken[first] += 1
            name = f"{stem}-{self._taken[first]}{suffix}"
            key = _key(within + name)
        self._taken[key] = 1
        return name


def _key(path: str) -> str:
    """What a file system that ignores case takes for the same name."""
    return unicodedata.normalize("NFC", path.casefold())


def clean(text: str) -> str:
    """`text` as one harmless part of a path: letters and digits of any script, space and `-_.,()+`."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if c.isalnum() or c in " -_.,()+" else "-" for c in text[: 4 * LONGEST])
    kept = re.sub(r"-{2,}", "-", kept).strip(" .-")[:LONGEST]
    kept = kept.encode()[:_BYTES].decode(errors="ignore").rstrip(" .-")
    if _DEVICES.match(kept):
        kept = f"_{kept}"
    return kept or "unnamed"
