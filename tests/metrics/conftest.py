"""Weights files that are made once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for `stock_path` and `use_stock`."""
    return tmp_path_factory.mktemp("stock")
