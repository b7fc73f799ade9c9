"""How a data set is prepared, as plain values that are written into it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from medgan.config import SIZES
from medgan.data.copies import Choices
from medgan.data.decoding.options import Decoding, parse_slices
from medgan.data.groups import AUTO, NONE, PATIENT, check_pattern
from medgan.data.limits import LIMITS, Limits
from medgan.data.split import Fractions, parse_split
from medgan.data.window import parse_window
from medgan.errors import DataError
from medgan.images import FITS
from medgan.modalities import MODALITIES, OTHER

COLOURS = ("auto", "rgb", "grey")
REDUCE = 2
"""JPEGs are decoded at an eighth, a quarter or half of their size where that leaves this many times the
pixels that are needed; `docs/benchmarks.md` shows how little that changes."""


@dataclass(frozen=True)
class Settings:
    """What `prepare` is asked to do; every value is as the command line takes it.

    `check` raises DataError with what is wrong, before minutes of decoding.
    """

    size: int = 128
    fit: str = "crop"
    colour: str = "auto"
    window: str = "auto"
    slices: str = "all"
    group: str = "auto"
    split: str = "0.7/0.15/0.15"
    duplicates: str = "drop"
    near: str = "keep"
    conflicts: str = "drop"
    seed: int = 0
    modality: str = OTHER
    exclude: tuple[str, ...] = ()
    """Pictures (or all of a file) that the user leaves out, by the names that the report gives them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(self.exclude))  # JSON has lists

    def check(self) -> None:
        """DataError for the first value that cannot be."""
        _one_of("--size", self.size, SIZES)
        _one_of("--fit", self.fit, FITS)
        _one_of("--color", self.colour, COLOURS)
        _one_of("--modality", self.modality, MODALITIES)
        for name in ("duplicates", "near", "conflicts"):
            _one_of(f"--{name}", getattr(self, name), ("drop", "keep"))
        if self.seed < 0:
            raise DataError(f"--seed is {self.seed}; it must be at least 0.")
        parse_window(self.window)
        parse_slices(self.slices)
        if self.group not in (AUTO, PATIENT, NONE):
            check_pattern(self.group)
        self.fractions()

    def fractions(self) -> Fractions:
        """The shares of the three parts."""
        return parse_split(self.split)

    def choices(self) -> Choices:
        """What happens to copies."""
        return Choices(duplicates=self.duplicates, near=self.near, conflicts=self.conflicts)

    def decoding(self, limits: Limits = LIMITS) -> Decoding:
        """How files are decoded for these settings."""
        return Decoding(
            window=parse_window(self.window),
            slices=parse_slices(self.slices),
            limits=limits,
            shortest=REDUCE * self.size,
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return asdict(self) | {"exclude": list(self.exclude)}


def _one_of(name: str, value: Any, valid: Collection[Any]) -> None:
    if value not in valid:
        raise DataError(f"{name} {value} is not possible; choose {', '.join(map(str, valid))}.")
