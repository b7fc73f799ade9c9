"""What intake refuses to read beyond: all limits in one place, for the dashboard and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from medgan.errors import DataError


def _limit(default: int, text: str) -> Any:
    return field(default=default, metadata={"text": text})


@dataclass(frozen=True)
class Limits:
    """Bounds on what a user's files can make this program read. Each is a whole number of at least 1."""

    files: int = _limit(20_000, "files in all sources together, members of ZIPs included")
    file_mb: int = _limit(200, "megabytes of one file, unpacked")
    total_gb: int = _limit(8, "gigabytes of all files, unpacked")
    megapixels: int = _limit(100, "million pixels of one picture")
    frames: int = _limit(2_000, "pictures (slices, pages, frames) of one file")
    pictures: int = _limit(50_000, "pictures of all files")
    ratio: int = _limit(200, "how many times larger than packed a file of over 10 MB may unpack")
    seconds: int = _limit(60, "seconds for decoding one file")
    side: int = _limit(8, "pixels that each side of a picture must have")
    elongation: int = _limit(20, "how many times longer than the shorter side the longer may be")

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if type(value) is not int or value < 1:
                raise DataError(f"{option(limit.name)} is {value}; it must be a whole number of at least 1.")

    @classmethod
    def changed(cls, values: Mapping[str, int | None]) -> Self:
        """The defaults with some changed; None is skipped."""
        return cls(**{name: value for name, value in values.items() if value is not None})


LIMITS = Limits()


def option(name: str) -> str:
    """The command-line option that changes a limit; every refusal names it."""
    return f"--limit-{name.replace('_', '-')}"


def described() -> dict[str, tuple[int, str]]:
    """Default and meaning of each limit, by name."""
    return {limit.name: (getattr(LIMITS, limit.name), limit.metadata["text"]) for limit in fields(Limits)}
