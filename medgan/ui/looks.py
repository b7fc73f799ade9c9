"""How the pictures will look to the network: geometry, window, size, colour, with a few of them to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.config import SIZES
from medgan.images import FITS
from medgan.ui.findings import choose_one
from medgan.ui.intake import Intake
from medgan.ui.pairs import picture_or_note
from medgan.ui.pictures import Look, examples, look
from medgan.ui.text import count, plain

if TYPE_CHECKING:
    from medgan.data.settings import Settings

SHAPES = {"crop": "Crop", "pad": "Pad", "squash": "Squash"}
COLOURS = {"auto": "As the pictures are", "rgb": "Colour", "grey": "Grey"}
PERCENTILES, OWN = "percentiles", "own"
EXAMPLES = 4


def choose_look(
    intake: Intake, report: Mapping[str, Any], saved: Settings, key: str, wrong: list[str]
) -> Settings:
    """Geometry, window (where a picture has more than 8 bits), and the few pictures that show them.

    What cannot be is added to `wrong`, a sentence each; what was saved stays in its place.
    """
    st.markdown("**How the pictures will look to the network**")
    window = _window(report, saved.window, key, wrong) if report.get("deep") else saved.window
    fit = choose_one("Shape", SHAPES, saved.fit, key, visible=True)
    st.caption(FITS[fit])
    chosen = replace(saved, fit=fit, window=window)
    # The box for its widgets stands below the pictures, but they change what the pictures show.
    shown = st.container()
    with st.expander("Size, colour and slices", key=f"{key}-more"):
        chosen = _more(chosen, report, key, wrong)
    with shown:
        _examples(intake, report, chosen, key)
    return chosen


def _more(saved: Settings, report: Mapping[str, Any], key: str, wrong: list[str]) -> Settings:
    size = choose_one(
        "Size in pixels",
        {str(size): f"{size} x {size}" for size in SIZES},
        str(saved.size),
        key,
        visible=True,
    )
    st.caption("128 is the paper's. 256 needs about four times the time and memory to train.")
    colour = choose_one("Colour", COLOURS, saved.colour, key, visible=True)
    slices = _slices(saved.slices, key, wrong) if _has_slices(report) else saved.slices
    return replace(saved, size=int(size), colour=colour, slices=slices)


def _has_slices(report: Mapping[str, Any]) -> bool:
    return any("#" in name for name in report.get("files", []))


def _slices(saved: str, key: str, wrong: list[str]) -> str:
    """Which pictures of a volume or a file with several pages."""
    first, last, step = _parse_slices(saved)
    st.markdown("Slices of volumes and files with several pictures")
    left, right = st.columns([3, 1])
    low, high = left.slider(
        "From and to", 0, 100, (first, last), step=5, format="%d %%", key=f"{key}-slices",
        help="The outer slices of a volume mostly show air or the edge of the body.",
    )  # fmt: skip
    every = right.number_input(
        "Take every", 1, 100, step, key=f"{key}-every", help="2 takes every second one."
    )
    if low >= high:
        return _impossible("No slices are chosen: from and to must be apart.", saved, wrong)
    return "all" if (low, high, every) == (0, 100, 1) else f"{low}%:{high}%:{int(every)}"


def _impossible(reason: str, saved: str, wrong: list[str]) -> str:
    """Say what cannot be, beside it and to the caller; what was saved last holds on."""
    st.warning(reason, icon=":material/warning:")
    wrong.append(reason)
    return saved


def _parse_slices(text: str) -> tuple[int, int, int]:
    try:
        first, last, step = text.split(":")
        return int(first.rstrip("%")), int(last.rstrip("%")), int(step)
    except ValueError:
        return 0, 100, 1


def _window(report: Mapping[str, Any], saved: str, key: str, wrong: list[str]) -> str:
    """Which values of deep pictures are shown, black to white; presets only where they mean something."""
    from medgan.data.window import WINDOWS

    presets = WINDOWS if report.get("hu") else {}
    options = {"auto": "Automatic", "file": "The file's own"}
    options |= {name: name.capitalize() for name in presets}
    options |= {PERCENTILES: "Percentiles", OWN: "Own values"}
    words = {
        "auto": "The file's own window where it has one, else nearly all of its values (0.5 % to 99.5 %).",
        "file": "As the scanner or the radiologist set it. Files without a window are left out.",
        PERCENTILES: "Darker values are black, brighter ones white; found for each file.",
        OWN: "The same two values for all files, as the files have them (Hounsfield units in CT).",
    }
    words |= {name: f"{p.text} ({p.low:g} to {p.high:g} HU)." for name, p in presets.items()}
    kind = choose_one("Window", options, _kind_of(saved, list(presets)), key, visible=True)
    text = words[kind]
    st.caption(text[:1].upper() + text[1:])
    without = int(report["deep"]) - int(report.get("hu") or 0)
    if kind in presets and without > 0:
        st.caption(f":orange[{count(without, 'file')} without Hounsfield units will be left out.]")
    if kind == PERCENTILES:
        return _percentiles(saved, key, wrong)
    return _own(saved, key, wrong) if kind == OWN else kind


def _kind_of(window: str, presets: Sequence[str]) -> str:
    if window in ("auto", "file", PERCENTILES, *presets):
        return window
    return PERCENTILES if "%" in window else OWN


def _percentiles(saved: str, key: str, wrong: list[str]) -> str:
    low, high = _pair(saved.replace("%", ""), (0.5, 99.5)) if "%" in saved else (0.5, 99.5)
    first, last = st.slider(
        "Percentiles", 0.0, 100.0, (low, high), step=0.5, format="%.1f %%", key=f"{key}-percentiles"
    )
    if not first < last:
        return _impossible("The two percentiles must be apart.", saved, wrong)
    return f"{first:g}%,{last:g}%"


def _own(saved: str, key: str, wrong: list[str]) -> str:
    low, high = _pair(saved, (-160.0, 240.0))
    left, right = st.columns(2)
    first = left.number_input("Black at", value=low, step=10.0, format="%g", key=f"{key}-low")
    last = right.number_input("White at", value=high, step=10.0, format="%g", key=f"{key}-high")
    if not first < last:
        return _impossible("Black must be below white.", saved, wrong)
    return f"{first:g},{last:g}"


def _pair(text: str, otherwise: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        return otherwise
    return low, high


def _examples(intake: Intake, report: Mapping[str, Any], settings: Settings, key: str) -> None:
    """A few pictures as they are, and fitted in each way."""
    names = list(report.get("files", []))
    if not names:
        return
    page = int(st.session_state.get(f"{key}-others", 0))
    channels = {"grey": 1, "rgb": 3}.get(settings.colour, int(report.get("channels") or 3))
    with st.container(width=680):
        grid = st.grid(columns=4, min_column_width=50, gap="xsmall", wrap=False)
    for name in examples(intake, names, EXAMPLES, page):
        shown = look(intake, name, window=settings.window, size=settings.size, channels=channels)
        _row(grid, shown, settings.fit)
    if len(names) > EXAMPLES and st.button(
        "Other pictures", icon=":material/shuffle:", type="tertiary", key=f"{key}-shuffle"
    ):
        st.session_state[f"{key}-others"] = page + 1
        st.rerun(scope="fragment")


def _row(grid: Any, shown: Look, chosen: str) -> None:
    """Four cells of the grid: the picture as it is, and fitted in each way; one sentence if it cannot be."""
    if shown.fitted is None:
        with grid.cell(column_span="all"):
            picture_or_note(None, shown.name, shown.reason)
        return
    with grid.cell():
        picture_or_note(shown.before, shown.name, f", {plain(shown.window)}" if shown.deep else "")
    for mode, words in SHAPES.items():
        caption = f"**{words} ✓**" if mode == chosen else words
        with grid.cell():
            alt = f"{shown.name}: {mode}"
            st.image(shown.fitted[mode], caption=caption, output_format="PNG", alt=alt, width="stretch")
