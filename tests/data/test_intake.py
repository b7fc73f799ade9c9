"""From folders, files and ZIPs to records; one clear reason for each file that cannot be used."""

from __future__ import annotations

import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medgan.data import intake
from medgan.data.dataset import Rejection, decoded, prepare
from medgan.data.intake import LIMITS, UNLABELLED, Limits, Record, decode, find_records
from medgan.errors import DataError
from tests.data.samples import class_folders, encoded, picture, png_file, zip_file

PNG = encoded(picture(0))
KINDS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")


def names(records: list[Record]) -> list[str]:
    return [record.name for record in records]


def labels(records: list[Record]) -> list[str]:
    return [record.label for record in records]


def reasons(records: list[Record]) -> dict[str, str]:
    return {r.name: i.reason for r, i in decoded(records) if isinstance(i, Rejection)}


# where images are found, and what they are called


def test_class_folders_give_the_classes(tmp_path: Path) -> None:
    records = find_records([class_folders(tmp_path / "set", per_class=2)])
    assert names(records) == ["cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png"]
    assert labels(records) == ["cat", "cat", "dog", "dog"]


def test_a_flat_folder_is_one_class_of_its_name(tmp_path: Path) -> None:
    png_file(tmp_path / "scans" / "1.png", 1)
    assert labels(find_records([tmp_path / "scans"])) == ["scans"]


def test_the_folder_nearest_to_the_image_is_its_class(tmp_path: Path) -> None:
    for part in ("train", "test"):
        png_file(tmp_path / part / "melanoma" / "1.png", 1)
    assert labels(find_records([tmp_path])) == ["melanoma", "melanoma"]


def test_files_and_flat_zips_are_unlabelled(tmp_path: Path) -> None:
    file = png_file(tmp_path / "1.png", 1)
    archive = zip_file(tmp_path / "set.zip", {"2.png": PNG})
    assert labels(find_records([file, archive])) == [UNLABELLED, UNLABELLED]


def test_a_zip_gives_the_same_names_and_classes_as_the_folder_it_was_made_of(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set")
    members = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}
    from_folder, from_zip = (find_records([s]) for s in (folder, zip_file(tmp_path / "set.zip", members)))
    assert names(from_zip) == names(from_folder)
    assert labels(from_zip) == labels(from_folder)
    pairs = zip(decoded(from_folder), decoded(from_zip), strict=True)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for (_, a), (_, b) in pairs)


