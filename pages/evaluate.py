"""Evaluate: judge a model against held-out images."""

import streamlit as st

from medgan.ui import evaluate
from medgan.ui.components import heading

heading("Evaluate", "How close the generated images come to real ones that the model never saw.")
with st.container(border=True):
    evaluate.new_evaluation()
st.subheader("Report")
evaluate.reports()
