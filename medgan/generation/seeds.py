"""Which seeds an export is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from medgan.errors import DataError
from medgan.generation.sampling import MAX_SEED


@dataclass(frozen=True)
class Part:
    """Images of one class ("" for whatever each seed draws): first these seeds, then, for each that the gate
    keeps back, one of those that follow the largest."""

    seeds: Sequence[int]
    label: str = ""


def parse_seeds(text: str) -> list[int]:
    """`0-63` or `3,17,100-199` as a list in that order, each seed once; DataError if it is neither."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (is_number(first) and (is_number(last) or not dash)):
            raise DataError(f"--seeds {text[:60]} cannot be read; write for example 0-63 or 3,17,100-199.")
        start, stop = int(first), int(last or first)
        if stop < start or stop - start >= 10_000_000:
            raise DataError(f"--seeds {part.strip()}: the range must rise and hold at most 10 million seeds.")
        seeds += range(start, stop + 1)
    return list(dict.fromkeys(seeds))


def is_number(text: str) -> bool:
    """Whether it is a whole number, and none that Python refuses to read for its length."""
    return text.strip().isdecimal() and len(text) < 20


def largest(seeds: Sequence[int]) -> int:
    """The largest, -1 for none; a range may hold more than anybody could walk through."""
    ends = (seeds[0], seeds[-1]) if isinstance(seeds, range) and seeds else seeds
    return max(ends, default=-1)


def digest(seeds: Sequence[int]) -> str:
    """By which these seeds in this order are known; those of a range at once."""
    named = seeds if isinstance(seeds, range) else list(seeds)
    return hashlib.sha256(repr(named).encode()).hexdigest()


def in_order(seeds: Sequence[int]) -> Iterator[int]:
    """These seeds, and then those that follow the largest."""
    return chain(seeds, range(largest(seeds) + 1, MAX_SEED + 1) if len(seeds) else ())
