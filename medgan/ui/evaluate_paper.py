"""The paper's three figures, folded away below a scorecard: they cannot rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from medgan.evaluation.html_words import CANNOT_RANK, Report, arrow, interval, number
from medgan.ui.charts import intervals
from medgan.ui.text import sentence

PAIRINGS = {
    "random": "Random pairs: each image against random held-out ones (what papers mostly report)",
    "nearest": "Nearest: each image against the held-out one that it resembles most",
}


def paper(report: Report) -> None:
    """PSNR, MS-GMSD and LPIPS beside the rows that say what they are worth; nothing where there are none."""
    rows = report.get("rows") or []
    if not rows:
        return
    # A format 1 report has nothing else to show.
    with st.expander(
        "The paper's three figures (they cannot rank generators)", expanded=report["format"] == 1
    ):
        st.caption(CANNOT_RANK)
        pairing = st.segmented_control(
            "Pairs",
            list(PAIRINGS),
            default="random",
            required=True,
            format_func=str.capitalize,
            key="pairing",
        )
        st.caption(PAIRINGS[str(pairing)])
        figures = [row for row in rows if row["pairing"] == pairing]
        published = report.get("paper") or []
        published = published if pairing == "random" else []  # the paper paired at random, if at all
        _charts(figures, published)
        _table(figures, published)


def _charts(figures: list[dict[str, Any]], published: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(figure["name"] for figure in figures))
    with st.grid(min_column_width=240, gap="small"):
        for name in names:
            mine = [figure for figure in figures if figure["name"] == name]
            values = {row["name"]: row["figures"][name] for row in published if name in row["figures"]}
            absent = next((figure["reason"] for figure in mine if figure["value"] is None), None)
            if absent:
                st.warning(f"{name} is absent: {sentence(str(absent))}", icon=":material/warning:")
            else:
                chart = intervals(mine, title=_title(mine[0]), paper=values)
                st.plotly_chart(chart, key=f"chart-{name}", alt=_title(mine[0]))


def _title(figure: dict[str, Any]) -> str:
    network = (figure.get("network") or {}).get("name")
    details = ", ".join(filter(None, (figure.get("unit"), network)))
    return f"{figure['name']} ({details}) {arrow(figure)}" if details else f"{figure['name']} {arrow(figure)}"


def _table(figures: list[dict[str, Any]], published: Sequence[dict[str, Any]]) -> None:
    titles = {figure["name"]: _title(figure) for figure in figures}
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        rows.setdefault(figure["row"], {})[titles[figure["name"]]] = interval(figure | {"unit": ""})
    for row in published:
        rows[row["name"]] = {titles[k]: number(v) for k, v in row["figures"].items() if k in titles}
    table = [{"": row, **cells} for row, cells in rows.items()]
    st.dataframe(table, hide_index=True, alt="The paper's three figures")
    st.caption("↑ higher is better, ↓ lower is better. In brackets the 95 % interval.")
