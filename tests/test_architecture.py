"""The shape of the project: who imports whom, what stays light, and what is pinned."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PINS = ("requirements.txt", "requirements-dev.txt")


def pinned() -> dict[str, str]:
    """Package to version, of both files of pins."""
    lines = [line for name in PINS for line in (ROOT / name).read_text("utf-8").splitlines()]
    requirements = [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]
    return {r.name.lower(): next(iter(r.specifier)).version for r in requirements}


def test_rooms_import_downwards_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "modules",
    [
        "medgan.cli",
        "medgan.config, medgan.images, medgan.workspace, medgan.data.dataset, medgan.runs.record",
    ],
)
def test_what_every_page_and_command_needs_does_not_import_torch(modules: str) -> None:
    # torch costs seconds, and the first paint of a page shall not wait for it.
    code = f"import sys, {modules}; print([m for m in ('torch', 'streamlit', 'scipy') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    versions = pinned()
    for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]:
        requirement = Requirement(line)
        assert requirement.name in versions, f"{requirement.name} is not pinned; run `make pins`"
        assert requirement.specifier.contains(versions[requirement.name]), line


@pytest.mark.parametrize("name", PINS)
def test_pins_are_exact_and_name_no_place_to_download_from(name: str) -> None:
    for line in (ROOT / name).read_text("utf-8").splitlines():
        assert "://" not in line
        assert re.match(r"#|-r requirements\.txt$|[a-z0-9-]+==[^ ]+( ; .+)?$", line), line
