"""Small pieces that several pages show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import streamlit as st

from medgan.data.dataset import Dataset
from medgan.errors import DataError, MedGANError
from medgan.images import png
from medgan.runs.record import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    PAUSED,
    QUEUED,
    RUNNING,
    STARTING,
    STOPPED,
    Status,
)
from medgan.ui.jobs import delete
from medgan.ui.navigation import link
from medgan.ui.session import workspace
from medgan.ui.text import plain, sentence

STATE_COLOURS = {
    RUNNING: "green",
    STARTING: "blue",
    QUEUED: "violet",
    PAUSED: "blue",
    FINISHED: "green",
    STOPPED: "gray",
    INTERRUPTED: "orange",
    FAILED: "red",
}
STATE_WORDS = {INTERRUPTED: "interrupted, can resume"}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show our own errors as one sentence; anything else stays a traceback, since it is a bug."""
    try:
        yield
    except MedGANError as error:
        st.error(sentence(str(error)), icon=":material/error:")  # it may quote a file's name


def heading(title: str, text: str) -> None:
    """A page's title and what one does here."""
    st.title(title)
    st.caption(text)


def empty(text: str, page: str, label: str) -> None:
    """What stands where there is nothing yet, and the way to it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(text)
        link(page, label)


def state_badge(status: Status) -> None:
    """The state of a run in a word."""
    st.badge(STATE_WORDS.get(status.state, status.state), color=STATE_COLOURS.get(status.state, "gray"))  # type: ignore[arg-type]


def gallery(images: np.ndarray | Sequence[bytes], captions: Sequence[str], *, width: int = 120) -> None:
    """Images (uint8 `(N, H, W, C)` or PNG bytes) in as many columns as fit."""
    with st.grid(min_column_width=width, gap="small"):
        for image, caption in zip(images, captions, strict=True):
            data = image if isinstance(image, bytes) else png(image)
            # PNG, since Streamlit would send grey images as JPEG.
            st.image(data, caption=caption or None, width="stretch", output_format="PNG", alt=caption)


def sheet(data: bytes, caption: str) -> None:
    """A sheet of samples, at most as wide as its own pixels and never wider than the window."""
    with st.container(width=780):
        st.image(data, caption=caption, width="stretch", output_format="PNG", alt=caption)


def warn_of_dead_link(key: str, options: Sequence[str], what: str) -> None:
    """Say so when the address names something that is not here; Streamlit drops it in silence."""
    wanted = st.query_params.get(key)
    if wanted and wanted not in options:
        st.warning(f"There is no {what} **{plain(wanted)}** here (any more).", icon=":material/link_off:")


def dataset_names() -> list[str]:
    """Names of the prepared data sets, newest first."""
    folders = [path.parent for path in workspace().datasets.glob("[!.]*/dataset.json")]
    return [f.name for f in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True)]


def pick_dataset(label: str = "Data set") -> Dataset | None:
    """A select box of the prepared data sets, kept in the URL; None where there is none."""
    names = dataset_names()
    if not names:
        empty("There is no data set yet.", "data", "Make one on the Data page")
        return None
    warn_of_dead_link("data", names, "data set")
    name = st.selectbox(label, names, key="data", bind="query-params")
    return open_dataset(name) if name else None


def open_dataset(name: str) -> Dataset | None:
    """The data set of this name, or None with the reason shown."""
    try:
        return Dataset(workspace().datasets / name)
    except DataError as error:
        st.error(sentence(str(error)), icon=":material/error:")
        return None


def deletion(what: str, folder: Path, along: str = "") -> None:
    """Delete the folder of a run, report, study or export once that is confirmed; `along` says what goes
    with it. `what` is also the key of the widget that chose it."""
    with st.popover("Delete", type="tertiary"):
        st.markdown(f"Delete **{plain(folder.name)}**{along}? This cannot be undone.")
        if st.button(f"Delete this {what}", type="primary", key=f"delete_{what}"):
            with plain_errors():
                delete(folder)
                st.session_state.pop(what, None)
                st.rerun()


def progress_bar(verb: str) -> Callable[[int, int], None]:
    """A progress bar that takes (done, total) and says "`verb` 17 of 200"; it goes when all is done."""
    bar = st.progress(0.0, text=f"{verb}…")

    def update(done: int, total: int) -> None:
        # A hundred messages to the browser are enough for any count.
        if done % max(1, total // 100) == 0:
            bar.progress(done / total, text=f"{verb} {done:,} of {total:,}")
        if done == total:
            bar.empty()

    return update


def duration(seconds: float | None) -> str:
    """`1 h 20 min`, `12 min`, `40 s`, or a dash."""
    if seconds is None:
        return "–"
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if seconds >= 90 else f"{round(seconds)} s"


def picture(path: Path) -> bytes | None:
    """The bytes of an image file, or None if it is not there (any more)."""
    try:
        return path.read_bytes()
    except OSError:
        return None
