"""Generate: pick a model, move the seed, pin what you like, take checked images with you."""

import streamlit as st

from medgan.ui import generate, generate_export, generate_pins
from medgan.ui.components import heading

heading("Generate", "Pick a model and move the seed: every seed is one image, always the same.")
chosen = generate.explore()
if chosen:
    generate_pins.pins(chosen)
    with st.container(border=True):
        st.subheader("Take images with you")
        generate_export.new_export(chosen)
    generate_export.exports()
