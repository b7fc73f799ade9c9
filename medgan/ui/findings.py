"""What a scan found: how much is usable, what is not and why, copies, conflicts, what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medgan.ui.pairs import Picture, picture_or_note, show_pairs
from medgan.ui.text import count, plain, sentence

Report = Mapping[str, Any]
ICONS = {"warning": ":material/warning:", "info": ":material/info:"}
LISTED = 12
"""Flagged files shown at once."""
OFFERED = 5000
"""Names that can be chosen from: more would make the page slow."""
SHORT_PARTS = {"train": "train", "validation": "watch", "test": "judge"}
"""The parts as heads of columns."""
FEW = 20
"""Rows up to which a list is a table that wraps its lines."""
DROP, KEEP = "drop", "keep"
COPIES = {
    "conflicts": (
        "The same picture stands in two classes, so at least one of its labels is wrong. A network would "
        "learn both.",
        {DROP: "Leave both out", KEEP: "Keep both"},
    ),
    "near_duplicates": (
        "The same picture again, saved, cropped, mirrored or turned a little differently. Kept ones stand in "
        "the same part, so none is trained on and judged with.",
        {KEEP: "Keep, in the same part", DROP: "Leave the second out"},
    ),
    "duplicates": (
        "Pixel for pixel the same.",
        {DROP: "Leave the second out", KEEP: "Keep both"},
    ),
}
SETTING = {"conflicts": "conflicts", "near_duplicates": "near", "duplicates": "duplicates"}
"""The setting that says what happens to each kind of copies."""


def numbers(report: Report) -> None:
    """Usable, not usable, copies, conflicts."""
    with st.grid(min_column_width=150):
        st.metric("Usable pictures", f"{report.get('accepted', 0):,}", border=True)
        st.metric("Cannot be used", f"{len(report.get('rejected', [])):,}", border=True)
        copies = len(report.get("duplicates", [])) + len(report.get("near_duplicates", []))
        st.metric("Copies", f"{copies:,}", help="Pairs of exact and near copies.", border=True)
        conflicts = len(report.get("conflicts", []))
        st.metric("In two classes", f"{conflicts:,}", help="Pairs with different labels.", border=True)
    st.caption(_facts(report))


def _facts(report: Report) -> str:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in report.get("kinds", {}).items())
    facts = [f"Files: {kinds}." if kinds else ""]
    if report.get("groups"):
        facts.append(f"{count(report['groups'], 'group')}: {sentence(report.get('grouping', ''), 300)}.")
    facts += [sentence(note, 300) for note in report.get("notes", [])]
    return " ".join(filter(None, facts)).replace("..", ".")


def advice(report: Report) -> None:
    """What the set is good for: the gravest in sight, the rest behind a click."""
    items = [item for item in report.get("advice", []) if item["text"] != report.get("trouble")]
    items.sort(key=lambda item: item["level"] != "warning")
    if not items:
        return
    _remark(items[0])
    rest = items[1:]
    if rest:
        warnings = sum(item["level"] == "warning" for item in rest)
        kinds = [(warnings, "warning"), (len(rest) - warnings, "note")]
        words = " and ".join(count(number, kind) for number, kind in kinds if number)
        with st.expander(f"{words} more"):
            for item in rest:
                _remark(item)


def _remark(item: Mapping[str, str]) -> None:
    show = st.warning if item["level"] == "warning" else st.info
    show(sentence(item["text"]), icon=ICONS.get(item["level"]))


def classes(report: Report) -> None:
    """A row a class: how many images in each part."""
    rows = [
        {"class": name, "all": sum(counts.values()), **_by_part(counts)}
        for name, counts in report.get("classes", {}).items()
    ]
    if rows:
        # Narrow columns, so that the last one is in sight on a telephone.
        narrow = {name: st.column_config.NumberColumn(width=56) for name in list(rows[0])[1:]}
        names = {"class": st.column_config.TextColumn(width=110)}
        st.dataframe(rows, hide_index=True, column_config=names | narrow, alt="Images of each class")


def _by_part(counts: Mapping[str, int]) -> dict[str, int]:
    return {words: counts[part] for part, words in SHORT_PARTS.items() if part in counts}


def copies(report: Report, chosen: Mapping[str, str], picture: Picture, key: str) -> dict[str, str]:
    """The pairs of each kind, and the choice what happens to them; returns all three choices."""
    titles = {
        "conflicts": ("picture stands in two classes", "pictures stand in two classes"),
        "near_duplicates": ("near copy", "near copies"),
        "duplicates": ("exact copy", "exact copies"),
    }
    choices = {name: chosen[name] for name in SETTING.values()}
    for kind, (text, options) in COPIES.items():
        pairs = report.get(kind, [])
        if pairs:
            box = st.expander(
                count(len(pairs), *titles[kind]),
                expanded=kind == "conflicts",
                icon=ICONS["warning"] if kind == "conflicts" else None,
                key=f"{key}-{kind}",
                on_change="rerun",
            )
            with box:
                st.caption(text)
                name = SETTING[kind]
                choices[name] = choose_one(f"What to do with {titles[kind][1]}", options, chosen[name], key)
                if box.open:  # closed ones decode nothing
                    show_pairs(pairs, picture, f"{key}-{kind}-page")
    return choices


def choose_one(label: str, options: Mapping[str, str], value: str, key: str, *, visible: bool = False) -> str:
    """A segmented control over `options` (value to words) that starts at `value`."""
    name = f"{key}-{label}"
    if st.session_state.get(name) not in options:
        st.session_state[name] = value if value in options else next(iter(options))
    chosen = st.segmented_control(
        label,
        list(options),
        format_func=lambda option: options[option],
        key=name,
        required=True,
        label_visibility="visible" if visible else "collapsed",
    )
    return str(chosen)


def left_out(report: Report, key: str) -> None:
    """Files that cannot be used, and those that the choices on copies leave out, each with its reason."""
    _table(report.get("rejected", []), ("file cannot be used", "files cannot be used"), f"{key}-rejected")
    _table(report.get("left_out", []), ("picture is left out", "pictures are left out"), f"{key}-left-out")


def _table(rows: Sequence[Mapping[str, str]], title: tuple[str, str], key: str) -> None:
    if not rows:
        return
    box = st.expander(count(len(rows), *title), key=key, on_change="rerun")
    if box.open:
        with box:
            if len(rows) <= FEW:  # a table shows whole sentences, but is slow with thousands of rows
                shown = [
                    {"file": plain(row["file"], 80), "reason": sentence(row["reason"], 500)} for row in rows
                ]
                st.table(shown, hide_index=True)
            else:
                st.dataframe([{"file": r["file"], "reason": r["reason"]} for r in rows], hide_index=True)


def personal(report: Report) -> None:
    """What was seen of persons and is not taken along."""
    dropped = report.get("dropped", {})
    if dropped:
        with st.expander(
            f"Personal data was found in {count(max(dropped.values()), 'file')} and is not kept"
        ):
            st.caption(
                "Only pixels go into the data set. Patient ids serve to keep a patient's pictures together."
            )
            rows = [{"what": what, "files": number} for what, number in dropped.items()]
            st.dataframe(rows, hide_index=True, alt="Personal data that is not kept")


def exclude(report: Report, chosen: Sequence[str], key: str) -> tuple[str, ...]:
    """The pictures that the user leaves out by name, the flagged ones offered first."""
    first = [item["file"] for item in report.get("flagged", [])]
    names = list(dict.fromkeys([*chosen, *first, *report.get("files", [])]))[:OFFERED]
    if not names:
        return tuple(chosen)
    box = f"{key}-exclude"
    st.session_state.setdefault(box, list(chosen))
    return tuple(
        st.multiselect("Leave out by name", names, key=box, placeholder="None; choose what to leave out")
    )


def flagged(report: Report, picture: Picture, key: str) -> None:
    """Files that a person should look at, with their picture."""
    files: list[Mapping[str, str]] = list(report.get("flagged", []))
    if not files:
        return
    with st.expander(f"Look at {count(len(files), 'file')} yourself", icon=ICONS["warning"], expanded=True):
        st.caption(
            "They may show a name or a date in the picture itself, or a screenshot instead of a scan. What "
            "should not be in the set can be left out by name below."
        )
        pages = -(-len(files) // LISTED)
        page = st.pagination(pages, key=f"{key}-flagged") if pages > 1 else 1
        with st.grid(min_column_width=130):
            for item in files[(page - 1) * LISTED : page * LISTED]:
                with st.container(gap="xxsmall"):
                    picture_or_note(picture(item["file"]), item["file"])
                    st.caption(f":orange[{sentence(item['reason'], 120)}]")


def leak(check: Mapping[str, Any] | None, picture: Picture) -> None:
    """The two most alike pictures of two parts, and what that means."""
    if not check:
        return
    st.markdown("**Leak check**: the two most alike pictures that stand in different parts.")
    with st.container(width=360), st.grid(columns=2, min_column_width=60, gap="xsmall", wrap=False):
        for name in (check["first"], check["second"]):
            picture_or_note(picture(name), name)
    if check.get("warning"):
        st.warning(sentence(check["warning"]), icon=ICONS["warning"])
    else:
        st.caption(sentence(check.get("words", "")))
    if check.get("nameless"):
        st.info(sentence(check["nameless"], 500), icon=ICONS["info"])
