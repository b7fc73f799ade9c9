"""Several reports in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medgan.errors import DataError
from medgan.evaluation.html_words import (
    LEVELS,
    PARTS,
    Report,
    features_name,
    interval,
    model_name,
    title,
    verdict,
)
from medgan.evaluation.report import load_report
from medgan.runs.record import Run
from medgan.ui.text import sentence

SIGNS = {"good": "✓", "warn": "▲", "fail": "✗", "unknown": "?"}
MOST = 12
LISTED = 60
"""Reports that are offered, the newest."""


def compare(records: Sequence[Run]) -> None:
    """Choose reports, see their verdicts and figures side by side; nothing with fewer than two."""
    done = {r.name: r for r in records if (r.folder / "report.json").exists()}
    if len(done) < 2:
        return
    names = list(done)[:LISTED]
    st.subheader("Compare")
    chosen = st.multiselect(
        "Reports",
        names,
        default=names[:2],
        max_selections=MOST,
        key="compared",
        persist_state="session",
    )
    reports = {name: report for name in chosen if (report := _loaded(done[name])) is not None}
    if not reports:
        st.caption("Choose two or more.")
        return
    for difference in differences(list(reports.values())):
        st.warning(difference, icon=":material/warning:")
    st.dataframe(table(reports), hide_index=True, alt="Reports compared")


def _loaded(record: Run) -> dict[str, Any] | None:
    try:
        return load_report(record.folder / "report.json")
    except DataError as error:
        st.caption(f":orange[:material/warning:] {sentence(str(error))}")
        return None


def table(reports: Mapping[str, Report]) -> list[dict[str, str]]:
    """A row a report: verdicts in words, then every figure with its interval."""
    names = list(dict.fromkeys(f["name"] for report in reports.values() for f in report.get("figures", [])))
    titles = {f["name"]: title(f) for report in reports.values() for f in report.get("figures", [])}
    rows = []
    for name, report in reports.items():
        grades = {part: verdict(report, part)[0] for part in PARTS}
        row = {"report": name, "model": model_name(report), "data set": str(report["dataset"]["name"])}
        row |= {PARTS[part][0]: f"{SIGNS[grade]} {LEVELS[grade]}" for part, grade in grades.items()}
        figures = {figure["name"]: figure for figure in report.get("figures", [])}
        row |= {titles[k]: interval(figures[k]) if k in figures else "–" for k in names}
        rows.append(row)
    return rows


def differences(reports: Sequence[Report]) -> list[str]:
    """In what the reports differ that makes their figures no match for each other."""
    facts: dict[str, set[Any]] = {
        "They judge by different real images: figures of different sets or parts cannot be compared.": {
            (r["dataset"].get("content_sha256"), r["settings"].get("split", "test")) for r in reports
        },
        "They look through different networks: figures of one cannot be compared with those of another.": {
            features_name(r) for r in reports if r.get("figures")
        },
        "They judge different numbers of images: compare ratios and levels, not single figures.": {
            r["settings"].get("count") for r in reports
        },
    }
    return [words for words, values in facts.items() if len(values) > 1]
