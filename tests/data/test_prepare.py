"""A prepared set: what is written can be read, whole or not at all, and the same input gives the same."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medgan.data import prepare as preparing
from medgan.data.dataset import COLUMNS, Dataset
from medgan.data.limits import Limits
from medgan.data.prepare import inspect, prepare, store
from medgan.data.records import find_records
from medgan.data.settings import Settings
from medgan.data.spool import Spool
from medgan.errors import DataError
from medgan.images import resize_and_crop
from tests.data.samples import class_folders, encoded, picture, png_file, zip_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "set")


def make(
    source: Path, out: Path, *, name: str | None = None, progress: Any = None, **settings: Any
) -> Dataset:
    """In this process, since starting others takes longer than the work."""
    chosen = Settings(**{"size": 64, **settings})
    return prepare(find_records([source]), out, chosen, name=name, progress=progress, workers=0)


def look(source: Path) -> dict[str, Any]:
    return inspect(find_records([source]), Settings(size=64), workers=0)


def left_behind(parent: Path, *known: str) -> list[str]:
    return sorted(path.name for path in parent.iterdir() if path.name not in known)


# what is written


def test_what_is_prepared_can_be_read_again(folder: Path, tmp_path: Path) -> None:
    made = make(folder, tmp_path / "out", name="Pets", split="8/0/4", seed=3)
    data = Dataset(tmp_path / "out")
    assert (data.name, data.size, data.channels) == ("Pets", 64, 3)
    assert data.info == made.info
    assert data.images.shape == (12, 64, 64, 3)
    assert data.images.dtype == np.uint8
    assert tuple(data.manifest[0]) == COLUMNS
    for row, image in zip(data.manifest, data.images, strict=True):
        source = Image.open(folder / row["file"])
        assert np.array_equal(image, resize_and_crop(source, 64, 3))


def test_the_parts_hold_every_image_once(folder: Path, tmp_path: Path) -> None:
    data = make(folder, tmp_path / "out", split="0.5/0.25/0.25")
    parts = [data.part(part) for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [6, 3, 3]
    assert data.info["splits"] == {"train": 6, "validation": 3, "test": 3}
    every = sorted(image.tobytes() for image in np.concatenate(parts))
    assert every == sorted(np.asarray(image).tobytes() for image in data.images)


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
    data = store(images, ["a", "b"] * 4, tmp_path / "deep" / "out", name="mine", split="6/0/2")
    assert np.array_equal(data.images, images)
    assert [row["class"] for row in data.manifest] == ["a", "b"] * 4
    assert data.info["splits"] == {"train": 6, "validation": 0, "test": 2}


def test_progress_counts_every_file_also_the_bad_ones(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_bytes(b"?")
    told: list[tuple[int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        if what == "Reading images":
            told.append((done, total))

    make(folder, tmp_path / "out", progress=progress)
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


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"split": "7/0/5"}, {"size": 128}, {"fit": "squash"}, {"colour": "grey"}]
)
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
    (left_out,) = data.report["left_out"]
    assert left_out["file"] == "cat/copy.png"
    assert "exact copy of cat/000.png" in left_out["reason"]
    (pair,) = data.report["duplicates"]
    assert (pair["first"], pair["second"], pair["kind"]) == ("cat/000.png", "cat/copy.png", "exact")


def test_copies_in_two_classes_are_a_conflict_and_both_are_left_out(folder: Path, tmp_path: Path) -> None:
    (folder / "dog" / "copy.png").write_bytes((folder / "cat" / "000.png").read_bytes())
    data = make(folder, tmp_path / "out")
    (conflict,) = data.report["conflicts"]
    assert conflict["labels"] == ["cat", "dog"]
    assert {entry["file"] for entry in data.report["left_out"]} == {"cat/000.png", "dog/copy.png"}
    assert len(data) == 11


def test_conflicts_and_copies_can_be_kept(folder: Path, tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (folder / label / "copy.png").write_bytes((folder / "cat" / "000.png").read_bytes())
    data = make(folder, tmp_path / "out", duplicates="keep", conflicts="keep")
    assert len(data) == 14
    sides = {row["split"] for row in data.manifest if row["file"].endswith(("copy.png", "cat/000.png"))}
    assert len(sides) == 1


def test_the_same_pixels_in_another_file_format_are_a_copy(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "copy.bmp").write_bytes(encoded(picture(0), "BMP"))
    assert len(make(folder, tmp_path / "out").report["duplicates"]) == 1


# grey or colour


@pytest.mark.parametrize("name, channels", [("chest_ct_original", 1), ("isic_original", 3)])
def test_real_chest_ct_is_grey_and_real_dermoscopy_is_colour(
    real_data: Path, name: str, channels: int
) -> None:
    assert look(real_data / name)["channels"] == channels


def test_a_few_coloured_images_do_not_make_a_grey_set_coloured(tmp_path: Path) -> None:
    for k in range(40):
        png_file(tmp_path / "set" / f"{k:02d}.png", k, mode="L" if k != 7 else "RGB")
    assert look(tmp_path / "set")["channels"] == 1
    for k in range(5):
        png_file(tmp_path / "set" / f"c{k}.png", 100 + k)
    assert look(tmp_path / "set")["channels"] == 3


def test_grey_in_colour_files_is_a_copy_of_the_same_grey(tmp_path: Path) -> None:
    for k in range(6):
        png_file(tmp_path / "set" / f"{k}.png", k, mode="L")
    (tmp_path / "set" / "rgb.png").write_bytes(encoded(picture(0, mode="L").convert("RGB")))
    data = make(tmp_path / "set", tmp_path / "out")
    assert data.channels == 1
    assert [pair["second"] for pair in data.report["duplicates"]] == ["rgb.png"]


# looking without writing


def test_inspecting_gives_the_report_of_preparing_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_bytes(b"")
    seen = look(folder)
    assert left_behind(tmp_path, "set") == []
    made = make(folder, tmp_path / "out")
    for key in ("accepted", "rejected", "classes", "splits", "groups", "content_sha256"):
        assert seen[key] == made.report[key], key
    assert seen["accepted"] == 12
    assert seen["rejected"] == [{"file": "cat/bad.png", "reason": "is empty (0 bytes)"}]


def test_pages_that_are_not_used_are_listed_for_every_copy_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    pages = [picture(k, (40, 30 + 5 * (k == 1))) for k in range(3)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    for name in ("a.tif", "b.tif"):
        (tmp_path / "set" / name).write_bytes(data)
    report = look(tmp_path / "set")
    assert [entry["file"] for entry in report["rejected"]] == ["a.tif#0001", "b.tif#0001"]
    assert "another size or kind" in report["rejected"][0]["reason"]
    assert len(report["duplicates"]) == 2


def test_too_few_images_can_still_be_inspected(tmp_path: Path) -> None:
    png_file(tmp_path / "set" / "one.png", 1)
    seen = look(tmp_path / "set")
    assert seen["accepted"] == 1
    assert seen["splits"] == {"train": 0, "validation": 0, "test": 0}


# whole or not at all


def test_a_killed_preparation_leaves_no_half_set_and_can_be_done_again(folder: Path, tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from medgan.data import prepare
from medgan.data.limits import Limits
from medgan.data.records import find_records
from medgan.data.settings import Settings
from medgan.data.spool import Spool

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

prepare.csv.writer = killed  # the pixels are written, the manifest is not
prepare.prepare(find_records([Path(sys.argv[1])]), Path(sys.argv[2]), Settings(size=64), workers=0)
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

    monkeypatch.setattr(preparing, "_write_images", full)
    with pytest.raises(DataError, match=r"out cannot be written \(No space left on device\)"):
        make(folder, tmp_path / "out")
    assert left_behind(tmp_path, "set") == []


def test_an_interruption_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(folder, tmp_path / "out", progress=stop)
    assert left_behind(tmp_path, "set") == []


def test_a_set_that_exists_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    first = make(folder, tmp_path / "out", seed=1)
    told: list[object] = []
    with pytest.raises(DataError, match="out exists already; choose another name"):
        make(folder, tmp_path / "out", seed=2, progress=lambda *progress: told.append(progress))
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
        ({"split": "half"}, "split"),
        ({"split": "0.5/0.9/0.1"}, "split"),
        ({"fit": "stretch"}, "choose crop, pad, squash"),
        ({"window": "liver"}, "mediastinum"),
        ({"slices": "a:b"}, "START:STOP:STEP"),
        ({"near": "maybe"}, "choose drop, keep"),
        ({"seed": -1}, "at least 0"),
        ({"group": "(P"}, "is not a pattern"),
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


def test_what_cannot_be_split_is_still_reported(tmp_path: Path) -> None:
    for k in range(8):
        png_file(tmp_path / "set" / f"p1_{k}.png", k)
    found = find_records([tmp_path / "set"])
    report = inspect(found, Settings(size=64, group="^(p1)_"), workers=0)
    assert report["accepted"] == 8
    assert "The pattern '^(p1)_' puts all 8 images into one group" in report["trouble"]
    assert "other patients" not in " ".join(entry["text"] for entry in report["advice"])
    with pytest.raises(DataError) as refused:
        prepare(found, tmp_path / "out", Settings(size=64, group="^(p1)_"), workers=0)
    assert str(refused.value) == report["trouble"]
    assert left_behind(tmp_path, "set") == []


def test_the_real_set_that_the_shipped_model_was_trained_on_comes_out_again(
    real_data: Path, tmp_path: Path
) -> None:
    settings = Settings(split="0.75/0/0.25")
    report = inspect(find_records([real_data / "isic"]), settings, workers=0)
    assert report["content_sha256"].startswith("aabd729df251be6c")


def test_pictures_can_be_left_out_by_name(folder: Path, tmp_path: Path) -> None:
    data = make(folder, tmp_path / "out", exclude=("cat/000.png", "dog/003.png"))
    assert len(data) == 10
    assert [r["file"] for r in data.report["rejected"]] == ["cat/000.png", "dog/003.png"]
    with pytest.raises(DataError, match=r"--exclude nowhere\.png: there is no such picture"):
        make(folder, tmp_path / "other", exclude=("nowhere.png",))


def test_worker_processes_make_the_very_same_set(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "bad.png").write_bytes(b"?")
    here = make(folder, tmp_path / "here")
    there = prepare(find_records([folder]), tmp_path / "there", Settings(size=64), workers=2)
    for name in ("images.npy", "manifest.csv"):
        assert (here.folder / name).read_bytes() == (there.folder / name).read_bytes()
    assert here.report["rejected"] == there.report["rejected"]


def test_too_many_pictures_in_all_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"more than 5 pictures \(--limit-pictures\)"):
        prepare(
            find_records([folder]), tmp_path / "out", Settings(size=64), limits=Limits(pictures=5), workers=0
        )
    assert left_behind(tmp_path, "set") == []


def test_of_two_who_write_one_set_at_once_the_second_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_was_quicker(path: Path, examined: object) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("x")
        path.write_bytes(b"")

    monkeypatch.setattr(preparing, "_write_images", other_was_quicker)
    with pytest.raises(DataError, match="out exists already"):
        make(folder, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]
    assert left_behind(tmp_path, "set") == ["out"]


def test_a_full_disk_is_told_with_its_place(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    with pytest.raises(DataError, match=r"cannot be kept in .* \(No space left on device\)"):
        make(folder, tmp_path / "out")
    assert left_behind(tmp_path, "set") == []


def test_studies_stand_for_patients_where_none_is_named(tmp_path: Path) -> None:
    import pydicom
    from pydicom.data import get_testdata_file

    original = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    (tmp_path / "set").mkdir()
    for study in range(4):
        for k in range(3):
            original.PatientID, original.StudyInstanceUID = "Anonymous", f"1.2.{study + 1}"
            values = np.random.default_rng([study, k]).integers(-900, 900, (128, 128)).astype(np.int16)
            original.PixelData = values.tobytes()
            original.save_as(tmp_path / "set" / f"{study}_{k}.dcm")
    data = make(tmp_path / "set", tmp_path / "out", split="0.5/0.25/0.25")
    assert data.info["groups"] == 4
    by_study = {row["file"][0]: set() for row in data.manifest}
    for row in data.manifest:
        by_study[row["file"][0]].add(row["split"])
    assert all(len(parts) == 1 for parts in by_study.values())
    assert any("4 studies count as patients" in note for note in data.report["notes"])
