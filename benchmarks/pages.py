"""How fast the pages are: `python -m benchmarks.pages`.

First paint: a fresh server and a fresh browser for each measurement, from the request to the page's heading
on screen. Clicks: while a training of preset `demo` runs in the background, from the click to the answer.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.runs.record import Run
from medgan.training.devices import usable_cores
from medgan.ui.jobs import Jobs
from medgan.workspace import Workspace
from tests.browser.conftest import ARGUMENTS, NAMES, Server, start, stop

PAGES = ("", "data", "train", "generate", "evaluate", "models")
ROUNDS = 3


def main() -> None:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        sys.exit("This benchmark needs Chromium or Chrome (Debian: apt-get install chromium).")
    print(f"{usable_cores()} cores")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        workspace = Workspace(Path(folder))
        images, labels = draw_set("chest-ct", 100)
        data = store(images, labels, workspace.datasets / "phantoms", name="phantoms")
        for page in PAGES:
            report(f"first paint of /{page}", [first_paint(browser, workspace, page) for _ in range(ROUNDS)])
        run = Jobs(workspace).train(
            data.folder, "demo", name="bench", goal={"iterations": 100_000}, changes={}
        )
        wait(lambda: bool(run.events()))
        server = start(workspace.root)
        try:
            clicks(browser, server)
        finally:
            stop(server)
            end(run)
        browser.close()


def first_paint(browser: Browser, workspace: Workspace, path: str) -> float:
    server = start(workspace.root)
    context = browser.new_context()
    try:
        page = context.new_page()
        begin = time.perf_counter()
        page.goto(f"{server.url}/{path}")
        page.get_by_role("heading", level=1).wait_for()
        return time.perf_counter() - begin
    finally:
        context.close()
        stop(server)


def clicks(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}/train")
    page.get_by_text("Training.", exact=True).wait_for(timeout=60_000)
    time.sleep(20)  # the server's own imports are over by then (medgan/ui/warmup.py)
    presets = [("The paper's SNGAN", "1,000 steps of 16"), ("Small and quick", "1,500 steps of 16")]
    times = []
    for _ in range(ROUNDS):
        for label, answer in presets:
            option = page.get_by_test_id("stRadio").get_by_text(label)
            times.append(timed(lambda o=option, a=answer: answered(o.click, page, a)))  # type: ignore[misc]
    report("click on a preset while training", times)
    times = []
    for _ in range(ROUNDS):
        for name in ("Models", "Data", "Train"):
            link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=name)
            times.append(timed(lambda k=link, n=name: opened(k.click, page, n)))  # type: ignore[misc]
    report("click on a page while training", times)


def answered(click: Callable[[], None], page: Page, text: str) -> None:
    click()
    page.get_by_text(text).wait_for()


def opened(click: Callable[[], None], page: Page, title: str) -> None:
    click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)


def timed(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def report(what: str, seconds: list[float]) -> None:
    print(f"{what:40} median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s", flush=True)


def wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            sys.exit("The training did not start; see log.txt in its run folder.")
        time.sleep(0.5)


def end(run: Run) -> None:
    run.request_stop()
    wait(lambda: not run.status().alive)


if __name__ == "__main__":
    main()
