"""The HTML file says what the report says, needs nothing else, and is not fooled by names."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from medgan.evaluation.html import html
from medgan.evaluation.html_words import axis, flagged_first, interval, key_figure, number
from medgan.images import grid
from tests.evaluation.made_up import EVIL, figure, hostile, pictures, report

VOID = {"meta", "img", "br", "hr", "input", "link"}


class Checker(HTMLParser):
    """Collects tags and attributes, and whether each tag that opens closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    return checker


@pytest.mark.parametrize("values", [report(), hostile()], ids=["plain", "hostile"])
def test_the_file_is_whole_and_fetches_nothing(values: dict[str, object]) -> None:
    checker = parsed(html(values, pictures()))
    assert not {"script", "iframe", "link", "object", "embed", "form", "base"} & set(checker.tags)
    assert not [name for name, _ in checker.attributes if name.startswith("on") or name == "href"]
    sources = [value for name, value in checker.attributes if name == "src"]
    assert len(sources) == 2 + 12
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    styles = html(values, None).split("<style>")[1].split("</style>")[0]
    assert "url(" not in styles
    assert "@import" not in styles


def test_what_somebody_named_is_text() -> None:
    text = html(hostile(), pictures())
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 10
    assert EVIL not in text


def test_it_says_verdicts_figures_settings_versions_and_hashes() -> None:
    values = report()
    text = html(values, None)
    for wanted in ("Fails", "Take care", "Good", "Not known", "6 % are copies of training images.", "93.1",
                   "Below 2,048 images it is high.", "there are too few images", "cd" * 32, "ef" * 32,
                   "ab" * 32, "0.1.0", "Only 40 images are held out"):  # fmt: skip
        assert wanted in text


def test_it_can_do_without_pictures_pairs_map_and_rows() -> None:
    values = report(pairs=[], map={"method": "PCA", "points": []}, rows=[], figures=[], verdicts={}, notes=[])
    text = html(values, None)
    assert parsed(text).tags.count("img") == 0
    assert text.count("Not known") == 4
    values = {key: report()[key] for key in ("model", "dataset", "settings")}
    assert "To repeat it" in html(values | {"model": None, "folder": {"name": "my images"}}, None)


def test_pictures_are_those_that_were_given() -> None:
    shown = pictures()
    data = re.findall(r'base64,([^"]+)"', html(report(), shown))
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[0]))))
    assert np.array_equal(first, np.asarray(grid(shown.real, 6)))
    last = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[3]))))
    assert np.array_equal(last, np.asarray(grid(shown.pairs[4], 2))), "the second copy comes second"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0213, "0.0213"), (93.1, "93.1"), (0, "0"), (431.07, "431"), (-1.2, "-1.20"), (None, "–"),
     (float("nan"), "–"), (12345.6, "12,346"), (1e-9, "0.00000"), ({"value": 0.5}, "0.500"), (0.0, "0.00")],
)  # fmt: skip
def test_numbers_are_short(value: object, text: str) -> None:
    assert number(value) == text


def test_an_interval_stands_in_brackets() -> None:
    assert interval(figure("KID", "quality", 0.5)) == "0.500 [0.450, 0.550]"
    assert interval(figure("KID", "quality", None)) == "absent"
    assert interval(figure("KID", "quality", 3.0, low=None)) == "3.00"


def test_a_far_reference_is_pointed_at_and_a_near_one_is_on_the_axis() -> None:
    far = axis(figure("KID", "quality", 0.02, low=0.018, high=0.022, floor=0.01, noise=0.9))
    assert far.beyond == {"noise": 1}
    assert far.right < 0.1
    near = axis(figure("KID", "quality", 0.02, low=0.018, high=0.022, floor=0.01, noise=0.04))
    assert not near.beyond
    assert near.left < 0.01 < 0.04 < near.right
    alone = axis(figure("KID", "quality", 0.0, low=0.0, high=0.0, floor=None, noise=None))
    assert 0 < alone.place(0.0) < 1


def test_the_figure_behind_a_verdict_is_the_one_that_decided() -> None:
    values = report()
    assert key_figure(values, "memorisation")["name"] == "copies"  # type: ignore[index]
    values["verdicts"]["memorisation"]["figure"] = "C_T"
    assert key_figure(values, "memorisation")["name"] == "C_T"  # type: ignore[index]
    assert key_figure(values, "usefulness") is None


def test_copies_come_first() -> None:
    assert [place for place, _ in flagged_first(report()["pairs"])] == [0, 4, 1, 2, 3, *range(5, 12)]
