"""File names from anywhere, made safe to show and to compare; none is ever used as a path to write to."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

LONGEST = 1_000
"""Characters of a name, folders included. No person names a file so; a ZIP may hold 65,535."""

_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: line breaks, terminal escapes
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # text direction: would show gnp.exe as exe.png
    "\u2028\u2029\ufeff\ud800-\udfff]"  # line breaks, byte order marks, bytes that are no UTF-8
)
_DRIVE = re.compile("^[A-Za-z]:")
_SYSTEM = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}


def printable(name: str) -> str:
    """The name as UTF-8 that can be shown and written anywhere; what could do harm is escaped.

    Composed (NFC), since a Mac writes é as two characters: the same set has the same names everywhere.
    """
    escaped = _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), name)
    return unicodedata.normalize("NFC", escaped)


def safe_parts(name: str) -> tuple[str, ...]:
    """Folders and file of a name in a ZIP or CSV, without what would lead out: drives, roots, `..`."""
    name = _DRIVE.sub("", name.replace("\\", "/"))  # some tools on Windows write \
    return tuple(printable(part) for part in name.split("/") if part.strip() not in ("", ".", ".."))


def leads_out(name: str) -> bool:
    """Whether a name in a ZIP has a drive, a root or `..`, which `safe_parts` leaves away."""
    plain = name.replace("\\", "/")
    return bool(_DRIVE.match(plain)) or plain.startswith("/") or ".." in map(str.strip, plain.split("/"))


def is_hidden(parts: Iterable[str]) -> bool:
    """Whether a file or one of its folders is hidden or put there by an operating system."""
    return any(part.startswith(".") or part.lower() in _SYSTEM for part in parts)


def shortened(name: str, length: int = 80) -> str:
    """The name, cut with an ellipsis if it is very long."""
    return name if len(name) <= length else f"{name[: length - 1]}…"


def unique(names: Sequence[str], origins: Sequence[str]) -> list[str]:
    """Names of which no two are equal: twins get their source's name in front, then a number."""
    counts = Counter(names)
    pairs = zip(names, origins, strict=True)
    wanted = [f"{origin}/{n}" if origin and counts[n] > 1 else n for n, origin in pairs]
    if len(set(origins)) == 1:  # the source's name would tell nothing apart
        wanted = list(names)
    taken: set[str] = set()
    return [_free(name, taken) for name in wanted]


def _free(name: str, taken: set[str]) -> str:
    path, free, number = PurePosixPath(name), name, 1
    while free in taken:
        number += 1
        free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    taken.add(free)
    return free
