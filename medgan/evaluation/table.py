"""A report as plain aligned text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from medgan.evaluation.notes import NAMES, figure

WIDTH = 100
_DIGITS = {"PSNR": 2, "MS-GMSD": 3, "LPIPS": 3}
_ABSENT = "absent"

Report = Mapping[str, Any]


def text_table(report: Report) -> str:
    """The report in lines of at most about 100 characters: one table a pairing, then the notes."""
    lines = [_title(report)]
    for pairing, meaning in report["settings"]["pairings"].items():
        rows = [_header(report, pairing), *_rows(report, pairing)]
        if pairing == "random":
            rows += [_paper(paper) for paper in report["paper"]]
        lines += ["", f"{pairing.capitalize()} pairs: {meaning}.", *_aligned(rows)]
    lines += [""]
    for sentence in [_brackets(report), *_reasons(report), *report["notes"]]:
        lines += textwrap.wrap(
            sentence, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    return "\n".join(lines)


def _title(report: Report) -> str:
    model, data, settings = report["model"], report["dataset"], report["settings"]
    return (
        f"{model['name']} (seeds 0-{settings['count'] - 1}) against the {data['heldout']} held-out "
        f"images of {data['name']}"
    )


def _header(report: Report, pairing: str) -> list[str]:
    cells = ["", "images"]
    for name in NAMES:
        entry = figure(report, name, "generated", pairing)
        what = " ".join(filter(None, (name, (entry["network"] or {}).get("name"), entry["unit"])))
        cells.append(f"{what}, {entry['direction'].split()[0]} better")
    return cells


def _rows(report: Report, pairing: str) -> list[list[str]]:
    names = list(dict.fromkeys(entry["row"] for entry in report["figures"]))
    rows = []
    for row in names:
        entries = [figure(report, name, row, pairing) for name in NAMES]
        rows.append([row, str(entries[0]["n"]["images"]), *map(cell, entries)])
    return rows


def cell(entry: Mapping[str, Any]) -> str:
    """A figure with its interval, `12.89 [12.70, 13.08]`, or `absent`."""
    if entry["value"] is None:
        return _ABSENT
    digits = _DIGITS[entry["name"]]
    if entry["low"] is None:
        return f"{entry['value']:.{digits}f}"
    return f"{entry['value']:.{digits}f} [{entry['low']:.{digits}f}, {entry['high']:.{digits}f}]"


def _paper(paper: Mapping[str, Any]) -> list[str]:
    return [paper["name"], "", *(f"{paper['figures'][name]:.2f}" for name in NAMES)]


def _brackets(report: Report) -> str:
    bootstrap = report["settings"]["bootstrap"]
    return (
        f"In brackets: {bootstrap['level']:.0%} interval, {bootstrap['resamples']} bootstrap resamples of "
        f"the images (not of the pairs), seed {report['settings']['seed']}."
    )


def _reasons(report: Report) -> list[str]:
    reasons = {entry["name"]: entry["reason"] for entry in report["figures"] if entry["reason"]}
    return [f"{name} is absent: {reason}" for name, reason in reasons.items()]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
