"""Files and folders appear whole or not at all."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from medgan.files import STALE, write_bytes, write_folder, write_json


@pytest.fixture
def no_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies (as far as the folder can tell) just before the rename."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    monkeypatch.setattr(os, "rename", die)


def test_json_is_written_readably_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"name": "Läsion"})
    write_json(path, {"name": "Läsion", "step": 2})
    assert json.loads(path.read_text("utf-8")) == {"name": "Läsion", "step": 2}
    assert "Läsion" in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_is_cut_off_leaves_the_old_file_and_no_litter(tmp_path: Path, no_rename: None) -> None:
    path = tmp_path / "events.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"step": 1})
    with pytest.raises(TypeError):
        write_json(path, {"step": object()})
    assert json.loads(path.read_text("utf-8")) == {"step": 1}


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "step-000001"

    def fill(temporary: Path) -> None:
        (temporary / "a").write_text("1")
        assert not folder.exists()
        # Whoever lists the checkpoints must not take the unfinished folder for one.
        assert not list(folder.parent.glob("step-*"))
        (temporary / "b").write_text("2")

    write_folder(folder, fill)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_whose_filling_fails_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "step-000001"
    write_folder(folder, lambda temporary: (temporary / "a").write_text("old"))

    def fail(temporary: Path) -> None:
        (temporary / "a").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_folder(folder, fail)
    assert (folder / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_folder(folder, lambda temporary: (temporary / "old").write_text("1"))
    write_folder(folder, lambda temporary: (temporary / "new").write_text("2"))
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".set-0123abcd", ".set-89abcdef", ".set-of-mine"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "images.npy").write_bytes(b"x")
    for folder in (old, other):
        os.utime(folder, (time.time() - 2 * STALE,) * 2)
    write_folder(tmp_path / "set", lambda folder: None)
    assert not old.exists()
    assert new.exists() and other.exists()
