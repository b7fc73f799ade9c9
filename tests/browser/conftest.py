"""The dashboard on a free port in a fresh workspace, and a Chromium that is on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong


@dataclass
class Server:
    """A running dashboard."""

    url: str
    workspace: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """An installed Chromium; without one the tests skip, or fail where one is required (CI)."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = "no Chromium or Chrome is installed (Debian: apt-get install chromium)"
        if os.environ.get("MEDGAN_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """`streamlit run app.py` as a user starts it, nothing opened yet."""
    server = start(tmp_path / "workspace")
    yield server
    stop(server)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new browser window without cookies or cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def start(workspace: Path) -> Server:
    """Start a dashboard over `workspace` and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MEDGAN_HOME": str(workspace)}
    if (SHARED / "torch_home").is_dir():
        environment["TORCH_HOME"] = str(SHARED / "torch_home")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port), "--server.fileWatcherType", "none"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    server = Server(f"http://127.0.0.1:{port}", workspace, process)
    _wait_until_healthy(server)
    return server


def stop(server: Server) -> None:
    """End the server (not the trainings that it started)."""
    server.process.terminate()
    try:
        server.process.wait(15)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _wait_until_healthy(server: Server, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError((server.workspace / "server.log").read_text())
