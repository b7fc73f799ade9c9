"""Trainings that are done elsewhere: what an engine needs, a job there, and following it from here."""
