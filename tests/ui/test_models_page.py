"""The Models page puts models and images on the Hub, and pulls models from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medgan.data.settings import Settings as DataSettings
from medgan.errors import DataError, Interrupted
from medgan.generation.export import Origin, Settings, export
from medgan.generation.seeds import Part
from medgan.hub import push as pushing
from medgan.hub import transfer
from medgan.runs import launch
from medgan.runs.record import FINISHED, Run, Status
from medgan.ui.jobs import jobs
from medgan.ui.pulls import Pull, pulls
from medgan.ui.pushes import Push, pushes
from tests.generation.test_export import new
from tests.hub.fakeupload import serve
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
    app.text_input(key="push_token-0").set_value(more.get("token", TOKEN))
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


def test_a_second_push_to_a_repository_is_refused_while_one_is_under_way(
    workspace: Path, sender: Sender
) -> None:
    filled()
    assert "under way; wait" in filled().error[0].value and len(pushes().all) == 1
    sender.go.set()
    ended()


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
    field = app.text_input(key="push_token-1")
    assert field.proto.type == field.proto.PASSWORD
    assert field.value == "" and TOKEN not in repr(app.session_state)
    assert TOKEN not in str(app.query_params)
    assert not any(TOKEN.encode() in path.read_bytes() for path in workspace.rglob("*") if path.is_file())


def exported(workspace: Path, name: str = "tiny-3fa2", licence: str = "cc0-1.0") -> Path:
    """A finished export as the Generate page leaves it: three images that nobody checked."""
    folder = workspace / "exports" / name
    folder.mkdir(parents=True)
    options = ["--seeds=0-2", "--form=png", f"--licence={licence}"]
    (folder / "config.json").write_text(json.dumps({"model": "tiny", "options": options}))
    out, settings = folder / f"{name}.zip", Settings(licence=licence)
    found = export(new(), [Part(range(3))], out, origin=Origin("tiny", "ab" * 32), settings=settings)
    (folder / "summary.json").write_text(json.dumps({"sentence": found.sentence()}))
    Run(folder).write_status(Status(state=FINISHED))
    return out


def with_images(**more: str) -> AppTest:
    """The form for the only export, filled in and pressed."""
    app = open_page("models")
    app.selectbox(key="push").set_value("Images tiny-3fa2").run()
    assert not app.exception and not app.error
    app.text_input(key="push_repo").set_value("ada/tiny")
    app.text_input(key="push_token-0").set_value(more.get("token", TOKEN))
    app.text_input(key="push_override").set_value(more.get("override", ""))
    return press(app)


def test_images_are_pushed_by_the_same_form_under_the_licence_they_carry(
    workspace: Path, sender: Sender
) -> None:
    packed = exported(workspace)
    sender.go.set()
    app = with_images(override="Phantoms.")
    assert not app.exception and not app.error
    assert any("None of the 3 images was checked" in caption.value for caption in app.caption)
    assert any("not evaluated here" in caption.value for caption in app.caption)
    ended()
    app.run()
    source, repo, wish, token = sender.asked[0]
    assert (source, repo, token) == (packed, "ada/tiny", TOKEN)
    assert (wish.licence, wish.override, wish.private) == ("cc0-1.0", "Phantoms.", True)
    assert any("datasets/ada/tiny" in said.value for said in app.success)


def test_an_address_chooses_what_is_to_be_pushed(workspace: Path) -> None:
    exported(workspace)
    app = open_page("models", push="Images tiny-3fa2")
    assert app.selectbox(key="push").value == "Images tiny-3fa2"
    assert not app.exception and not app.warning


def test_images_without_a_licence_stay_here(workspace: Path, sender: Sender) -> None:
    exported(workspace, licence="")
    assert "exported without a licence" in with_images().error[0].value and not sender.asked


def test_images_reach_the_hub_and_the_token_is_nowhere_afterwards(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exported(workspace)
    monkeypatch.setenv("MEDGAN_HOSTED", "1")
    monkeypatch.setenv("HF_TOKEN", "hf_ofWhoeverSetItUp")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        app = with_images()
        assert ended().error
        app.run()
        assert "None of these images was checked" in app.error[0].value and "--" not in app.error[0].value
        assert hub.seen == []
        press(app, "Dismiss")
        app = with_images(override="Phantoms.")
        push = ended()
        app.run()
    assert push.error == "" and push.pushed and push.pushed.url == f"{hub.endpoint}/datasets/ada/tiny"
    assert hub.private["datasets/ada/tiny"]
    assert "Phantoms." in hub.files["datasets/ada/tiny"]["README.md"].decode()
    assert {sent for _, path, sent in hub.seen if not path.startswith("/lfs/")} == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(push) + str(vars(push)) + str(app.query_params)
    for folder in (workspace, tmp_path):
        assert not any(TOKEN.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def pulled() -> Pull:
    """The newest pull, when it has ended."""
    deadline = time.monotonic() + 20
    while not pulls().all[-1].finished and time.monotonic() < deadline:
        time.sleep(0.02)
    return pulls().all[-1]


@pytest.mark.parametrize(("hosted", "login"), [("", True), ("1", False)])
@pytest.mark.parametrize("typed", ["", TOKEN])
def test_only_its_own_people_pull_by_the_login_of_a_server(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, hosted: str, login: bool, typed: str
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(transfer, "pull", lambda repo, space, **options: asked.append(options))
    monkeypatch.setenv("MEDGAN_HOSTED", hosted)
    app = open_page("models")
    field = app.text_input(key="pull_token-0")
    assert field.proto.type == field.proto.PASSWORD
    next(box for box in app.text_input if box.label.startswith("Repository on")).set_value("ada/tiny")
    field.set_value(typed)
    app = press(app, "Pull")
    assert not app.exception and not app.error
    pull = pulled()
    assert not pull.error and (asked[0]["login"], asked[0]["token"]) == (login, typed)
    assert TOKEN not in repr(pull) + str(vars(pull)) + str(app.query_params)


@pytest.mark.parametrize(("hosted", "token"), [("", "hf_ofWhoeverSetItUp"), ("1", "")])
def test_what_strangers_start_does_not_go_by_the_login_of_the_server(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, hosted: str, token: str
) -> None:
    seen: list[dict[str, str]] = []
    popen = subprocess.Popen

    def start(arguments: list[str], **options: Any) -> Any:
        seen.append(options["env"])
        return popen([sys.executable, "-c", ""], **options)

    monkeypatch.setattr(launch.subprocess, "Popen", start)
    monkeypatch.setenv("MEDGAN_HOSTED", hosted)
    monkeypatch.setenv("HF_TOKEN", "hf_ofWhoeverSetItUp")
    jobs().inspect(Run(workspace / "scan"), ["hub:datasets/ada/private"], DataSettings())
    assert [environment["HF_TOKEN"] for environment in seen] == [token]
    assert (seen[0].get("HF_TOKEN_PATH") == os.devnull) == bool(hosted)


def test_no_picture_of_a_card_is_left_or_comes_to_be() -> None:
    from medgan.ui.models import _for_this_page

    for text in (
        "![a](http://evil/p.png)",
        "!![x](y)[alt](http://evil/p.png)",
        "!!![x]![y](z)[a](http://evil)",
    ):
        assert "![" not in _for_this_page(text)
