"""MedMNIST, fetched from a file server on loopback with a small table of sets in place of the package's."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medgan.errors import HubError, Interrupted
from medgan.hub import datasets, download, fetch_medmnist, medmnist
from medgan.hub.child import explained
from medgan.hub.datasets import fetch_source
from medgan.hub.failures import Target
from medgan.workspace import Workspace
from tests.hub.fakehub import FakeHub, Repo, serve

FILE = "breastmnist_64.npz"
SPEC = "medmnist:breastmnist"
COUNTS = {"train": 24, "val": 4, "test": 8}
NAMES = {"0": "malignant", "1": "normal, benign"}

Fails = Callable[..., str]
Get = Callable[..., dict[str, Any]]


def pixels(part: str, channels: int = 1, size: int = 64, count: int | None = None) -> np.ndarray:
    shape = (count or COUNTS[part], size, size) + ((3,) if channels == 3 else ())
    return np.random.default_rng(len(part)).integers(0, 256, shape, np.uint8)


def single(part: str) -> np.ndarray:
    """One of four is malignant."""
    return (np.arange(COUNTS[part])[:, None] % 4 > 0).astype(np.uint8)


def npz(
    labels: Callable[[str], np.ndarray] = single,
    images: Callable[[str], np.ndarray] = pixels,
    save: Callable[..., None] = np.savez_compressed,
) -> bytes:
    arrays = {f"{part}_images": images(part) for part in COUNTS}
    arrays |= {f"{part}_labels": labels(part) for part in COUNTS}
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as server:
        monkeypatch.setenv("MEDMNIST_ENDPOINT", f"{server.endpoint}/files/medmnist")
        yield server


@pytest.fixture
def offer(server: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Repo]]:
    """Put a file on the server, and its checksum into the table that stands in for the package's."""
    table = tmp_path / "packages" / "medmnist" / "info.py"
    table.parent.mkdir(parents=True)
    (table.parent / "__init__.py").write_text("raise SystemExit('the package must not be imported')")
    monkeypatch.syspath_prepend(str(table.parent.parent))
    monkeypatch.setenv("PYTHONPATH", str(table.parent.parent))
    monkeypatch.setattr(download, "WAIT", 0.0)

    def put(
        body: bytes,
        *,
        name: str = "breastmnist",
        size: int = 64,
        channels: int = 1,
        task: str = "binary-class",
        label: dict[str, str] = NAMES,
        md5: str = "",
    ) -> Repo:
        row = {"python_class": "BreastMNIST", "task": task, "label": label, "license": "CC BY 4.0"}
        row |= {"n_channels": channels, "n_samples": COUNTS}
        for stored in medmnist.SIZES:
            row[f"url_{stored}"] = f"https://nowhere.invalid/files/{name}_{stored}.npz?download=1"
            row[f"MD5_{stored}"] = md5 or hashlib.md5(body).hexdigest()
        table.write_text(f"import os\nos.abort()\nINFO = {{{name!r}: {row!r}}}\n")
        medmnist._table.cache_clear()
        server.shelf = Repo({f"{name}_{size}.npz": body})
        return server.shelf

    yield put
    medmnist._table.cache_clear()


@pytest.fixture
def get(server: FakeHub, offer: Callable[..., Repo], tmp_path: Path) -> Get:
    """Fetch as the process does, in this one; the images lie in `tmp_path / "out"`."""

    def fetch(
        spec: str = SPEC, *, count: int | None = None, seed: int = 0, patience: float = 20.0
    ) -> dict[str, Any]:
        source = medmnist.find_set(spec, 64)
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        request = fetch_medmnist.Request(tmp_path / "cache", out, count, seed, patience)
        target = Target(spec, None, f"{server.endpoint}/files", "data set", medmnist.VARIABLE)
        with explained(target):
            return fetch_medmnist.fetch(source, request, target)

    return fetch


