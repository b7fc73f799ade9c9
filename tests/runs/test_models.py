"""Which models are listed, and what MODEL finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medgan.config import ModelConfig
from medgan.errors import CheckpointError
from medgan.runs import models
from medgan.runs.info import ModelInfo, read_info
from medgan.runs.models import find_model, list_models, pulled_folder, read_source, repo_of
from medgan.workspace import Workspace


@pytest.fixture
def space(workspace: Path) -> Workspace:
    return Workspace.default()


@pytest.fixture
def ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for checkpoints/."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(models, "CHECKPOINTS", folder)
    return folder


def make_model(folder: Path, **about: str) -> Path:
    """A model folder; nothing here reads its weights."""
    folder.mkdir(parents=True)
    info = ModelInfo(ModelConfig(channels=1), dict(about))
    (folder / "config.json").write_text(json.dumps(info.to_json()))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def make_run(folder: Path, *steps: int, created: float = 1e9) -> Path:
    """A run folder with checkpoints at `steps`."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "status.json").write_text("{}")
    os.utime(folder / "config.json", (created, created))
    for step in steps:
        make_model(folder / "checkpoints" / f"step-{step:06d}", name=folder.name)
    return folder


def test_what_ships_was_trained_and_was_pulled_is_listed_in_this_order(space: Workspace, ships: Path) -> None:
    make_model(ships / "isic-demo", name="demo")
    make_run(space.runs / "older", 200, created=1e9)
    make_run(space.runs / "newer", 200, 1_200_000, created=2e9)
    make_model(space.models / "ada--tiny-skin")
    entries = list_models(space)
    assert [(entry.kind, entry.name, entry.spec) for entry in entries] == [
        ("ships", "isic-demo", "isic-demo"),
        ("trained", "newer", "newer"),
        ("trained", "older", "older"),
        ("hub", "ada/tiny-skin", "hub:ada/tiny-skin"),
    ]
    assert entries[1].folder == space.runs / "newer" / "checkpoints" / "step-1200000"
    assert entries[0].info.about == {"name": "demo"} and entries[0].info.model.channels == 1
    assert len(set(entries)) == 4  # hashable, as widgets want it


def test_every_spec_that_is_listed_is_found(space: Workspace, ships: Path) -> None:
    make_model(ships / "isic-demo")
    make_run(space.runs / "isic-demo", 200)  # the same name, so it is reached by its path
    make_run(space.runs / "mine", 200)
    make_model(space.models / "ada--tiny-skin")
    entries = list_models(space)
    assert len(entries) == 4
    assert [find_model(entry.spec, space) for entry in entries] == [entry.folder for entry in entries]


def test_broken_folders_are_left_out_and_find_says_what_is_wrong(space: Workspace, ships: Path) -> None:
    (make_model(ships / "weightless") / "model.safetensors").unlink()
    (make_model(ships / "garbled") / "config.json").write_text("[" * 100_000)
    (make_model(ships / "future") / "config.json").write_text('{"format": 99, "model": {}}')
    (make_model(ships / "alien") / "config.json").write_text('{"model_type": "bert"}')
    make_run(space.runs / "fresh")
    make_model(space.models / ".ada--half-0123abcd")  # still being written
    (space.models / "stray.txt").write_text("")
    assert list_models(space) == []
    for spec, reason in {
        "weightless": "weightless lacks model.safetensors",
        "garbled": "garbled has no readable config.json",
        "future": "future has model format 99; this version reads 1",
        "alien": "alien has model format None; this version reads 1",
        "fresh": "fresh has no checkpoint yet",
    }.items():
        with pytest.raises(CheckpointError, match=reason):
            find_model(spec, space)


def test_a_broken_newest_checkpoint_gives_way_to_the_one_before(space: Workspace, ships: Path) -> None:
    run = make_run(space.runs / "mine", 200, 400)
    (run / "checkpoints" / "step-000400" / "model.safetensors").unlink()
    assert find_model("mine", space) == run / "checkpoints" / "step-000200"


def test_a_run_that_is_only_queued_is_said_to_have_no_checkpoint(space: Workspace, ships: Path) -> None:
    (space.runs / "waiting").mkdir()
    (space.runs / "waiting" / "status.json").write_text("{}")
    with pytest.raises(CheckpointError, match="waiting has no checkpoint yet"):
        find_model("waiting", space)


