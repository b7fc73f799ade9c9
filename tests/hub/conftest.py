"""A hub with one good model, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medgan.config import ModelConfig
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo
from medgan.workspace import Workspace
from tests.hub.fakehub import NAME, TOKEN, FakeHub, Repo, serve
from tests.hub.imagesets import KEY, folders


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A model folder as a repository holds it: 1.5 MB of weights, and files that nobody asked for."""
    folder = tmp_path_factory.mktemp("model")
    config = ModelConfig(size=64, ngf=16)
    save_model(folder, build_generator(config), ModelInfo(config, {"name": "tiny"}))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {"README.md": b"# Tiny\n", "pytorch_model.bin": b"pickle", "notes.txt": b"other"}


@pytest.fixture
def hub(model_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub with one good repository, at which `HF_ENDPOINT` points; nobody is logged in."""
    from huggingface_hub import close_session, constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    with serve() as hub:
        hub.repos[NAME] = Repo(dict(model_files))
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    close_session()


@pytest.fixture
def logged_in(hub: FakeHub, tmp_path: Path) -> Path:
    """The file that `hf auth login` leaves on this machine."""
    path = tmp_path / "hf" / "token"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TOKEN)
    return path


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return Workspace.default()


@pytest.fixture
def repo(hub: FakeHub) -> Repo:
    """An image data set on the hub."""
    hub.repos[KEY] = Repo(folders(), card={"license": "cc0-1.0"})
    return hub.repos[KEY]
