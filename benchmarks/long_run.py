"""A long training while somebody clicks through all pages: `python -m benchmarks.long_run DATASET`.

A fresh dashboard; a training of `--minutes` is started on its Train page; until it ends, a browser goes from
page to page, asks for samples, moves sliders. Printed: how long the clicks took, what server and training
held in memory, how quickly it trained, and whether any page ever showed an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from benchmarks.pages import opened, timed
from medgan.runs.record import FINISHED, Run
from tests.browser.conftest import ARGUMENTS, NAMES, Server, start, stop

PAGES = ("Home", "Data", "Train", "Generate", "Evaluate", "Models")
TITLES = {"Home": "MedGAN"}
THINK = 3.0
"""Seconds that the visitor looks at a page before the next click."""


@dataclass
class Seen:
    """What was seen so far: seconds of the clicks by what was clicked, and one row a round."""

    clicks: dict[str, list[float]] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def click(self, what: str, action: Callable[[], None], page: Page) -> None:
        """Do and time `action`; an error on the page is written down, not raised."""
        try:
            self.clicks.setdefault(what, []).append(timed(action))
        except Exception as error:
            self.errors.append(f"{what}: {str(error).splitlines()[0]}")
        for name in ("stException", "stConnectionStatus"):
            if page.get_by_test_id(name).count():
                self.errors.append(f"{what}: {page.get_by_test_id(name).first.inner_text()[:200]}")


def main() -> None:
    options = arguments()
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        sys.exit("This benchmark needs Chromium or Chrome (Debian: apt-get install chromium).")
    workspace = options.out.resolve() / "workspace"
    workspace.mkdir(parents=True)
    shutil.copytree(options.dataset, workspace / "datasets" / options.dataset.name)
    server = start(workspace)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            seen = walk(browser, server, options)
        finally:
            stop(server)
            browser.close()
    (options.out / "seen.json").write_text(json.dumps(vars(seen), indent=1), "utf-8")
    tell(seen)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="a prepared data set")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for workspace and pictures")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--preset", default="paper", choices=("paper", "demo"))
    return parser.parse_args()


def walk(browser: Browser, server: Server, options: argparse.Namespace) -> Seen:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{server.url}/train")
    run = begin(page, server, options)
    seen, begun = Seen(), time.monotonic()
    while run.status().alive and time.monotonic() - begun < 60 * options.minutes * 3 + 600:
        visit(page, seen, run)
        seen.rounds.append(measure(server, run, time.monotonic() - begun))
        if len(seen.rounds) % 10 == 1:
            print(json.dumps(seen.rounds[-1]), flush=True)
    opened(menu(page, "Train").click, page, "Train")
    page.get_by_text("Finished.", exact=True).wait_for()
    page.wait_for_timeout(5000)
    page.screenshot(path=options.out / "end.png", full_page=True)
    status = run.status()
    if status.state != FINISHED:
        seen.errors.append(f"the training ended {status.state}: {status.message}")
    return seen


def begin(page: Page, server: Server, options: argparse.Namespace) -> Run:
    """Start the training on the page, as a person does."""
    label = {"paper": "The paper's SNGAN", "demo": "Small and quick"}[options.preset]
    page.get_by_test_id("stRadio").get_by_text(label).click()
    page.get_by_test_id("stButtonGroup").get_by_text("Minutes").click()
    minutes = page.get_by_test_id("stNumberInput").filter(has_text="Minutes").get_by_role("spinbutton")
    minutes.fill(str(options.minutes))
    minutes.press("Enter")
    page.get_by_text(f"Trains for {options.minutes:g} minutes").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Training.", exact=True).wait_for(timeout=120_000)
    [folder] = (server.workspace / "runs").iterdir()
    return Run(folder)


def menu(page: Page, name: str) -> Locator:
    return page.get_by_test_id("stSidebarNav").get_by_role("link", name=name)


def visit(page: Page, seen: Seen, run: Run) -> None:
    """Once through all pages, with what one does there."""
    for name in PAGES:
        title = TITLES.get(name, name)
        seen.click(f"page {name}", partial(opened, menu(page, name).click, page, title), page)
        page.wait_for_timeout(1000 * THINK)
        if name == "Train" and run.status().alive:
            seen.click("sample now", lambda: asked(page), page)
            seen.click("samples back in time", lambda: slid(page, "stSlider"), page)
        if name == "Generate":
            seen.click("next seed", lambda: slid(page, "stSlider"), page)
        page.wait_for_timeout(1000 * THINK)


def asked(page: Page) -> None:
    page.get_by_role("button", name="Sample now").click()
    page.get_by_text("New samples are drawn.").first.wait_for()


def slid(page: Page, kind: str) -> None:
    """One step left on the page's slider, or right where it stands at its beginning, and the answer."""
    thumb = page.get_by_test_id(kind).get_by_role("slider").first
    before = thumb.get_attribute("aria-valuenow")
    thumb.press(
        "ArrowLeft" if float(before or 0) > float(thumb.get_attribute("aria-valuemin") or 0) else "ArrowRight"
    )
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def measure(server: Server, run: Run, seconds: float) -> dict[str, float]:
    status = run.status()
    try:
        training = psutil.Process(status.pid).memory_info().rss / 1e6
    except psutil.Error:
        training = 0.0
    return {
        "seconds": round(seconds, 1),
        "step": status.step,
        "images_per_second": status.images_per_second or 0.0,
        "server_mb": round(psutil.Process(server.process.pid).memory_info().rss / 1e6, 1),
        "training_mb": round(training, 1),
        "run_folder_mb": round(sum(f.stat().st_size for f in run.folder.rglob("*") if f.is_file()) / 1e6, 1),
    }


def tell(seen: Seen) -> None:
    for what, seconds in seen.clicks.items():
        print(
            f"{what:24} {len(seconds):4} times, median {statistics.median(seconds):.2f} s, "
            f"worst {max(seconds):.2f} s"
        )
    first, last = seen.rounds[min(2, len(seen.rounds) - 1)], seen.rounds[-1]
    for name in first:
        print(f"{name:24} {first[name]:10,.1f} in round 3, {last[name]:10,.1f} at the end")
    print(f"errors on a page: {len(seen.errors)}", *seen.errors[:20], sep="\n")


if __name__ == "__main__":
    main()
