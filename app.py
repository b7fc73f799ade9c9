"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from medgan.ui.routes import ROUTES
from medgan.ui.warmup import lifespan

app = st.App("medgan/ui/main.py", lifespan=lifespan, routes=ROUTES)
