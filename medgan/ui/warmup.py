"""What the server does while nobody has asked for anything yet."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from medgan.ui.session import workspace
from medgan.ui.uploads import delete_stale

TABLES_AND_CHARTS = ("numpy", "pandas", "plotly.graph_objects", "PIL.Image")
"""Imported ahead, since tables and charts need them; torch waits until a model is opened."""

PATIENCE = 5.0
"""Seconds to wait first: the browser that opens now must not wait for imports that it does not need yet."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start it in the background as the server comes up."""
    threading.Thread(target=_prepare, name="warm-up", daemon=True).start()
    yield


def _prepare() -> None:
    print(f"MedGAN is at http://localhost:{st.get_option('server.port')}", flush=True)
    time.sleep(PATIENCE)
    delete_stale(workspace())
    for name in TABLES_AND_CHARTS:
        importlib.import_module(name)
