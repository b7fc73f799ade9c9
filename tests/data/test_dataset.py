"""A prepared set: what is written can be read, whole or not at all, and the same input gives the same."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.data.dataset import COLUMNS, Dataset, prepare, store, use_grey
from medgan.data.intake import find_records
from medgan.errors import DataError
from medgan.images import resize_and_crop, upright
from tests.data.samples import class_folders, encoded, picture, png_file, zip_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "set")


def make(source: Path, out: Path, **settings: object) -> Dataset:
    return prepare(find_records([source]), out, **{"size": 64, **settings})  # type: ignore[arg-type]


def left_behind(parent: Path, *known: str) -> list[str]:
    return sorted(path.name for path in parent.iterdir() if path.name not in known)


# what is written


def test_what_is_prepared_can_be_read_again(folder: Path, tmp_path: Path) -> None:
    made = make(folder, tmp_path / "out", name="Pets", heldout=4, seed=3)
    data = Dataset(tmp_path / "out")
    assert (data.name, data.size, data.channels) == ("Pets", 64, 3)
    assert data.info == made.info
    assert data.images.shape == (12, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert tuple(data.manifest[0]) == COLUMNS
    for row, image in zip(data.manifest, data.images, strict=True):
        source = upright(Image.open(folder / row["file"]))
        assert np.array_equal(image, resize_and_crop(source, 64, 3))


def test_the_parts_hold_every_image_once(folder: Path, tmp_path: Path) -> None:
    data = make(folder, tmp_path / "out", heldout=0.25)
    train, heldout = data.part("train"), data.part("heldout")
    assert (len(train), len(heldout)) == (9, 3)
    assert data.info["splits"] == {"train": 9, "heldout": 3}
    both = sorted(image.tobytes() for image in np.concatenate([train, heldout]))
    assert both == sorted(np.asarray(image).tobytes() for image in data.images)


def test_the_figures_agree_with_the_manifest(folder: Path, tmp_path: Path) -> None:
    data = make(folder, tmp_path / "out")
    for label, parts in data.info["classes"].items():
        for part, count in parts.items():
            rows = [r for r in data.manifest if (r["class"], r["split"]) == (label, part)]
            assert len(rows) == count
    assert data.info["groups"] == len({row["group"] for row in data.manifest})
    with (tmp_path / "out" / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        assert sum(1 for _ in csv.reader(stream)) == 13
    assert json.loads((tmp_path / "out" / "dataset.json").read_text("utf-8")) == data.info


def test_the_name_is_the_folders_unless_one_is_given(folder: Path, tmp_path: Path) -> None:
    assert make(folder, tmp_path / "pets").name == "pets"


def test_names_in_any_script_survive(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", classes=('müdigkeit, "x"', "病変"))
    data = make(folder, tmp_path / "out", name="Läsionen α")
    assert Dataset(tmp_path / "out").name == "Läsionen α"
    assert {row["class"] for row in data.manifest} == {'müdigkeit, "x"', "病変"}


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("colour, channels", [("rgb", 3), ("grey", 1)])
def test_size_and_colour_are_as_asked(
    folder: Path, tmp_path: Path, size: int, colour: str, channels: int
) -> None:
    data = make(folder, tmp_path / "out", size=size, colour=colour)
    assert data.images.shape[1:] == (size, size, channels)


def test_images_that_exist_can_be_stored(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 1), np.uint8)
    data = store(images, ["a", "b"] * 4, tmp_path / "deep" / "out", name="mine", heldout=2)
    assert np.array_equal(data.images, images)
    assert [row["class"] for row in data.manifest] == ["a", "b"] * 4
    assert data.info["splits"] == {"heldout": 2, "train": 6}


def test_progress_counts_every_file_also_the_bad_ones(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_bytes(b"")
    told: list[tuple[int, int]] = []
    make(folder, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told == [(k, 13) for k in range(1, 14)]


# the same input, the same set


def test_the_same_input_gives_the_same_content(folder: Path, tmp_path: Path) -> None:
    first, again = (make(folder, tmp_path / name, seed=5) for name in ("a", "b"))
    assert first.info["content_sha256"] == again.info["content_sha256"]
    assert (tmp_path / "a" / "images.npy").read_bytes() == (tmp_path / "b" / "images.npy").read_bytes()
    assert (tmp_path / "a" / "manifest.csv").read_bytes() == (tmp_path / "b" / "manifest.csv").read_bytes()


def test_a_zip_gives_the_same_content_as_its_folder(folder: Path, tmp_path: Path) -> None:
    members = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}
    archive = zip_file(tmp_path / "set.zip", members)
    contents = {make(s, tmp_path / f"out-{s.name}").info["content_sha256"] for s in (folder, archive)}
    assert len(contents) == 1


@pytest.mark.parametrize("change", [{"seed": 1}, {"heldout": 5}, {"size": 128}, {"colour": "grey"}])
def test_other_settings_give_other_content(folder: Path, tmp_path: Path, change: dict[str, object]) -> None:
    plain, changed = make(folder, tmp_path / "a"), make(folder, tmp_path / "b", **change)
    assert plain.info["content_sha256"] != changed.info["content_sha256"]


def test_one_changed_pixel_gives_other_content(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    first = store(images, ["a"] * 6, tmp_path / "a", name="x")
    images[3, 10, 10, 0] ^= 1
    assert (
        store(images, ["a"] * 6, tmp_path / "b", name="x").info["content_sha256"]
        != first.info["content_sha256"]
    )


# exact copies


def test_exact_copies_are_used_once_and_named(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "copy.png").write_bytes((folder / "cat" / "000.png").read_bytes())
    data = make(folder, tmp_path / "out")
    assert len(data.manifest) == 12
    assert data.info["rejected"] == [{"file": "cat/copy.png", "reason": "is an exact copy of cat/000.png"}]


def test_a_copy_in_another_class_is_reported_as_a_conflict(folder: Path, tmp_path: Path) -> None:
    (folder / "dog" / "copy.png").write_bytes((folder / "cat" / "000.png").read_bytes())
    (rejection,) = make(folder, tmp_path / "out").info["rejected"]
    assert rejection["reason"] == ("is an exact copy of cat/000.png, though their classes are cat and dog")


def test_the_same_pixels_in_another_file_format_are_a_copy(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "copy.bmp").write_bytes(encoded(picture(0), "BMP"))
    assert len(make(folder, tmp_path / "out").info["rejected"]) == 1


# grey or colour


def test_real_chest_ct_is_grey_and_real_dermoscopy_is_colour(real_data: Path) -> None:
    assert use_grey(find_records([real_data / "chest_ct"]))
    assert use_grey(find_records([real_data / "chest_ct_original"]))
    assert not use_grey(find_records([real_data / "isic"]))


def test_a_few_coloured_images_do_not_make_a_grey_set_coloured(tmp_path: Path) -> None:
    for k in range(40):
        png_file(tmp_path / "set" / f"{k:02d}.png", k, mode="L" if k != 7 else "RGB")
    assert use_grey(find_records([tmp_path / "set"]))
    for k in range(5):
        png_file(tmp_path / "set" / f"c{k}.png", 100 + k)
    assert not use_grey(find_records([tmp_path / "set"]))


def test_unreadable_files_have_no_vote_on_the_colour(tmp_path: Path) -> None:
    for k in range(4):
        png_file(tmp_path / "set" / f"{k}.png", k, mode="L")
        (tmp_path / "set" / f"bad{k}.png").write_bytes(b"?")
    assert use_grey(find_records([tmp_path / "set"]))


# whole or not at all


def test_a_killed_preparation_leaves_no_half_set_and_can_be_done_again(folder: Path, tmp_path: Path) -> None:
    code = """
