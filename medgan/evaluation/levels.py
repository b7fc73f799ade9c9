"""From figures to words: the level of each figure, and of each part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medgan.evaluation.kinds import HIGHER, KINDS, Kind
from medgan.evaluation.words import number

GOOD, WARN, FAIL, UNKNOWN = "good", "warn", "fail", "unknown"
_SEVERITY = (GOOD, UNKNOWN, WARN, FAIL)
_NAMED = 3
HALF = 0.5
"""Of the KID of blurred reals. KID is a squared distance, so this is 0.7 of the way to a heavy blur."""

Figure = Mapping[str, Any]
Verdict = dict[str, str]


def level(
    kind: Kind, value: float, *, low: float | None, high: float | None, less: float = 0.0
) -> str | None:
    """`good`, `warn` or `fail`; None for a figure that decides nothing.

    A figure beyond `fail` whose interval still holds what is usual only warns: few images prove little.
    `less` is taken off first (what even held-out images surely have of what is counted).
    """
    if kind.warn is None:
        return None
    sign = 1 if kind.direction == HIGHER else -1
    seen = sign * (value - less)
    if seen >= sign * kind.warn:
        return GOOD
    if kind.fail is None or seen >= sign * kind.fail:
        return WARN
    doubtful = kind.usual is not None and low is not None and high is not None and low <= kind.usual <= high
    return WARN if doubtful else FAIL


def kid_level(value: float, low: float, *, floor_high: float, blurred: float) -> str:
    """The level of KID, which has no scale of its own: `warn` where it is surely above what other real
    images have, `fail` where it is also beyond half of what real images blurred to 1/8 have."""
    if low <= max(0.0, floor_high):
        return GOOD
    return FAIL if value > HALF * blurred else WARN


def verdict(part: str, figures: Iterable[Figure]) -> Verdict:
    """The level of `part` and the figures behind it in words: that of its worst figure. `unknown` where no
    figure that decides could be computed."""
    mine = [figure for figure in figures if figure["part"] == part]
    judged = [figure for figure in mine if figure["level"] is not None]
    if not judged:
        reasons = [figure["reason"] for figure in mine if figure["reason"]]
        return {"level": UNKNOWN, "reason": reasons[0] if reasons else "It was not asked for."}
    worst = max((figure["level"] for figure in judged), key=_SEVERITY.index)
    because = [figure for figure in judged if figure["level"] == worst]
    reason = "; ".join(_said(figure) for figure in because[:_NAMED])
    if len(because) > _NAMED:
        reason += f"; and {len(because) - _NAMED} more"
    return {"level": worst, "reason": f"{reason}.{_few(judged)}"}


def _said(figure: Figure) -> str:
    """`FID ratio 0.31, fails below 0.5 (real images 1.02)`."""
    kind = KINDS[figure["name"]]
    words = f"{kind.title} {number(figure['value'])}"
    at = kind.fail if figure["level"] == FAIL else kind.warn
    side = "below" if kind.direction == HIGHER else "above"
    verb = "fails" if figure["level"] == FAIL else "warns"
    if at is not None and figure["level"] != GOOD:
        words += f", {verb} {side} {number(at)}"
    if figure["floor"] is not None:
        words += f" (real images {number(figure['floor'])})"
    return words


def _few(figures: Sequence[Figure]) -> str:
    warned = [figure for figure in figures if figure["warning"]]
    return f" {warned[0]['warning']}" if warned else ""
