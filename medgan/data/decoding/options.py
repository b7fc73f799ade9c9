"""How files are decoded: which window, which slices, how much may be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from medgan.data.limits import LIMITS, Limits
from medgan.data.window import AUTO, Window
from medgan.errors import DataError

_EDGE = r"(\d{1,3}(?:\.\d{1,6})?%|\d{1,9}|)"
_SLICES = re.compile(rf"{_EDGE}(?::{_EDGE}(?::(\d{{0,9}}))?)?", re.ASCII)
_EXAMPLES = "give START:STOP:STEP in pictures or percents, such as 10:80, 10%:90%:2, ::5 or 50%"


@dataclass(frozen=True)
class Edge:
    """A place in a volume: a whole number of pictures, or a percentage of all."""

    value: float
    percent: bool

    def of(self, count: int) -> int:
        """The place in a file of `count` pictures."""
        return min(count, round(count * self.value / 100) if self.percent else int(self.value))


@dataclass(frozen=True)
class Slices:
    """Which pictures of a volume, a multi-frame or a multi-page file are used, as Python counts: from 0,
    the first included, the last not. `text` is what `parse_slices` reads."""

    text: str = "all"
    start: Edge = Edge(0, True)
    stop: Edge = Edge(100, True)
    step: int = 1
    one: bool = False

    def of(self, count: int) -> range:
        """The chosen of `count` pictures; all if there is one only. DataError if none is chosen."""
        if count == 1:
            return range(1)
        start = self.start.of(count)
        if self.one:
            start = min(start, count - 1) if self.start.percent else start
            chosen = range(start, min(start + 1, count))
        else:
            chosen = range(start, self.stop.of(count), self.step)
        if not chosen:
            raise DataError(f"has {count} pictures, of which the slices {self.text} choose none")
        return chosen

    def __str__(self) -> str:
        return self.text


ALL = Slices()


def parse_slices(text: str) -> Slices:
    """`all`, START:STOP:STEP in pictures or percents, or one place (`50%` is the middle slice).

    DataError with examples for anything else.
    """
    plain = text.strip().lower().replace(" ", "")
    if plain in ("all", ":", "::"):
        return ALL
    match = _SLICES.fullmatch(plain)
    if not plain or match is None:
        raise DataError(f"The slices {text!r} cannot be read; {_EXAMPLES}.")
    start, stop, step = match.groups()
    chosen = Slices(plain, _edge(start, 0), _edge(stop, 100), int(step or 1), ":" not in plain)
    if not chosen.step:
        raise DataError(f"The slices {text!r} cannot be read; {_EXAMPLES}.")
    if any(edge.percent and edge.value > 100 for edge in (chosen.start, chosen.stop)):
        raise DataError(f"The slices {text!r} lie outside 0% to 100%.")
    same_kind = chosen.start.percent == chosen.stop.percent
    if not chosen.one and same_kind and chosen.start.value >= chosen.stop.value:
        raise DataError(f"The slices {text!r} are empty; the first number must be below the second.")
    return chosen


def _edge(text: str | None, otherwise: float) -> Edge:
    if not text:
        return Edge(otherwise, True)
    return Edge(float(text.rstrip("%")), text.endswith("%"))


@dataclass(frozen=True)
class Decoding:
    """How files are decoded. `shortest`: a JPEG may be decoded at a half, quarter or eighth of its size
    as long as its shorter side keeps at least that many pixels; None for the full size."""

    window: Window = AUTO
    slices: Slices = ALL
    limits: Limits = field(default=LIMITS)
    shortest: int | None = None
