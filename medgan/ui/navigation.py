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
    "studies": ("Studies", ":material/science:"),
    "blind_test": ("Blind test", ":material/visibility:"),
    "models": ("Models", ":material/inventory_2:"),
}


def link(name: str, label: str | None = None, **chosen: str) -> None:
    """A link to a page, with what is `chosen` there by the keys of its widgets: `model="tiny"`."""
    title, icon = PAGES[name]
    st.page_link(_path(name), label=label or title, icon=icon, query_params=chosen or None)


def run_chosen_page(icon: str) -> None:
    """Show the menu and run the page that is chosen; `icon` is the file of the browser tab's icon."""
    pages = [
        st.Page(_path(name), title=title, icon=symbol, default=name == "home")
        for name, (title, symbol) in PAGES.items()
    ]
    # Before the menu, or the browser would fetch the page's symbol from the internet as the tab's icon.
    st.set_page_config(page_title="MedGAN", page_icon=icon, layout="wide")
    page = st.navigation(pages)
    if page.title != "Home":
        st.set_page_config(page_title=f"{page.title} · MedGAN")
    page.run()


def _path(name: str) -> Path:
    return FOLDER / f"{name}.py"
