"""What the uploading process does, with the real client against a hub that is full, gated, slow or lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medgan.errors import HubError
from medgan.hub import upload as module
from medgan.hub.failures import Target
from medgan.hub.upload import upload
from tests.hub.fakeupload import COMMIT, TELL, Uploads, serve

NAME, KEY = "ada/tiny", "models/ada/tiny"
TOKEN = "hf_typedByHand123"
LARGE = "model.safetensors"
Send = Callable[..., dict[str, object]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Uploads]:
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub._commit_api.is_xet_available", lambda: False)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    disable_progress_bars()
    with serve() as hub:
        yield hub
    close_session()
    enable_progress_bars()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "upload"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    (folder / "config.json").write_text("{}")
    (folder / LARGE).write_bytes(bytes(range(256)) * 4000)
    return folder


@pytest.fixture
def send(hub: Uploads, folder: Path) -> Send:
    def attempt(private: bool = True, **target: str) -> dict[str, object]:
        where = Target(NAME, None, hub.endpoint, upload=True)
        return upload(replace(where, **target), folder, private)  # type: ignore[arg-type]

    return attempt


@pytest.fixture
def fails(send: Send) -> Callable[..., str]:
    """Send, see it fail, return the sentence, which holds neither the token nor a word of the server."""

    def attempt(**options: object) -> str:
        with pytest.raises(HubError) as caught:
            send(**options)
        assert TOKEN not in str(caught.value) and TELL not in str(caught.value)
        return str(caught.value)

    return attempt


Fails = Callable[..., str]


def test_every_byte_is_counted_once_and_the_last_one_at_the_end(
    hub: Uploads, send: Send, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.breaks = 2
    assert send() == {"url": f"{hub.endpoint}/{NAME}", "revision": COMMIT, "private": True}
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    size = sum(path.stat().st_size for path in folder.iterdir())
    done = [line["done"] for line in said if "done" in line]
    assert said[0] == {"total": size} and done == sorted(done) and done[-1] == size and len(done) >= 4
    assert hub.files[KEY][LARGE] == (folder / LARGE).read_bytes()


def test_a_push_that_broke_off_goes_on_without_sending_again(hub: Uploads, send: Send, fails: Fails) -> None:
    hub.refuse["commit"] = 503
    assert "trouble of its own" in fails()
    hub.refuse.clear()
    hub.seen.clear()
    send()
    assert not [path for method, path, _ in hub.seen if method == "PUT"]


def test_pushing_the_same_again_commits_nothing(hub: Uploads, send: Send) -> None:
    send()
    hub.seen.clear()
    assert send()["revision"] == COMMIT
    assert not [path for _, path, _ in hub.seen if "/commit/" in path]


def test_many_files_are_committed_in_batches_with_the_card_in_the_first(
    hub: Uploads, folder: Path, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT", 3)
    monkeypatch.setattr(module, "ASKED", 2)
    for k in range(5):
        (folder / "images" / "[odd] *").mkdir(parents=True, exist_ok=True)
        (folder / "images" / "[odd] *" / f"seed-{k}.png").write_bytes(b"%d" % k)
    assert send(kind="dataset")["url"] == f"{hub.endpoint}/datasets/{NAME}"
    assert len(hub.files[f"datasets/{NAME}"]) == 8
    assert next(iter(hub.files[f"datasets/{NAME}"])) == "README.md"
    assert len([path for _, path, _ in hub.seen if "/commit/" in path]) == 3


def test_what_shall_be_private_does_not_go_where_everybody_sees_it(
    hub: Uploads, send: Send, fails: Fails
) -> None:
    hub.files[KEY], hub.private[KEY] = {}, False
    assert "is there already and public" in fails()
    assert hub.files[KEY] == {} and not [path for method, path, _ in hub.seen if method == "PUT"]
    assert send(private=False)["private"] is False


def test_a_public_push_to_a_private_repository_says_that_it_is_private(hub: Uploads, send: Send) -> None:
    hub.files[KEY], hub.private[KEY] = {}, True
    assert send(private=False)["private"] is True


def test_what_somebody_keeps_there_is_not_written_over(hub: Uploads, fails: Fails) -> None:
    hub.files[KEY], hub.private[KEY] = {"config.json": b"theirs", "pytorch_model.bin": b"theirs"}, True
    assert "holds something else already ('pytorch_model.bin')" in fails()
    assert hub.files[KEY]["config.json"] == b"theirs"


@pytest.mark.parametrize("name", ["README.md", LARGE])
def test_a_hub_that_holds_other_bytes_than_were_sent_is_found_out(
    hub: Uploads, fails: Fails, name: str
) -> None:
    hub.lies = name
    assert f"does not hold what was sent as {name}" in fails()


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ({"refuse": {"create": 401}}, "does not know you; log in"),
        ({"refuse": {"create": 403}}, "does not let you write to ada/tiny"),
        ({"refuse": {"batch": 507}}, "no room for ada/tiny"),
        ({"refuse": {"preupload": 429}}, "too many requests"),
        ({"refuse": {"commit": 400}}, "refused the upload to ada/tiny"),
        ({"refuse_put": 413}, "no room for ada/tiny"),
        ({"refuse_put": 403}, "does not let you write"),
        ({"breaks": 99}, "The upload to 127.0.0.1:[0-9]+ broke off"),
        ({"batch_error": 422}, "no room for them, or one is too large"),
        ({"bad_card": True}, "does it know the licence"),
        ({"plain": True}, "does not answer like a Hugging Face hub"),
    ],
)
def test_each_failure_is_one_sentence_that_says_what_to_do(
    hub: Uploads, send: Send, failure: dict[str, object], says: str
) -> None:
    for name, value in failure.items():
        setattr(hub, name, value)
    with pytest.raises(HubError, match=says) as caught:
        send()
    assert TOKEN not in str(caught.value) and TELL not in str(caught.value)


def test_who_is_not_logged_in_is_told_before_anything_is_asked(
    hub: Uploads, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "does not know you; log in with `hf auth login` or set HF_TOKEN" in fails()
    assert hub.seen == []


def test_a_password_in_the_address_is_not_shown(hub: Uploads, send: Send) -> None:
    address = hub.endpoint.replace("http://", f"http://me:{TOKEN}@")
    assert send(endpoint=address)["url"] == f"{hub.endpoint}/{NAME}"