def test_sources_of_all_kinds_can_be_mixed(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", per_class=1)
    archive = zip_file(tmp_path / "more.ZIP", {"cow/1.png": PNG})
    records = find_records([folder, archive, png_file(tmp_path / "one.png", 5)])
    assert names(records) == ["cat/000.png", "dog/000.png", "cow/1.png", "one.png"]
    assert not reasons(records)


@pytest.mark.parametrize("name", ["__MACOSX/cat/._1.png", "cat/._1.png", ".git/1.png", "cat/.1.png", ".png"])
def test_hidden_files_are_passed_over(tmp_path: Path, name: str) -> None:
    png_file(tmp_path / "set" / "cat" / "1.png", 1)
    png_file(tmp_path / "set" / name, 2)
    archive = zip_file(tmp_path / "set.zip", {"cat/1.png": PNG, name: PNG})
    assert names(find_records([tmp_path / "set"])) == ["cat/1.png"]
    assert names(find_records([archive])) == ["cat/1.png"]


def test_what_is_no_image_by_its_name_is_passed_over(tmp_path: Path) -> None:
    png_file(tmp_path / "set" / "1.PNG", 1)
    for other in ("labels.csv", "Thumbs.db", "readme.txt", "2.png.part"):
        (tmp_path / "set" / other).write_text("x")
    (tmp_path / "set" / "folder.png").mkdir()
    assert names(find_records([tmp_path / "set"])) == ["1.PNG"]


def test_links_to_images_are_followed_and_dead_ones_are_not(tmp_path: Path) -> None:
    png_file(tmp_path / "store" / "1.png", 1)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "store" / "1.png")
    (tmp_path / "set" / "dead.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    records = find_records([tmp_path / "set"])
    assert names(records) == ["link.png"]
    assert not reasons(records)


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_file_name_that_is_no_utf8_can_still_be_written_down(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set")
    try:
        (folder / "cat" / os.fsdecode(b"\xff\xe9.png")).write_bytes(encoded(picture(77)))
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    data = prepare(find_records([folder]), tmp_path / "out", size=64)
    assert any(row["file"] == r"cat/\udcff\udce9.png" for row in data.manifest)


# ZIPs that mean harm, or were made by odd tools


@pytest.mark.parametrize(
    "member, name, label",
    [
        ("../../evil.png", "evil.png", UNLABELLED),
        ("/etc/evil.png", "etc/evil.png", "etc"),
        ("C:/Users/evil.png", "Users/evil.png", "Users"),
        ("..\\..\\up\\evil.png", "up/evil.png", "up"),
        ("cat\\1.png", "cat/1.png", "cat"),
        ("./cat/./1.png", "cat/1.png", "cat"),
    ],
)
def test_names_that_lead_out_of_a_zip_stay_inside(tmp_path: Path, member: str, name: str, label: str) -> None:
    archive = zip_file(tmp_path / "set.zip", {member: PNG})
    before = set(tmp_path.rglob("*"))
    records = find_records([archive])
    assert (names(records), labels(records)) == ([name], [label])
    assert not reasons(records)
    assert set(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_a_name_written_twice_into_a_zip_stands_for_its_last_content(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.png", encoded(picture(1)))
        archive.writestr("a.png", encoded(picture(2)))
    ((_, image),) = decoded(find_records([path]))
    assert np.array_equal(np.asarray(image), np.asarray(picture(2)))


def test_an_encrypted_member_says_so(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "set.zip", {"a.png": PNG})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 8] |= 1  # the flags of the member, in the directory and before its data
    data[6] |= 1
    path.write_bytes(data)
    assert reasons(find_records([path])) == {"a.png": "is encrypted; make a ZIP without a password"}


def test_a_damaged_member_does_not_lose_the_others(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "set.zip", {f"{k}.png": encoded(picture(k)) for k in range(5)})
    data = bytearray(path.read_bytes())
    start = data.index(encoded(picture(2)))
    data[start + 50 : start + 60] = b"0123456789"
    path.write_bytes(data)
    assert reasons(find_records([path])) == {"2.png": "cannot be unpacked (its part of the ZIP is damaged)"}


@pytest.mark.parametrize("content", [b"", b"not a zip", PNG])
def test_what_is_no_zip_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"set\.zip is not a ZIP, or it is damaged"):
        find_records([tmp_path / "set.zip"])


def test_a_zip_that_is_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "set.zip", {"a.png": PNG, "b.png": PNG})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"set\.zip is not a ZIP, or it is damaged"):
        find_records([path])


def test_a_zip_with_random_damage_gives_images_or_reasons_but_never_a_traceback(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "set.zip", {f"a/{k}.png": encoded(picture(k, (9, 9))) for k in range(4)})
    whole, chance = path.read_bytes(), random.Random(0)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            results = [image for _, image in decoded(find_records([path]))]
        except DataError as error:
            assert str(error).endswith(".")
        else:
            assert all(isinstance(image, (Image.Image, Rejection)) for image in results)


# files that are not what they seem


@pytest.mark.parametrize("kind", KINDS)
def test_every_known_kind_of_file_is_read(kind: str) -> None:
    assert decode(encoded(picture(0), kind)).size == (40, 30)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_says_so(kind: str, share: float) -> None:
    data = encoded(picture(0, (120, 90)), kind)
    with pytest.raises(DataError, match="damaged"):
        decode(data[: int(share * len(data))])


@pytest.mark.filterwarnings("ignore:::PIL")
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_random_damage_is_read_or_refused_but_never_a_traceback(kind: str) -> None:
    whole, chance = encoded(picture(0), kind), random.Random(1)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 5, 50])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            assert decode(bytes(data)).mode in ("L", "RGB")
        except DataError as error:
            assert str(error)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    (tmp_path / "really.jpg").write_bytes(PNG)
    (tmp_path / "text.png").write_text("hello")
    assert list(reasons(find_records([tmp_path]))) == ["text.png"]


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "ICO"])
def test_other_formats_are_refused_even_under_an_image_name(kind: str) -> None:
    with pytest.raises(DataError, match="is none of PNG, JPEG, BMP"):
        decode(encoded(picture(0), kind))


