"""From folders, files and ZIPs to records: names, classes, and one clear reason for each refused file."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from medgan.data import archive
from medgan.data.classes import merged
from medgan.data.limits import Limits
from medgan.data.records import UNLABELLED, Found, Record, find_records
from medgan.errors import DataError
from tests.data.samples import class_folders, encoded, picture, png_file, zip_file

PNG = encoded(picture(0))
DICOM = bytes(128) + b"DICM" + bytes(200)
BARE_DICOM = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + bytes(200)


def names(found: Found) -> list[str]:
    return [record.name for record in found.records]


def labels(found: Found) -> list[str]:
    return [record.label for record in found.records]


def reasons(found: Found) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in found.rejected}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


# where images are found, and what they are called


def test_class_folders_give_the_classes(tmp_path: Path) -> None:
    found = find_records([class_folders(tmp_path / "set", per_class=2)])
    assert names(found) == ["cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png"]
    assert labels(found) == ["cat", "cat", "dog", "dog"]
    assert (found.rejected, found.notes) == ([], [])


def test_a_flat_folder_is_one_class_of_its_name(tmp_path: Path) -> None:
    png_file(tmp_path / "scans" / "1.png", 1)
    assert labels(find_records([tmp_path / "scans"])) == ["scans"]


def test_a_flat_folder_has_a_class_also_when_it_is_called_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png_file(tmp_path / "scans" / "1.png", 1)
    monkeypatch.chdir(tmp_path / "scans")
    assert labels(find_records([Path()])) == ["scans"]


def test_the_folder_nearest_to_the_image_is_its_class(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        png_file(tmp_path / part / "melanoma" / "1.png", 1)
    assert set(labels(find_records([tmp_path]))) == {"melanoma"}


@pytest.mark.parametrize(
    "members", [("scans/1.png", "scans/2.png"), ("1.png", "2.png"), ("a/1.png", "b/1.png")]
)
def test_a_zip_gives_the_same_names_and_classes_as_the_folder_it_was_made_of(
    tmp_path: Path, members: tuple[str, ...]
) -> None:
    files = {name: encoded(picture(k)) for k, name in enumerate(members)}
    folder = find_records([write(tmp_path / "scans", files)])
    packed = find_records([zip_file(tmp_path / "scans.zip", files)])
    assert (names(packed), labels(packed)) == (names(folder), labels(folder))
    assert [r.size for r in packed.records] == [r.size for r in folder.records]
    assert [r.read() for r in packed.records] == [r.read() for r in folder.records]


def test_single_files_are_unlabelled(tmp_path: Path) -> None:
    assert labels(find_records([png_file(tmp_path / "1.png", 1)])) == [UNLABELLED]


def test_sources_of_all_kinds_can_be_mixed_in_any_order(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", per_class=1)
    sources = [folder, zip_file(tmp_path / "more.ZIP", {"cow/1.png": PNG}), png_file(tmp_path / "one.png", 5)]
    found = find_records(sources)
    assert names(found) == ["cat/000.png", "cow/1.png", "dog/000.png", "one.png"]
    assert find_records(sources[::-1]) == found
    assert find_records([*sources, folder]) == found  # a source given twice counts once


def test_a_zip_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    zip_file(tmp_path / "set.zip", {"cat/1.png": PNG}).rename(tmp_path / "export")
    assert names(find_records([tmp_path / "export"])) == ["cat/1.png"]


def test_an_office_document_is_no_zip_of_images(tmp_path: Path) -> None:
    document = zip_file(tmp_path / "report.docx", {"word/media/1.png": PNG})
    assert names(find_records([document, png_file(tmp_path / "2.png", 2)])) == ["2.png"]


def test_equal_names_in_two_sources_get_the_name_of_their_source(tmp_path: Path) -> None:
    archives = [
        zip_file(tmp_path / f"{n}.zip", {"cat/1.png": encoded(picture(k))}) for k, n in enumerate("ab")
    ]
    found = find_records([*archives, png_file(tmp_path / "2.png", 2)])
    assert names(found) == ["2.png", "a.zip/cat/1.png", "b.zip/cat/1.png"]
    assert labels(found) == [UNLABELLED, "cat", "cat"]


def test_names_are_unique_even_if_the_sources_have_one_name(tmp_path: Path) -> None:
    twins = [zip_file(folder(tmp_path / name) / "set.zip", {"1.png": PNG}) for name in "ab"]
    assert names(find_records(twins)) == ["1 (2).png", "1.png"]


def test_a_name_that_a_mac_wrote_in_two_signs_is_the_same_name(tmp_path: Path) -> None:
    written = {"mac": "Ne\u0301vus", "other": "N\u00e9vus"}
    archives = [zip_file(folder(tmp_path / k) / "set.zip", {f"{n}/1.png": PNG}) for k, n in written.items()]
    mac, other = (find_records([path]) for path in archives)
    assert (names(mac), labels(mac)) == (names(other), labels(other))


@pytest.mark.parametrize(
    "name", ["皮肤/图.png", "皮膚/画像.png", "рак/снимок.png", "ورم/صورة.png", "जांच/चित्र.png", "a/🙂.png"]
)
def test_names_in_any_script_stay_as_they_are(tmp_path: Path, name: str) -> None:
    for source in (write(tmp_path / "set", {name: PNG}), zip_file(tmp_path / "set.zip", {name: PNG})):
        found = find_records([source])
        assert (names(found), labels(found)) == ([name], [name.split("/")[0]])
        assert found.records[0].read() == PNG


def test_what_a_terminal_or_a_page_would_obey_is_escaped_in_names(tmp_path: Path) -> None:
    archive = zip_file(tmp_path / "set.zip", {"a\x1b[2J\n/x\u202egnp.png": PNG})
    assert names(find_records([archive])) == [r"a\x1b[2J\n/x\u202egnp.png"]


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_file_name_that_is_no_utf8_can_still_be_written_down(tmp_path: Path) -> None:
    try:
        write(tmp_path / "cat", {os.fsdecode(b"\xff\xe9.png"): PNG})
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    found = find_records([tmp_path])
    assert names(found) == [r"cat/\udcff\udce9.png"]
    assert found.records[0].read() == PNG


# what is an image, and what is not


@pytest.mark.parametrize(
    "name", ["__MACOSX/cat/._1.png", "cat/._1.png", ".git/1.png", "cat/.1.png", ".png", "Thumbs.db"]
)
def test_hidden_files_are_passed_over(tmp_path: Path, name: str) -> None:
    files = {"cat/1.png": PNG, name: PNG}
    for source in (write(tmp_path / "set", files), zip_file(tmp_path / "set.zip", files)):
        found = find_records([source])
        assert (names(found), found.rejected, found.notes) == (["cat/1.png"], [], [])


def test_known_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    others = ("labels.csv", "readme.txt", "2.png.part", "README", "DICOMDIR", "a.CSV")
    found = find_records([write(tmp_path, {"1.PNG": PNG, **dict.fromkeys(others, b"x")})])
    assert (names(found), found.rejected) == (["1.PNG"], [])
    assert found.notes == ["6 other files were passed over (DICOMDIR, README, csv, part, txt)."]


@pytest.mark.parametrize("name", ["1.png.bak", "1.tmp", "1.old", "LICENSE", "1.png~", "1.csv", "1.part"])
def test_an_image_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    files = {"cat/2.png": PNG, f"cat/{name}": PNG}
    for source in (write(tmp_path / "set", files), zip_file(tmp_path / "set.zip", files)):
        found = find_records([source])
        assert (names(found), found.rejected, found.notes) == (sorted(files), [], [])
    assert names(find_records([tmp_path / "set" / "cat" / name])) == [name]


def test_unknown_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    files = {"1.png": PNG, "scan.heic": b"x" * 300, "data": b"x" * 300, "empty.jpg": b"", "e": b""}
    found = find_records([write(tmp_path, files)])
    readable = "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM, NIfTI"
    assert reasons(found) == {
        "data": f"has no ending and is none of {readable}",
        "e": "is empty (0 bytes)",
        "empty.jpg": "is empty (0 bytes)",
        "scan.heic": f"is a .heic file, which is not read; readable are {readable}",
    }


def test_a_folder_with_the_name_of_an_image_is_no_image(tmp_path: Path) -> None:
    write(tmp_path, {"1.png/2.png": PNG})
    assert names(find_records([tmp_path])) == ["1.png/2.png"]


@pytest.mark.parametrize("content", [DICOM, BARE_DICOM, PNG], ids=["DICOM", "bare DICOM", "PNG"])
@pytest.mark.parametrize("name", ["IM0001", "IM.001", "1.2.840.10008.5", "series/IM.7", "x.odd"])
def test_files_whose_ending_says_nothing_are_told_by_their_content(
    tmp_path: Path, name: str, content: bytes
) -> None:
    for source in (write(tmp_path / "set", {name: content}), zip_file(tmp_path / "set.zip", {name: content})):
        assert names(find_records([source])) == [name]


@pytest.mark.parametrize("name", ["1.dcm", "1.DICOM", "1.ima", "1.nii", "1.nii.gz", "1.jfif", "1.TIFF"])
def test_files_that_are_named_as_images_are_left_to_the_decoder(tmp_path: Path, name: str) -> None:
    assert names(find_records([write(tmp_path, {name: b"x"})])) == [name]


@pytest.mark.parametrize("name", ["a.zip", "a.rar", "a.7z", "a.tar", "a.tar.gz", "a.tgz", "a.csv.gz"])
def test_archives_inside_are_refused_by_name(tmp_path: Path, name: str) -> None:
    files = {"1.png": PNG, name: b"x"}
    in_zip = find_records([zip_file(tmp_path / "set.zip", files)])
    in_folder = find_records([write(tmp_path / "set", files)])
    assert reasons(in_zip) == {name: "is an archive inside another; unpack it"}
    assert reasons(in_folder)[name].startswith("is an archive inside the folder; unpack it, or give")
    assert names(in_zip) == names(in_folder) == ["1.png"]


def test_an_archive_inside_is_known_without_its_ending(tmp_path: Path) -> None:
    inner = zip_file(tmp_path / "inner.zip", {"1.png": PNG}).read_bytes()
    found = find_records([zip_file(tmp_path / "set.zip", {"1.png": PNG, "backup": inner})])
    assert reasons(found) == {"backup": "is a ZIP archive inside another; unpack it"}


@pytest.mark.parametrize(
    "name, start, reason",
    [
        ("set.rar", b"Rar!\x1a\x07\x01", "is a RAR archive, which is not read"),
        ("set.zip", b"Rar!\x1a\x07\x01", "is a RAR archive in truth; unpack it and make a ZIP"),
        ("set.zip", b"7z\xbc\xaf\x27\x1c", "is a 7z archive in truth"),
        ("set.tar", bytes(257) + b"ustar", "is a tar archive, which is not read"),
        ("set.tar.gz", b"\x1f\x8b\x08", "is a gzip archive, which is not read"),
        ("set.iso", b"CD001", "is an iso archive, which is not read"),
    ],
)
def test_other_archives_are_named_and_do_not_lose_the_other_sources(
    tmp_path: Path, name: str, start: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(start.ljust(500, b"\0"))
    with pytest.raises(DataError, match=f"{name} {reason}"):
        find_records([tmp_path / name])
    found = find_records([tmp_path / name, png_file(tmp_path / "1.png", 1)])
    assert names(found) == ["1.png"]
    assert reasons(found)[name].startswith(reason)


# links, pipes, devices


def test_links_to_images_are_followed_and_others_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"store/1.png": PNG})
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "store" / "1.png")
    (tmp_path / "set" / "dead.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "self.png").symlink_to(tmp_path / "set" / "self.png")
    found = find_records([tmp_path / "set"])
    assert names(found) == ["link.png"]
    assert found.records[0].read() == PNG
    assert reasons(found) == {
        "dead.png": "is a link to nothing",
        "loop": "is a link to a folder; give that folder as a source of its own",
        "self.png": "is a link to nothing",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_or_device_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("pipe.png", "pipe"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="neither a file nor a folder"):
        find_records([tmp_path / "pipe.png"])
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    found = find_records([png_file(tmp_path / "1.png", 1).parent])
    assert names(found) == ["1.png"]
    assert reasons(found) == dict.fromkeys(["pipe.png", "pipe", "zero.png"], "is a device or a pipe, no file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (record,) = find_records([png_file(tmp_path / "1.png", 1)]).records
    record.path.unlink()
    os.mkfifo(record.path)
    with pytest.raises(DataError, match="cannot be read"):
        record.read()


def test_folders_a_thousand_deep_are_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        for _ in range(1_100):
            Path("d").mkdir()
            os.chdir("d")
        Path("1.png").write_bytes(PNG)
        found = find_records([png_file(tmp_path / "2.png", 2).parent])
    finally:  # by hand, since what deletes a temporary folder is recursive
        Path("1.png").unlink(missing_ok=True)
        while Path.cwd() != tmp_path:
            os.chdir("..")
            Path("d").rmdir()
    assert names(found) == ["2.png"]
    assert [r.reason for r in found.rejected] == ["has a name of more than 1,000 characters"]


def test_a_file_that_vanishes_before_it_is_read_has_its_reason(tmp_path: Path) -> None:
    (record,) = find_records([png_file(tmp_path / "1.png", 1)]).records
    record.path.unlink()
    with pytest.raises(DataError, match=r"^cannot be read \(No such file or directory\)$"):
        record.read()


def test_what_may_not_be_read_has_its_reason_and_loses_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str, *rest: int) -> int:
        raise PermissionError(13, "Permission denied")

    write(tmp_path, {"1.png": PNG, "IM1": DICOM})
    monkeypatch.setattr(os, "open", refused)
    found = find_records([tmp_path])
    assert (names(found), reasons(found)) == (["1.png"], {"IM1": "cannot be read (Permission denied)"})
    with pytest.raises(DataError, match="Permission denied"):
        found.records[0].read()


def test_a_folder_that_may_not_be_looked_into_has_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"cat/1.png": PNG, "dog/1.png": PNG})
    scandir = os.scandir

    def refused(path: Path) -> object:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = find_records([tmp_path])
    assert (names(found), reasons(found)) == (["cat/1.png"], {"dog": "cannot be read (Permission denied)"})


# what is said of the whole


MERGED = "The folders train, test are taken together and divided anew."


@pytest.mark.parametrize(
    "files, expected",
    [
        (("train/cat/images/1.png", "train/dog/images/1.png"), {"cat", "dog"}),
        (("cat/TRAIN/1.png", "dog/Images/dicom/1.png"), {"cat", "dog"}),
        (("train/1.png", "png/1.png", "images_001/1.png", "train_images/1.png"), {"set"}),
        (("png/1.png", "dicom/1.png"), {"set"}),
        (("test_positive/1.png", "test_negative/1.png", "test_1/1.png"), None),
        (("ALL/1.png", "masks/1.png", "0/1.png", "+/1.png", "01/1.png"), None),
    ],
)
def test_folders_that_say_a_part_or_a_kind_of_file_are_no_classes(
    tmp_path: Path, files: tuple[str, ...], expected: set[str] | None
) -> None:
    content = {name: encoded(picture(k)) for k, name in enumerate(files)}
    expected = expected or {name.split("/")[0] for name in files}
    for source in (write(tmp_path / "set", content), zip_file(tmp_path / "set.zip", content)):
        found = find_records([source])
        assert set(labels(found)) == expected
        assert MERGED not in found.notes


@pytest.mark.parametrize("home", ["data", "Images", "train"])
def test_a_source_whose_own_name_says_nothing_is_unlabelled(tmp_path: Path, home: str) -> None:
    for source in (
        write(tmp_path / home, {"1.png": PNG}),
        zip_file(tmp_path / f"{home}.zip", {"1.png": PNG}),
    ):
        assert labels(find_records([source])) == [UNLABELLED]


def test_folders_of_parts_are_said_to_be_taken_together(tmp_path: Path) -> None:
    files = {f"{part}/{label}/1.png": PNG for part in ("test", "train") for label in ("cat", "dog")}
    assert find_records([write(tmp_path / "set", files)]).notes == [MERGED]
    assert find_records([zip_file(tmp_path / "set.zip", files)]).notes == [MERGED]
    assert find_records([tmp_path / "set" / "train", tmp_path / "set" / "test"]).notes == [MERGED]
    assert find_records([tmp_path / "set" / "train"]).notes == []
    table = write(tmp_path, {"l.csv": b"file,label\ntrain/cat/1.png,x\n"}) / "l.csv"
    assert MERGED in find_records([tmp_path / "set"], labels=table).notes


def test_a_test_folder_without_classes_lies_beside_those_of_the_training(tmp_path: Path) -> None:
    found = find_records([write(tmp_path / "set", {"train/cat/1.png": PNG, "test/1.png": PNG})])
    assert labels(found) == ["set", "cat"]
    assert found.notes == [MERGED, "1 image lies beside the class folders and not in one; its class is set."]


def test_many_parts_are_named_in_the_order_of_their_use_and_not_all() -> None:
    parts = ["", "test", "Val", "train_2017", "test_images", "train_2018", "test"]
    assert merged(parts) == [
        "The folders train_2017, train_2018, Val, test and 1 more are taken together and divided anew."
    ]


def test_names_that_a_spreadsheet_would_compute_are_kept_and_pointed_out(tmp_path: Path) -> None:
    files = {name: encoded(picture(k)) for k, name in enumerate(["=1+A1/1.png", "+/1.png", "-1/2.png"])}
    found = find_records([write(tmp_path / "set", files)])
    assert (names(found), labels(found)) == (["+/1.png", "-1/2.png", "=1+A1/1.png"], ["+", "-1", "=1+A1"])
    assert found.notes[-1].startswith("Names that begin with = + - or @: 4 (such as +/1.png); a spreadsheet")
    assert find_records([class_folders(tmp_path / "plain", per_class=1)]).notes == []


def test_images_beside_the_class_folders_are_pointed_out(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", per_class=2)
    flat = png_file(tmp_path / "flat" / "9.png", 9).parent
    assert find_records([folder, flat]).notes == []
    png_file(folder / "preview.png", 8)
    assert find_records([folder, flat]).notes == [
        "1 image lies beside the class folders and not in one; its class is set."
    ]


def test_folders_that_look_like_patients_are_pointed_out(tmp_path: Path) -> None:
    for k in range(12):
        png_file(tmp_path / f"P{k:03d}" / "1.png", k)
    (note,) = find_records([tmp_path]).notes
    assert note.startswith("There are 12 classes for 12 images: the folders look like patients or series")


def test_records_travel_to_other_processes(tmp_path: Path) -> None:
    found = find_records([zip_file(tmp_path / "set.zip", {"cat/1.png": PNG})])
    (record,) = found.records
    again: Record = pickle.loads(pickle.dumps(record))
    assert again == record and again.read() == PNG
    archive.close_archives()


# sources that cannot be, and limits


def test_a_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        find_records([tmp_path / "nowhere"])


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_path_that_is_no_possible_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        find_records([tmp_path / name])


def test_no_image_at_all_says_what_is_wanted(tmp_path: Path) -> None:
    for sources in ([], [folder(tmp_path / "empty")], [zip_file(tmp_path / "set.zip", {"notes.txt": b"x"})]):
        with pytest.raises(DataError, match=r"No image found\. Give a folder, image files or a ZIP"):
            find_records(sources)


def test_no_usable_image_says_why(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": b"", "b.png": b""})
    with pytest.raises(DataError, match=r"No usable image found: a\.png is empty \(0 bytes\)\. 1 more file"):
        find_records([tmp_path])


def test_too_many_files_are_refused_wherever_they_are(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "set", per_class=3)
    for sources in ([folder], sorted(folder.rglob("*.png"))):
        with pytest.raises(DataError, match=r"more than 5 files; .* raise --limit-files"):
            find_records(sources, limits=Limits(files=5))
        assert len(find_records(sources, limits=Limits(files=8)).records) == 6


@pytest.mark.parametrize("in_zip", [True, False])
def test_a_file_that_is_too_large_has_its_reason(tmp_path: Path, in_zip: bool) -> None:
    files = {"big.png": bytes(3 * 2**20), "ok.png": PNG}
    source = zip_file(tmp_path / "set.zip", files) if in_zip else write(tmp_path / "set", files)
    found = find_records([source], limits=Limits(file_mb=1))
    assert names(found) == ["ok.png"]
    assert reasons(found) == {"big.png": "has 3 MB unpacked; at most 1 are read (--limit-file-mb)"}


def test_a_file_that_grew_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    (record,) = find_records([png_file(tmp_path / "1.png", 1)]).records
    record.path.write_bytes(bytes(2**20 + 1))
    with pytest.raises(DataError, match="--limit-file-mb"):
        record.read(Limits(file_mb=1))


def test_files_that_are_too_much_together_are_refused(tmp_path: Path) -> None:
    for k in range(3):
        with (tmp_path / f"{k}.nii").open("wb") as stream:
            stream.truncate(2**29)  # takes no room on the disk
    limits = Limits(total_gb=1, file_mb=1000)
    with pytest.raises(DataError, match=r"have 1\.5 GB unpacked; at most 1 are read.*--limit-total-gb"):
        find_records([tmp_path], limits=limits)
    (tmp_path / "2.nii").rename(tmp_path / "2.txt")  # what is not read does not count
    assert len(find_records([tmp_path], limits=limits).records) == 2


def test_real_sets_are_listed_without_a_single_refusal(real_data: Path) -> None:
    found = find_records([real_data / "isic", real_data / "chest_ct_original"])
    assert len(found.records) >= 30
    assert found.rejected == []


def test_every_dicom_of_pydicom_is_found_without_its_name(tmp_path: Path) -> None:
    data = pytest.importorskip("pydicom.data")
    folder = Path(data.get_testdata_file("CT_small.dcm")).parent
    # no_meta.dcm was damaged on purpose: it begins with a stray blank
    files = [f for f in folder.glob("*.dcm") if f.stat().st_size > 300 and f.name != "no_meta.dcm"]
    for number, file in enumerate(files):
        (tmp_path / f"IM{number:04d}").write_bytes(file.read_bytes())
    found = find_records([tmp_path])
    missed = {files[int(name[2:])].name: reason for name, reason in reasons(found).items()}
    assert missed == {}
