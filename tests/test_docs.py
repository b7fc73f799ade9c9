"""What the docs point to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("checkpoints/*/README.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


def test_every_command_in_the_readme_exists() -> None:
    from medgan.cli import COMMANDS

    named = set(re.findall(r"python -m medgan ([\w-]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named == set(COMMANDS)


def test_every_limit_stands_in_the_docs_with_its_default() -> None:
    from medgan.data.limits import described, option

    page = (ROOT / "docs" / "data.md").read_text("utf-8")
    for name, (default, text) in described().items():
        assert f"| `{option(name)}` | {default:,} | {text} |" in page
