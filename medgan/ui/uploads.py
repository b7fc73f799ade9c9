"""Files from the browser, moved to disk at once so that they do not stay in memory."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import streamlit as st

from medgan.runs.record import Run
from medgan.ui import intake
from medgan.ui.intake import LABELS, Intake
from medgan.ui.session import workspace
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

STALE = 24 * 3600.0
LONGEST = 180
"""Bytes of a file name that are kept; file systems end at 255, and a twin's number must fit too."""


def receive() -> Intake | None:
    """The uploader; a new intake with the files on disk once there are any."""
    files = st.file_uploader(
        "A ZIP (folders inside become classes), or single files",
        accept_multiple_files=True,
        key="uploader",
        help="PNG, JPEG, TIFF, BMP, WebP, GIF, DICOM with or without an extension, NIfTI. More than a few "
        "dozen images go much quicker as one ZIP. A table (CSV) with file and label may come along.",
    )
    if not files:
        return None
    delete_stale(workspace())  # a server may run for months
    new = intake.begin(workspace(), title_of([file.name for file in files]))
    for file in files:
        store(file, new.files)
    return new


def receive_labels(current: Intake) -> Path | None:
    """The uploader for a table of classes; where it lies, if one has just come."""
    file = st.file_uploader(
        "Another table (CSV)",
        type=["csv", "tsv", "txt"],
        key=f"labels-{current.id}",
        help="With the columns file, label and, if you have it, patient.",
    )
    # The widget keeps its file while the page is open; only a new one counts.
    if file is None or st.session_state.get("labels_taken") == file.file_id:
        return None
    st.session_state["labels_taken"] = file.file_id
    path = current.folder / LABELS
    with path.open("wb") as stream:
        shutil.copyfileobj(file, stream)
    return path


def store(file: UploadedFile, folder: Path) -> Path:
    """Copy one upload into `folder` under a safe form of its own name; a twin gets a number."""
    name = kept_name(file.name)
    path = folder / name
    if path.exists():
        path = folder / f"{uuid.uuid4().hex[:6]}-{name}"
    with path.open("wb") as stream:
        shutil.copyfileobj(file, stream)
    return path


def kept_name(name: str) -> str:
    """The last part of an upload's name, so that no upload chooses its folder: no control characters, not
    hidden, not longer than a file system takes. Scripts other than Latin stay as they are."""
    name = PurePosixPath(name.replace("\\", "/")).name
    printed = "".join(letter for letter in name if letter.isprintable())
    name = printed.lstrip(". ")
    if name and name != printed and "." not in name:
        name = f"image.{name}"  # there was nothing but an ending
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 8:
        stem, dot, ending = name, "", ""
    room = LONGEST - len((dot + ending).encode())
    stem = stem.encode()[:room].decode("utf-8", "ignore")
    return (stem + dot + ending) or "image"


def title_of(names: list[str]) -> str:
    """What to call an upload: its only file, or how many files it is."""
    if len(names) > 1:
        return f"{len(names)} files"
    name = kept_name(names[0])
    for ending in (".nii.gz", ".zip", ".nii", ".dcm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)] or name
    return Path(name).stem


def delete_stale(workspace: Workspace) -> None:
    """Delete uploads that never became a data set, and ZIPs made for download, after a day."""
    for path in [*workspace.uploads.iterdir(), *workspace.exports.iterdir()]:
        with suppress(OSError):  # somebody else may be deleting it
            if time.time() - _touched(path) > STALE and not _busy(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _touched(path: Path) -> float:
    inside = list(path.iterdir()) if path.is_dir() else []
    return max(p.stat().st_mtime for p in [path, *inside])


def _busy(path: Path) -> bool:
    return any(Run(path / work).status().alive for work in ("scan", "make"))
