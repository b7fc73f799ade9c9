"""Pushes to the Hub, in the background. A token is handed to the thread, and kept in no object here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.outgoing import Outgoing
from medgan.ui.session import workspace
from medgan.ui.transfers import Transfer, Transfers
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from medgan.hub.push import Pushed, Wish


@dataclass
class Push(Transfer):
    """One push of `name`, a model or images that one made."""

    name: str = ""
    pushed: Pushed | None = None


class Pushes(Transfers[Push]):
    """The pushes from one workspace."""

    def start(self, outgoing: Outgoing, repo: str, wish: Wish, token: str) -> Push:
        """Begin to push; RunError where one to the same repository is under way."""
        shown = f"datasets/{repo}" if outgoing.images else repo
        return self.begin(
            Push(shown, name=outgoing.name), lambda push: _run(push, outgoing.source, repo, wish, token)
        )


def _run(push: Push, source: Path, repo: str, wish: Wish, token: str) -> None:
    from medgan.hub.push import push as send

    try:
        push.pushed = send(
            source, repo, wish, token=token, progress=push.advance, cancelled=push.cancel.is_set
        )
    except (MedGANError, OSError) as error:
        push.error = str(error)
    except Exception as error:  # a thread has nobody else to tell; what a bug says may hold anything
        push.error = f"A bug ended it: {type(error).__name__}."


def pushes() -> Pushes:
    """The registry of this visitor's workspace."""
    return _pushes(workspace())


@st.cache_resource(show_spinner=False)
def _pushes(space: Workspace) -> Pushes:
    return Pushes()