@pytest.fixture
def fails(get: Get, tmp_path: Path) -> Fails:
    """Fetch, see it fail, see no image, return the sentence."""

    def attempt(**options: Any) -> str:
        with pytest.raises(HubError) as caught:
            get(**options)
        assert files_of(tmp_path / "out") == []
        return str(caught.value)

    return attempt


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def classes(folder: Path) -> Counter[str]:
    return Counter(path.split("/")[0] for path in files_of(folder))


# The package's own table.


def test_the_packages_table_describes_every_set_that_is_offered() -> None:
    for name in medmnist.MEDMNIST:
        for size in medmnist.SIZES:
            found = medmnist.find_set(f"medmnist:{name}", size)
            assert found.url.endswith(f"/{found.file}") and re.fullmatch(r"[0-9a-f]{32}", found.md5)
            assert found.size == size and found.licence.startswith("CC BY")
            assert f"{sum(found.counts.values()):,} images" in medmnist.MEDMNIST[name]
            assert f"{len(found.labels)} " in medmnist.MEDMNIST[name]
    table = medmnist._table()
    assert set(medmnist.MEDMNIST) == {name for name in table if not name.endswith("3d")}


def test_the_table_is_read_without_importing_the_package_or_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from medgan.hub.medmnist import find_set; find_set('medmnist:breastmnist', 128);"
        "print({'torch', 'medmnist'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("asked", "stored"), [(32, 64), (64, 64), (65, 128), (128, 128), (224, 224), (256, 224)]
)
def test_the_smallest_stored_size_that_is_enough_is_taken(asked: int, stored: int) -> None:
    assert medmnist.find_set("medmnist:BreastMNIST", asked).size == stored


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("brestmnist", "no MedMNIST set 'brestmnist'.*Did you mean medmnist:breastmnist"),
        (
            "nodulemnist3d",
            "medmnist:nodulemnist3d holds volumes of 64 pixels.*choose one of pathmnist",
        ),
        ("", "no MedMNIST set ''; there are pathmnist"),
        ("../../etc", "no MedMNIST set"),
    ],
)
def test_an_unknown_set_and_volumes_are_refused_naming_the_others(
    space: Workspace, name: str, says: str
) -> None:
    with pytest.raises(HubError, match=says):
        fetch_source(f"medmnist:{name}", space)


def test_what_is_special_about_the_labels_is_said() -> None:
    assert "only finding, or 'no finding'" in medmnist.find_set("medmnist:chestmnist", 128).labelling
    assert "grades are taken as classes" in medmnist.find_set("medmnist:retinamnist", 128).labelling
    assert medmnist.find_set("medmnist:breastmnist", 128).labelling == ""


# Through the process, as the command line and the dashboard do.


def test_a_set_becomes_a_folder_of_classes_with_the_very_pixels(
    offer: Callable[..., Repo], space: Workspace
) -> None:
    offer(npz())
    steps: list[tuple[int, int]] = []
    found = fetch_source(SPEC, space, size=64, progress=lambda done, total: steps.append((done, total)))
    assert found.name == "breastmnist" and found.images == 36 and found.folder.parent == space.sources
    assert found.note == "BreastMNIST (MedMNIST 3) at 64 x 64 pixels; licence CC BY 4.0; 36 images."
    assert classes(found.folder) == {"malignant": 9, "normal, benign": 27}
    with Image.open(found.folder / "normal, benign" / "val_000003.png") as image:
        assert np.array_equal(np.asarray(image), pixels("val")[3])
    assert steps[-1][0] == steps[-1][1] and steps == sorted(steps) and len(steps) > 3


def test_a_second_fetch_needs_no_network_and_another_draw_no_download(
    server: FakeHub, offer: Callable[..., Repo], space: Workspace
) -> None:
    offer(npz())
    first = fetch_source(SPEC, space, size=64, count=8)
    assert fetch_source(SPEC, space, size=64, count=8) == first
    other = fetch_source(SPEC, space, size=64, count=8, seed=1)
    assert classes(first.folder) == classes(other.folder) == {"malignant": 2, "normal, benign": 6}
    assert files_of(first.folder) != files_of(other.folder)
    assert "8 of 36 images (seed 1)" in other.note
    assert server.downloads(f"{FILE}?download=1") == 1


