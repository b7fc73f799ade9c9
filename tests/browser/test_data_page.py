"""The Data page in a real browser: an upload is checked, judged by eye, cancelled, and made into a set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medgan.data.dataset import Dataset
from tests.browser.conftest import Server, start, stop
from tests.data.samples import encoded, picture, zip_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LONG = 120_000  # milliseconds
NAMES = ("صورة الرئة.png", "肺部图像.png", "a_[b](c)*.png", "long " * 30 + ".png")


def test_a_zip_with_names_in_any_script_becomes_a_data_set(
    server: Server, page: Page, tmp_path: Path
) -> None:
    images = {f"{'ab'[k % 2]}/{k}.png": _png(k) for k in range(16)}
    images |= {f"a/{name}": _png(100 + k) for k, name in enumerate(NAMES)}
    images |= {"b/same.png": images["a/0.png"], "b/broken.png": b"not an image"}
    _upload(server, page, zip_file(tmp_path / "lesions.zip", images))
    expect(page.get_by_text("1 picture stands in two classes")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("The same pixels")).to_be_visible()
    page.get_by_text("1 file cannot be used").click()
    expect(page.get_by_role("cell", name=re.compile("broken"))).to_be_visible()
    page.get_by_text("Pad", exact=True).first.click()
    expect(page.get_by_text("Pad ✓").first).to_be_visible()
    page.get_by_role("button", name="Make this data set").click()
    expect(page.get_by_text("is ready:")).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    made = Dataset(server.workspace / "datasets" / "lesions")
    assert {f"a/{name}" for name in NAMES} <= {row["file"] for row in made.manifest}
    assert "a/0.png" not in {row["file"] for row in made.manifest}, "both sides of a conflict are left out"
    assert made.info["settings"]["fit"] == "pad"
    left = [path.name for path in (server.workspace / "uploads").rglob("*") if path.is_file()]
    assert left == ["intake.json"], "the upload is deleted, a note for other tabs stays"


def test_the_check_can_be_cancelled_and_begun_again(server: Server, page: Page, tmp_path: Path) -> None:
    _upload(server, page, _many(tmp_path))
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_text("Cancelled. The files are still here.")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Usable pictures")).to_be_visible(timeout=LONG)


def test_a_check_survives_f5_and_a_restart_of_the_server(server: Server, page: Page, tmp_path: Path) -> None:
    _upload(server, page, _many(tmp_path))
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("many", exact=True)).to_be_visible(timeout=LONG)
    address = page.url
    stop(server)
    again = start(server.workspace)
    try:
        page.goto(address.replace(server.url, again.url))
        expect(page.get_by_text("Usable pictures")).to_be_visible(timeout=LONG)
        page.goto(f"{again.url}/data")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Usable pictures")).to_be_visible(timeout=LONG)
    finally:
        stop(again)


def test_every_tab_of_an_upload_learns_that_the_set_is_ready(
    server: Server, page: Page, tmp_path: Path
) -> None:
    images = {f"{'ab'[k % 2]}/{k}.png": _png(k) for k in range(12)}
    _upload(server, page, zip_file(tmp_path / "small.zip", images))
    make = page.get_by_role("button", name="Make this data set")
    expect(make).to_be_visible(timeout=LONG)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Usable pictures")).to_be_visible(timeout=LONG)
    make.click()
    expect(page.get_by_text("is ready:")).to_be_visible(timeout=LONG)
    other.get_by_text("Pad", exact=True).first.click()  # it does not know yet
    expect(other.get_by_text("is ready:")).to_be_visible(timeout=LONG)
    expect(other.get_by_test_id("stException")).to_have_count(0)
    other.goto(f"{server.url}/data")
    expect(other.get_by_text("Built-in demo images")).to_be_visible(timeout=LONG)
    expect(other.get_by_role("button", name="Go on")).to_have_count(0)


def test_a_broken_pattern_stops_make_until_it_is_mended(server: Server, page: Page, tmp_path: Path) -> None:
    images = {f"p{k % 6}_{k}.png": _png(k) for k in range(12)}
    _upload(server, page, zip_file(tmp_path / "small.zip", images))
    make = page.get_by_role("button", name="Make this data set")
    expect(make).to_be_enabled(timeout=LONG)
    page.get_by_text("What stays together").click()
    page.get_by_text("By a pattern in the file names").click()
    pattern = page.get_by_label("Pattern", exact=True)
    for text, usable in (("*a*(", False), (r"^(p\d)_", True), ("nowhere", False), (r"^(p[0-5])_", True)):
        pattern.fill(text)
        pattern.press("Enter")
        expect(make).to_be_enabled(enabled=usable, timeout=LONG)
        expect(pattern).to_have_value(text)


def test_a_narrow_window_shows_all_without_sideways_scrolling(
    server: Server, page: Page, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    images = {f"{'ab'[k % 2]}/{k}.png": _png(k) for k in range(12)}
    _upload(server, page, zip_file(tmp_path / "small.zip", images | {"b/same.png": images["a/0.png"]}))
    expect(page.get_by_text("1 picture stands in two classes")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Make this data set")).to_be_visible()
    wider = page.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]');"
        " return main.scrollWidth - main.clientWidth }"
    )
    assert wider <= 0


def _upload(server: Server, page: Page, file: Path) -> None:
    page.goto(f"{server.url}/data")
    page.get_by_text("Upload your own").click()
    page.locator("input[type=file]").set_input_files(file)


def _many(folder: Path) -> Path:
    """So many large images that there is time to press something."""
    return zip_file(folder / "many.zip", {f"a/{k}.png": _png(k, (1600, 1200)) for k in range(300)})


def _png(seed: int, size: tuple[int, int] = (160, 120)) -> bytes:
    return encoded(picture(seed, size))
