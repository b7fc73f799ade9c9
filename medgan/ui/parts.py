"""Which pictures belong together, and how many of them train, are watched and judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.text import PARTS, count, parts, sentence

if TYPE_CHECKING:
    from medgan.data.settings import Settings

PATTERN = "pattern"
GROUPS = {
    "auto": "Found by themselves",
    "patient": "By patient",
    PATTERN: "By a pattern in the file names",
    "none": "None: every picture stands alone",
}
GROUP_WORDS = {
    "auto": "By patient where files name one, else by likeness, so that neighbouring slices stay together.",
    "patient": "From the DICOM files or the table of classes. Pictures without a patient go by likeness.",
    PATTERN: "A regular expression. What its first bracket matches (or all of it) is the group's name.",
    "none": "Only for pictures that have nothing to do with each other; otherwise figures will flatter.",
}
LEAST = 5
"""Percent of the images that the first and the last part have at least."""
LISTED = 8


def choose_parts(report: Mapping[str, Any], saved: Settings, key: str, wrong: list[str]) -> Settings:
    """The split, and below it the groups that it keeps whole.

    What cannot be is added to `wrong`, a sentence each; what was saved stays in its place.
    """
    st.markdown("**How they are divided**")
    train, upto = _shares(saved.split)
    low, high = st.slider(
        "To train on | to watch | to judge",
        LEAST,
        100 - LEAST,  # a model needs images to learn from, and others that judge it
        (train, upto),
        step=LEAST,
        format="%d %%",
        key=f"{key}-split",
        help="The left part trains the model. The middle one is watched while it trains. The right one "
        "judges the finished model, which has never seen it. Groups are kept whole, so shares are met as "
        "well as groups allow.",
    )
    number = int(report.get("accepted", 0))
    shares = {"train": low, "validation": high - low, "test": 100 - high}
    if number:
        _show_parts(number, shares, wrong)
    split = "/".join(f"{share / 100:g}" for share in shares.values())
    with st.expander("What stays together", key=f"{key}-groups", expanded=bool(report.get("trouble"))):
        group = _group(report.get("files", []), saved.group, key, wrong)
    return replace(saved, split=split, group=group)


def _show_parts(number: int, shares: Mapping[str, int], wrong: list[str]) -> None:
    """About how many pictures each part gets, and whether one gets none."""
    counts = {part: round(number * share / 100) for part, share in shares.items()}
    st.caption("About " + parts(counts) + ".")
    for part, share in shares.items():
        if share and not counts[part]:
            reason = f"{share} % of {count(number, 'picture')} is none {PARTS[part]}: give that part more."
            st.warning(reason, icon=":material/warning:")
            wrong.append(reason)


def _shares(split: str) -> tuple[int, int]:
    try:
        train, validation, _ = (round(100 * float(share)) for share in split.split("/"))
    except ValueError:
        return 70, 85
    low = min(max(train, LEAST), 100 - LEAST)
    return low, min(max(train + validation, low), 100 - LEAST)


def _group(names: Sequence[str], saved: str, key: str, wrong: list[str]) -> str:
    kind = saved if saved in GROUPS else PATTERN
    chosen = st.radio(
        "Groups",
        list(GROUPS),
        index=list(GROUPS).index(kind),
        format_func=lambda k: GROUPS[k],
        captions=list(GROUP_WORDS.values()),
        key=f"{key}-group",
        label_visibility="collapsed",
    )
    if chosen != PATTERN:
        return str(chosen)
    pattern = st.text_input(
        "Pattern",
        value="" if saved in GROUPS else saved,
        placeholder=r"for example ^(P\d+)_ for P12_3.jpg",
        key=f"{key}-pattern",
        max_chars=200,
    )
    if not pattern:
        st.caption("The group is what stands before the first underscore: `^([^_/]+)_`")
        wrong.append("There is no pattern yet: write one, or choose another way to find groups.")
        return saved
    reason = _show_pattern(pattern, names)
    if reason:
        st.error(sentence(reason), icon=":material/error:")
        wrong.append(reason)
    return saved if reason else str(pattern)


def _show_pattern(pattern: str, names: Sequence[str]) -> str:
    """What the pattern finds in the names; returns why it cannot be used, else nothing."""
    try:
        found = dict(preview(pattern, tuple(names)))
    except MedGANError as error:
        return str(error)
    if not found:
        return ""
    groups = {group for group in found.values() if group is not None}
    hits = sum(group is not None for group in found.values())
    st.markdown(f"Matches {hits:,} of {count(len(found), 'name')}: {count(len(groups), 'group')}.")
    some = list(found)[:: max(1, len(found) // LISTED)][:LISTED]
    rows = [{"file": name, "group": "–" if found[name] is None else found[name]} for name in some]
    st.dataframe(rows, hide_index=True, alt="What the pattern finds in a few names")
    if not hits:
        return "The pattern matches none of the names."
    if len(groups) == 1 and hits == len(found):
        return "The pattern puts all pictures into one group, which cannot be divided."
    if len(groups) == 1:
        st.warning("The pattern makes one group only; is that what you mean?", icon=":material/warning:")
    return ""


@st.cache_data(show_spinner=False, max_entries=32)
def preview(pattern: str, names: tuple[str, ...]) -> list[tuple[str, str | None]]:
    """Each name with the group that `pattern` finds in it, or None; DataError for a pattern that is none,
    or that takes too long."""
    from medgan.data.groups import preview_pattern

    return preview_pattern(pattern, names)