def test_a_size_that_is_not_stored_is_said(offer: Callable[..., Repo], space: Workspace) -> None:
    def large(part: str) -> np.ndarray:
        return pixels(part, size=224)

    offer(npz(images=large), size=224)
    found = fetch_source(SPEC, space, size=256, count=4)
    assert "at 224 x 224 pixels" in found.note and "there is none of 256 pixels" in found.note


def test_a_cancelled_download_is_ended_and_the_next_goes_on_where_it_was(
    server: FakeHub, offer: Callable[..., Repo], space: Workspace
) -> None:
    shelf = offer(npz(images=lambda part: pixels(part, size=128), save=np.savez), size=128)
    shelf.stall_at = 400_000
    steps: list[int] = []
    with pytest.raises(Interrupted, match="what came of medmnist:breastmnist so far stays"):
        fetch_source(
            SPEC,
            space,
            progress=lambda done, total: steps.append(done),
            cancelled=lambda: bool(steps) and steps[-1] >= 250_000,
        )
    assert [path.name for path in space.sources.iterdir()] == [".downloads"]
    shelf.stall_at = None
    steps.clear()
    found = fetch_source(SPEC, space, progress=lambda done, total: steps.append(done))
    assert found.images == 36 and steps[0] >= 250_000


def test_a_download_that_stands_still_is_given_up(
    offer: Callable[..., Repo], space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "STALL", 1.5)
    offer(npz(save=np.savez)).stall_at = 65_536
    with pytest.raises(HubError, match=r"stands still: 127.*next to nothing for 1.5 seconds"):
        fetch_source(SPEC, space, size=64)


