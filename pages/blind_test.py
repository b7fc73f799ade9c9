"""Blind test: single images, real or generated, and how often a person is right."""

import streamlit as st

from medgan.ui import quiz
from medgan.ui.components import heading

heading("Blind test", "Real or generated? One image at a time; how you did is told at the end.")
current = quiz.current()
if current is None:
    with st.container(border=True):
        quiz.new_quiz()
    quiz.earlier()
elif current.ended:
    quiz.result(current)
else:
    quiz.ask(current)
