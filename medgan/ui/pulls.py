"""Pulls from the Hub, in the background. A token is handed to the thread, and kept in no object here."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from medgan.errors import MedGANError
from medgan.ui.session import hosted, workspace
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

    def start(self, repo: str, revision: str | None, token: str) -> Pull:
        """Begin to pull; RunError where one of the same repository is under way."""
        login = not hosted()
        return self.begin(Pull(repo, revision=revision), lambda pull: self._run(pull, token, login))

    def _run(self, pull: Pull, token: str, login: bool) -> None:
        from medgan.hub.transfer import pull as fetch

        try:
            fetch(
                pull.repo,
                self.workspace,
                revision=pull.revision,
                token=token,
                login=login,
                progress=pull.advance,
                cancelled=pull.cancel.is_set,
            )
        except MedGANError as error:
            pull.error = str(error)
        except Exception as error:  # a thread has nobody else to tell; what a bug says may hold anything
            pull.error = f"A bug ended it: {type(error).__name__}."


def pulls() -> Pulls:
    """The registry of this visitor's workspace."""
    return _pulls(workspace())


@st.cache_resource(show_spinner=False)
def _pulls(space: Workspace) -> Pulls:
    return Pulls(space)
