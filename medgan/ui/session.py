"""Whose workspace a page works in: the one place to ask, so that a hosted dashboard can later give each
visitor one of their own."""

from __future__ import annotations

from medgan.workspace import Workspace


def workspace() -> Workspace:
    """The workspace of the visitor whose page is being run."""
    return Workspace.default()
