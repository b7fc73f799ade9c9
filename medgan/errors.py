"""Every error that a person can cause or mend.

    MedGANError                 one clear sentence: what is wrong and what to do
    ├── ConfigError             a setting or preset that does not exist or cannot be
    ├── DataError               images or a data set that cannot be used
    ├── RunError                a run folder that is missing, busy or broken
    ├── CheckpointError         weights that are missing, cut short or of another shape
    ├── MetricError             a figure that cannot be computed from what there is
    ├── HubError                a download, an upload or a job that did not succeed
    └── Interrupted             the person stopped it; what was learned is saved

Anything else that is raised is a bug, and shows as a traceback.
"""

from __future__ import annotations


class MedGANError(Exception):
    """Base of all errors that carry a sentence for the user."""


class ConfigError(MedGANError):
    """A setting that does not exist or has an impossible value."""


class DataError(MedGANError):
    """Images or a data set that cannot be used."""


class RunError(MedGANError):
    """A run folder that is missing, busy or broken."""


class CheckpointError(MedGANError):
    """Weights that are missing, cut short or of another shape."""


class MetricError(MedGANError):
    """A figure that cannot be computed from what there is."""


class HubError(MedGANError):
    """A download, an upload or a job that did not succeed."""


class Interrupted(MedGANError):
    """Stopped by the user (Ctrl-C or a signal) after everything was saved."""
