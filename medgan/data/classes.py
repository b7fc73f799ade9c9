"""Which class an image is of, by the folders that it lies in: the same rule for every source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

UNLABELLED = "unlabelled"
"""The class of images that have none."""

_PARTS = (
    "train", "training", "dev", "val", "valid", "validation", "test", "testing", "heldout", "holdout",
)  # fmt: skip
"""Words for a part of a data set, in the order in which the parts are used."""
_SAYS_NOTHING = frozenset({
    "image", "images", "img", "imgs", "pictures", "data", "dataset", "datasets",
    "png", "jpg", "jpeg", "bmp", "webp", "gif", "tif", "tiff", "dcm", "dicom", "nii", "nifti",
    *_PARTS,
})  # fmt: skip
"""Words for files. Not `all`, a leukaemia; not `masks`, which must not end up among the images of a class."""
_COUNTER = re.compile(r"\d{2,}")
"""The 001 of `images_001`. One digit may be a grade or a class."""
_MOST = 4
"""Folders that are named in a sentence."""


def class_of(folders: Sequence[str]) -> str:
    """The class of an image that lies in `folders`, outermost first: the nearest one whose name says more
    than `train` or `images`; UNLABELLED if none does."""
    return class_folder(folders) or UNLABELLED


def class_folder(folders: Sequence[str]) -> str:
    """The same, "" if no folder says a class."""
    named = (folder.strip() for folder in reversed(folders))
    return next((folder for folder in named if folder and not is_generic(folder)), "")


def is_generic(folder: str) -> bool:
    """Whether a folder's whole name says a part of the data or a kind of file, and so no class: `Test` and
    `train_images` do, `test_positive` does not."""
    words = _words(folder)
    named = [word for word in words if not _COUNTER.fullmatch(word)]
    return bool(named) and ("".join(words) in _SAYS_NOTHING or all(word in _SAYS_NOTHING for word in named))


def part_of(folders: Sequence[str]) -> str:
    """The folder among `folders` that says which part of a data set an image belongs to, or ""."""
    parts = (folder for folder in folders if is_generic(folder) and _rank(folder) is not None)
    return next(parts, "").strip()


def merged(parts: Iterable[str]) -> list[str]:
    """The sentence on folders of parts that become one set; none if there are less than two."""
    found = sorted(set(parts) - {""}, key=lambda part: (_rank(part) or 0, part))
    if len(found) < 2:
        return []
    more = f" and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
    return [f"The folders {', '.join(found[:_MOST])}{more} are taken together and divided anew."]


def _words(folder: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", folder.casefold()) if word]


def _rank(folder: str) -> int | None:
    """Where in the order a folder's part comes; None if it names no part."""
    words = _words(folder)
    return next((k for k, part in enumerate(_PARTS) if part in words or part == "".join(words)), None)
