"""Data: make a data set, look at the ones there are."""

import streamlit as st

from medgan.ui import data
from medgan.ui.components import heading

heading("Data", "Images in, a data set out: cropped square, one size, a part held out for judging.")
with st.container(border=True):
    data.new_dataset()
st.subheader("Your data sets")
data.existing_datasets()
