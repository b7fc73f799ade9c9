"""Exports are checked, read by others as they are, and go on after an interruption as if there was none."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.datasets import ImageFolder

from medgan import files
from medgan.errors import ConfigError, DataError, Interrupted
from medgan.generation.balance import lacking
from medgan.generation.export import Origin, Settings, export
from medgan.generation.gate import Gate
from medgan.generation.journal import Journal
from medgan.generation.seeds import Part, parse_seeds
from medgan.images import to_float
from tests.generation.test_gate import blobs, gate

ORIGIN = Origin("tiny", "ab" * 32, {"dataset": {"name": "set", "train": 60}})


class Shelf(nn.Module):
    """Shows one of its images for each latent: the same ones again and again where it has few."""

    def __init__(self, images: np.ndarray, classes: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__()
        self.latent, self.classes = 2, classes
        self.images = nn.Parameter(to_float(images), requires_grad=False)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        which = (latents[:, 0].abs() * 7919).long() % len(self.images)
        return self.images[which]


def new(count: int = 4000) -> Shelf:
    return Shelf(blobs(count, 9))


@pytest.fixture(scope="module")
def train() -> np.ndarray:
    return blobs(60, 0)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_copies_are_replaced_by_further_seeds_until_the_count_is_met(
    train: np.ndarray, tmp_path: Path
) -> None:
    mixed = Shelf(np.concatenate([train, blobs(180, 9)]))
    summary = export(mixed, [Part(range(50))], tmp_path / "out", origin=ORIGIN, gate=gate(train))
    rows = table(tmp_path / "out")
    assert summary.released == len(rows) == 50
    assert summary.copies > 3
    seeds = [int(row["seed"]) for row in rows]
    assert len(set(seeds)) == 50 and max(seeds) >= 50
    assert {row["gate"] for row in rows} == {"passed"}
    assert all(float(row["nearest_train"]) > 0 for row in rows)
    said = (tmp_path / "out" / "README.md").read_text()
    assert f"{summary.copies:,} like a training image" in said
    assert "None of these images shows a patient" in said


def test_a_model_that_repeats_itself_is_given_up(train: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="repeats itself"):
        export(new(3), [Part(range(100))], tmp_path / "out", origin=ORIGIN, gate=gate(train))
    assert list(tmp_path.iterdir()) == []


def test_two_exports_to_one_place_do_not_mix(tmp_path: Path) -> None:
    def second(what: str, done: int, total: int) -> None:
        with pytest.raises(DataError, match="is at work"):
            export(new(), [Part(range(9))], tmp_path / "out", origin=ORIGIN)

    export(new(), [Part(range(9))], tmp_path / "out", origin=ORIGIN, progress=second)
    assert len(table(tmp_path / "out")) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_export_in_the_last_moment_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medgan.generation import export as module

    def slowly(temporary: Path, out: Path) -> None:
        with pytest.raises(DataError, match="is at work"):
            export(new(), [Part(range(9))], out, origin=ORIGIN)
        files.into_place(temporary, out)

    monkeypatch.setattr(module, "into_place", slowly)
    export(new(), [Part(range(9))], tmp_path / "out", origin=ORIGIN)
    assert len(table(tmp_path / "out")) == len(list((tmp_path / "out").rglob("*.png"))) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out" / "journal.jsonl").exists()


@pytest.mark.parametrize("name", ["out", "out.zip"])
@pytest.mark.parametrize("form", ["png", "parquet"])
def test_an_interruption_at_the_end_costs_no_image(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (name, form) == ("out", "parquet"):
        pytest.skip("there the images have to go before the folder is in its place")
    from medgan.generation import export as module

    def killed(temporary: Path, out: Path) -> None:
        raise KeyboardInterrupt

    arguments: dict[str, Any] = {"origin": ORIGIN, "settings": Settings(form=form)}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "into_place", killed)
        export(new(), [Part(range(9))], tmp_path / name, **arguments)
    monkeypatch.setattr(module, "sample_ahead", None)  # nothing is made again
    monkeypatch.setattr(module._Work, "make", lambda *_: None)
    assert export(new(), [Part(range(9))], tmp_path / name, **arguments).released == 9
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_was_begun_with_other_settings_can_be_begun_anew(tmp_path: Path) -> None:
    left = Journal(tmp_path / "out", {"another": 1})
    left.close()
    left.leave()
    with pytest.raises(DataError, match="begun with other settings"):
        export(new(), [Part(range(3))], tmp_path / "out", origin=ORIGIN)
    assert export(new(), [Part(range(3))], tmp_path / "out", origin=ORIGIN, anew=True).released == 3


def test_a_damaged_journal_is_begun_anew(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "journal.jsonl").write_bytes(bytes(range(128, 256)))
    assert export(new(), [Part(range(3))], tmp_path / "out", origin=ORIGIN).released == 3


def test_without_a_gate_readme_and_table_say_so(tmp_path: Path) -> None:
    settings = Settings(unchecked="Nobody looked.", licence="cc-by-4.0")
    export(new(), [Part([3, 1])], tmp_path / "out", origin=ORIGIN, settings=settings)
    assert [(row["seed"], row["gate"], row["nearest_train"]) for row in table(tmp_path / "out")] == [
        ("3", "unchecked", ""),
        ("1", "unchecked", ""),
    ]
    assert "Nobody looked." in (tmp_path / "out" / "README.md").read_text()
    assert "license: cc-by-4.0" in (tmp_path / "out" / "README.md").read_text()
    assert "creativecommons.org/licenses/by/4.0" in (tmp_path / "out" / "LICENSE").read_text()


def contents(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("form", ["png", "dicom", "parquet"])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_interrupted_export_ends_as_if_nothing_had_happened(
    form: str, zipped: bool, train: np.ndarray, tmp_path: Path
) -> None:
    model = Shelf(np.concatenate([train[:20], blobs(180, 9)]))
    settings, parts = Settings(form=form), [Part(range(20), "a"), Part(range(7), "b c")]
    ends = ".zip" if zipped else ""

    def make(name: str, doorkeeper: Gate, **more: Any) -> Path:
        out = tmp_path / f"{name}{ends}"
        export(model, parts, out, origin=ORIGIN, settings=settings, gate=doorkeeper, **more)
        return out

    calls = []

    def cut(what: str, done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 3:
            raise Interrupted("Stopped.")

    with pytest.raises(Interrupted):
        make("cut", gate(train), progress=cut)
    journal = tmp_path / f".cut{ends}.partial" / "journal.jsonl"
    journal.write_text(journal.read_text() + '{"part": 0, "se')  # torn by a power cut
    one, other = make("cut", gate(train)), make("whole", gate(train))
    if zipped:
        assert one.read_bytes() == other.read_bytes()
        with zipfile.ZipFile(one) as archive:
            assert archive.testzip() is None
    else:
        assert contents(one) == contents(other)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_another_export_does_not_go_on_with_it(tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise Interrupted("Stopped.")

    with pytest.raises(Interrupted):
        export(new(), [Part(range(9))], tmp_path / "out", origin=ORIGIN, progress=stop)
    with pytest.raises(DataError, match="begun with other settings"):
        export(new(), [Part(range(10))], tmp_path / "out", origin=ORIGIN)


def test_image_folder_of_torchvision_reads_it(tmp_path: Path) -> None:
    parts = [Part(range(5), "melanoma"), Part(range(3), "nevus")]
    export(new(), parts, tmp_path / "out", origin=ORIGIN)
    found = ImageFolder(str(tmp_path / "out" / "images"))
    assert found.classes == ["melanoma", "nevus"]
    assert [label for _, label in found.samples] == [0] * 5 + [1] * 3


def test_datasets_reads_images_with_their_labels(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    parts = [Part(range(5), "melanoma"), Part(range(3), "nevus")]
    export(new(), parts, tmp_path / "out", origin=ORIGIN)
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert sorted(found["label"]) == ["melanoma"] * 5 + ["nevus"] * 3
    assert found[0]["image"].size == (64, 64)
    assert set(found["seed"]) == set(range(5))


def test_datasets_reads_parquet_with_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    monkeypatch.setattr("medgan.generation.packing.SHARD", 3)
    parts = [Part(range(5), "melanoma"), Part(range(3), "nevus")]
    export(new(), parts, tmp_path / "out", origin=ORIGIN, settings=Settings(form="parquet"))
    assert len(list((tmp_path / "out" / "data").glob("train-*-of-00003.parquet"))) == 3
    files = str(tmp_path / "out" / "data" / "*.parquet")
    found = datasets.load_dataset(
        "parquet", data_files=files, cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert found.features["label"].names == ["melanoma", "nevus"]
    assert found["label"] == [0] * 5 + [1] * 3
    assert np.array_equal(np.asarray(found[0]["image"]), sampled(0))


def sampled(seed: int) -> np.ndarray:
    from medgan.generation.sampling import sample

    return sample(new(), [seed])[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_dicom_says_that_it_shows_nobody_and_two_readers_read_it(channels: int, tmp_path: Path) -> None:
    model = Shelf(blobs(50, 9)[..., :channels])
    settings = Settings(form="dicom", truncation=0.8)
    export(model, [Part([17], "nevus")], tmp_path / "out", origin=ORIGIN, settings=settings)
    path = tmp_path / "out" / "images" / "nevus" / "seed-000017.dcm"
    data = pydicom.dcmread(path)
    assert data.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert (data.SyntheticData, data.ConversionType, data.PatientIdentityRemoved) == ("YES", "SYN", "YES")
    assert "SYNTHETIC" in str(data.PatientName)
    assert "seed 17" in data.DerivationDescription
    pixels = data.pixel_array.reshape(64, 64, channels)
    simple = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    other = simple.GetArrayFromImage(simple.ReadImage(str(path))).reshape(64, 64, channels)
    assert np.array_equal(pixels, other)
    again = tmp_path / "again"
    export(model, [Part([17], "nevus")], again, origin=ORIGIN, settings=settings)
    assert (again / "images" / "nevus" / "seed-000017.dcm").read_bytes() == path.read_bytes()


def test_grey_images_are_grey_files(tmp_path: Path) -> None:
    export(Shelf(blobs(50, 9)[..., :1]), [Part([3])], tmp_path / "out.zip", origin=ORIGIN)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        image = Image.open(io.BytesIO(archive.read("images/seed-000003.png")))
    assert image.mode == "L"


def test_what_is_there_already_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    for out in ("out.zip", "full"):
        with pytest.raises(DataError, match="choose another"):
            export(new(), [Part([1])], tmp_path / out, origin=ORIGIN)
    with pytest.raises(DataError, match="No seeds"):
        export(new(), [Part([])], tmp_path / "new", origin=ORIGIN)


def test_classes_that_would_share_a_folder_are_refused(tmp_path: Path) -> None:
    for parts in ([Part([1], "b c"), Part([1], "b/c")], [Part([1])]):
        model = Shelf(blobs(5, 9), classes=(("B c", 1), ("b/c", 1)))
        with pytest.raises(DataError, match="would share a folder"):
            export(model, parts, tmp_path / "out", origin=ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_ended_while_it_was_packed_is_not_made_again(tmp_path: Path) -> None:
    def cut(what: str, done: int, total: int) -> None:
        if what == "ZIP":
            raise Interrupted("Stopped.")

    with pytest.raises(Interrupted):
        export(new(), [Part(range(9))], tmp_path / "out.zip", origin=ORIGIN, progress=cut)
    said: list[str] = []
    again = [Part(range(9))]
    export(new(), again, tmp_path / "out.zip", origin=ORIGIN, progress=lambda what, *_: said.append(what))
    assert set(said) == {"ZIP"}
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert "journal.jsonl" not in archive.namelist() and "metadata.csv" in archive.namelist()


def test_what_lies_in_the_way_without_a_journal_does_not_leave(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial" / "images"
    left.mkdir(parents=True)
    (left / "seed-000099.png").write_bytes(b"of nobody knows which model")
    export(new(), [Part(range(3))], tmp_path / "out", origin=ORIGIN)
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == [
        f"seed-00000{k}.png" for k in range(3)
    ]


def test_seeds_in_the_middle_are_part_of_what_an_export_is_known_by(tmp_path: Path) -> None:
    def cut(what: str, done: int, total: int) -> None:
        raise Interrupted("Stopped.")

    with pytest.raises(Interrupted):
        export(new(), [Part([0, 1, 2, 5, 9])], tmp_path / "out", origin=ORIGIN, progress=cut)
    with pytest.raises(DataError, match="other settings"):
        export(new(), [Part([0, 1, 2, 6, 9])], tmp_path / "out", origin=ORIGIN)


def test_the_same_image_under_two_classes_is_a_repeat(train: np.ndarray, tmp_path: Path) -> None:
    parts = [Part(range(20)), Part(range(20))]
    summary = export(Shelf(blobs(80, 9)), parts, tmp_path / "out", origin=ORIGIN, gate=gate(train))
    assert summary.repeats >= 20


def test_the_images_of_the_model_it_began_with_were_not_compared(train: np.ndarray, tmp_path: Path) -> None:
    own = {"content_sha256": "a"}
    other = Origin("m", "0", {"init": {"name": "first", "content_sha256": "b"}, "dataset": own})
    summary = export(new(), [Part(range(4))], tmp_path / "out", origin=other, gate=gate(train))
    assert "weights of first" in summary.sentence()
    assert "weights of first" in (tmp_path / "out" / "README.md").read_text()
    unknown = export(new(), [Part(range(4))], tmp_path / "three", origin=ORIGIN, gate=gate(train))
    assert "does not record" in unknown.caveat
    same = Origin("m", "0", {"init": {"name": "first", "content_sha256": "a"}, "dataset": own})
    assert not export(new(), [Part(range(4))], tmp_path / "two", origin=same, gate=gate(train)).caveat


def test_a_class_lacks_what_the_largest_has_more() -> None:
    classes = {"a": {"train": 49, "test": 200}, "b": {"train": 111}, "c": {"test": 3}}
    assert lacking(classes) == {"a": 62, "b": 0, "c": 111}


def test_truncation_draws_latents_towards_the_usual_image() -> None:
    from medgan.errors import ConfigError
    from medgan.generation.sampling import inputs_of

    whole, half = (inputs_of(new(), [5], truncation)[0] for truncation in (1.0, 0.5))
    assert torch.equal(half, whole / 2)
    for wrong in (0.0, 1.5, -1.0):
        with pytest.raises(ConfigError, match="truncation"):
            inputs_of(new(), [5], wrong)


@pytest.mark.parametrize("seeds", [range(99_999_999_999), [3, 2**31]])
def test_seeds_that_are_none_are_refused_at_once(seeds: Sequence[int], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not possible; seeds are 0 to 2,147,483,647"):
        export(new(), [Part(seeds)], tmp_path / "out", origin=ORIGIN)


def test_a_truncation_that_is_none_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="truncation"):
        export(new(), [Part(range(2))], tmp_path / "out", origin=ORIGIN, settings=Settings(truncation=7.0))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["images.tar.gz", "images.PNG", "images.parquet"])
def test_a_file_of_another_kind_is_not_made_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a file that ends in \.zip"):
        export(new(), [Part([1])], tmp_path / name, origin=ORIGIN)


def test_what_is_no_name_of_a_licence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'all mine' is no name of a licence"):
        export(new(), [Part([1])], tmp_path / "out", origin=ORIGIN, settings=Settings(licence="all mine"))


@pytest.mark.parametrize("text", ["9" * 5000, f"0-{'9' * 5000}", "a", "3-", "-3"])
def test_seeds_that_cannot_be_read_are_told_shortly(text: str) -> None:
    with pytest.raises(DataError, match="cannot be read") as caught:
        parse_seeds(text)
    assert len(str(caught.value)) < 200
