"""The blind test is walked through, paused, found again, and tells nothing before its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medgan.evaluation.blind import Quiz, find
from medgan.workspace import Workspace
from tests.ui.test_pages import open_page


@pytest.fixture
def app(model: Path) -> AppTest:
    app = open_page("blind_test")
    assert app.button(key="begin").disabled, "the model that ships makes colour images"
    app.selectbox(key="model").set_value("hub:someone/tiny").run()
    app.number_input[0].set_value(6).run()
    app.button(key="begin").click().run()
    assert not app.exception
    assert not app.error
    return app


def quiz(space: Workspace) -> Quiz:
    [found] = find(space.root / "blind-tests")
    return found


def everything(app: AppTest) -> str:
    texts = [part.value for part in [*app.markdown, *app.caption]]
    return " ".join([*texts, *(bar.proto.text for bar in app.get("progress"))])


def test_a_test_is_answered_to_its_end(space: Workspace, app: AppTest) -> None:
    for number in range(1, 7):
        assert f"Image {number} of 6" in everything(app)
        assert "interval" not in everything(app)
        app.text_input[0].set_value(f"remark {number}")
        app.button(key=f"answer-real-{number}").click().run()
        assert not app.exception
    found = quiz(space)
    assert found.ended
    assert [answer["remark"] for answer in found.answers()] == [f"remark {k}" for k in range(1, 7)]
    assert [metric.value for metric in app.metric][1:] == ["100%", "0%"], "all were called real"
    assert "interval" in everything(app)
    assert app.get("download_button")


def test_a_half_done_test_is_found_again(space: Workspace, app: AppTest) -> None:
    app.button(key="answer-generated-1").click().run()
    name = quiz(space).name
    again = open_page("blind_test")
    assert any(name.split("-")[0] in m.value and "1 of 6" in m.value for m in again.markdown)
    again.button(key=f"open-{name}").click().run()
    assert "Image 2 of 6" in everything(again)
    fresh = open_page("home")
    fresh.query_params["quiz"] = name
    fresh.switch_page(str(Path(__file__).resolve().parents[2] / "pages" / "blind_test.py")).run()
    assert not fresh.exception


def test_who_stops_sees_the_result_of_what_was_answered(space: Workspace, app: AppTest) -> None:
    assert app.button(key="end_quiz").disabled
    app.button(key="answer-generated-1").click().run()
    app.button(key="end_quiz").click().run()
    assert not app.exception
    assert "Stopped after 1 of 6" in everything(app)
    app.button(key="another").click().run()
    assert app.button(key="begin")


def test_what_the_page_sends_names_no_kind(space: Workspace, app: AppTest) -> None:
    key = (quiz(space).folder / "key.json").read_text()
    [image] = app.get("image")
    assert image.proto.imgs[0].caption == ""
    assert "seed" not in everything(app)
    assert "key.json" not in everything(app)
    assert key
