"""Pushes to the Hub, each in a thread of its own like pulls (`ui/pulls.py`). A token is handed to the thread
and kept in none of the objects here."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.session import workspace
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from medgan.hub.push import Pushed, Wish


@dataclass
class Push:
    """One push: how far it is, and how it ended."""

    name: str
    repo: str
    done: int = 0
    total: int = 0
    finished: bool = False
    error: str = ""
    pushed: Pushed | None = None
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def progress(self) -> float:
        """Share of the bytes that are there, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class Pushes:
    """The pushes of this server, newest last."""

    def __init__(self) -> None:
        self.all: list[Push] = []
        self._lock = threading.Lock()

    def start(self, name: str, source: Path, repo: str, wish: Wish, token: str) -> Push:
        """Begin to push; one that is under way to the same repository is returned instead."""
        with self._lock:
            for push in self.all:
                if push.repo == repo and not push.finished:
                    return push
            push = Push(name, repo)
            self.all = [*self.all[-9:], push]
        work = threading.Thread(
            target=_run, args=(push, source, wish, token), daemon=True, name=f"push {repo}"
        )
        work.start()
        return push

    def forget(self, push: Push) -> None:
        """Take a finished push off the list."""
        with self._lock:
            self.all = [other for other in self.all if other is not push]


def _run(push: Push, source: Path, wish: Wish, token: str) -> None:
    from medgan.hub.push import push as send

    def progress(done: int, total: int) -> None:
        push.done, push.total = done, total

    try:
        push.pushed = send(
            source, push.repo, wish, token=token, progress=progress, cancelled=push.cancel.is_set
        )
    except (MedGANError, OSError) as error:
        push.error = str(error)
    except Exception as error:  # a thread has nobody else to tell; what a bug says may hold anything
        push.error = f"A bug ended it: {type(error).__name__}."
    finally:
        push.finished = True


def pushes() -> Pushes:
    """The registry of this visitor's workspace."""
    return _pushes(workspace())


@st.cache_resource(show_spinner=False)
def _pushes(space: Workspace) -> Pushes:
    return Pushes()
