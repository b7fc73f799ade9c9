"""Models: what there is, and pulling more from the Hub."""

import streamlit as st

from medgan.ui import models
from medgan.ui.components import heading

heading("Models", "What ships with MedGAN, what was trained here, and what you pulled from the Hub.")
models.shelves()
st.subheader("Pull from the Hub")
models.pull_form()
