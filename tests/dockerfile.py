"""Reads a Dockerfile as far as ours goes, and a .dockerignore: for tests where there is no Docker."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


@dataclass
class Stage:
    """One image: what it starts from, and its instructions in order."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        return [text for name, text in self.steps if name == instruction][-1]

    def copies(self) -> list[tuple[list[str], str]]:
        """(sources, target) of what comes from the context."""
        words = [text.split() for name, text in self.steps if name == "COPY"]
        return [(w[:-1], w[-1]) for w in words if not w[0].startswith("--from")]

    def environment(self) -> dict[str, str]:
        pairs = [pair for name, text in self.steps if name == "ENV" for pair in shlex.split(text)]
        return dict(pair.split("=", 1) for pair in pairs)

    def command(self) -> list[str]:
        return list(json.loads(self.last("CMD")))


def read(path: Path) -> list[Stage]:
    """The stages; the last one is the image."""
    kept = [line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", "\n".join(kept)).splitlines():
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            stages.append(Stage(text.split()[0]))
        elif name:
            stages[-1].steps.append((name, text.strip()))
    return stages


def ignored(path: str, rules: list[str]) -> bool:
    """Whether Docker leaves this path of the context out: the last rule that matches it, or a folder that it
    is in, decides."""
    parts = path.split("/")
    above = ["/".join(parts[: k + 1]) for k in range(len(parts))]
    left_out = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if any(fnmatch(name, pattern) or fnmatch(f"./{name}", pattern.replace("**", "*")) for name in above):
            left_out = not rule.startswith("!")
    return left_out
