"""Studies: do synthetic images help a classifier? Start one, follow it, see what came of it."""

import streamlit as st

from medgan.ui import study_start, study_watch
from medgan.ui.components import heading

heading("Studies", "Do synthetic images help a classifier? A long trial that you can leave alone and cancel.")
with st.container(border=True):
    study_start.new_study()
st.subheader("Study")
study_watch.studies()
