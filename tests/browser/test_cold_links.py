"""The first request to a fresh server may be for any page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

TITLES = {
    "": "MedGAN",
    "data": "Data",
    "train": "Train",
    "generate": "Generate",
    "evaluate": "Evaluate",
    "models": "Models",
}


@pytest.mark.parametrize("path", TITLES)
def test_a_cold_deep_link_shows_the_page_with_its_menu(path: str, server: Server, page: Page) -> None:
    page.goto(f"{server.url}/{path}")
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[path])
    menu = page.get_by_test_id("stSidebarNav")
    names = ["Home", "Data", "Train", "Generate", "Evaluate", "Models"]
    expect(menu.get_by_role("link")).to_contain_text(names)
    expect(page.get_by_test_id("stException")).to_have_count(0)
