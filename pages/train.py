"""Train: start a run and watch it."""

import streamlit as st

from medgan.ui import train
from medgan.ui.components import heading

heading("Train", "Training runs in the background: close the tab, come back, it is still there.")
with st.container(border=True):
    st.subheader("New run")
    train.new_run()
st.subheader("Watch")
train.watch()
train.compare_runs()
