"""Generate: pick a model, move the seed, take the images with you."""

import streamlit as st

from medgan.ui import generate
from medgan.ui.components import heading

heading("Generate", "Pick a model and move the seed: every seed is one image, always the same.")
chosen = generate.explore()
if chosen:
    with st.container(border=True):
        st.subheader("Download")
        generate.download(*chosen)
