"""Words for people: file names as they are, counts, parts."""

from __future__ import annotations

import re
import unicodedata

PARTS = {
    "train": "to train on",
    "validation": "to watch (validation)",
    "test": "to judge (test)",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~^&])")


def plain(text: str, longest: int = 60) -> str:
    """A name that somebody else chose, for use in Markdown: shown as it is, the middle left out if long.

    A name written from right to left is fenced off, so that it does not turn the sentence around it.
    """
    if len(text) > longest:
        head = longest // 2
        text = f"{text[:head]}…{text[-(longest - head - 1) :]}"
    shown = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    return f"\u2068{shown}\u2069" if _right_to_left(text) else shown


def short(text: str, longest: int = 28) -> str:
    """The last part of a file name, escaped and short enough for a caption."""
    return plain(text.rsplit("/", 1)[-1], longest)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 image`, `1,000 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def parts(splits: dict[str, int]) -> str:
    """`70 to train on, 15 to watch (validation), 15 to judge (test)`, without empty parts."""
    return ", ".join(f"{splits[part]:,} {words}" for part, words in PARTS.items() if splits.get(part))


def _right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
