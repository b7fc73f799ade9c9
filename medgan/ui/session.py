"""What belongs to the visitor: the workspace that a page works in, and what was chosen on it.

This is the one place to ask for a workspace, so that a hosted dashboard can later give each one of their own.
"""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

from medgan.workspace import Workspace


def workspace() -> Workspace:
    """The workspace of the visitor whose page is being run."""
    return Workspace.default()


def hosted() -> bool:
    """Whether strangers share this server. They must not see its disk or each other's uploads, and never go
    by its name at the Hub."""
    return bool(os.environ.get("SPACE_ID") or os.environ.get("MEDGAN_HOSTED"))


def suggest(key: str, value: Any) -> None:
    """Let the widget with this key show `value`, also when it changes with other choices, until somebody sets
    it."""
    before = f"{key}-suggested"
    if st.session_state.get(key) in (None, st.session_state.get(before)):
        st.session_state[key] = value
    st.session_state[before] = value
