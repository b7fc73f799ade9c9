"""Words for people: file names as they are, counts, parts."""

from __future__ import annotations

import re

PARTS = {
    "train": "to train on",
    "validation": "to watch (validation)",
    "test": "to judge (test)",
}
LONGEST = 2000
"""Signs of a sentence that are shown."""
_OPTIONS = [
    (
        re.compile(r"prepare it on the Data page, or name its folder with --dataset"),
        "put it on the Data page, and export again",
    ),
    (re.compile(r" with --[a-z]+"), ""),
    (re.compile(r" \(--(no-gate|override|licence [\w.+-]+)\)"), ""),
    (re.compile(r"--group auto"), "groups that are found by themselves"),
    (re.compile(r"--split (?=[\d./]+ )"), "The division "),
]
"""What sentences say to the command line, and what the page says for it."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~^&])")
_ADDRESS = re.compile(r"(www|@)", re.IGNORECASE)
"""What the browser's Markdown makes a link of by itself, escaped or not, unless a word joiner follows."""
_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001eeff]"
_RUN = re.compile(rf"{_RIGHT_TO_LEFT}+(?:(?:[ _/\\\-'0-9]|\.(?! ))*{_RIGHT_TO_LEFT}+)*")
"""Words from right to left, with what joins them to one name: no comma, no bracket."""


def spoken(label: str, longest: int) -> str:
    """A class as `plain` words, so that a long one breaks between them."""
    return plain(label.replace("_", " "), longest)


def plain(text: str, longest: int = 60) -> str:
    """A name that somebody else chose, for use in Markdown: shown as it is, the middle left out if long.

    A name written from right to left is fenced off, so that it does not turn the sentence around it.
    """
    shown = _escaped(text, longest)
    return f"\u2068{shown}\u2069" if _RUN.search(text) else shown


def sentence(text: str, longest: int = LONGEST) -> str:
    """A sentence of ours that may hold somebody's names, for use in Markdown: shown as it is.

    Each name from right to left is fenced off by itself: in one fence around all, the figures that stand
    beside names would change sides.
    """
    return _RUN.sub(lambda run: f"\u2068{run.group()}\u2069", _escaped(text, longest))


def on_the_page(text: str) -> str:
    """A sentence without the options of the command line, which a page has controls for."""
    for option, words in _OPTIONS:
        text = option.sub(words, text)
    return text


def _escaped(text: str, longest: int) -> str:
    if len(text) > longest:
        head = longest // 2
        text = f"{text[:head]}…{text[-(longest - head - 1) :]}"
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    return _ADDRESS.sub("\\1\u2060", escaped)


def short(text: str, longest: int = 28) -> str:
    """The last part of a file name, escaped and short enough for a caption."""
    return plain(text.rsplit("/", 1)[-1], longest)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 image`, `1,000 images`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def parts(splits: dict[str, int]) -> str:
    """`70 to train on, 15 to watch (validation), 15 to judge (test)`, without empty parts."""
    return ", ".join(f"{splits[part]:,} {words}" for part, words in PARTS.items() if splits.get(part))
