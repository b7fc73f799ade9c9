"""Results of studies as plain text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from medgan.metrics.utility import MEASURES

WIDTH = 100

Result = Mapping[str, Any]


def usefulness_table(result: Result) -> str:
    """The arms of a study with their intervals and differences, then the verdict and the notes."""
    test, seeds = result["dataset"]["test"], result["settings"]["seeds"]
    rows = [["", "images"]]
    for title in MEASURES.values():
        rows[0] += [title, "against real"]
    for arm in result["arms"]:
        row = [arm["title"], str(sum(arm["n"]["train"].values()))]
        for name in MEASURES:
            row += [_cell(arm[name]), _cell(arm[name]["difference"], sign="+")]
        rows.append(row)
    verdict = result["verdicts"]["usefulness"]
    return "\n".join(
        [
            f"{result['dataset']['name']}: {result['classifier']['title']}",
            f"{test} real test images, {seeds} seeds",
            "",
            *aligned(rows),
            "",
            *bullets(
                [
                    "In brackets: 95% interval over test images and seeds.",
                    f"{verdict['level'].upper()}: {verdict['reason']}",
                    *result["notes"],
                ]
            ),
        ]
    )


def anomaly_table(result: Result) -> str:
    """The areas of all scores with their intervals, then the sentence on which wins, and the notes."""
    rows = [["score", "area under the curve"]]
    rows += [[figure["name"], _cell(figure)] for figure in result["figures"]]
    n = result["n"]
    return "\n".join(
        [
            f"{result['model']['name']}: {n['normal']} normal ({result['settings']['normal']}) and "
            f"{n['other']} other test images of {result['dataset']['name']}",
            "",
            *aligned(rows),
            "",
            *bullets(["In brackets: 95% interval over images.", result["sentence"], *result["notes"]]),
        ]
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def bullets(sentences: Sequence[str]) -> list[str]:
    """Wrapped sentences, each behind a dash."""
    lines = []
    for sentence in sentences:
        lines += textwrap.wrap(
            sentence, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    return lines


def _cell(figure: Mapping[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return ""
    value, low, high = (
        None if figure[key] is None else f"{round(figure[key], 3) + 0.0:{sign}.3f}"
        for key in ("value", "low", "high")
    )
    if value is None:
        return "absent"
    return value if low is None else f"{value} [{low}, {high}]"
