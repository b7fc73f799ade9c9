"""Classes and patients from a CSV as real sets have them; what could mean two things is never guessed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from medgan.data import archive
from medgan.data.labels import Columns, labels_in, read_labels
from medgan.data.limits import Limits
from medgan.data.records import Found, find_records
from medgan.errors import DataError
from tests.data.samples import encoded, picture, zip_file

PNG = encoded(picture(0))


def images(folder: Path, *names: str) -> Path:
    """Each image has bytes of its own, by its whole name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def table(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def classified(tmp_path: Path, text: str | bytes, *names: str) -> Found:
    return find_records([images(tmp_path / "set", *names)], labels=table(tmp_path / "labels.csv", text))


def classes(found: Found) -> dict[str, str]:
    return {record.name: record.label for record in found.records}


def reasons(found: Found) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in found.rejected}


# which columns


@pytest.mark.parametrize(
    "header, columns",
    [
        ("file,label", ("file", "label", None)),
        ("file,label,patient", ("file", "label", "patient")),
        ("lesion_id,image_id,dx,dx_type,age,sex", ("image_id", "dx", "lesion_id")),  # HAM10000
        (
            "Image Index,Finding Labels,Follow-up #,Patient ID",
            ("Image Index", "Finding Labels", "Patient ID"),
        ),
        (
            "image_name,patient_id,sex,diagnosis,target",
            ("image_name", "diagnosis", "patient_id"),
        ),  # SIIM-ISIC
        ("id_code,diagnosis", ("id_code", "diagnosis", None)),  # APTOS
        ("image,level", ("image", "level", None)),
        ("Path,Class,Subject", ("Path", "Class", "Subject")),
        ("FILENAME , Category , Case-No, case", ("FILENAME", "Category", "case")),
        ("target,path,file", ("file", "target", None)),
    ],
)
def test_the_columns_of_real_sets_are_known(
    tmp_path: Path, header: str, columns: tuple[str, str, str | None]
) -> None:
    assert read_labels(table(tmp_path / "a.csv", header + "\n")).columns == Columns(*columns)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_delimiter_and_quotes_are_read(tmp_path: Path, sign: str, end: str) -> None:
    rows = [["file", "label", "patient"], ["a.png", '"cat, ""big""; | old"', "P 1"], [], ["b.png", "dog", ""]]
    text = end.join(sign.join(row) for row in rows)
    found = classified(tmp_path, text, "a.png", "b.png")
    assert classes(found) == {"a.png": 'cat, "big"; | old', "b.png": "dog"}
    assert [record.patient for record in found.records] == ["P 1", None]


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_usual_encoding_is_read(tmp_path: Path, coding: str) -> None:
    found = classified(tmp_path, "file,label\nübung.png,Nävus\n".encode(coding), "übung.png")
    assert classes(found) == {"übung.png": "Nävus"}
    assert any("is not UTF-8" in note for note in found.notes) == (coding == "cp1252")


def test_a_line_that_names_the_delimiter_for_excel_is_skipped(tmp_path: Path) -> None:
    assert classes(classified(tmp_path, "sep=;\r\nfile;label\r\na.png;cat\r\n", "a.png")) == {"a.png": "cat"}


def test_what_was_understood_is_said(tmp_path: Path) -> None:
    found = classified(tmp_path, "image_id,dx,lesion_id,x\na,nv,L1,\nb,nv,,\nc,nv,,\n", "a.jpg")
    assert found.notes == [
        "labels.csv: files from image_id, classes from dx, patients from lesion_id.",
        "Named in labels.csv but not here: the images of 2 rows.",
    ]


@pytest.mark.parametrize("word", ["", " ", "NA", "nan", "Unknown"])
def test_a_patient_that_is_not_known_is_none(tmp_path: Path, word: str) -> None:
    found = classified(tmp_path, f"file,label,patient\na.png,cat,{word}\n", "a.png")
    assert found.records[0].patient is None


# which image


@pytest.mark.parametrize(
    "row",
    [
        "cat/a.png",
        "set/cat/a.png",
        "C:\\Users\\me\\set\\cat\\a.png",
        "/home/me/data/a.png",
        "./cat/a.png",
        "a.png",
        "a",
        "cat/a",
        "A.PNG",
        "Cat/A.dcm",
        " a.png ",
    ],
)
def test_an_image_is_found_by_path_by_name_and_without_its_ending(tmp_path: Path, row: str) -> None:
    found = classified(tmp_path, f"file,label\n{row},tabby\n", "cat/a.png", "dog/b.png")
    assert classes(found) == {"cat/a.png": "tabby"}
    assert reasons(found) == {"dog/b.png": "is not named in labels.csv"}


