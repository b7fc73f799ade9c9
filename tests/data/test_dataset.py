"""Opening a prepared set: quick, lazily, from several processes, of every format there was."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import ConfigError, DataError


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 64, 64, 1), np.uint8)


@pytest.fixture
def out(images: np.ndarray, tmp_path: Path) -> Path:
    return store(images, ["a", "b"] * 6, tmp_path / "out", name="mine", split="8/2/2").folder


def test_opening_reads_neither_manifest_nor_pixels(out: Path) -> None:
    (out / "manifest.csv").unlink()
    (out / "images.npy").unlink()
    data = Dataset(out)
    assert (data.name, data.size, data.channels, data.info["images"]) == ("mine", 64, 1, 12)


def test_an_image_is_looked_at_without_a_copy(out: Path, images: np.ndarray) -> None:
    data = Dataset(out)
    assert isinstance(data.images, np.memmap)
    assert np.array_equal(data[3], images[3])
    assert np.shares_memory(data[3], data.images)
    assert len(data) == 12


def test_sent_to_another_process_no_pixel_travels(out: Path, images: np.ndarray) -> None:
    data = Dataset(out)
    assert data.images is not None and data.manifest
    assert len(pickle.dumps(data)) < 500
    code = "import pickle, sys; print(int(pickle.load(sys.stdin.buffer)[5].sum()))"
    run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(data), capture_output=True)
    assert int(run.stdout) == int(images[5].sum())


def test_a_set_can_be_deleted_while_it_is_open(out: Path) -> None:
    data = Dataset(out)
    first = int(data[0][0, 0, 0])
    for path in out.iterdir():
        path.unlink()
    out.rmdir()
    assert int(data[0][0, 0, 0]) == first


def test_what_the_images_show_can_be_changed_and_nothing_else_changes(out: Path) -> None:
    before, age = Dataset(out), (out / "dataset.json").stat().st_mtime_ns
    assert before.modality == "other"
    data = Dataset(out)
    data.set_modality("chest-ct")
    assert data.modality == Dataset(out).modality == "chest-ct"
    after = json.loads((out / "dataset.json").read_text())
    assert after["settings"].pop("modality") == "chest-ct"
    assert before.info["settings"].pop("modality") == "other"
    assert after == before.info, "content_sha256 among the rest"
    assert (out / "dataset.json").stat().st_mtime_ns == age, "it keeps its place in lists by age"
    assert not Dataset(out).changes()
    with pytest.raises(ConfigError, match="no modality 'lung'"):
        data.set_modality("lung")


def test_a_set_without_settings_can_be_told_what_it_shows(out: Path) -> None:
    path = out / "dataset.json"
    info = json.loads(path.read_text())
    del info["settings"]
    path.write_text(json.dumps(info))
    Dataset(out).set_modality("fundus")
    assert json.loads(path.read_text()) == info | {"settings": {"modality": "fundus"}}


def test_the_classes_to_train_on_are_those_with_images_in_that_part(out: Path) -> None:
    data = Dataset(out)
    assert dict(data.training_classes) == {"a": 4, "b": 4}
    data.info["classes"]["b"]["train"] = 0
    assert data.training_classes == (("a", 4),)


def test_a_set_of_format_1_opens_with_its_heldout_part_as_test(out: Path, images: np.ndarray) -> None:
    info = {
        "format": 1,
        "name": "old",
        "size": 64,
        "channels": 1,
        "classes": {"a": {"train": 4, "heldout": 2}, "b": {"train": 5, "heldout": 1}},
        "splits": {"heldout": 3, "train": 9},
        "rejected": [{"file": "x.png", "reason": "is empty (0 bytes)"}],
        "content_sha256": "0",
    }
    rows = [f"{k}.png,a,{'heldout' if k < 3 else 'train'},{k},0" for k in range(12)]
    (out / "dataset.json").write_text(json.dumps(info))
    (out / "manifest.csv").write_text("\n".join(["file,class,split,group,sha256", *rows]) + "\n")
    (out / "report.json").unlink()
    data = Dataset(out)
    assert data.info["splits"] == {"train": 9, "validation": 0, "test": 3}
    assert data.info["classes"]["a"] == {"train": 4, "validation": 0, "test": 2}
    assert np.array_equal(data.part("test"), images[:3])
    assert {row["split"] for row in data.manifest} == {"train", "test"}
    assert data.report["rejected"] == info["rejected"]


def test_a_set_of_a_later_version_says_which_one_it_needs(out: Path) -> None:
    (out / "dataset.json").write_text('{"format": 99, "medgan": "7.1"}')
    with pytest.raises(DataError, match=r"has format 99 \(made by MedGAN 7\.1\).*update MedGAN"):
        Dataset(out)


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda out: (out / "dataset.json").unlink(), "not a prepared data set"),
        (lambda out: (out / "dataset.json").write_text("{"), "not a prepared data set"),
        (lambda out: (out / "dataset.json").write_text("[]"), "has format None"),
        (lambda out: (out / "images.npy").unlink(), "images.npy cannot be read"),
        (lambda out: (out / "images.npy").write_bytes(b"\x93NUMPY cut"), "images.npy cannot be read"),
        (lambda out: (out / "manifest.csv").unlink(), "manifest.csv cannot be read"),
        (lambda out: (out / "manifest.csv").write_bytes(b"file\n\xff\xfe"), "manifest.csv cannot be read"),
    ],
)
def test_a_damaged_set_is_refused_with_what_is_wrong(
    out: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(out)
    with pytest.raises(DataError, match=reason):
        Dataset(out).part("train")


def test_a_set_whose_pixels_were_cut_off_is_refused(out: Path) -> None:
    path = out / "images.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"images\.npy cannot be read"):
        Dataset(out).part("train")


@pytest.mark.parametrize(
    "old, new, what",
    [
        (",test,", ",train,", "the classes, parts or hashes"),
        ("\na/", "\nz/", ""),  # the name of a file is no content
        (",a,", ",b,", "the classes, parts or hashes"),
    ],
)
def test_a_changed_manifest_is_noticed(out: Path, old: str, new: str, what: str) -> None:
    path = out / "manifest.csv"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    changes = Dataset(out).changes()
    assert (what in changes[0]) if what else not changes


def test_a_manifest_cut_short_is_noticed(out: Path) -> None:
    path = out / "manifest.csv"
    path.write_text("\n".join(path.read_text("utf-8").splitlines()[:5]) + "\n", "utf-8")
    assert Dataset(out).changes() == ["manifest.csv has 4 rows for 12 images"]