@pytest.mark.parametrize("address", ["mirror", "file:///etc", "http://[bad"])
def test_a_mirror_that_is_no_address_is_refused(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MEDMNIST_ENDPOINT", address)
    with pytest.raises(HubError, match="MEDMNIST_ENDPOINT is not the address of a server"):
        fetch_source(SPEC, space)


# What the process does, in this one.


def test_colour_images_stay_colour(get: Get, offer: Callable[..., Repo], tmp_path: Path) -> None:
    offer(npz(images=lambda part: pixels(part, 3)), channels=3)
    get(count=4)
    with Image.open(tmp_path / "out" / files_of(tmp_path / "out")[0]) as image:
        assert image.mode == "RGB"


def test_of_several_labels_only_single_ones_are_classes(
    get: Get, offer: Callable[..., Repo], tmp_path: Path
) -> None:
    def labels(part: str) -> np.ndarray:
        """In turn: none, the first, the second, both; columns first, as pandas leaves them."""
        kind = np.arange(COUNTS[part]) % 4
        return np.asfortranarray(np.stack([kind % 2, kind // 2], axis=1).astype(np.uint8))

    offer(npz(labels), task="multi-label, binary-class", label={"0": "effusion", "1": "mass"})
    assert get() == {"images": 27, "of": 36, "left_out": 9}
    assert classes(tmp_path / "out") == {"no finding": 9, "effusion": 9, "mass": 9}


def test_a_cut_connection_goes_on_by_range(server: FakeHub, get: Get, offer: Callable[..., Repo]) -> None:
    offer(npz(save=np.savez)).cut_at = 100_000
    assert get()["images"] == 36
    assert server.downloads(f"{FILE}?download=1") == 2


def test_a_server_without_ranges_begins_again(server: FakeHub, get: Get, offer: Callable[..., Repo]) -> None:
    shelf = offer(npz(save=np.savez))
    shelf.cut_at, shelf.ranges = 100_000, False
    assert get()["images"] == 36


def test_the_part_of_another_file_is_given_up_for_the_whole(
    get: Get, offer: Callable[..., Repo], tmp_path: Path
) -> None:
    offer(npz(save=np.savez))
    for old in (b"x" * 50_000, b"x" * 9_000_000):  # shorter, then longer than what is there now
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / f"{FILE}.part").write_bytes(old)
        assert get(count=4)["images"] == 4
        (tmp_path / "cache" / FILE).unlink()


def test_a_server_that_cuts_off_again_and_again_is_given_up(fails: Fails, offer: Callable[..., Repo]) -> None:
    shelf = offer(npz(save=np.savez))
    shelf.cut_at, shelf.cuts, shelf.ranges = 100_000, 99, False
    assert "breaks off again and again" in fails()


def test_a_wrong_checksum_is_refused_and_nothing_of_it_kept(
    fails: Fails, offer: Callable[..., Repo], tmp_path: Path
) -> None:
    offer(npz(), md5="0" * 32)
    assert f"{FILE} arrived damaged: its checksum is not the one" in fails()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((403, ""), r"127.* does not hand out breastmnist_64.npz \(HTTP 403\); check MEDMNIST_ENDPOINT"),
        ((429, ""), "too many requests"),
        ((503, ""), r"trouble of its own \(HTTP 503\)"),
    ],
)
def test_each_refusal_says_what_to_do(
    fails: Fails, offer: Callable[..., Repo], refusal: tuple[int, str], says: str
) -> None:
    offer(npz()).refuse = refusal
    assert re.search(says, fails())


def test_a_mirror_without_the_file_is_told(fails: Fails, offer: Callable[..., Repo]) -> None:
    offer(npz()).files.clear()
    assert re.search(r"has no file breastmnist_64.npz \(HTTP 404\); check MEDMNIST_ENDPOINT", fails())


def test_the_login_page_of_a_network_is_not_taken_for_a_file(
    server: FakeHub, fails: Fails, offer: Callable[..., Repo]
) -> None:
    offer(npz())
    server.plain = True
    assert "sent a web page instead of breastmnist_64.npz; check MEDMNIST_ENDPOINT, the proxy" in fails()


def test_a_silent_server_is_given_up_after_the_patience(fails: Fails, offer: Callable[..., Repo]) -> None:
    offer(npz()).silent = True
    assert "is silent" in fails(patience=0.2)


def test_a_file_larger_than_its_images_is_refused(
    fails: Fails, offer: Callable[..., Repo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_medmnist, "SLACK", -100_000)
    offer(npz(save=np.savez))
    assert "sends more than the 47.5 kB of breastmnist_64.npz" in fails()


def _not_a_zip() -> bytes:
    return b"PK\x03\x04" + bytes(1000)


def _pickled(stream: Any, **arrays: np.ndarray) -> None:
    np.savez(stream, **{name: array.astype(object) for name, array in arrays.items()})


def _short(stream: Any, **arrays: np.ndarray) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            cut = 5000 if name.endswith("images") else 0
            archive.writestr(f"{name}.npy", member.getvalue()[: len(member.getvalue()) - cut])


@pytest.mark.parametrize(
    "make",
    [
        _not_a_zip,
        lambda: npz(save=_pickled),
        lambda: npz(save=_short),
        lambda: npz(images=lambda part: pixels(part, size=32)),
        lambda: npz(images=lambda part: pixels(part, count=3)),
        lambda: npz(labels=lambda part: single(part) + 7),
        lambda: npz(labels=lambda part: single(part)[:, 0]),
    ],
)
def test_a_file_of_another_make_is_refused_and_not_kept(
    get: Get, offer: Callable[..., Repo], tmp_path: Path, make: Callable[[], bytes]
) -> None:
    offer(make())
    with pytest.raises(HubError, match=r"breastmnist_64\.npz is not what MedMNIST 3 describes"):
        get()
    assert list((tmp_path / "cache").iterdir()) == []
