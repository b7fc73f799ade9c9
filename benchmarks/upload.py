"""A ZIP of about 1,000 images and 100 MB on the Data page: `python -m benchmarks.upload`.

From the drop to the findings on screen, in a fresh server and browser; then once more with Cancel.
"""

from __future__ import annotations

import io
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.prepare import SHARED
from tests.browser.conftest import ARGUMENTS, NAMES, Server, start, stop

COUNT, BYTES = 1000, 100_000_000
ROUNDS = 3


def main() -> None:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        sys.exit("This benchmark needs Chromium or Chrome (Debian: apt-get install chromium).")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        archive = make(Path(folder) / "lesions.zip")
        with zipfile.ZipFile(archive) as opened:
            print(f"{len(opened.namelist()):,} JPEGs, {archive.stat().st_size / 1e6:.0f} MB")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        times, steps = [], []
        for k in range(ROUNDS):
            server = start(Path(folder) / f"workspace-{k}")
            seconds, seen = ready(browser, server, archive)
            times.append(seconds)
            steps.append(seen)
            if k == 0:
                print(f"Cancel: back within {cancelled(browser, server, archive):.1f} s")
            stop(server)
        print(
            f"findings on screen: median {statistics.median(times):.1f} s, worst {max(times):.1f} s; "
            f"the bar was seen at {min(steps)} places or more"
        )


def make(path: Path) -> Path:
    """Real images, each enlarged, with noise of its own, encoded to about 100 kB."""
    files = sorted((SHARED / "data" / "isic").rglob("*.jpg"))
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(COUNT):
            file = files[k % len(files)]
            image = np.asarray(Image.open(file).convert("RGB").resize((600, 450)), np.float32)
            noisy = np.clip(image + rng.normal(0, 14, image.shape), 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
            archive.writestr(f"{file.parent.name}/{k:04d}.jpg", buffer.getvalue())
            if path.stat().st_size > BYTES:
                break
    return path


def ready(browser: Browser, server: Server, archive: Path) -> tuple[float, int]:
    """Seconds from the drop to the findings, and at how many places the bar was seen."""
    page = dropped(browser, server, archive)
    begun, places = time.perf_counter(), set()
    found = page.get_by_text("Usable pictures")
    bar = page.get_by_test_id("stProgress")
    while not found.is_visible():
        places.update(bar.all_inner_texts())
        page.wait_for_timeout(50)
    seconds = time.perf_counter() - begun
    page.context.close()
    return seconds, len(places)


def cancelled(browser: Browser, server: Server, archive: Path) -> float:
    """Seconds from a press on Cancel to the sentence that says so."""
    page = dropped(browser, server, archive)
    expect(page.get_by_test_id("stProgress")).to_be_visible(timeout=60_000)  # the upload has a Cancel too
    page.get_by_role("button", name="Cancel", exact=True).click()
    begun = time.perf_counter()
    expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=60_000)
    page.context.close()
    return time.perf_counter() - begun


def dropped(browser: Browser, server: Server, archive: Path) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{server.url}/data")
    page.get_by_text("Upload your own").click()
    page.get_by_text("A ZIP (folders inside become classes)").wait_for()
    page.wait_for_timeout(1500)  # the page is drawn anew after the click; a file dropped before is lost
    page.locator("input[type=file]").first.set_input_files(str(archive))
    return page


if __name__ == "__main__":
    main()
