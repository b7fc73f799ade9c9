"""Pulling as the dashboard and the command line do: through the downloading process."""

from __future__ import annotations

import errno
import json
import os
import queue
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from safetensors.torch import load, save

from medgan.errors import HubError, Interrupted, MedGANError
from medgan.hub import process, transfer
from medgan.hub.failures import Target
from medgan.hub.transfer import pull
from medgan.runs.checkpoint import load_generator
from medgan.runs.models import find_model, list_models, read_source
from medgan.workspace import Workspace
from tests.hub.fakehub import COMMIT, NAME, TOKEN, WEIGHTS, FakeHub, Repo

Fails = Callable[..., str]


@pytest.fixture
def fails(space: Workspace) -> Fails:
    """Pull, see it fail, see that nothing is left of it, return the sentence."""

    def attempt(repo: str = NAME, **options: Any) -> str:
        with pytest.raises(HubError) as caught:
            pull(repo, space, **options)
        assert list(space.models.iterdir()) == []
        assert list(space.hub.rglob("*.incomplete")) == []
        return str(caught.value)

    return attempt


def test_a_pulled_model_is_whole_recorded_and_usable(
    hub: FakeHub, space: Workspace, model_files: dict[str, bytes]
) -> None:
    steps: list[tuple[int, int]] = []
    folder = pull(f"hub:{NAME}", space, progress=lambda done, total: steps.append((done, total)))
    assert folder == space.models / "ada--tiny-skin"
    assert {path.name for path in folder.iterdir()} == {"config.json", WEIGHTS, "README.md", "source.json"}
    assert (folder / WEIGHTS).read_bytes() == model_files[WEIGHTS]
    assert read_source(folder) == {"repo": NAME, "revision": COMMIT}
    assert load_generator(folder)[1].about == {"name": "tiny"}
    assert [entry.spec for entry in list_models(space) if entry.kind == "hub"] == [f"hub:{NAME}"]
    _check_progress(steps, sum(len(model_files[name]) for name in ("config.json", WEIGHTS, "README.md")))


def _check_progress(steps: list[tuple[int, int]], size: int) -> None:
    """It moves, never goes back, and ends at the total."""
    done = [step[0] for step in steps]
    assert {step[1] for step in steps} == {size}
    assert done[0] == 0 and done[-1] == size
    assert done == sorted(set(done)) and len(done) >= 6


