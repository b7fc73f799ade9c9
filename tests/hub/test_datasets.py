"""Image data sets of the Hub as the command line and the dashboard fetch them: through a process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from medgan.data.limits import LIMITS
from medgan.errors import HubError, Interrupted
from medgan.hub import datasets
from medgan.hub.datasets import fetch_source, is_remote
from medgan.runs.launch import NOBODY
from medgan.workspace import Workspace
from tests.hub.fakehub import COMMIT, TOKEN, FakeHub, Repo
from tests.hub.imagesets import KEY, SPEC, classes, files_of, folders, images_in, table


@pytest.mark.parametrize(
    ("spec", "remote"),
    [
        (SPEC, True),
        ("medmnist:breastmnist", True),
        ("https://huggingface.co/datasets/ada/skin", True),
        ("hub:ada/model", False),
        ("images/", False),
        ("phantom:chest-ct", False),
    ],
)
def test_remote_sources_are_told_from_paths_and_models(spec: str, remote: bool) -> None:
    assert is_remote(spec) is remote


def test_an_image_folder_becomes_a_folder_of_classes_and_says_what_it_is(
    hub: FakeHub, repo: Repo, space: Workspace
) -> None:
    steps: list[tuple[int, int]] = []
    found = fetch_source(SPEC, space, progress=lambda done, total: steps.append((done, total)))
    assert found.folder.parent == space.sources and found.name == "skin" and found.images == 20
    assert classes(found.folder) == {"melanoma": 5, "nevus": 15}
    assert files_of(found.folder)[0] == "melanoma/train_000.png"
    assert images_in(found.folder) == {body for name, body in repo.files.items() if name.endswith(".png")}
    host = hub.endpoint.removeprefix("http://")
    assert (
        found.note == f"ada/skin of {host} at commit {COMMIT[:12]}; licence by its card: cc0-1.0; 20 images."
    )
    assert steps[-1][0] == steps[-1][1] == sum(len(body) for body in images_in(found.folder))
    assert [step[0] for step in steps] == sorted({step[0] for step in steps})
    assert {path.split("/")[-1] for _, path, _ in hub.seen}.isdisjoint({"README.md", "load.py"})


def test_parquet_is_unpacked_by_the_process_that_bounds_its_memory(
    hub: FakeHub, repo: Repo, space: Workspace
) -> None:
    repo.files = {"data/train-00000-of-00001.parquet": table([0, 1, 1, 0] * 5, names=["benign", "evil/one"])}
    found = fetch_source(SPEC, space, count=10)
    assert found.images == 10 and "10 of 20 images (seed 0)" in found.note
    assert classes(found.folder) == {"benign": 5, "evil-one": 5}


def test_a_second_fetch_needs_no_network_and_main_asks_for_the_newest(
    hub: FakeHub, repo: Repo, space: Workspace
) -> None:
    first = fetch_source(SPEC, space)
    hub.seen.clear()
    assert fetch_source(SPEC, space) == first
    assert fetch_source(f"{SPEC}@{COMMIT}", space) == first
    assert hub.seen == []
    assert fetch_source(f"{SPEC}@main", space) == first
    assert not any("/tree/" in path or "/resolve/" in path for _, path, _ in hub.seen)
    hub.repos[KEY] = replace(repo, commit="2e" * 20, files=folders(24))
    second = fetch_source(f"{SPEC}@main", space)
    assert second.images == 24 and second.folder != first.folder
    assert sum("/resolve/" in path for _, path, _ in hub.seen) == 4  # the others were here
    assert fetch_source(SPEC, space) == second and first.folder.is_dir()


def test_a_command_that_may_not_use_the_login_of_this_machine_sees_no_private_set(
    hub: FakeHub, repo: Repo, space: Workspace, logged_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.token = TOKEN
    with monkeypatch.context() as stranger:
        for name, value in NOBODY.items():
            stranger.setenv(name, value)
        with pytest.raises(HubError, match="or it is private"):
            fetch_source(SPEC, space)
    assert {sent for _, _, sent in hub.seen} == {None}
    assert fetch_source(SPEC, space).images == 20


def test_a_cancelled_fetch_ends_and_the_next_goes_on(hub: FakeHub, repo: Repo, space: Workspace) -> None:
    big = {"data/train-00000.parquet": table([0] * 12) + b"x" * 900_000}
    hub.repos[KEY] = Repo(big, stall_at=600_000)
    steps: list[int] = []
    with pytest.raises(Interrupted, match="what came of ada/skin so far stays"):
        fetch_source(
            SPEC,
            space,
            progress=lambda done, total: steps.append(done),
            cancelled=lambda: bool(steps) and steps[-1] > 300_000,
        )
    assert [path.name for path in space.sources.iterdir()] == [".downloads"]
    [part] = (path for path in space.sources.rglob("*") if path.is_file())
    assert part.name.endswith(".part") and part.stat().st_size >= 300_000
    hub.repos[KEY] = Repo(big)
    with pytest.raises(HubError, match="is damaged, or it is no parquet file"):  # what was appended says so
        fetch_source(SPEC, space)


def test_a_download_that_only_drips_is_given_up(
    hub: FakeHub, repo: Repo, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "STALL", 2.5)
    hub.repos[KEY] = Repo({"a.parquet": bytes(500_000)}, pause=0.1, slice=100)
    with pytest.raises(HubError, match=r"stands still: 127.*next to nothing for 2.5 seconds.*goes on where"):
        fetch_source(SPEC, space)
    assert [path.name for path in space.sources.iterdir()] == [".downloads"]


def test_a_disk_without_room_is_noticed_before_the_download(
    hub: FakeHub, repo: Repo, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = datasets.shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(datasets.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(HubError, match=r"Pulling this data set takes .* and 1\.0 MB are free"):
        fetch_source(SPEC, space)


def test_two_fetches_of_the_same_set_do_not_meet(repo: Repo, space: Workspace) -> None:
    with (
        FileLock(space.locks / "source-ada--skin.lock"),
        pytest.raises(HubError, match="is being fetched already"),
    ):
        fetch_source(SPEC, space)


def test_what_a_killed_fetch_left_is_swept_and_nothing_else(repo: Repo, space: Workspace) -> None:
    left, other = space.sources / ".ada--skin-0123abcd", space.sources / ".ada--skin-2-0123abcd"
    for path in (left, other):
        path.mkdir()
    fetch_source(SPEC, space)
    assert not left.exists() and other.exists()


@pytest.mark.parametrize("name", ["skin", "a/b/c", "../secrets", "ada/sk--in", "ada/skin?x=1", ""])
def test_a_malformed_name_is_refused_before_any_request(hub: FakeHub, space: Workspace, name: str) -> None:
    with pytest.raises(HubError, match="write it as hub:datasets/owner/name"):
        fetch_source(f"hub:datasets/{name}", space)
    assert hub.seen == []


@pytest.mark.parametrize("count", [0, -3, 20_001])
def test_a_count_that_cannot_be_is_refused(space: Workspace, count: int) -> None:
    with pytest.raises(HubError, match=r"ask for 1 to 20,000 \(--limit-files\)"):
        fetch_source(SPEC, space, count=count)


def test_other_limits_may_mean_other_images(hub: FakeHub, repo: Repo, space: Workspace) -> None:
    first = fetch_source(SPEC, space)
    more = fetch_source(SPEC, space, limits=replace(LIMITS, file_mb=300))
    assert more.folder != first.folder
    assert fetch_source(SPEC, space).folder == first.folder
