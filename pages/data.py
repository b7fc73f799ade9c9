"""Data: make a data set, look at the ones there are."""

import streamlit as st

from medgan.ui import data, new_data
from medgan.ui.components import heading

heading("Data", "Images in, a data set out: checked, cropped square, and divided so that nothing leaks.")
with st.container(border=True):
    new_data.new_dataset()
st.subheader("Your data sets")
data.existing_datasets()
