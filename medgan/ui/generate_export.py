"""Images to take along: how many of which class, in which form, checked; made by a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from medgan.data.dataset import Dataset
from medgan.errors import DataError
from medgan.generation.balance import lacking, misfit
from medgan.generation.licence import check_licence
from medgan.runs.models import ModelEntry
from medgan.runs.record import STOPPED, Run, find_runs
from medgan.ui.components import dataset_names, deletion, open_dataset, plain_errors
from medgan.ui.follow import follow
from medgan.ui.generate import Chosen
from medgan.ui.jobs import explained, jobs
from medgan.ui.navigation import link
from medgan.ui.outgoing import export_found, export_spec, export_zip
from medgan.ui.session import workspace
from medgan.ui.text import count, plain, sentence, spoken

FORMS = {"png": "PNG, a folder for each class", "parquet": "Parquet, as the Hub reads it", "dicom": "DICOM"}
LICENCES = ("", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")
MOST = 1_000_000
LAST_FIRST = 2**31 - 2 * MOST
RANGE, FILL = "A range of seeds", "Fill up my classes"
CHECK_HELP = (
    "Images that are copies of training images, or near duplicates of each other, are left out, and further "
    "seeds take their place."
)


@dataclass(frozen=True)
class Wanted:
    """Which images, as options of the command line and in words for the name of the export."""

    options: Sequence[str] = ()
    words: str = ""


NOTHING = Wanted()


def new_export(chosen: Chosen) -> None:
    """Everything up to Start."""
    entry = chosen.entry
    way = RANGE
    if _classes(entry):
        way = st.segmented_control(
            "Which images", (RANGE, FILL), default=RANGE, key="export_way", required=True
        )
    wanted = _fill(chosen) if way == FILL else _range(chosen)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox("Form", list(FORMS), format_func=FORMS.__getitem__, key="export_form", width=260)
        licence = st.selectbox(
            "Licence of the images",
            LICENCES,
            format_func=lambda name: name or "not chosen",
            key="export_licence",
            width=200,
            accept_new_options=True,
            help="It goes into LICENSE and README. What the training images allow may reach further.",
        )
    checked, named = _check(chosen), _named(licence or "")
    options = [
        *wanted.options,
        f"--truncation={chosen.truncation}",
        f"--form={form}",
        f"--licence={licence or ''}",
    ]
    if st.button(
        "Make the ZIP",
        type="primary",
        icon=":material/folder_zip:",
        key="make_zip",
        disabled=not (wanted.options and named),
    ):
        with plain_errors():
            record = jobs().export(
                entry.spec,
                name=f"{entry.name}-{wanted.words}",
                options=[*options, *([] if checked else ["--no-gate"])],
            )
            st.session_state["export"] = record.name
            st.rerun()


def exports() -> None:
    """The chosen export (the newest by default): how far it is, or its ZIP."""
    records = {record.name: record for record in find_runs(workspace().exports)}
    if not records:
        return
    st.subheader("Exports")
    if st.session_state.get("export") not in records:
        st.session_state["export"] = next(iter(records))
    record = records[st.selectbox("Export", list(records), key="export", label_visibility="collapsed")]
    if follow(record):
        return
    _ended(record)
    deletion("export", record.folder)


def _range(chosen: Chosen) -> Wanted:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # Without limits of their own: what a field refuses it keeps to itself, and its earlier number counts.
        first = st.number_input(
            "First seed", value=st.session_state.get("seed", 0), key="first_seed", width=160
        )
        many = st.number_input("How many", value=64, key="how_many", width=160)
    if not (0 <= first <= LAST_FIRST and 1 <= many <= MOST):
        st.error(f"Seeds begin at 0 to {LAST_FIRST:,}, and one export makes 1 to {MOST:,} images.")
        return NOTHING
    seeds = f"--seeds={int(first)}-{int(first) + int(many) - 1}"
    one = [f"--class={chosen.label}"] if chosen.label else []
    return Wanted([seeds, *one], f"{int(many)}-{chosen.label or 'images'}")


def _set_to_fill(chosen: Chosen) -> Dataset | None:
    """The set whose classes are to be filled up: that of the model, unless another one is chosen."""
    names, own = dataset_names(), chosen.trained_on
    if not names:
        return None
    first = names.index(own.folder.name) if own is not None and own.folder.name in names else 0
    key = f"fill_data-{chosen.entry.spec}"
    return open_dataset(st.selectbox("Classes of", names, first, key=key, width=360))


def _fill(chosen: Chosen) -> Wanted:
    """How many of each class, as the data set's counts propose."""
    entry, data = chosen.entry, _set_to_fill(chosen)
    if data is None:
        st.caption("There is no data set whose classes could be filled up; make one on the Data page.")
        return NOTHING
    if words := misfit(entry.info.model, data):
        st.warning(sentence(words), icon=":material/warning:")
        return NOTHING
    makes, proposed = _classes(entry), lacking(data.info["classes"])
    wanted = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label in makes:
            wanted[label] = st.number_input(
                spoken(label, 30),
                value=proposed.get(label, 0),  # no limits of its own, as in _range
                key=f"fill-{data.name}-{label}",
                width=160,
                help=_has(data, label),
            )
    missing = [plain(label) for label, number in proposed.items() if number and label not in makes]
    if missing:
        st.caption(f":orange[:material/warning:] This model does not make {', '.join(missing)}.")
    if not all(0 <= number <= MOST for number in wanted.values()):
        st.error(f"One export makes 0 to {MOST:,} images of a class.")
        return NOTHING
    if not any(wanted.values()):
        st.caption("Nothing is lacking: say how many images of a class you want.")
        return NOTHING
    # An option for each class: a name may have commas.
    options = [f"--classes={label}={int(number)}" for label, number in wanted.items() if number]
    return Wanted(options, "-".join(f"{int(number)}-{label}" for label, number in wanted.items() if number))


