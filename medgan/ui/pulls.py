"""Pulls from the Hub, each in a thread of its own, so that the page stays quick and a refresh loses
nothing. The thread never touches Streamlit; it only updates its `Pull`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.session import workspace
from medgan.workspace import Workspace


@dataclass
class Pull:
    """One pull: how far it is, and how it ended."""

    repo: str
    revision: str | None = None
    done: int = 0
    total: int = 0
    finished: bool = False
    error: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def progress(self) -> float:
        """Share of the bytes that are here, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class Pulls:
    """The pulls of this server, newest last."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.all: list[Pull] = []
        self._lock = threading.Lock()

    def start(self, repo: str, revision: str | None) -> Pull:
        """Begin to pull; one that is under way for the same repository is returned instead."""
        with self._lock:
            for pull in self.all:
                if pull.repo == repo and not pull.finished:
                    return pull
            pull = Pull(repo, revision)
            self.all = [*self.all[-9:], pull]
        threading.Thread(target=self._run, args=(pull,), daemon=True, name=f"pull {repo}").start()
        return pull

    def forget(self, pull: Pull) -> None:
        """Take a finished pull off the list."""
        with self._lock:
            self.all = [other for other in self.all if other is not pull]

    def _run(self, pull: Pull) -> None:
        from medgan.hub.transfer import pull as fetch

        def progress(done: int, total: int) -> None:
            pull.done, pull.total = done, total

        try:
            fetch(
                pull.repo,
                self.workspace,
                revision=pull.revision,
                progress=progress,
                cancelled=pull.cancel.is_set,
            )
        except MedGANError as error:
            pull.error = str(error)
        except Exception as error:  # a thread has nobody else to tell
            pull.error = f"A bug ended it: {type(error).__name__}: {error}"
        finally:
            pull.finished = True


def pulls() -> Pulls:
    """The registry of this visitor's workspace."""
    return _pulls(workspace())


@st.cache_resource(show_spinner=False)
def _pulls(space: Workspace) -> Pulls:
    return Pulls(space)