import os, signal, sys
import numpy as np
from pathlib import Path
from medgan.data import dataset
from medgan.data.intake import find_records

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

dataset.csv.writer = killed  # the pixels are written, the manifest is not
dataset.prepare(find_records([Path(sys.argv[1])]), Path(sys.argv[2]), size=64)
"""
    out = tmp_path / "sets" / "out"
    run = subprocess.run([sys.executable, "-c", code, str(folder), str(out)], capture_output=True)
    assert run.returncode not in (0, 1), run.stderr
    assert not out.exists()
    assert all(path.name.startswith(".") for path in out.parent.iterdir())
    assert len(make(folder, out).images) == 12


def test_an_error_while_writing_leaves_nothing_behind(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DataError, match=r"out cannot be written \(No space left on device\)"):
        make(folder, tmp_path / "out")
    assert left_behind(tmp_path, "set") == []


def test_an_interruption_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(folder, tmp_path / "out", progress=stop)
    assert left_behind(tmp_path, "set") == []


def test_a_set_that_exists_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    first = make(folder, tmp_path / "out", seed=1)
    told: list[int] = []
    with pytest.raises(DataError, match="out exists already; choose another name"):
        make(folder, tmp_path / "out", seed=2, progress=lambda done, _: told.append(done))
    assert told == []  # said before the work, not after it
    assert Dataset(tmp_path / "out").info == first.info


def test_a_place_where_nothing_can_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        make(folder, tmp_path / "file" / "out")


# what cannot be


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"size": 100}, "choose 64, 128, 256"),
        ({"colour": "sepia"}, "choose auto, rgb, grey"),
        ({"heldout": 0}, "too few on one side"),
        ({"heldout": 11}, "too few on one side"),
        ({"seed": -1}, "at least 0"),
    ],
)
def test_impossible_settings_are_refused(
    folder: Path, tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        make(folder, tmp_path / "out", **settings)
    assert left_behind(tmp_path, "set") == []


def test_too_few_usable_images_are_refused_with_the_first_reason(tmp_path: Path) -> None:
    for k in range(3):
        png_file(tmp_path / "set" / f"{k}.png", k)
    (tmp_path / "set" / "bad.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"Only 3 usable images; at least 4 .*bad\.png is empty"):
        make(tmp_path / "set", tmp_path / "out")


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda out: (out / "dataset.json").unlink(), "not a prepared data set"),
        (lambda out: (out / "dataset.json").write_text("{"), "not a prepared data set"),
        (lambda out: (out / "dataset.json").write_text("[]"), "has format None"),
        (lambda out: (out / "dataset.json").write_text('{"format": 99}'), "has format 99"),
        (lambda out: (out / "images.npy").unlink(), "images.npy cannot be read"),
        (lambda out: (out / "images.npy").write_bytes(b"\x93NUMPY cut"), "images.npy cannot be read"),
        (lambda out: (out / "manifest.csv").unlink(), "manifest.csv cannot be read"),
        (lambda out: (out / "manifest.csv").write_bytes(b"file\n\xff\xfe"), "manifest.csv cannot be read"),
    ],
)
def test_a_damaged_set_is_refused_with_what_is_wrong(
    folder: Path, tmp_path: Path, damage: object, reason: str
) -> None:
    make(folder, tmp_path / "out")
    damage(tmp_path / "out")  # type: ignore[operator]
    with pytest.raises(DataError, match=reason):
        Dataset(tmp_path / "out").part("train")


def test_a_set_whose_pixels_were_cut_off_is_refused(folder: Path, tmp_path: Path) -> None:
    make(folder, tmp_path / "out")
    path = tmp_path / "out" / "images.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"images\.npy cannot be read"):
        Dataset(tmp_path / "out").part("train")
