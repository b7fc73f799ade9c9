"""What every page shares. Streamlit runs this file for each page."""

from pathlib import Path

from medgan.ui.navigation import run_chosen_page

# An own file: an icon by name would be fetched from the internet.
ICON = str(Path(__file__).resolve().parent / "assets" / "icon.svg")

run_chosen_page(ICON)