def test_a_name_with_dots_keeps_them(tmp_path: Path) -> None:
    rows = "file,label\n1.2.840.1,cat\n1.2.840.2.dcm,dog\n"
    files = {"1.2.840.1": bytes(128) + b"DICM1", "1.2.840.2": bytes(128) + b"DICM2"}
    folder = images(tmp_path / "set", *files)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = find_records([folder], labels=table(tmp_path / "labels.csv", rows))
    assert classes(found) == {"1.2.840.1": "cat", "1.2.840.2": "dog"}


def test_the_fuller_path_decides(tmp_path: Path) -> None:
    rows = "file,label\ntrain/1.png,cat\ntest/1.png,dog\n1.png,cow\n"
    found = classified(tmp_path, rows, "set/train/1.png", "set/test/1.png")
    assert classes(found) == {"set/train/1.png": "cat", "set/test/1.png": "dog"}


def test_names_that_differ_in_case_only_are_told_apart(tmp_path: Path) -> None:
    folder = images(tmp_path / "set", "a.png", "A.png")
    if len(list(folder.iterdir())) < 2:
        pytest.skip("this disk takes them for one")
    found = find_records([folder], labels=table(tmp_path / "labels.csv", "file,label\na.png,x\nA.png,y\n"))
    assert classes(found) == {"a.png": "x", "A.png": "y"}


def test_a_name_that_could_mean_two_images_gives_neither_a_class(tmp_path: Path) -> None:
    found = classified(tmp_path, "file,label\n1.png,cat\n2.png,dog\n", "a/1.png", "b/1.png", "a/2.png")
    assert classes(found) == {"a/2.png": "dog"}
    reason = "is one of 2 files that '1.png' in labels.csv may mean; write the folder there, too"
    assert reasons(found) == {"a/1.png": reason, "b/1.png": reason}


@pytest.mark.parametrize("packed", [True, False])
def test_copies_of_one_image_may_share_a_row(tmp_path: Path, packed: bool) -> None:
    """The HAM10000 of Kaggle holds every image twice, in two folders."""
    files = {"part_1/1.jpg": PNG, "PART_1x/1.jpg": PNG, "2.jpg": b"other"}
    folder = images(tmp_path / "set", *files)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    source = zip_file(tmp_path / "set.zip", files) if packed else folder
    found = find_records([source], labels=table(tmp_path / "labels.csv", "image_id,dx\n1,nv\n2,mel\n"))
    assert classes(found) == {"part_1/1.jpg": "nv", "PART_1x/1.jpg": "nv", "2.jpg": "mel"}


def test_rows_that_contradict_each_other_refuse_the_image(tmp_path: Path) -> None:
    rows = [
        "a.png,cat,1",
        "a.png,dog,1",
        "b.png,cat,1",
        "b.png,cat,2",
        "c.png,cat,1",
        "c.png,cat,1",
        "d.png,,",
    ]
    text = "\n".join(["file,label,patient", *rows])
    found = classified(tmp_path, text, "a.png", "b.png", "c.png", "d.png")
    assert classes(found) == {"c.png": "cat"}
    assert reasons(found) == {
        "a.png": "has more than one class in labels.csv (cat, dog)",
        "b.png": "has more than one patient in labels.csv",
        "d.png": "has no class in labels.csv",
    }


def test_names_of_a_mac_and_of_others_are_the_same(tmp_path: Path) -> None:
    found = classified(tmp_path, "file,label\nNe\u0301vus.png,x\n", "N\u00e9vus.png")
    assert list(classes(found).values()) == ["x"]


# labels that lie in the sources


def test_labels_in_folders_and_zips_are_offered_and_can_be_used(tmp_path: Path) -> None:
    rows = "\ufeffimage_id;dx\na;nv\n" + "x;y\n" * 50_000
    files = {
        "meta/ham.csv": rows.encode(),
        "notes.csv": b"when,what\n1,2\n",
        "i/a.png": PNG,
        "bad.csv": b"\xff\xfe\0",
    }
    folder = images(tmp_path / "set", *files)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for source in (folder, zip_file(tmp_path / "packed.zip", files)):
        (offer,) = labels_in([source])
        assert (offer.name, offer.columns) == ("meta/ham.csv", Columns("image_id", "dx", None))
        assert classes(find_records([source], labels=offer.path)) == {"i/a.png": "nv"}
    assert offer.path == tmp_path / "packed.zip" / "meta" / "ham.csv"
    assert not archive._ARCHIVES


def test_labels_given_beside_the_images_are_offered(tmp_path: Path) -> None:
    sources = [
        *images(tmp_path / "set", "a.png").iterdir(),
        table(tmp_path / "l.csv", "file,label\na.png,x\n"),
    ]
    (offer,) = labels_in(sources)
    assert classes(find_records(sources, labels=offer.path)) == {"a.png": "x"}


