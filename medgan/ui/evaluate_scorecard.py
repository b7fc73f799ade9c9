"""A scorecard on the page: four verdicts that are read in ten seconds, and all that stands behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from medgan.evaluation.html_words import (
    LEVELS,
    PARTS,
    Figure,
    Report,
    arrow,
    dataset_words,
    interval,
    key_figure,
    level,
    levels,
    number,
    of_part,
    references,
    title,
    verdict,
)
from medgan.ui.components import picture
from medgan.ui.evaluate_charts import intervals
from medgan.ui.evaluate_map import embedding_map
from medgan.ui.evaluate_paper import paper
from medgan.ui.evaluate_pictures import closest_pairs
from medgan.ui.text import plain, sentence

LOOKS: dict[str, tuple[Any, str]] = {
    "good": ("green", ":material/check_circle:"),
    "warn": ("orange", ":material/warning:"),
    "fail": ("red", ":material/cancel:"),
    "unknown": ("gray", ":material/help:"),
}
"""Colour and icon of each level."""
SIGNS = {"good": "✓ ", "warn": "▲ ", "fail": "✗ "}
MEMORISATION = "memorisation"
NOT_STUDIED = "An evaluation does not measure it; a study does, on the page Studies."
LONG = 170
"""Characters of a reason on its card, about; the whole is behind the question mark."""
ROUGH = re.compile(r"(Only .+?): (.+) is rough below ([\d,]+)\.")
"""The warning of a figure that has few images."""


def scorecard(report: Report, folder: Path) -> None:
    """The report in `folder`, from the verdicts down to the paper's figures."""
    st.markdown(sentence(dataset_words(report)) + ".")
    verdicts(report)
    _grids(folder)
    for part in PARTS:
        _part(report, part)
        if part == MEMORISATION:
            closest_pairs(report, folder)
    embedding_map(report, folder)
    _notes(report)
    paper(report)
    _downloads(report, folder)


def verdicts(report: Report) -> None:
    """Four cards: question, answer, reason, and the figure behind it."""
    with st.grid(min_column_width=190, gap="small"):
        for part, (words, question) in PARTS.items():
            grade, reason = verdict(report, part)
            if part == "usefulness" and grade == "unknown":
                reason = NOT_STUDIED
            colour, icon = LOOKS[grade]
            with st.container(border=True, height="stretch", gap="xsmall"):
                st.markdown(f"**{words}**")
                st.badge(LEVELS[grade], icon=icon, color=colour)
                st.caption(question)
                said = in_short(reason)
                st.markdown(sentence(said), help=sentence(reason) if said != reason else None)
                figure = key_figure(report, part)
                if figure:
                    st.markdown(f":small[{sentence(_behind(figure))}]")


def in_short(reason: str) -> str:
    """As many whole clauses of a reason as fit on a card; its first one at least."""
    clauses = re.split(r"(?<=[.;]) ", reason)
    said = clauses[0]
    for clause in clauses[1:]:
        if len(said) + len(clause) > LONG:
            break
        said += f" {clause}"
    return said if said == reason else f"{said.rstrip('.;')} …"


def _behind(figure: Figure) -> str:
    marks = [f"{name} {number(value)}" for name, value in references(figure).items()]
    return " · ".join([f"{title(figure)} {interval(figure)}", *marks])


def _grids(folder: Path) -> None:
    sheets = {
        "Held-out real images": picture(folder / "real.png"),
        "Generated images": picture(folder / "generated.png"),
    }
    if not all(sheets.values()):
        return
    st.markdown("#### Real and generated")
    with st.grid(columns=2, min_column_width=150, gap="small"):
        for words, data in sheets.items():
            if data:
                st.image(data, caption=words, width="stretch", output_format="PNG", alt=words)


def _part(report: Report, part: str) -> None:
    figures = of_part(report, part)
    if not figures:
        return
    st.markdown(f"#### {PARTS[part][0]}")
    left, right = st.columns([4, 5], gap="medium")
    if any(figure.get("value") is not None for figure in figures):
        with left:
            st.plotly_chart(
                intervals(figures),
                key=f"intervals-{part}",
                config={"displayModeBar": False},
                alt=f"Intervals of {PARTS[part][0].lower()}",
            )
    with right:
        st.dataframe(_rows(figures), hide_index=True, alt=f"Figures of {PARTS[part][0].lower()}")
        _remarks(figures)
        with st.expander("What they mean"):
            for figure in figures:
                words = " ".join(filter(None, [str(figure.get("meaning") or ""), levels(figure)]))
                st.markdown(f"**{plain(title(figure))}**: {sentence(words)}")


def _rows(figures: Sequence[Figure]) -> list[dict[str, str]]:
    return [
        {
            "": SIGNS.get(level(figure.get("level")), "") + f"{title(figure)} {arrow(figure)}",
            "value [95 %]": interval(figure),
            "real images": number(figure.get("floor")),
            "noise": number(figure.get("noise")),
            "n": f"{number(figure.get('n'))} / {number(figure.get('n_real'))}",
            "seen through": str(figure.get("features") or "–"),
        }
        for figure in figures
    ]


def _remarks(figures: Sequence[Figure]) -> None:
    """Why a figure is absent, and what is rough; the same sentence once."""
    for figure in figures:
        if figure.get("value") is None and figure.get("reason"):
            st.caption(
                f":material/block: **{plain(title(figure))}** is absent: {sentence(str(figure['reason']))}"
            )
    for warning in gathered([str(figure["warning"]) for figure in figures if figure.get("warning")]):
        st.caption(f":orange[:material/warning:] {sentence(warning)}")


def gathered(warnings: Sequence[str]) -> list[str]:
    """Each warning once; those that say the same of several figures in one sentence."""
    few: dict[tuple[str, str], list[str]] = {}
    others = []
    for warning in dict.fromkeys(warnings):
        found = ROUGH.fullmatch(warning)
        if found:
            few.setdefault((found[1], found[3]), []).append(found[2])
        else:
            others.append(warning)
    rough = [
        f"{why}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} rough below {least}."
        for (why, least), names in few.items()
    ]
    return [*rough, *others]


def _notes(report: Report) -> None:
    notes = report.get("notes") or []
    if notes:
        st.markdown("#### What to know")
        for note in notes:
            st.markdown(f"- {sentence(str(note))}")


def _downloads(report: Report, folder: Path) -> None:
    with st.container(horizontal=True):
        for label, suffix, mime, data in (
            ("Report as JSON", "json", "application/json", (folder / "report.json").read_bytes),
            ("Report as HTML", "html", "text/html", partial(_html, report, folder)),
        ):
            st.download_button(
                label,
                data,
                file_name=f"{folder.name}.{suffix}",
                mime=mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"download_report_{suffix}",
                help="One file with all figures and pictures; print it to PDF from the browser."
                if suffix == "html"
                else None,
            )


def _html(report: Report, folder: Path) -> str:
    from medgan.errors import DataError
    from medgan.evaluation.html import html
    from medgan.evaluation.pictures import load_pictures

    try:
        return html(report, load_pictures(folder, report))
    except DataError:  # a picture was changed: the figures are still worth having
        return html(report, None)