def test_what_was_pulled_works_offline_and_a_known_commit_is_not_asked_for_again(
    hub: FakeHub, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pull(NAME, space)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert find_model(f"hub:{NAME}", space) == folder
    assert pull(NAME, space, revision=COMMIT) == folder
    with pytest.raises(HubError, match=r"HF_HUB_OFFLINE is set.*pulled earlier stays: hub:ada/tiny-skin"):
        pull(NAME, space)
    assert find_model(f"hub:{NAME}", space) == folder


def test_pulling_again_takes_the_newer_commit_and_a_bad_one_leaves_the_old(
    hub: FakeHub, space: Workspace, model_files: dict[str, bytes]
) -> None:
    pull(NAME, space)
    asked = hub.downloads(WEIGHTS)
    hub.repos[NAME] = Repo(model_files | {"README.md": b"# Second\n"}, commit="2e" * 20)
    folder = pull(NAME, space)
    assert (folder / "README.md").read_bytes() == b"# Second\n"
    assert read_source(folder)["revision"] == "2e" * 20
    assert hub.downloads(WEIGHTS) == asked  # the same weights come from the cache
    hub.repos[NAME] = Repo(model_files | {"config.json": b"{}"}, commit="3d" * 20)
    with pytest.raises(HubError, match="pulled earlier stays"):
        pull(NAME, space)
    assert read_source(find_model(f"hub:{NAME}", space))["revision"] == "2e" * 20


@pytest.mark.parametrize("name", ["tiny-skin", "a/b/c", "../secrets", "ada/ti--ny", "ada/tiny skin", ""])
def test_a_malformed_name_is_refused_before_any_request(hub: FakeHub, fails: Fails, name: str) -> None:
    assert "write it as owner/name" in fails(name)
    assert hub.seen == []


@pytest.mark.parametrize("endpoint", ["huggingface.co", "file:///etc", "http://[bad", "http://host:99999"])
def test_an_endpoint_that_is_no_address_is_refused(fails: Fails, endpoint: str) -> None:
    assert "HF_ENDPOINT is not the address of a hub" in fails(endpoint=endpoint)


def test_a_refusal_reaches_the_caller_and_nothing_shows_the_token(
    hub: FakeHub, fails: Fails, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repos[NAME].refuse = (403, "GatedRepo")
    assert "is gated" in fails()
    assert "".join(capfd.readouterr()) == ""
    assert {sent for _, _, sent in hub.seen} == {f"Bearer {TOKEN}"}


def test_a_stranger_never_goes_by_the_login_of_this_machine(
    hub: FakeHub, space: Workspace, fails: Fails, logged_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos[NAME].token = TOKEN
    said = fails(login=False)
    assert "or it is private" in said and "give a token of your own" in said and "hf auth login" not in said
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fails(login=False)
    monkeypatch.delenv("HF_TOKEN")
    assert {sent for _, _, sent in hub.seen} == {None}
    assert pull(NAME, space).is_dir(), "whoever works at this machine does"


def test_a_typed_token_is_used_for_one_pull_and_kept_nowhere(
    hub: FakeHub, space: Workspace, fails: Fails, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.repos[NAME].token = TOKEN
    assert pull(NAME, space, token=f" {TOKEN} ", login=False).is_dir()
    assert {sent for _, path, sent in hub.seen if not path.startswith("/cdn/")} == {f"Bearer {TOKEN}"}
    assert {sent for _, path, sent in hub.seen if path.startswith("/cdn/")} == {None}, "not the hub's host"
    assert "".join(capfd.readouterr()) == "" and "HF_TOKEN" not in os.environ
    for folder in (tmp_path, space.root):
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_a_server_that_goes_silent_on_the_way_is_given_up_at_the_deadline(hub: FakeHub, fails: Fails) -> None:
    hub.repos[NAME].stall_at = 600_000
    assert "within 3 seconds" in fails(deadline=3.0)


def test_a_slow_download_says_how_far_it_came() -> None:
    lines: process.Lines = queue.Queue()
    for line in ({"total": 8_000_000}, {"done": 2_000_000}):
        lines.put(line)
    watch = process.Watch(lambda done, total: None, 0.3, lambda: False, lambda total: None)
    with pytest.raises(HubError, match=r"too slow: 2\.0 MB of 8\.0 MB came within 0\.3 seconds"):
        process._follow(lines, Target(NAME, None, "https://hub.example"), watch)


def test_bytes_that_come_twice_do_not_take_the_progress_back() -> None:
    lines: process.Lines = queue.Queue()
    for line in ({"total": 100}, {"done": 60}, {"done": 0}, {"done": 90}, {"done": 120}, {"fetched": {}}):
        lines.put(line)
    seen: list[int] = []
    watch = process.Watch(lambda done, total: seen.append(done), 9.0, lambda: False, lambda total: None)
    process._follow(lines, Target(NAME, None, "https://hub.example"), watch)
    assert seen == [0, 60, 90, 100]


def test_a_download_that_dies_is_reported_with_its_exit_code() -> None:
    lines: process.Lines = queue.Queue()
    lines.put(-9)
    watch = process.Watch(lambda done, total: None, 9.0, lambda: False, lambda total: None)
    with pytest.raises(HubError, match=r"ended unexpectedly .exit code -9"):
        process._follow(lines, Target(NAME, None, "https://hub.example"), watch)


def test_a_cancelled_download_ends_and_leaves_nothing(hub: FakeHub, space: Workspace) -> None:
    hub.repos[NAME].stall_at = 600_000
    steps: list[int] = []
    with pytest.raises(Interrupted, match="nothing of ada/tiny-skin was kept"):
        pull(
            NAME,
            space,
            progress=lambda done, total: steps.append(done),
            cancelled=lambda: bool(steps) and steps[-1] > 100_000,
        )
    assert list(space.models.iterdir()) == []
    assert list(space.hub.rglob("*.incomplete")) == []
    hub.repos[NAME].stall_at = None
    pull(NAME, space)  # the ended download holds no lock


def test_a_wrong_shape_names_the_tensor_and_both_shapes(hub: FakeHub, fails: Fails) -> None:
    tensors = load(hub.repos[NAME].files[WEIGHTS])
    tensors["main.0.weight"] = tensors["main.0.weight"][:, :-1].contiguous()
    hub.repos[NAME].files[WEIGHTS] = save(tensors)
    sentence = fails()
    assert f"ada/tiny-skin/{WEIGHTS}: the tensor main.0.weight is (100, 127, 4, 4)" in sentence
    assert "needs (100, 128, 4, 4)" in sentence


@pytest.mark.parametrize("architecture", ["unheard-of", ["sngan"]])
def test_a_network_that_cannot_be_built_is_refused(
    tmp_path: Path, model_files: dict[str, bytes], architecture: Any
) -> None:
    config = json.loads(model_files["config.json"])
    config["model"]["architecture"] = architecture
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / WEIGHTS).write_bytes(model_files[WEIGHTS])
    with pytest.raises(MedGANError, match=r"no architecture 'unheard-of'|it must be a name"):
        transfer._validate(tmp_path)


def test_a_disk_without_room_is_noticed_before_the_download(
    hub: FakeHub, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage)
    assert "1.0 MB are free; free some space, or set MEDGAN_HOME" in fails()


def test_a_disk_that_fills_up_leaves_no_half_folder(
    hub: FakeHub, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, destination: Path) -> None:
        destination.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer.shutil, "copyfile", full)
    assert "The disk is full" in fails()


def test_two_pulls_of_the_same_model_do_not_meet(fails: Fails, space: Workspace) -> None:
    with FileLock(space.locks / "ada--tiny-skin.lock"):
        assert "is being pulled already" in fails()


def test_what_a_killed_pull_left_is_swept_and_nothing_else(space: Workspace) -> None:
    folder = space.models / "ada--tiny"
    left, other = space.models / ".ada--tiny-0123abcd", space.models / ".ada--tiny-skin-0123abcd"
    for path in (left, other):
        path.mkdir()
    transfer._sweep(folder, space)
    assert not left.exists() and other.exists()
