"""A training that is killed wherever it is, and resumed, equals the uninterrupted one bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL and fork")
def test_twenty_kills_at_random_moments_and_inside_of_saves_change_nothing() -> None:
    # A process of its own: PyTorch is imported once there, and each trial is a fork of it.
    command = [sys.executable, "-m", "benchmarks.kill", "--kills", "20", "--iterations", "40"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == {"kills": 20, "differences": 0}
