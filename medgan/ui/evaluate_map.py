"""The map of training, held-out and generated images, with the image under the pointer beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from medgan.evaluation.html_drawings import legend, map_svg
from medgan.evaluation.html_words import SETS, Report
from medgan.evaluation.pictures import COLUMNS
from medgan.ui.evaluate_pictures import pictures_of
from medgan.ui.text import plain

ASSETS = Path(__file__).with_name("assets")
POINT = "Point at a mark, or tap it, to see its image and what lies nearest to it."
ABSENT = "The pictures of its images are not here."


def embedding_map(report: Report, folder: Path) -> None:
    """Training, held-out and generated images as the network sees them."""
    values = report.get("map") or {}
    points = values.get("points") or []
    if not points:
        return
    pictures = pictures_of(report, folder)
    there = pictures is not None and len(pictures.map) >= len(points)
    st.markdown("#### Map")
    st.caption(
        f"Each mark is an image; what lies near looks alike to the network "
        f"({plain(str(values.get('method') or ''))}, two dimensions of many). {POINT if there else ABSENT}"
    )
    if there:
        _component()(key=f"map-{folder.name}", data=map_data(points, folder / "map.png"))


def map_data(points: Sequence[Mapping[str, Any]], sprite: Path) -> dict[str, Any]:
    """What the drawing wants: the marks, where they lie, and one picture with the tiles of all of them."""
    made = io.BytesIO()
    with Image.open(sprite) as sheet:
        sheet.convert("RGB").save(made, "JPEG", quality=88)
    return {
        "svg": map_svg(points),
        "points": [{**point, "index": str(point.get("index", ""))} for point in points],
        "names": {name: words.removesuffix("s") for name, words in SETS.items()},
        "columns": min(COLUMNS["map"], len(points)),
        "sprite": "data:image/jpeg;base64," + base64.b64encode(made.getvalue()).decode(),
    }


@cache
def _component() -> Any:
    html = (
        f'<div class="images"><div class="left"><div class="legend">{legend()}</div>'
        f'<div class="drawing"></div></div>'
        f'<div class="beside"><p>{POINT}</p></div></div>'
    )
    css, js = ((ASSETS / f"map.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return st.components.v2.component("medgan_map", html=html, css=css, js=js)
