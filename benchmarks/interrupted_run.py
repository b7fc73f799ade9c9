"""A training that everything happens to, and its curve: `python -m benchmarks.interrupted_run DATASET`.

Started on the Train page, paused there, tab closed, server killed and started again, resumed from the command
line, its own process killed, resumed from the command line again, watched to its end in a new tab. Printed:
whether the curve is one unbroken line. Pictures of the page go to `--out`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from medgan.presets import PRESETS
from medgan.runs.record import FINISHED, INTERRUPTED, PAUSED, Run
from tests.browser.conftest import ARGUMENTS, NAMES, ROOT, Server, start, stop

PATIENCE = 4 * 3600.0
LONG = 120_000
"""Milliseconds; a busy machine imports torch slowly."""


def main() -> None:
    options = arguments()
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        sys.exit("This benchmark needs Chromium or Chrome (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        run = walk(browser, options)
        browser.close()
    problem = break_in_curve(run)
    print(problem or f"one unbroken curve of {len(curve(run))} points up to step {run.status().step:,}")
    sys.exit(bool(problem))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="a prepared data set")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for workspace and pictures")
    parser.add_argument("--preset", default="paper", choices=tuple(PRESETS))
    parser.add_argument("--iterations", type=int, help="default: the preset's")
    return parser.parse_args()


def walk(browser: Browser, options: argparse.Namespace) -> Run:
    workspace = options.out.resolve() / "workspace"
    workspace.mkdir(parents=True)
    shutil.copytree(options.dataset, workspace / "datasets" / options.dataset.name)
    server = start(workspace)
    page = new_page(browser, server)
    begin(page, options)
    [folder] = (workspace / "runs").iterdir()
    run = Run(folder)
    wait(lambda: share(run) > 0.15)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("Paused; everything learned is saved.").wait_for()
    tell(run, "paused on the page")
    page.screenshot(path=options.out / "paused.png", full_page=True)
    page.close()
    server.process.kill()
    server.process.wait()
    server = start(workspace)
    try:
        command(workspace, "resume", run)
        tell(run, "server killed and started again; resumed from the command line")
        wait(lambda: share(run) > 0.5 and run.latest() is not None)
        tell(run, "its process is killed")
        psutil.Process(run.status().pid).kill()
        wait(lambda: run.status().state == INTERRUPTED)
        command(workspace, "resume", run)
        tell(run, "resumed from the command line")
        page = new_page(browser, server)
        wait(lambda: run.status().state == FINISHED)
        page.get_by_text("Finished.", exact=True).wait_for()
        page.wait_for_timeout(5000)
        page.screenshot(path=options.out / "finished.png", full_page=True)
        tell(run, "finished, seen in a new tab")
    finally:
        stop(server)
    return run


def new_page(browser: Browser, server: Server) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(LONG)
    page.goto(f"{server.url}/train")
    page.get_by_role("heading", level=1).wait_for()
    return page


def begin(page: Page, options: argparse.Namespace) -> None:
    page.get_by_test_id("stRadio").get_by_text(PRESETS[options.preset].title).click()
    if options.iterations:
        field = page.get_by_test_id("stNumberInput").filter(has_text="Iterations").get_by_role("spinbutton")
        field.fill(str(options.iterations))
        field.press("Enter")
        page.get_by_text(f"{options.iterations:,} steps of").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Training.", exact=True).wait_for()


def command(workspace: Path, action: str, run: Run) -> None:
    environment = os.environ | {"MEDGAN_HOME": str(workspace)}
    subprocess.run(
        [sys.executable, "-m", "medgan", "runs", action, run.name], cwd=ROOT, env=environment, check=True
    )


def share(run: Run) -> float:
    status = run.status()
    if status.state not in (FINISHED, PAUSED, INTERRUPTED) and not status.alive:
        sys.exit(f"The training ended {status.state}: {status.message}")
    return status.progress


def tell(run: Run, what: str) -> None:
    status = run.status()
    print(f"step {status.step:6,} of {status.iterations:,}, {status.seconds:8,.0f} s: {what}", flush=True)


def wait(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > limit:
            sys.exit("It took too long; see log.txt in the run folder.")
        time.sleep(0.2)


def curve(run: Run) -> list[int]:
    """The steps of the points of the loss curve."""
    return [int(event["step"]) for event in run.events() if "loss_d" in event]


def break_in_curve(run: Run) -> str:
    """What is wrong with the curve; empty if it is one line, a point every so many steps."""
    steps, every, last = curve(run), int(run.config()["train"]["log_every"]), run.status().step
    expected = [*range(every, last, every), last]
    if steps == expected:
        return ""
    missing, twice = sorted(set(expected) - set(steps)), [s for s in steps if steps.count(s) > 1]
    return f"the curve is broken: missing {missing[:10]}, twice {twice[:10]}, or out of order"


if __name__ == "__main__":
    main()
