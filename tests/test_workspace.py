"""The workspace folder and the names in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from medgan.errors import DataError
from medgan.workspace import Workspace, free_name, safe_name


def test_medgan_home_names_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGAN_HOME", str(tmp_path / "mine"))
    assert Workspace.default().root == (tmp_path / "mine").resolve()
    monkeypatch.setenv("MEDGAN_HOME", "~/elsewhere")
    assert Workspace.default().root == Path.home() / "elsewhere"


@pytest.mark.parametrize("unset", [True, False], ids=["unset", "empty"])
def test_without_it_the_workspace_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unset: bool
) -> None:
    if unset:
        monkeypatch.delenv("MEDGAN_HOME")
    else:
        monkeypatch.setenv("MEDGAN_HOME", "")
    monkeypatch.chdir(tmp_path)
    assert Workspace.default().root == tmp_path.resolve() / "workspace"


def test_folders_are_made_when_asked_for_and_not_before(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    assert not workspace.root.exists()
    assert workspace.runs.is_dir()
    assert workspace.runs != workspace.datasets


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("ISIC melanoma", "ISIC-melanoma"),
        ("../../etc/passwd", "etc-passwd"),
        (".hidden", "hidden"),
        ("Läsion 2", "Läsion-2"),
        ("a/b\\c:d", "a-b-c-d"),
        ("x" * 300, "x" * 80),
    ],
)
def test_any_name_becomes_one_plain_folder_name(name: str, clean: str) -> None:
    assert safe_name(name) == clean


@pytest.mark.parametrize("name", ["", "  ", "..", "///", "-"])
def test_a_name_of_which_nothing_is_left_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="letters and digits"):
        safe_name(name)


def test_a_taken_name_is_counted_up(tmp_path: Path) -> None:
    for expected in ("lungs", "lungs-2", "lungs-3"):
        assert free_name(tmp_path, "lungs") == expected
        (tmp_path / expected).mkdir()
