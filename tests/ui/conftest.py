"""What all tests of pages share."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from medgan.workspace import Workspace


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return Workspace(workspace)
