"""The real sets as a user brings them: a ZIP dropped on the page, what was found, and a data set."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medgan.data.dataset import Dataset
from tests.browser.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LONG = 180_000  # milliseconds; a busy machine is slow


@pytest.mark.parametrize(
    ("name", "images", "classes", "channels"),
    [
        ("isic", 360, {"melanoma", "nevus"}, 3),
        (
            "chest_ct",
            558,
            {"adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma", "normal"},
            1,
        ),
    ],
)
def test_a_whole_real_set_becomes_a_data_set(
    name: str,
    images: int,
    classes: set[str],
    channels: int,
    real_data: Path,
    server: Server,
    page: Page,
    tmp_path: Path,
) -> None:
    archive = zipped(real_data / name, tmp_path / f"{name}.zip")
    page.goto(f"{server.url}/data")
    page.get_by_text("Upload your own").click()
    expect(page.get_by_text("A ZIP (folders inside become classes)")).to_be_visible(timeout=LONG)
    page.locator("input[type=file]").first.set_input_files(str(archive))
    found = page.get_by_test_id("stMetric").filter(has_text="Usable pictures")
    expect(found).to_contain_text(str(images), timeout=LONG)
    page.get_by_role("button", name="Make this data set").click()
    expect(page.get_by_text("is ready:")).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    data = Dataset(server.workspace / "datasets" / name)
    assert len(data) == images
    assert (set(data.info["classes"]), data.channels) == (classes, channels)
    assert data.report["leak_check"]["ratio"] > 0.25
    assert not data.changes()
    left = [path.name for path in (server.workspace / "uploads").rglob("*") if path.is_file()]
    assert not [name for name in left if not name.endswith(".json")], "the upload is deleted"


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                out.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return archive