def _has(data: Dataset, label: str) -> str:
    there = data.info["classes"].get(label, {}).get("train", 0)
    return f"{plain(data.name)} has {count(there, 'training image')} of it."


def _classes(entry: ModelEntry) -> list[str]:
    """Classes that the model can be asked for, its only one included."""
    told_apart = [name for name, _ in entry.info.model.classes]
    trained_on = list((entry.info.about.get("dataset") or {}).get("classes", ()))
    return told_apart or (trained_on if len(trained_on) == 1 else [])


def _check(chosen: Chosen) -> bool:
    if chosen.trained_on is None:
        st.caption(
            ":orange[:material/warning:] Nobody can check here whether images are copies: the data set that "
            "this model was trained on is not in this workspace. The ZIP says so."
        )
        return True  # the command line finds the same, and says it in the ZIP
    checked = st.toggle("Keep copies and repeats back", True, key="gate", help=CHECK_HELP)
    if not checked:
        st.caption(":orange[:material/warning:] Copies of training images may leave. The ZIP says so.")
    return checked


def _named(licence: str) -> bool:
    """Whether it is none, or can be the name of one; else the page says that it cannot."""
    try:
        check_licence(licence or "other")
    except DataError as error:
        st.error(sentence(str(error)), icon=":material/error:")
        return False
    return True


def _ended(record: Run) -> None:
    status, path = explained(record), export_zip(record)
    if path.is_file():  # it is there at once, and whole
        st.markdown(sentence(export_found(record)))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.link_button(
                f"Download {path.stat().st_size / 1e6:.1f} MB",
                f"exports/{record.name}.zip",
                type="primary",
                icon=":material/download:",
            )
            link("models", "Push to the Hub", push=export_spec(record))
            st.caption(
                "`metadata.csv` names seed, class, distance to the nearest training image and verdict of "
                "each image; README and LICENSE say what they are. Synthetic images are not anonymous by "
                "themselves."
            )
        return
    if status.state == STOPPED:
        st.info(
            "Cancelled. What is done is kept, unless the model has learned more by the time you go on.",
            icon=":material/info:",
        )
    else:
        st.error(sentence(status.message), icon=":material/error:")
    if st.button("Go on", icon=":material/play_arrow:", key="export_on"):
        with plain_errors():
            jobs().export_on(record)
            st.rerun()
