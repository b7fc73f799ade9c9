"""What the downloading process does, with the real client against a hub on loopback."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medgan.errors import HubError
from medgan.hub import fetch as module
from medgan.hub.failures import Target
from tests.hub.fakehub import COMMIT, NAME, TOKEN, WEIGHTS, FakeHub, Repo

PATIENCE = 20.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", module.CHUNK)
    return tmp_path / "cache"


@pytest.fixture
def get(hub: FakeHub, cache: Path) -> Callable[..., dict[str, Any]]:
    def fetch(revision: str | None = None, patience: float = PATIENCE, **target: str) -> dict[str, Any]:
        where = replace(Target(NAME, revision, hub.endpoint), **target)
        return module.fetch(where, cache, patience)

    return fetch


@pytest.fixture
def fails(get: Callable[..., dict[str, Any]], cache: Path) -> Callable[..., str]:
    """Fetch, see it fail, see no half file, return the sentence."""

    def attempt(*arguments: Any, **options: Any) -> str:
        with pytest.raises(HubError) as caught:
            get(*arguments, **options)
        assert list(cache.rglob("*.incomplete")) == []
        return str(caught.value)

    return attempt


Get = Callable[..., dict[str, Any]]
Fails = Callable[..., str]


def test_only_the_three_files_of_a_model_are_asked_for(hub: FakeHub, get: Get) -> None:
    fetched = get()
    assert fetched["files"] == ["config.json", WEIGHTS, "README.md"]
    assert {Path(path).name for _, path, _ in hub.seen} == set(fetched["files"])


def test_a_model_without_a_card_is_fetched(hub: FakeHub, get: Get) -> None:
    del hub.repos[NAME].files["README.md"]
    assert get()["files"] == ["config.json", WEIGHTS]


def test_a_card_that_is_too_large_is_left_out(hub: FakeHub, get: Get) -> None:
    hub.repos[NAME].files["README.md"] = b" " * 1_000_001
    assert get()["files"] == ["config.json", WEIGHTS]


def test_a_revision_is_pinned_to_its_commit_before_anything_is_downloaded(hub: FakeHub, get: Get) -> None:
    hub.repos[NAME] = replace(hub.repos[NAME], commit="ab" * 20, revisions=("main", "v1"))
    assert get("v1")["revision"] == "ab" * 20
    downloads = [path for method, path, _ in hub.seen if method == "GET" and "/resolve/" in path]
    assert downloads and all(f"/resolve/{'ab' * 20}/" in path for path in downloads)


def test_a_private_model_is_fetched_with_the_token_which_only_the_hub_sees(
    hub: FakeHub, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos[NAME].token = TOKEN
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    get()
    assert {sent for _, path, sent in hub.seen if path.startswith("/cdn/")} == {None}


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (404, "RepoNotFound", "no repository ada/tiny-skin on 127.*or it is private.*auth login.*HF_TOKEN"),
        (401, "RepoNotFound", "no repository ada/tiny-skin on 127.*or it is private.*auth login.*HF_TOKEN"),
        (401, "GatedRepo", "gated: ask for access.*hf auth login"),
        (403, "GatedRepo", "gated: ask for access.*hf auth login"),
        (401, "", "refuses your token.*hf auth login"),
        (403, "", "does not let you read ada/tiny-skin"),
        (404, "", r"refused the download of ada/tiny-skin \(HTTP 404\)"),
        (429, "", "too many requests"),
        (503, "", r"trouble of its own \(HTTP 503\)"),
    ],
)
def test_each_refusal_says_what_to_do_and_hides_the_token(
    hub: FakeHub, fails: Fails, monkeypatch: pytest.MonkeyPatch, status: int, code: str, says: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.repos[NAME].refuse = (status, code)
    sentence = fails()
    assert re.search(says, sentence)
    assert TOKEN not in sentence


def test_an_unknown_revision_is_named(fails: Fails) -> None:
    assert "ada/tiny-skin has no revision 'v9'" in fails("v9")


@pytest.mark.parametrize("missing", [WEIGHTS, "config.json"])
def test_a_repository_without_a_model_is_named_with_what_it_lacks(
    hub: FakeHub, fails: Fails, missing: str
) -> None:
    del hub.repos[NAME].files[missing]
    assert f"ada/tiny-skin holds no MedGAN model: it lacks {missing}" in fails()


def test_pickled_weights_are_never_asked_for(hub: FakeHub, fails: Fails) -> None:
    hub.repos[NAME] = Repo({"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    assert f"it lacks {WEIGHTS} (pickled weights are never read)" in fails()
    assert not any(path.endswith(".bin") for _, path, _ in hub.seen)


def test_another_programs_model_is_refused_before_its_weights_are_downloaded(
    hub: FakeHub, fails: Fails
) -> None:
    hub.repos[NAME].files["config.json"] = b'{"model_type": "bert"}'
    assert "holds no model that this MedGAN can use: ada/tiny-skin has model format None" in fails()
    assert hub.downloads(WEIGHTS) == 0


@pytest.mark.parametrize("setting", [{"ngf": 257}, {"ngf": 1.5}, {"latent": 10**12}])
def test_a_config_that_asks_for_a_giant_is_refused_before_its_weights_are_downloaded(
    hub: FakeHub, fails: Fails, setting: dict[str, float]
) -> None:
    config = json.loads(hub.repos[NAME].files["config.json"])
    config["model"] |= setting
    hub.repos[NAME].files["config.json"] = json.dumps(config).encode()
    [(name, value)] = setting.items()
    assert f"{name} is {value}; it must be a whole number from 1 to" in fails()
    assert hub.downloads(WEIGHTS) == 0


def test_a_config_that_is_too_large_is_not_downloaded(hub: FakeHub, fails: Fails) -> None:
    hub.repos[NAME].files["config.json"] = b" " * 1_000_001
    assert "config.json is larger than 1.0 MB" in fails()
    assert hub.downloads("config.json") == 0


def test_weights_of_unsaid_size_are_bounded_too(
    hub: FakeHub, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.LARGEST, WEIGHTS, 500_000)
    hub.repos[NAME].says_size = False
    assert "sends more than the 500.0 kB" in fails()


def test_a_silent_server_is_given_up_after_the_patience(hub: FakeHub, fails: Fails) -> None:
    hub.repos[NAME].silent = True
    assert "is silent" in fails(patience=0.2)


def test_a_refused_connection_names_the_server_but_no_password(fails: Fails) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sentence = fails(endpoint=f"http://me:{TOKEN}@127.0.0.1:{port}")
    assert f"127.0.0.1:{port} cannot be reached" in sentence and "check the network" in sentence
    assert TOKEN not in sentence


def test_the_login_page_of_a_network_is_not_taken_for_a_hub(hub: FakeHub, fails: Fails) -> None:
    hub.plain = True
    assert "does not answer like a Hugging Face hub" in fails()


def test_an_impossible_token_is_called_so_and_not_shown(
    fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_sécret")
    sentence = fails()
    assert "Your token holds characters that no token has" in sentence
    assert "cret" not in sentence


def test_a_download_that_is_cut_off_goes_on_where_it_was(
    hub: FakeHub, get: Get, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.repos[NAME].cut_at = 700_000
    get()
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = [line["done"] for line in said if "done" in line]
    assert hub.downloads(WEIGHTS) == 2  # the part, then the rest
    assert done == sorted(done) and done[-1] == said[0]["total"]


def test_a_server_that_cuts_off_again_and_again_is_given_up(hub: FakeHub, fails: Fails) -> None:
    hub.repos[NAME] = replace(hub.repos[NAME], cut_at=700_000, cuts=99, ranges=False)
    assert "breaks off again and again" in fails()


def test_a_wrong_checksum_is_refused_and_not_kept_for_the_next_time(
    hub: FakeHub, fails: Fails, get: Get
) -> None:
    good = hub.repos[NAME].files[WEIGHTS]
    hub.repos[NAME] = hub.repos[NAME].damaged(WEIGHTS)
    assert f"ada/tiny-skin/{WEIGHTS} arrived damaged: its checksum is not the hub's" in fails()
    hub.repos[NAME].files[WEIGHTS] = good
    fetched = get()
    assert (Path(fetched["folder"]) / WEIGHTS).read_bytes() == good
    assert fetched["revision"] == COMMIT
