"""Train: start a run, watch it, steer it, compare it."""

import streamlit as st

from medgan.ui import train, train_runs, train_start
from medgan.ui.components import heading

heading("Train", "Training runs in the background: close the tab, come back, it is still there.")
with st.container(border=True):
    st.subheader("New run")
    train_start.new_run()
train_runs.waiting()
st.subheader("Watch")
train.watch()
train_runs.all_runs()
train_runs.compare()
