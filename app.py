"""The dashboard: `streamlit run app.py`."""

import streamlit as st

app = st.App("medgan/ui/main.py")
