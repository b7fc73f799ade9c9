"""Pulls from the Hub, in the background."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.session import workspace
from medgan.ui.transfers import Transfer, Transfers
from medgan.workspace import Workspace


@dataclass
class Pull(Transfer):
    """One pull."""

    revision: str | None = None


class Pulls(Transfers[Pull]):
    """The pulls into one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace

    def start(self, repo: str, revision: str | None) -> Pull:
        """Begin to pull; one that is under way for the same repository is returned instead."""
        return self.begin(Pull(repo, revision=revision), self._run)

    def _run(self, pull: Pull) -> None:
        from medgan.hub.transfer import pull as fetch

        try:
            fetch(
                pull.repo,
                self.workspace,
                revision=pull.revision,
                progress=pull.advance,
                cancelled=pull.cancel.is_set,
            )
        except MedGANError as error:
            pull.error = str(error)
        except Exception as error:  # a thread has nobody else to tell
            pull.error = f"A bug ended it: {type(error).__name__}: {error}"


def pulls() -> Pulls:
    """The registry of this visitor's workspace."""
    return _pulls(workspace())


@st.cache_resource(show_spinner=False)
def _pulls(space: Workspace) -> Pulls:
    return Pulls(space)
