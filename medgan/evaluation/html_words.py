"""A report in words and numbers for people, the same on the page and in the HTML file. Nothing is escaped
here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]
Figure = Mapping[str, Any]

PARTS = {
    "quality": ("Quality", "Do they look like real images?"),
    "diversity": ("Diversity", "Do they differ from each other as real images do?"),
    "memorisation": ("Memorisation", "Are they copies of the training images?"),
    "usefulness": ("Usefulness", "Do they help a classifier?"),
}
"""Each part of a scorecard: its title, and the question that it answers."""
LEVELS = {"good": "Good", "warn": "Take care", "fail": "Fails", "unknown": "Not known"}
"""Levels of a verdict, in words."""
GRAVEST = ("fail", "warn", "good", "unknown")
SETS = {"train": "training images", "heldout": "held-out images", "generated": "generated images"}
"""The sets in an embedding map, in the order in which they are drawn."""
CANNOT_RANK = (
    "PSNR, MS-GMSD and LPIPS against images that a sample is not meant to equal cannot rank generators: what "
    "is grey and smooth can score better than a real image. They stand here because papers report them."
)
FAR = 4.0
"""A reference that lies farther off than this many times the span of the others is only pointed at."""


def level(value: Any) -> str:
    """One of `LEVELS`; what is none of them is `unknown`."""
    return str(value) if value in LEVELS else "unknown"


def number(value: Any, unit: str = "") -> str:
    """`0.0213`, `93.1`, `6.0 %`, a dash for what is absent; three digits that count."""
    if isinstance(value, Mapping):
        value = value.get("value")
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return "–"
    if unit == "%":
        return f"{value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}" + (f" {unit}" if unit else "")
    digits = 2 if value == 0 else max(0, min(5, 2 - math.floor(math.log10(abs(value)))))
    text = f"{value:,.{digits}f}"
    return f"{text} {unit}" if unit else text


def interval(figure: Figure) -> str:
    """`0.021 [0.019, 0.024]`, or `absent`."""
    if figure.get("value") is None:
        return "absent"
    unit = str(figure.get("unit") or "")
    text = number(figure["value"], unit)
    if figure.get("low") is None or figure.get("high") is None:
        return text
    return f"{text} [{number(figure['low'])}, {number(figure['high'])}]"


def arrow(figure: Figure) -> str:
    """Where better lies: ↑, ↓, or → towards what real images have."""
    direction = str(figure.get("direction") or "")
    return "↑" if direction.startswith("higher") else "↓" if direction.startswith("lower") else "→"


def title(figure: Figure) -> str:
    """The name of a figure for people."""
    return str(figure.get("title") or figure.get("name") or "")


def of_part(report: Report, part: str) -> list[Figure]:
    """The figures of one part of the scorecard."""
    return [figure for figure in report.get("figures", []) if figure.get("part") == part]


def verdict(report: Report, part: str) -> tuple[str, str]:
    """Level and reason of one part."""
    found = report.get("verdicts", {}).get(part) or {}
    reason = str(found.get("reason") or "") or "It was not measured."
    return level(found.get("level")), reason


def key_figure(report: Report, part: str) -> Figure | None:
    """The figure behind a verdict: the one that it names, else the gravest at its level, else the first
    that has a value."""
    known = [figure for figure in of_part(report, part) if figure.get("value") is not None]
    found = report.get("verdicts", {}).get(part) or {}
    named = [figure for figure in known if figure.get("name") == found.get("figure")]
    same = [figure for figure in known if figure.get("level") == found.get("level")]
    return next(iter([*named, *same, *known]), None)


def references(figure: Figure) -> dict[str, float]:
    """What real images and noise have, where that is known."""
    values = {}
    for name, words in (("floor", "real images"), ("noise", "noise")):
        value = figure.get(name)
        value = value.get("value") if isinstance(value, Mapping) else value
        if isinstance(value, int | float) and math.isfinite(value):
            values[words] = float(value)
    return values


@dataclass(frozen=True)
class Axis:
    """From where to where a figure is drawn, and the references that lie beyond (their side -1 or 1)."""

    left: float
    right: float
    beyond: Mapping[str, int]

    def place(self, value: float) -> float:
        """Where `value` lies, 0 (left) to 1 (right)."""
        return min(1.0, max(0.0, (value - self.left) / (self.right - self.left)))


def axis(figure: Figure) -> Axis:
    """The axis of a figure that has a value: its interval and what real images have always fit, noise only
    where it does not press them into one point."""
    known = [figure[key] for key in ("value", "low", "high") if figure.get(key) is not None]
    marks = references(figure)
    near = [*known, *(value for name, value in marks.items() if name != "noise")]
    left, right = min(near), max(near)
    span = (right - left) or abs(right) or 1.0
    beyond = {}
    for name, value in marks.items():
        if left - FAR * span <= value <= right + FAR * span:
            left, right = min(left, value), max(right, value)
        else:
            beyond[name] = -1 if value < left else 1
    margin = ((right - left) or span) * 0.08
    return Axis(left - margin, right + margin, beyond)


def dataset_words(report: Report) -> str:
    """`256 images of tiny, seeds 0-255, against 40 held-out images of phantoms (test)`."""
    data, settings = report["dataset"], report["settings"]
    part = f", part {settings['split']}" if settings.get("split") else ""
    return (
        f"{settings.get('count', 0):,} images of {model_name(report)} against {data.get('heldout', 0):,} "
        f"held-out images of {data['name']}{part}"
    )


def model_name(report: Report) -> str:
    """The name of the model, or of the folder with the images that were judged."""
    return str((report.get("model") or report.get("folder") or {}).get("name") or "images")


def features_name(report: Report) -> str:
    """What the images were compared by; empty for a report that says nothing of it."""
    features = report.get("settings", {}).get("features") or ""
    return str(features.get("name", "") if isinstance(features, Mapping) else features)


def levels(figure: Figure) -> str:
    """`Warns below 0.6, fails below 0.3.`; empty for a figure that decides nothing."""
    side = "below" if str(figure.get("direction")).startswith("higher") else "above"
    known = [("warns", figure.get("warn_at")), ("fails", figure.get("fail_at"))]
    words = ", ".join(f"{verb} {side} {number(at)}" for verb, at in known if at is not None)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def flagged_first(pairs: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The closest pairs with their places in the report, copies first, then by distance."""
    numbered = list(enumerate(pairs))
    return sorted(numbered, key=lambda item: (not item[1].get("flagged"), item[1].get("distance") or 0.0))


def pair_words(pair: Mapping[str, Any]) -> str:
    """`Generated 4 (mirrored, 90°), training image 12: distance 0.19`. The generated image is the one that is
    turned."""
    turn = str(pair.get("turn") or "")
    turned = f" ({turn})" if turn and turn != "as it is" else ""
    return (
        f"Generated {pair.get('generated')}{turned}, training image {pair.get('train')}: "
        f"distance {number(pair.get('distance'))}"
    )


COPY = (
    "What counts as a copy: nearer than all but 1 % of the training images are to the nearest of another "
    "patient, in plain pixels without brightness and contrast, turned and mirrored in all eight ways."
)