# labels that cannot be used


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "its first row must name one for the file (such as file, image, image_id, path)"),
        ("a.png,cat\nb.png,dog\n", "one for the class (such as label, class, diagnosis, dx, target)."),
        ("file;age;sex\n", "of those it has only file."),
        ("diagnosis\tage\tPatient ID\n", "of those it has only diagnosis, Patient ID."),
        (b"PK\x03\x04" + bytes(99), "is no CSV; in Excel, save it as CSV"),
        (PNG, "is no table: it holds no text"),
        ("file,label\n" + "x" * 200_000 + ",y\n", "cannot be read as CSV"),
        ("x" * 200_000, "cannot be read as CSV"),
        ("file,label\nz.png,cat\n", "names none of the 1 images: its column file has for example 'z.png'"),
        ("file,label\n", "names none of the 1 images"),
    ],
)
def test_a_csv_that_cannot_be_used_says_in_one_sentence_why(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(DataError) as caught:
        classified(tmp_path, text, "a.png")
    assert str(caught.value).startswith("labels.csv ")
    assert said in str(caught.value)


@pytest.mark.parametrize("row", ["doe_jane.png,melanoma,Doe^Jane", "file,Doe^Jane", "label;Doe^Jane;doe.png"])
def test_a_table_without_header_is_not_quoted_since_its_first_row_may_name_a_patient(
    tmp_path: Path, row: str
) -> None:
    with pytest.raises(DataError) as caught:
        classified(tmp_path, f"{row}\n", "a.png")
    assert "jane" not in str(caught.value).lower()


def test_labels_that_leave_no_image_say_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No usable image found: a\.png has no class in labels\.csv"):
        classified(tmp_path, "file,label\na.png,\n", "a.png")


@pytest.mark.parametrize("inside", ["gone.csv", "set.zip/gone.csv", "set.zip/a.png/x.csv", "x" * 5000])
def test_labels_that_are_not_there_are_named(tmp_path: Path, inside: str) -> None:
    source = zip_file(tmp_path / "set.zip", {"a.png": PNG})
    with pytest.raises(DataError, match="is not there, or it is no file"):
        find_records([source], labels=tmp_path / inside)


def test_labels_that_are_too_large_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "labels.csv", b"file,label\n" + bytes(2**20))
    with pytest.raises(
        DataError, match=r"labels\.csv has 2 MB unpacked; at most 1 are read \(--limit-file-mb\)\."
    ):
        read_labels(path, Limits(file_mb=1))


def test_a_hundred_thousand_rows_are_matched(tmp_path: Path) -> None:
    rows = "file,label\n" + "".join(f"images/train/{k:06d}.png,c{k % 3}\n" for k in range(100_000))
    folder = images(tmp_path / "set", *(f"{k:06d}.png" for k in range(0, 1000, 2)))
    found = find_records([folder], labels=table(tmp_path / "labels.csv", rows))
    assert classes(found) == {f"{k:06d}.png": f"c{k % 3}" for k in range(0, 1000, 2)}
    assert found.notes[-1] == "Named in labels.csv but not here: the images of 99,500 rows."


# spellings that disagree, files that are no table


@pytest.mark.parametrize(
    "rows",
    ["a.png,x\nA.PNG,y", "a,x\na.png,y", "set/a.png,x\nA.png,y", "a.png,x\n./a.png,y", "a.png,x\n/old/a,y"],
)
def test_rows_that_disagree_by_different_spellings_refuse_the_image(tmp_path: Path, rows: str) -> None:
    found = classified(tmp_path, f"file,label\n{rows}\nb.png,x\n", "a.png", "b.png")
    assert classes(found) == {"b.png": "x"}
    assert "has more than one class in labels.csv (x, y)" in reasons(found)["a.png"]


@pytest.mark.parametrize("row", ["b/a.png,y", "a.jpg,y", "d/a,y", "a.png,", "A.PNG,x"])
def test_rows_of_images_that_are_not_here_or_that_agree_contradict_nothing(tmp_path: Path, row: str) -> None:
    found = classified(tmp_path, f"file,label\n{row}\nc/a.png,x\n", "c/a.png")
    assert classes(found) == {"c/a.png": "x"}


def test_a_bare_name_that_may_mean_several_images_contradicts_none(tmp_path: Path) -> None:
    found = classified(tmp_path, "file,label\nc/a.png,x\nd/a.png,y\na.png,z\n", "c/a.png", "d/a.png")
    assert classes(found) == {"c/a.png": "x", "d/a.png": "y"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", [b"", b"\xff\xfe", b"file,"])
def test_bytes_that_are_no_text_are_called_no_table(tmp_path: Path, seed: int, start: bytes) -> None:
    noise = start + random.Random(seed).randbytes(3000)
    with pytest.raises(DataError, match=r"^labels\.csv is no table: it holds no text") as refused:
        read_labels(table(tmp_path / "labels.csv", noise))
    assert str(refused.value).isprintable()


def test_an_image_is_called_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.csv is no table"):
        read_labels(table(tmp_path / "labels.csv", PNG))
