"""Fixtures for every test: a workspace of its own, and the real images where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("MEDGAN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test gets an empty workspace; none touches the user's."""
    root = tmp_path_factory.mktemp("workspace")
    monkeypatch.setenv("MEDGAN_HOME", str(root))
    monkeypatch.setenv("MEDGAN_LOCKS", str(root / "device-locks"))
    return root


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; skips where it is missing (they are never committed)."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real images in {folder}")
    return folder
