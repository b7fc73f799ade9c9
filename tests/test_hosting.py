"""The container: what it is built of is there, and its command brings the dashboard up. No Docker is needed:
the same steps are done in a copy of its context."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from medgan.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its text, continued lines joined, comments left away."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()
    ]


def environment() -> dict[str, str]:
    """What its ENV sets."""
    pairs = [
        pair.split("=", 1) for name, text in instructions() if name == "ENV" for pair in shlex.split(text)
    ]
    return dict(pairs)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    assert main(["space", "--out", str(tmp_path / "space"), "--title", "Moles: a trial"]) == 0
    return tmp_path / "space"


def test_the_image_is_pinned_small_and_not_roots() -> None:
    given = instructions()
    [base] = [text for name, text in given if name == "FROM"]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base)
    order = [name for name, _ in given]
    assert order.index("USER") < order.index("CMD")
    assert dict(given)["USER"] == "user"
    assert any("--uid 1000" in text for name, text in given if name == "RUN")
    assert ("ARG", "TORCH=cpu") in given
    assert dict(given)["EXPOSE"] == environment()["STREAMLIT_SERVER_PORT"] == "7860"


def test_a_space_holds_all_that_is_copied_and_says_how_it_is_served(context: Path) -> None:
    for name, text in instructions():
        if name == "COPY":
            source = next(part for part in text.split() if not part.startswith("--"))
            assert (context / source).exists(), source
    front = (context / "README.md").read_text().split("---")[1]
    assert "sdk: docker" in front and "app_port: 7860" in front
    assert "title: Moles a trial" in front
    allowed = [
        line[1:] for line in (context / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    assert all((context / name).exists() for name in allowed)
    assert not list(context.rglob("__pycache__")) and not list(context.rglob("discriminator.safetensors"))
    assert list(context.glob("checkpoints/*/samples.png"))


def test_a_folder_with_something_in_it_is_left_alone(context: Path) -> None:
    before = sorted(context.iterdir())
    assert main(["space", "--out", str(context)]) == 2
    assert sorted(context.iterdir()) == before


def test_its_command_brings_the_dashboard_up_from_a_copy(context: Path, tmp_path: Path) -> None:
    """With the packages of this environment: that the pins can be installed is what making it has shown."""
    [command] = [json.loads(text) for name, text in instructions() if name == "CMD"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for folder in ("home", "workspace"):
        (tmp_path / folder).mkdir()
    given = environment() | {
        "HOME": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "home" / "hf"),
        "MEDGAN_HOME": str(tmp_path / "workspace"),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_HEADLESS": "true",
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=context, env={"PATH": path} | given, stdout=log, stderr=log)
    try:
        assert _answers(f"http://127.0.0.1:{port}/_stcore/health", process), (tmp_path / "log").read_text()
        assert _answers(f"http://127.0.0.1:{port}/exports/none.zip", process, status=404)
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str, process: subprocess.Popen[bytes], status: int = 200) -> bool:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == status)
        except urllib.error.HTTPError as error:
            return error.code == status
        except OSError:
            time.sleep(0.3)
    return False
