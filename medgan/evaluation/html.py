"""A report as one HTML file that needs nothing else: for a paper's appendix or an ethics board.

No script, no address that is fetched: styles and pictures are inside, and whatever comes from data is
escaped. It prints well to PDF.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from medgan.evaluation.html_drawings import interval_svg, legend, map_svg, picture
from medgan.evaluation.html_style import STYLE
from medgan.evaluation.html_words import (
    CANNOT_RANK,
    COPY,
    LEVELS,
    PARTS,
    Figure,
    Report,
    arrow,
    dataset_words,
    flagged_first,
    interval,
    key_figure,
    level,
    levels,
    model_name,
    number,
    of_part,
    pair_words,
    references,
    title,
    verdict,
)
from medgan.evaluation.pictures import Pictures

SIGNS = {"good": "✓", "warn": "▲", "fail": "✗", "unknown": "?"}
SHOWN = 36
GRID_COLUMNS = 6
DIAMOND = '<path class="floor" d="M17 4 l9 13 l-9 13 l-9 -13 z"/>'
CROSS = '<path class="noise" d="M6 6 l22 22 m0 -22 l-22 22"/>'
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html(report: Report, pictures: Pictures | None = None) -> str:
    """The whole file as text (UTF-8) of a report of format 2; without `pictures` there are no grids."""
    name = escape(f"{model_name(report)} on {report['dataset']['name']}")
    sections = [
        f"<h1>MedGAN scorecard: {escape(model_name(report))}</h1>",
        f'<p class="soft">{escape(dataset_words(report))}.</p>',
        _cards(report),
        _notes(report),
        *(_part(report, part) for part in PARTS),
        _grids(pictures),
        _pairs(report, pictures),
        _map(report),
        _paper(report),
        _settings(report),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body></html>\n"
    )


def _cards(report: Report) -> str:
    cards = []
    for part, (words, question) in PARTS.items():
        grade, reason = verdict(report, part)
        figure = key_figure(report, part)
        behind = f"<p><small>{_behind(figure)}</small></p>" if figure else ""
        cards.append(
            f'<section class="card {grade}"><h2>{words}</h2><small>{question}</small>'
            f'<p class="level">{SIGNS[grade]} {LEVELS[grade]}</p><p>{escape(reason)}</p>{behind}</section>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _behind(figure: Figure) -> str:
    marks = [f"{name} {number(value)}" for name, value in references(figure).items()]
    return escape(" · ".join([f"{title(figure)} {interval(figure)}", *marks]))


def _notes(report: Report) -> str:
    return _list(report.get("notes", []))


def _list(sentences: Sequence[Any]) -> str:
    items = "".join(f"<li>{escape(str(sentence))}</li>" for sentence in sentences)
    return f"<h2>What to know</h2><ul>{items}</ul>" if items else ""


def _part(report: Report, part: str) -> str:
    figures = of_part(report, part)
    if not figures:
        return ""
    heads = ("Figure", "Value [95 % interval]", "Real images", "Noise", "n", "")
    head = "".join(f"<th>{words}</th>" for words in heads)
    body = "".join(_figure(figure) for figure in figures)
    key = (
        '<p class="legend"><small><span>● value with its interval</span> '
        f'<span><svg class="key" viewBox="0 0 34 34">{DIAMOND}</svg> real images among themselves</span> '
        f'<span><svg class="key" viewBox="0 0 34 34">{CROSS}</svg> noise (an arrow: far outside)</span>'
        "<span>↑ higher, ↓ lower is better, → as real images</span></small></p>"
    )
    return (
        f'<h2>{PARTS[part][0]}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"{body}</table></div>{key}"
    )


def _figure(figure: Figure) -> str:
    grade = level(figure.get("level"))
    sign = (
        f'<span class="lv-{grade}" title="{LEVELS[grade]}">{SIGNS[grade]}</span> '
        if figure.get("level")
        else ""
    )
    cells = [
        f"<td>{sign}{escape(title(figure))} {arrow(figure)}</td>",
        f'<td class="n">{escape(interval(figure))}</td>',
        *(f'<td class="n">{escape(number(figure.get(key)))}</td>' for key in ("floor", "noise")),
        f'<td class="n">{escape(_count(figure.get("n")))}</td>',
        f"<td>{interval_svg(figure)}</td>",
    ]
    more = [escape(str(figure["meaning"]))] if figure.get("meaning") else []
    if figure.get("value") is None and figure.get("reason"):
        more.append(f'<span class="warning">Absent: {escape(str(figure["reason"]))}</span>')
    if figure.get("warning"):
        more.append(f'<span class="warning">▲ {escape(str(figure["warning"]))}</span>')
    if levels(figure):
        more.append(escape(levels(figure)))
    if figure.get("features"):
        digest = str(figure.get("features_sha256") or "")[:12]
        more.append(escape(f"Seen through {figure['features']}{f' ({digest})' if digest else ''}."))
    return (
        f'<tbody class="figure"><tr class="value">{"".join(cells)}</tr>'
        f'<tr class="more"><td colspan="6">{" ".join(more)}</td></tr></tbody>'
    )


def _count(n: Any) -> str:
    if isinstance(n, Mapping):
        return ", ".join(f"{number(value)} {key}" for key, value in n.items())
    return number(n)


def _grids(pictures: Pictures | None) -> str:
    if pictures is None:
        return ""
    figures = [
        _framed(pictures.real[:SHOWN], "Held-out real images"),
        _framed(pictures.generated[:SHOWN], "Generated images"),
    ]
    body = "".join(filter(None, figures))
    return f'<h2 class="page">Real and generated</h2><div class="two">{body}</div>' if body else ""


def _framed(images: np.ndarray, words: str) -> str:
    inside = picture(images, words, columns=GRID_COLUMNS)
    return f"<figure>{inside}<figcaption>{words}</figcaption></figure>" if inside else ""


def _pairs(report: Report, pictures: Pictures | None) -> str:
    pairs = report.get("pairs") or []
    if not pairs:
        return ""
    there = pictures.pairs if pictures is not None else np.zeros((0, 2, 1, 1, 1), np.uint8)
    figures = []
    for place, pair in flagged_first(pairs):
        words = pair_words(pair)
        image = picture(there[place], words, columns=2) if place < len(there) else ""
        flag = "<b>✗ Copy.</b> " if pair.get("flagged") else ""
        kind = ' class="copy"' if pair.get("flagged") else ""
        figures.append(f"<figure{kind}>{image}<figcaption>{flag}{escape(words)}</figcaption></figure>")
    return (
        f"<h2>Closest pairs</h2><p>Left a generated image, right the training image that it resembles most. "
        f'{COPY}</p><div class="pairs">{"".join(figures)}</div>'
    )


def _map(report: Report) -> str:
    values = report.get("map") or {}
    drawing = map_svg(values.get("points") or [])
    if not drawing:
        return ""
    return (
        f"<figure><h2>Map</h2><p>Each mark is an image; what lies near looks alike to the network. "
        f'Two dimensions by {escape(str(values.get("method", "")))}.</p><p class="legend">{legend()}</p>'
        f"{drawing}</figure>"
    )


def _paper(report: Report) -> str:
    rows = [row for row in report.get("rows") or [] if row.get("pairing") in (None, "random")]
    if not rows:
        return ""
    names = list(dict.fromkeys(row["name"] for row in rows))
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        cells.setdefault(row["row"], {})[row["name"]] = interval(row)
    for paper in report.get("paper") or []:
        cells[paper["name"]] = {name: number(value) for name, value in paper.get("figures", {}).items()}
    head = "".join(f"<th>{escape(str(name))}</th>" for name in ("", *names))
    body = "".join(
        f"<tr><td>{escape(str(row))}</td>"
        + "".join(f'<td class="n">{escape(values.get(name, "–"))}</td>' for name in names)
        + "</tr>"
        for row, values in cells.items()
    )
    return (
        f"<h2>The paper's three figures</h2><p>{CANNOT_RANK} Each image against random held-out ones.</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _settings(report: Report) -> str:
    data, model, folder = report["dataset"], report.get("model"), report.get("folder") or {}
    judged = model.get("sha256") if model else folder.get("content_sha256")
    hashes = {
        "Model" if model else "Images": f"{model_name(report)}, sha256 {judged or 'not known'}",
        "Data set": f"{data['name']}, content sha256 {data.get('content_sha256', 'not known')}",
    }
    digests = {
        f.get("features"): f.get("features_sha256") for f in report.get("figures", []) if f.get("features")
    }
    hashes |= {f"Network {name}": f"sha256 {value}" for name, value in digests.items() if value}
    tables = [
        ("Hashes", hashes.items()),
        ("Settings", report.get("settings", {}).items()),
        ("Versions", (report.get("versions") or {}).items()),
        ("Seconds", (report.get("seconds") or {}).items()),
    ]
    body = "".join(f"<h3>{words}</h3>{_table(rows)}" for words, rows in tables if rows)
    return f"<h2>To repeat it</h2>{body}"


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        f'<td class="long"><code>{escape(_plain(value))}</code></td></tr>'
        for name, value in rows
    )
    return f'<table class="settings"><tbody>{body}</tbody></table>'


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
