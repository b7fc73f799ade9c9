"""What the server does while nobody has asked for anything yet."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from medgan.files import sweep
from medgan.ui.session import workspace
from medgan.ui.uploads import delete_stale

AT_ONCE = "medgan.ui.home"
"""Imported while the browser still loads its own part: samples show half a second sooner."""

AHEAD = (
    "pandas",
    "plotly.graph_objects",
    "medgan.ui.data",
    "medgan.ui.new_data",
    "medgan.ui.train",
    "medgan.ui.train_start",
    "medgan.ui.generate",
    "medgan.ui.evaluate",
    "medgan.ui.models",
)
"""Imported ahead, so that no click waits for them; torch waits until a model is opened."""

PATIENCE = 5.0
"""Seconds to wait first: the browser that opens now must not wait for imports that it does not need yet."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start it in the background as the server comes up."""
    threading.Thread(target=_prepare, name="warm-up", daemon=True).start()
    yield


def _prepare() -> None:
    print(f"MedGAN is at http://localhost:{st.get_option('server.port')}", flush=True)
    importlib.import_module(AT_ONCE)
    time.sleep(PATIENCE)
    delete_stale(workspace())
    sweep(workspace().datasets)
    for name in AHEAD:
        importlib.import_module(name)
