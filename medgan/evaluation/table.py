"""A report as plain aligned text, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from medgan.evaluation.notes import NAMES, figure
from medgan.evaluation.words import number

WIDTH = 100
_DIGITS = {"PSNR": 2, "MS-GMSD": 3, "LPIPS": 3}
_ABSENT = "absent"

Report = Mapping[str, Any]


def text_table(report: Report) -> str:
    """The report in lines of at most about 100 characters: verdicts, figures, the paper's three, notes."""
    lines = [_title(report), ""]
    for part, verdict in report["verdicts"].items():
        lines += _wrapped(verdict["reason"], f"{part.capitalize():13} {verdict['level'].upper():8} ")
    if report["figures"]:
        lines += ["", *_aligned(_figures(report))]
        lines += ["", _MEANING]
    if report["rows"]:
        lines += _paper_rows(report)
    lines += [""]
    for sentence in [_brackets(report), *_absent(report), *_warnings(report), *report["notes"]]:
        lines += _wrapped(sentence, "- ")
    return "\n".join(lines)


def markdown_table(report: Report) -> str:
    """The figures of a report as a Markdown table, for a model card or a document."""
    head, *rows = _figures(report)
    lines = [f"| figure | level | {' | '.join(head[2:])} |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(' ' if cell == '*' else cell for cell in row)} |" for row in rows]
    return "\n".join(lines)


_MEANING = "Beside each value, the same figure for real images and for noise. * decides no verdict."


def _title(report: Report) -> str:
    data, count = report["dataset"], report["settings"]["count"]
    if "folder" in report:
        return f"{count:,} images of {report['folder']['name']} against {data['name']} ({_reals(data)})"
    name = report["model"]["name"]
    return f"{name} (seeds 0-{count - 1}) against {data['name']} ({_reals(data)})"


def _reals(data: Mapping[str, Any]) -> str:
    return f"{data['train']} training and {data['heldout']} held-out images"


def _figures(report: Report) -> list[list[str]]:
    rows = [["", "", "value", "reals", "noise", "better"]]
    for entry in report["figures"]:
        level = entry["level"] or ("*" if entry["value"] is not None else "")
        ends = [_number(entry[name]) for name in ("floor", "noise")]
        value = _ABSENT if entry["value"] is None else _with_interval(entry)
        rows.append([entry["title"], level, value, *ends, entry["direction"].split()[0]])
    return rows


def _with_interval(entry: Mapping[str, Any]) -> str:
    if entry["low"] is None:
        return number(entry["value"])
    return f"{number(entry['value'])} [{number(entry['low'])}, {number(entry['high'])}]"


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def _paper_rows(report: Report) -> list[str]:
    lines = []
    for pairing, meaning in report["settings"]["pairings"].items():
        rows = [_header(report, pairing), *_rows(report, pairing)]
        if pairing == "random":
            rows += [_paper(paper) for paper in report["paper"]]
        lines += ["", *_wrapped(f"{meaning}.", f"{pairing.capitalize()} pairs: "), *_aligned(rows)]
    return lines


def _header(report: Report, pairing: str) -> list[str]:
    cells = ["", "images"]
    for name in NAMES:
        entry = figure(report, name, "generated", pairing)
        what = " ".join(filter(None, (name, (entry["network"] or {}).get("name"), entry["unit"])))
        cells.append(f"{what}, {entry['direction'].split()[0]} better")
    return cells


def _rows(report: Report, pairing: str) -> list[list[str]]:
    names = list(dict.fromkeys(entry["row"] for entry in report["rows"]))
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


def _absent(report: Report) -> list[str]:
    """Each reason once, with the figures that it keeps away."""
    titles: dict[str, list[str]] = {}
    for entry in [*report["figures"], *report["rows"]]:
        if entry["reason"]:
            names = titles.setdefault(entry["reason"], [])
            title = entry.get("title", entry["name"])
            names += [] if title in names else [title]
    return [
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} absent: {reason}"
        for reason, names in titles.items()
    ]


def _warnings(report: Report) -> list[str]:
    return list(dict.fromkeys(entry["warning"] for entry in report["figures"] if entry["warning"]))


def _wrapped(sentence: str, before: str) -> list[str]:
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_on_hyphens=False,
    )


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
