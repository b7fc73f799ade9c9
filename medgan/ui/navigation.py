"""The pages and links between them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parents[2] / "pages"
PAGES = {
    "home": ("Home", ":material/home:"),
    "data": ("Data", ":material/photo_library:"),
    "train": ("Train", ":material/model_training:"),
    "generate": ("Generate", ":material/auto_awesome:"),
    "evaluate": ("Evaluate", ":material/fact_check:"),
    "models": ("Models", ":material/inventory_2:"),
}


def link(name: str, label: str | None = None, *, model: str | None = None) -> None:
    """A link to a page, with a model chosen there if one is given."""
    title, icon = PAGES[name]
    query = {"model": model} if model else None
    st.page_link(_path(name), label=label or title, icon=icon, query_params=query)


def run_chosen_page() -> None:
    """Show the menu and run the page that is chosen."""
    pages = [
        st.Page(_path(name), title=title, icon=icon, default=name == "home")
        for name, (title, icon) in PAGES.items()
    ]
    st.navigation(pages).run()


def _path(name: str) -> Path:
    return FOLDER / f"{name}.py"
