"""The Models page puts a model on the Hub."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medgan.errors import DataError, Interrupted
from medgan.hub import push as pushing
from medgan.ui.pushes import Push, pushes
from tests.ui.test_pages import open_page

TOKEN = "hf_typedByHand123"


class Sender:
    """Stands for the upload: remembers what was asked, waits until it is let go, and ends as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, str, pushing.Wish, str]] = []
        self.go = threading.Event()
        self.error: Exception | None = None

    def __call__(self, source: Path, repo: str, wish: pushing.Wish, **options: Any) -> pushing.Pushed:
        self.asked.append((source, repo, wish, options["token"]))
        options["progress"](3_000_000, 4_000_000)
        while not self.go.wait(0.02):
            if options["cancelled"]():
                raise Interrupted("Stopped.")
        if self.error:
            raise self.error
        return pushing.Pushed("https://hub/ada/tiny", "ab" * 20, (), wish.private)


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Sender:
    sender = Sender()
    monkeypatch.setattr(pushing, "push", sender)
    return sender


def press(app: AppTest, label: str = "Push") -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def filled(**more: str) -> AppTest:
    app = open_page("models")
    app.text_input(key="push_repo").set_value(more.get("repo", "ada/tiny"))
    app.text_input(key="push_token").set_value(more.get("token", TOKEN))
    app.selectbox(key="push_licence").set_value(more.get("licence", "mit"))
    return press(app)


def ended() -> Push:
    """The newest push, when it has ended."""
    deadline = time.monotonic() + 20
    while not pushes().all[-1].finished and time.monotonic() < deadline:
        time.sleep(0.02)
    return pushes().all[-1]


def test_a_model_is_pushed_private_and_the_page_says_where_it_is(workspace: Path, sender: Sender) -> None:
    app = filled()
    assert not app.exception and not app.error
    assert any("not evaluated here" in caption.value for caption in app.caption)
    assert "3.0 of 4.0 MB" in app.get("progress")[0].proto.text
    sender.go.set()
    push = ended()
    app.run()
    source, repo, wish, token = sender.asked[0]
    assert (repo, token, wish.licence, wish.private, list(wish.reports)) == (
        "ada/tiny",
        TOKEN,
        "mit",
        True,
        [],
    )
    assert (source / "model.safetensors").is_file()
    assert any("abababababab" in s.value and "private" in s.value for s in app.success)
    assert TOKEN not in repr(push) + str(vars(push))
    press(app, "Dismiss")
    assert pushes().all == []


def test_a_refusal_stands_on_the_page(workspace: Path, sender: Sender) -> None:
    sender.error = DataError("The verdict on memorisation is fail: 12 % are copies.")
    sender.go.set()
    app = filled()
    ended()
    app.run()
    assert "verdict on memorisation is fail" in app.error[0].value


def test_a_push_can_be_cancelled(workspace: Path, sender: Sender) -> None:
    app = filled()
    press(app, "Cancel")
    assert ended().error == "Stopped."


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"repo": "not a name"}, "owner/name"),
        ({"licence": ""}, "licence"),
        ({"hosted": "1", "token": " "}, "token"),
    ],
)
def test_what_is_missing_is_said_and_nothing_leaves(
    workspace: Path, sender: Sender, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], says: str
) -> None:
    monkeypatch.setenv("MEDGAN_HOSTED", wrong.pop("hosted", ""))
    monkeypatch.setenv("HF_TOKEN", "hf_ofWhoeverSetItUp")
    app = filled(**wrong)
    assert says in app.error[0].value and not sender.asked


def test_the_token_field_hides_what_is_typed_and_no_address_names_it(workspace: Path, sender: Sender) -> None:
    sender.go.set()
    app = filled()
    field = app.text_input(key="push_token")
    assert field.proto.type == field.proto.PASSWORD
    assert TOKEN not in str(app.query_params)
    assert not any(TOKEN.encode() in path.read_bytes() for path in workspace.rglob("*") if path.is_file())
