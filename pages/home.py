"""Home: what this is, samples at once, and the five stations."""

from medgan.ui import home

home.introduction()
home.at_work()
home.shipped_samples()
home.steps()
home.workspace_counts()
