"""Where new images come from: the built-in demo, an upload, the Hub, MedMNIST, a folder on the server."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import streamlit as st

from medgan.data.phantom import PHANTOMS, draw
from medgan.errors import MedGANError
from medgan.images import png
from medgan.ui import intake, uploads
from medgan.ui.components import gallery
from medgan.ui.intake import Intake
from medgan.ui.jobs import jobs
from medgan.ui.session import hosted, workspace
from medgan.ui.text import plain
from medgan.workspace import safe_name

DEMO, UPLOAD, HUB, MEDMNIST, FOLDER = "demo", "upload", "hub", "medmnist", "folder"
SOURCES = {
    DEMO: "Built-in demo images",
    UPLOAD: "Upload your own",
    HUB: "Hugging Face Hub",
    MEDMNIST: "MedMNIST",
    FOLDER: "A folder on this server",
}
REPO = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", re.ASCII)
HUB_SITE = re.compile(r"(https?://)?(www\.)?(huggingface\.co|hf\.co)/")
HUB_PAGE = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+)/"
    r"((tree|blob|resolve)/(?P<revision>refs/\w+/[\w.-]+|[\w.-]+)(/.*)?|(viewer|discussions|settings)(/.*)?)",
    re.ASCII,
)
"""The pages of a data set: its files at a revision, or others that name none."""
UNFINISHED = 3
"""How many unfinished intakes are offered."""


def choose_source() -> None:
    """The ways in; pressing on in one of them starts an intake and shows it."""
    intake.finish_made(workspace())
    if not hosted():
        _unfinished()
    offered = [source for source in SOURCES if source != FOLDER or not hosted()]
    if st.session_state.get("new_data_source") not in offered:
        st.session_state["new_data_source"] = DEMO
    source = st.segmented_control(
        "Where from",
        offered,
        format_func=lambda key: SOURCES[key],
        key="new_data_source",
        required=True,
        label_visibility="collapsed",
        wrap=True,
        persist_state="session",
    )
    _FORMS[str(source)]()


def _unfinished() -> None:
    """Uploads of an earlier visit that never became a data set."""
    for known in intake.unfinished(workspace())[:UNFINISHED]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/pending: **{plain(known.title)}**: not a data set yet.")
            if st.button("Go on", key=f"go-on-{known.id}", type="tertiary"):
                intake.show(known)
                st.rerun()
            if st.button("Delete", key=f"forget-{known.id}", type="tertiary"):
                jobs().cancel(known.scan)
                jobs().cancel(known.make)
                known.delete()
                st.rerun()


def _demo() -> None:
    st.caption("Drawn by a program: no patient, no download. Good for a first walk through.")
    kind = st.radio(
        "Kind",
        list(PHANTOMS),
        format_func=lambda k: PHANTOMS[k].title,
        horizontal=True,
        label_visibility="collapsed",
    )
    gallery([_phantom_png(kind, seed) for seed in range(12)], [""] * 12, width=90)
    with st.form("phantom"):
        left, right = st.columns(2)
        name = left.text_input("Name", value=f"demo-{kind}", key=f"phantom_name_{kind}")
        count = right.number_input("Images", 20, 2000, 200, step=20)
        if st.form_submit_button("Make this data set", type="primary"):
            _make_demo(kind, name, int(count))


def _make_demo(kind: str, name: str, count: int) -> None:
    from medgan.data.settings import Settings

    out = free_folder(name)
    new = intake.begin(workspace(), name.strip(), [f"phantom:{kind}"], count=count)
    new.note(out=str(out), demo=True)
    settings = Settings(modality=kind)
    jobs().prepare(new.make, new.sources, settings, out=out, name=name.strip(), count=new.count)
    intake.show(new)
    st.rerun()


def free_folder(name: str) -> Path:
    """Where a data set of this name goes; MedGANError if there is one already."""
    folder = workspace().datasets / safe_name(name)
    if folder.exists():
        raise MedGANError(f"There is a data set {folder.name!r} already; choose another name.")
    return folder


def _upload() -> None:
    new = uploads.receive()
    if new is not None:
        _scan(new)
    st.caption(
        "The files are copied to this machine's workspace and nowhere else, and deleted once the data set is "
        "made. Remove names and ids that are burned into the pictures first."
    )


def _hub() -> None:
    with st.form("hub"):
        name = st.text_input(
            "Data set on the Hub",
            placeholder="owner/name",
            help="An image folder or parquet files with an image column. It is downloaded to this machine."
            + (" Public ones only: others share this server." if hosted() else ""),
        )
        most = _most()
        if st.form_submit_button("Download and check", type="primary"):
            repo = hub_repo(name)
            title = repo.split("/")[1].partition("@")[0]
            _scan(intake.begin(workspace(), title, [f"hub:datasets/{repo}"], count=most))


def hub_repo(text: str) -> str:
    """`owner/name` or `owner/name@revision` of a data set, also from the address of any of its pages;
    MedGANError if it is none."""
    address = re.split(r"[?#]", unquote(_bare(text)).removeprefix("hub:"))[0]
    address = HUB_SITE.sub("", address).removeprefix("datasets/").rstrip("/")
    page = HUB_PAGE.fullmatch(address)
    repo = page["repo"] if page else address
    if page and page["revision"] not in (None, "main"):
        repo += f"@{page['revision']}"
    if not REPO.fullmatch(repo):
        raise MedGANError("Write it as owner/name, as it stands on the page of the data set.")
    return repo


def _bare(text: str) -> str:
    """What was pasted, without blanks and quotes around it (Windows copies paths in quotes)."""
    return text.strip().strip("\"'“”").strip()


def _medmnist() -> None:
    from medgan.hub.medmnist import MEDMNIST as SETS
    from medgan.hub.medmnist import modality_of

    with st.form("medmnist"):
        name = st.selectbox("Set", list(SETS), format_func=lambda key: SETS[key])
        st.caption("Standardised images for research. A whole set is downloaded; some have several GB.")
        most = _most()
        if st.form_submit_button("Download and check", type="primary"):
            source = f"medmnist:{name}"
            new = intake.begin(workspace(), str(name), [source], count=most)
            new.choose(replace(new.settings(), modality=modality_of(source)))
            _scan(new)


def _most() -> int:
    """How many images of a set that may have a million."""
    words = "More are drawn at random, from each class in proportion."
    return int(st.number_input("At most this many images", 20, 20_000, 1000, step=100, help=words))


def _folder() -> None:
    with st.form("folder"):
        text = st.text_input(
            "Folder or ZIP on the machine that runs this page",
            placeholder="/home/me/images",
            help="It is read and never changed.",
        )
        if st.form_submit_button("Check", type="primary"):
            path = local_path(text)
            _scan(intake.begin(workspace(), path.stem or "images", [str(path)]))


def local_path(text: str) -> Path:
    """The folder or file of this machine that was named; MedGANError if there is none."""
    name = _bare(text)
    if not name:
        raise MedGANError("Write the path of a folder or a ZIP on this machine.")
    try:
        path = Path(name).expanduser().resolve()
        there = path.exists()
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user, with a zero in it
        there = False
    if not there:
        raise MedGANError(f"{name} is not there; write a path on this machine.")
    if (path / "dataset.json").is_file():
        raise MedGANError(f"{path} is a prepared data set already, not a source of images.")
    return path


def _scan(new: Intake) -> None:
    """Look at it at once, and show that."""
    start_scan(new)
    intake.show(new)
    st.rerun()


def start_scan(current: Intake) -> None:
    """Let a process find out what is in it, with what was chosen so far."""
    if current.make.status().alive:  # begun in another tab
        return
    current.forget_make()
    sources, settings = current.sources, current.settings()
    jobs().inspect(current.scan, sources, settings, labels=current.labels, count=current.count)


@st.cache_data(show_spinner=False, max_entries=64)
def _phantom_png(kind: str, seed: int) -> bytes:
    return png(draw(kind, seed)[0])


_FORMS = {DEMO: _demo, UPLOAD: _upload, HUB: _hub, MEDMNIST: _medmnist, FOLDER: _folder}