@pytest.mark.parametrize(
    "size, reason",
    [
        ((3, 3), "is 3 x 3 pixels; each side must have at least 8"),
        ((9, 2000), "is 9 x 2000 pixels; the longer side may be at most 20 times the shorter"),
    ],
)
def test_shapes_that_cannot_become_a_square_are_refused(size: tuple[int, int], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        decode(encoded(picture(0, size)))


def test_each_bad_file_has_its_reason_and_the_good_ones_are_kept(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set")
    bad = {
        "empty.png": b"",
        "text.jpg": b"hello",
        "cut.png": PNG[: len(PNG) // 2],
        "tiny.bmp": encoded(picture(1, (2, 2)), "BMP"),
    }
    for name, content in bad.items():
        (folder / "cat" / name).write_bytes(content)
    data = prepare(find_records([folder]), tmp_path / "out", size=64)
    assert len(data.manifest) == 12
    rejected = {r["file"].removeprefix("cat/"): r["reason"] for r in data.info["rejected"]}
    assert rejected == {
        "empty.png": "is empty (0 bytes)",
        "text.jpg": "is none of PNG, JPEG, BMP, WEBP, GIF, TIFF, or its beginning is damaged",
        "cut.png": "is damaged or cut short",
        "tiny.bmp": "is 2 x 2 pixels; each side must have at least 8",
    }


def test_a_file_that_vanishes_before_it_is_read_has_its_reason(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set")
    records = find_records([folder])
    (folder / "dog" / "003.png").unlink()
    assert reasons(records) == {"dog/003.png": "cannot be read (No such file or directory)"}


def test_a_file_that_may_not_be_read_has_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    png_file(tmp_path / "1.png", 1)
    monkeypatch.setattr(Path, "read_bytes", refused)
    assert reasons(find_records([tmp_path])) == {"1.png": "cannot be read (Permission denied)"}


# sources that cannot be, and limits


def test_a_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        find_records([tmp_path / "nowhere"])


def test_a_path_that_is_no_possible_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        find_records([tmp_path / ("x" * 5000)])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        find_records([tmp_path / "pipe.png"])
    png_file(tmp_path / "1.png", 1)
    assert names(find_records([tmp_path])) == ["1.png"]


def test_no_image_at_all_says_what_is_wanted(tmp_path: Path) -> None:
    for sources in ([], [tmp_path], [zip_file(tmp_path / "set.zip", {"notes.txt": b"x"})]):
        with pytest.raises(DataError, match=r"No image found\. Give a folder, image files or a ZIP"):
            find_records(sources)


def limited(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    monkeypatch.setattr(intake, "LIMITS", Limits(**limits))


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, files=5)
    folder = class_folders(tmp_path / "set", per_class=3)
    with pytest.raises(DataError, match="More than 5 images"):
        find_records([folder])


@pytest.mark.parametrize("in_zip", [True, False])
def test_a_file_that_is_too_large_has_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_zip: bool
) -> None:
    limited(monkeypatch, file_bytes=2**20)
    members = {"big.png": b"\0" * (2**20 + 1), "ok.png": PNG}
    for name, content in members.items():
        (tmp_path / name).write_bytes(content)
    source = zip_file(tmp_path / "set.zip", members) if in_zip else tmp_path
    assert reasons(find_records([source])) == {"big.png": "is larger than 1 MB"}


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, total_bytes=2**30)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", PNG)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24  # the unpacked size that the directory claims
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DataError, match="unpacks to more than 1 GB"):
        find_records([path])


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, pixels=10**6)
    data = encoded(Image.new("L", (1001, 1000)))
    with pytest.raises(DataError, match="is 1001 x 1000 pixels; at most 1 megapixels are read"):
        decode(data)
    assert LIMITS.pixels == 10**8


# real files


def test_real_sets_are_read_without_a_single_rejection(real_data: Path) -> None:
    records = find_records([real_data / "isic_original", real_data / "chest_ct_original"])
    assert len(records) >= 30
    assert not reasons(records)
