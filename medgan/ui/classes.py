"""Which class each picture is of: by its folder, or by a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.ui import findings
from medgan.ui.intake import LABELS, Intake
from medgan.ui.sources import start_scan
from medgan.ui.text import plain
from medgan.ui.uploads import receive_labels

if TYPE_CHECKING:
    from medgan.data.labels import LabelFile

FOLDERS = "By folder: the folder that a file lies in is its class"


def choose_classes(current: Intake, report: Mapping[str, Any]) -> None:
    """The classes that were found, and where else they may come from; another choice is looked at at once."""
    findings.classes(report)
    tables = {str(table.path): table for table in _tables(current)}
    title = "Classes from a table"
    if tables and current.labels is None:
        title = f"Classes from a table: {len(tables)} found among the files"
    with st.expander(title, key=f"{current.id}-classes", icon=":material/table:"):
        now = str(current.labels) if current.labels else ""
        options = ["", *tables]
        chosen = st.radio(
            "Classes",
            options,
            index=options.index(now) if now in options else 0,
            format_func=lambda path: _words(tables.get(path)),
            key=f"{current.id}-classes-{now}",
            label_visibility="collapsed",
        )
        new = receive_labels(current)
        if new is not None or chosen != now:
            current.note(labels=str(new) if new is not None else chosen)
            start_scan(current)
            st.rerun()


def _words(table: LabelFile | None) -> str:
    return f"By the table {plain(table.name)}: {plain(str(table.columns), 200)}" if table else FOLDERS


def _tables(current: Intake) -> list[LabelFile]:
    """Tables among the uploaded files, and the one that was given on the page."""
    given = current.folder / LABELS
    files = [str(file) for file in current.files.iterdir()] if current.files.is_dir() else []
    sources = {*current.sources, *files, *([str(given)] if given.is_file() else [])}
    changed = given.stat().st_mtime_ns if given.is_file() else 0
    return _tables_in(tuple(sorted(sources)), changed)


@st.cache_resource(show_spinner=False, max_entries=16)
def _tables_in(sources: tuple[str, ...], changed: int) -> list[LabelFile]:
    from medgan.data.labels import labels_in
    from medgan.errors import DataError

    try:
        return labels_in([Path(source) for source in sources])
    except DataError:  # the scan says what is wrong with the files
        return []