def test_paths_of_runs_and_models_are_found(
    tmp_path: Path, space: Workspace, ships: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "elsewhere" / "run", 200, 400)
    newest = run / "checkpoints" / "step-000400"
    assert find_model(str(run), space) == newest
    assert find_model(str(newest), space) == newest
    monkeypatch.chdir(tmp_path)
    assert find_model("elsewhere/run", space).resolve() == newest
    with pytest.raises(CheckpointError, match="is a file; name the folder"):
        find_model(str(newest / "model.safetensors"), space)


def test_a_folder_that_is_no_model_does_not_hide_a_model_of_that_name(
    tmp_path: Path, space: Workspace, ships: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(ships / "isic-demo")
    (tmp_path / "isic-demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("isic-demo", space) == ships / "isic-demo"


def test_an_unknown_name_lists_what_there_is_and_the_closest(space: Workspace, ships: Path) -> None:
    with pytest.raises(CheckpointError, match="nor any other yet; train one"):
        find_model("isic-dmeo", space)
    make_model(ships / "isic-demo")
    make_run(space.runs / "lungs", 200)
    with pytest.raises(CheckpointError) as caught:
        find_model("isic-dmeo", space)
    assert str(caught.value) == (
        "There is no model 'isic-dmeo'; there are: isic-demo, lungs. Did you mean 'isic-demo'?"
    )


@pytest.mark.parametrize(
    "spec", ["", "  ", "../runs", "hub:../../etc", "hub:", "hub:one", "no/such/path", "a\0b"]
)
def test_odd_specs_are_refused_with_a_sentence(space: Workspace, ships: Path, spec: str) -> None:
    with pytest.raises(CheckpointError):
        find_model(spec, space)


def test_an_unpulled_repository_is_answered_with_the_command(space: Workspace, ships: Path) -> None:
    with pytest.raises(CheckpointError, match="`python -m medgan models pull ada/tiny`"):
        find_model("hub:ada/tiny", space)


def test_repository_names_follow_the_hubs_rules() -> None:
    good = ["ada/tiny", "hub:ada/tiny", "a/b", "ada/tiny_v1.2-x", "ada/" + "x" * 96]
    bad = ["tiny", "a/b/c", "-a/b", "a/b-", "a/.b", "a--b/c", "a/b..c", "a/b.git", "a/é", "a/" + "x" * 97]
    assert [repo_of(name) for name in good] == ["ada/tiny", "ada/tiny", *good[2:]]
    assert [repo_of(name) for name in bad] == [None] * len(bad)


def test_names_agree_with_huggingface_hub() -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    for name in [
        "ada/tiny",
        "a_/_b",
        "-a/b",
        "a/b-",
        "a.b/c.d",
        "a..b/c",
        "a/b.git",
        "a/b--c",
        "a/" + "x" * 97,
    ]:
        try:
            validate_repo_id(name)
            allowed = True
        except HFValidationError:
            allowed = False
        assert (repo_of(name) is not None) == allowed, name


def test_the_source_of_a_pulled_model_is_read_or_empty(space: Workspace) -> None:
    folder = make_model(pulled_folder("ada/tiny", space))
    assert read_source(folder) == {}
    (folder / "source.json").write_text('{"repo": "ada/tiny", "revision": "abc"}')
    assert read_source(folder) == {"repo": "ada/tiny", "revision": "abc"}
    (folder / "source.json").write_text("[]")
    assert read_source(folder) == {}


def test_listing_models_needs_no_torch() -> None:
    code = (
        "import sys, medgan.runs.models as m; from medgan.workspace import Workspace;"
        "m.list_models(Workspace.default()); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    "about",
    [
        {"step": "2000"},
        {"dataset": None},
        {"dataset": ["a"]},
        {"dataset": {"classes": [1]}},
        {"dataset": {"classes": {"nevus": 3}}},
        {"name": 7},
        "words",
    ],
)
def test_facts_of_a_kind_that_pages_cannot_show_are_refused(tmp_path: Path, about: object) -> None:
    config = {"format": 1, "model": {"ngf": 4, "ndf": 4}, "about": about}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError):
        read_info(tmp_path)
