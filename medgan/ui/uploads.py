"""Files from the browser, moved to disk at once so that they do not stay in memory."""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import streamlit as st

from medgan.data.intake import EXTENSIONS
from medgan.ui.session import workspace
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

KEY = "upload_folder"
STALE = 24 * 3600.0


def receive() -> list[Path]:
    """The uploaded files on disk; shows the uploader while there are none."""
    folder = st.session_state.get(KEY)
    if folder is None or not Path(folder).is_dir():
        files = st.file_uploader(
            "A ZIP (folders inside become classes) or single images",
            type=["zip", *(extension[1:] for extension in EXTENSIONS)],
            accept_multiple_files=True,
            key="uploader",
            help="For more than a few dozen images a ZIP is much quicker than single files.",
        )
        if not files:
            return []
        st.session_state[KEY] = folder = str(_store(files))
        st.rerun()
    return sorted(Path(folder).iterdir())


def forget() -> None:
    """Delete what was uploaded and show the uploader again."""
    folder = st.session_state.pop(KEY, None)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _store(files: list[UploadedFile]) -> Path:
    uploads = workspace().uploads
    folder = uploads / uuid.uuid4().hex
    folder.mkdir()
    for file in files:
        # Only the last part of the name, so that no upload chooses its folder; a twin gets a number.
        name = PurePosixPath(file.name.replace("\\", "/")).name or "image"
        path = folder / name
        if path.exists():
            path = folder / f"{uuid.uuid4().hex[:6]}-{name}"
        with path.open("wb") as stream:
            shutil.copyfileobj(file, stream)
    return folder


def delete_stale(workspace: Workspace) -> None:
    """Delete uploads that never became a data set, and ZIPs made for download, after a day."""
    for path in [*workspace.uploads.iterdir(), *workspace.exports.iterdir()]:
        if time.time() - path.stat().st_mtime > STALE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
