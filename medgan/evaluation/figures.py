"""One figure of a scorecard: value, interval, what reals and noise have, its level, or why it is absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medgan.errors import MetricError
from medgan.evaluation.kinds import KINDS, Kind
from medgan.evaluation.levels import level

Figure = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What was computed, or the sentence that says why nothing could be."""

    result: Any
    reason: str | None = None

    def part(self, name: str) -> Found:
        """The field `name` of the result."""
        return self if self.result is None else Found(getattr(self.result, name))

    @property
    def value(self) -> float | None:
        """The value alone."""
        return None if self.result is None else float(getattr(self.result, "value", self.result))


def attempt(function: Callable[..., Any], *arguments: Any, **named: Any) -> Found:
    """The result, or the reason of a MetricError; anything else is a bug and is raised."""
    try:
        return Found(function(*arguments, **named))
    except MetricError as error:
        return Found(None, str(error))


def absent(reason: str) -> Found:
    """A figure that cannot be had."""
    return Found(None, reason)


@dataclass(frozen=True)
class Basis:
    """What a figure was computed from: generated images, the real ones that they are compared with, the seed
    of what is drawn, and the network with the hash of its weights."""

    n: int
    reals: int
    seed: int
    network: str | None = None
    sha256: str | None = None


def figure(
    name: str,
    found: Found,
    basis: Basis,
    *,
    floor: Found | float | None = None,
    noise: Found | None = None,
    less: float = 0.0,
    decided: str | None = None,
    doubt: str | None = None,
) -> Figure:
    """The report's entry of the figure called `name`. `floor` and `noise` are the same figure for reals and
    for noise; `less` is as in `level`, `decided` is its level where another rule decides it, and `doubt`
    says why it can decide nothing here."""
    kind, result = KINDS[name], found.result
    low, high = (None, None) if result is None else (result.low, result.high)
    value = found.value
    judged = None
    if value is not None and doubt is None:
        judged = decided or level(kind, value, low=low, high=high, less=less)
    return {
        "name": name,
        "part": kind.part,
        "title": kind.title,
        "value": value,
        "low": low,
        "high": high,
        "floor": floor.value if isinstance(floor, Found) else floor,
        "noise": noise.value if noise else None,
        "n": basis.n,
        "n_real": basis.reals,
        "seed": basis.seed,
        "direction": kind.direction,
        "unit": kind.unit,
        "features": basis.network,
        "features_sha256": basis.sha256,
        "meaning": kind.meaning,
        "warn_at": kind.warn,
        "fail_at": kind.fail,
        "warning": None if value is None else doubt or _few(kind, basis),
        "reason": found.reason,
        "level": judged,
    }


def _few(kind: Kind, basis: Basis) -> str | None:
    fewest = min(basis.n, basis.reals)
    if fewest >= kind.needs:
        return None
    which = "generated" if basis.n <= basis.reals else "real"
    return f"Only {fewest} {which} images: {kind.title} is rough below {kind.needs}."
