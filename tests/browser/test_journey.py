"""The whole path as a person walks it, in a real browser with a real training."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from medgan.runs.record import Run
from tests.browser.conftest import Server, start, stop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LONG = 180_000  # milliseconds; a busy machine imports torch slowly


def test_demo_set_to_train_to_generate_to_evaluate_to_zip(server: Server, page: Page, tmp_path: Path) -> None:
    _make_demo_set(server, page)
    _train(server, page, steps=4)
    expect(page.get_by_text("Finished.", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)

    page.get_by_test_id("stMain").get_by_role("link", name="Generate").click()
    expect(page.get_by_role("button", name="seed 0", exact=True)).to_be_visible(timeout=LONG)
    _number(page, "How many").fill("5")
    _number(page, "How many").press("Enter")
    page.get_by_role("button", name="Make the ZIP").click()
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=LONG)
    answer = page.request.get(urljoin(page.url, link.get_attribute("href") or ""))
    assert "attachment" in answer.headers["content-disposition"]
    (tmp_path / "images.zip").write_bytes(answer.body())
    _is_a_set_of_images(tmp_path / "images.zip", 5)

    _menu(page, "Evaluate")
    _number(page, "Images to judge").fill("24")
    _number(page, "Images to judge").press("Enter")
    page.get_by_test_id("stSelectbox").filter(has_text="Compared by").click()
    page.get_by_role("option", name="Random").click()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_role("button", name="Report as JSON")).to_be_visible(timeout=2 * LONG)
    for part in ("Quality", "Diversity", "Memorisation", "Usefulness"):
        expect(page.get_by_test_id("stMain").get_by_text(part, exact=True).first).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()
    with page.expect_download(timeout=LONG) as download:
        page.get_by_role("button", name="Report as HTML").click()
    download.value.save_as(tmp_path / "report.html")
    assert "MedGAN scorecard" in (tmp_path / "report.html").read_text("utf-8")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    _blind_test(server, page)


def _blind_test(server: Server, page: Page) -> None:
    """By mouse, over F5, by key, to the end."""
    _menu(page, "Blind test")
    _number(page, "Images to judge").fill("6")
    _number(page, "Images to judge").press("Enter")
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.get_by_text("Image 1 of 6")).to_be_visible(timeout=LONG)
    page.get_by_test_id("stMain").get_by_role("button", name="Real").click()
    expect(page.get_by_text("Image 2 of 6")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Image 2 of 6")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Answers as CSV")).to_have_count(0)
    for number in range(2, 7):
        _press(page, "2", page.locator(f".st-key-answer-generated-{number}").get_by_role("button"))
    expect(page.get_by_role("button", name="Answers as CSV")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def _press(page: Page, key: str, button: Locator) -> None:
    """Press the key of a button that goes when it is pressed.

    A button listens to its key a moment after it is seen; a person who is as quick presses again.
    """
    expect(button).to_be_visible()
    page.keyboard.press(key)
    with suppress(AssertionError):
        expect(button).to_have_count(0, timeout=10_000)
        return
    page.keyboard.press(key)
    expect(button).to_have_count(0)


def test_a_training_survives_f5_stop_keeps_it_and_resume_goes_on(server: Server, page: Page) -> None:
    _make_demo_set(server, page)
    _train(server, page, steps=2000)
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("Training.", exact=True)).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.get_by_text("Stopped; everything learned is saved.")).to_be_visible(timeout=LONG)
    [run] = [Run(folder) for folder in (server.workspace / "runs").iterdir()]
    stopped_at = run.status().step
    assert 0 < stopped_at < 2000
    assert run.latest() is not None
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Training.", exact=True)).to_be_visible(timeout=LONG)
    page.wait_for_function(
        "n => [...document.querySelectorAll('p')].some(p => {"
        "const m = p.textContent.match(/^Step ([0-9,]+) of/); return m && +m[1].replaceAll(',', '') > n})",
        arg=stopped_at,
        timeout=LONG,
    )
    page.get_by_role("button", name="Stop and keep").click()
    expect(page.get_by_text("Stopped; everything learned is saved.")).to_be_visible(timeout=LONG)


def test_a_training_survives_a_restart_of_the_server(server: Server, page: Page) -> None:
    _make_demo_set(server, page)
    _train(server, page, steps=2000)
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=LONG)
    stop(server)
    again = start(server.workspace)
    try:
        page.goto(f"{again.url}/train")
        expect(page.get_by_text("Training.", exact=True)).to_be_visible(timeout=LONG)
        page.get_by_role("button", name="Stop and keep").click()
        expect(page.get_by_text("Stopped; everything learned is saved.")).to_be_visible(timeout=LONG)
    finally:
        stop(again)


def _make_demo_set(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/data")
    images = _number(page, "Images")
    images.fill("20")
    images.press("Tab")
    page.get_by_role("button", name="Make this data set").click()
    expect(page.get_by_text("is ready:")).to_be_visible(timeout=LONG)


def _train(server: Server, page: Page, *, steps: int) -> None:
    _menu(page, "Train")
    page.get_by_text("Small and quick").click()
    expect(page.get_by_text("about 300 times")).to_be_visible()  # its own number of steps has come
    page.get_by_text("More settings").click()
    iterations = _number(page, "Iterations")
    iterations.fill(str(steps))
    iterations.press("Enter")
    expect(page.get_by_text(f"{steps:,} steps of 16 images")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Stop and keep").or_(_finished(page))).to_be_visible(timeout=LONG)


def _finished(page: Page) -> Locator:
    return page.get_by_text("Finished.", exact=True)


def _menu(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def _number(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stNumberInput").filter(has_text=label).get_by_role("spinbutton")


def _is_a_set_of_images(path: Path, count: int) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert len([name for name in names if name.startswith("images/")]) == count
        header, *rows = archive.read("metadata.csv").decode().splitlines()
        assert header == "file_name,seed,label,truncation,nearest_train,gate,model,model_sha256"
        assert len(rows) == count
        with archive.open(next(n for n in names if n.endswith(".png"))) as stream:
            assert Image.open(stream).size == (128, 128)
