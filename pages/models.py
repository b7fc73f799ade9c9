"""Models: what there is, pulling more from the Hub, and putting one there."""

import streamlit as st

from medgan.ui import models, push
from medgan.ui.components import heading

heading("Models", "What ships with MedGAN, what was trained here, and what you pulled from the Hub.")
models.shelves()
st.subheader("Pull from the Hub")
models.pull_form()
st.subheader("Push to the Hub")
push.push_form()
