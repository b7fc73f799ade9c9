"""Pulls from the Hub and pushes to it, each in a thread of its own, so that the page stays quick and a
refresh loses nothing. The thread never touches Streamlit; it only updates its `Transfer`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import streamlit as st

from medgan.errors import RunError
from medgan.ui.session import hosted

KEPT = 9
"""Earlier ones that stay on the list beside a new one."""


@dataclass
class Transfer:
    """One pull or push: how far it is, and how it ended."""

    repo: str
    done: int = 0
    total: int = 0
    finished: bool = False
    error: str = ""
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def progress(self) -> float:
        """Share of the bytes that are there, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    def advance(self, done: int, total: int) -> None:
        """Called from its thread."""
        self.done, self.total = done, total


T = TypeVar("T", bound=Transfer)


class Transfers(Generic[T]):
    """Those of one kind on this server, newest last."""

    def __init__(self) -> None:
        self.all: list[T] = []
        self._lock = threading.Lock()

    def begin(self, transfer: T, work: Callable[[T], None]) -> T:
        """Let `work` do it in a thread; RunError where one with the same repository is under way, which may
        carry something else. `work` writes down its errors."""
        with self._lock:
            if any(other.repo == transfer.repo and not other.finished for other in self.all):
                raise RunError(f"A transfer with {transfer.repo} is under way; wait for it to end.")
            self.all = [*self.all[-KEPT:], transfer]

        def run() -> None:
            try:
                work(transfer)
            finally:
                transfer.finished = True

        threading.Thread(target=run, daemon=True, name=f"transfer {transfer.repo}").start()
        return transfer

    def forget(self, transfer: T) -> None:
        """Take a finished one off the list."""
        with self._lock:
            self.all = [other for other in self.all if other is not transfer]

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return any(not transfer.finished for transfer in self.all)


def ask_token(key: str, which: str) -> str:
    """A field for a token that serves one transfer, until `forget_token`; `which` says what kind it must
    be."""
    if hosted():
        otherwise = "Others share this server, so its own token is never used."
    else:
        otherwise = "Empty: that of `hf auth login`, or HF_TOKEN."
    words = f"{which} It is used once and kept nowhere. {otherwise}"
    return st.text_input("Token", type="password", key=f"{key}-{_times(key)}", help=words).strip()


def forget_token(key: str) -> None:
    """Empty the field, from the next run of the page on: what was typed was for one transfer."""
    st.session_state[f"times-{key}"] = _times(key) + 1


def _times(key: str) -> int:
    return int(st.session_state.get(f"times-{key}", 0))


def under_way(transfer: Transfer, words: str, key: str) -> bool:
    """Show how far it is, with Cancel; False, and nothing shown, where it has ended."""
    if transfer.finished:
        return False
    with st.container(horizontal=True, vertical_alignment="center"):
        size = (
            f"{transfer.done / 1e6:.1f} of {transfer.total / 1e6:.1f} MB"
            if transfer.total
            else "asking the Hub"
        )
        st.progress(transfer.progress, text=f"{words}: {size}")
        if st.button("Cancel", key=f"cancel_{key}"):
            transfer.cancel.set()
    return True


def dismissal(registry: Transfers[T], transfer: T, key: str) -> None:
    """The button that takes a finished one off the list."""
    if st.button("Dismiss", type="tertiary", key=f"dismiss_{key}"):
        registry.forget(transfer)
        st.rerun(scope="fragment")
