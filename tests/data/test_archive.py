"""ZIPs that mean harm, are broken, or were made by odd tools: images or reasons, never anything else."""

from __future__ import annotations

import multiprocessing
import random
import stat
import struct
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medgan.data import archive
from medgan.data.limits import Limits
from medgan.data.records import Found, Record, find_records
from medgan.errors import DataError
from tests.data.samples import encoded, picture, png_file, zip_file

PNG = encoded(picture(0))
UTF8, ENCRYPTED = 0x800, 0x1


@dataclass
class Raw:
    """A member as a ZIP holds it, with every field free to lie; `packed` is what lies in the file."""

    name: bytes = b"1.png"
    packed: bytes = PNG
    size: int | None = None
    crc: int | None = None
    flags: int = 0
    method: int = 0
    mode: int = 0
    extra: bytes = b""
    offset: int | None = None
    claimed: int | None = None


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def raw_zip(path: Path, *members: Raw, count: int | None = None, listing: bytes = b"") -> Path:
    """A ZIP written by hand; `count` is what its end claims, `listing` more entries of its directory."""
    body = b""
    for m in members:
        size = len(m.packed) if m.size is None else m.size
        crc = zlib.crc32(m.packed) if m.crc is None else m.crc
        packed = len(m.packed) if m.claimed is None else m.claimed
        fields = struct.pack(
            "<HHHHIIIHH", m.flags, m.method, 0, 33, crc, packed, size, len(m.name), len(m.extra)
        )
        place = len(body) if m.offset is None else m.offset
        body += b"PK\x03\x04" + struct.pack("<H", 20) + fields + m.name + m.extra + m.packed
        tail = struct.pack("<HHHII", 0, 0, 0, m.mode << 16, place)
        listing += b"PK\x01\x02" + struct.pack("<HH", 0x314, 20) + fields + tail + m.name + m.extra
    number = len(members) if count is None else count
    end = struct.pack("<HHHHIIH", 0, 0, number, number, len(listing), len(body), 0)
    path.write_bytes(body + listing + b"PK\x05\x06" + end)
    return path


def names(found: Found) -> list[str]:
    return [record.name for record in found.records]


def reasons(found: Found) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in found.rejected}


def refused(tmp_path: Path, member: Raw) -> str:
    """Why a member is refused, while the good ones around it are kept."""
    good = [Raw(b"a.png"), Raw(b"z.png", encoded(picture(3)))]
    found = find_records([raw_zip(tmp_path / "set.zip", good[0], member, good[1])])
    assert names(found) == ["a.png", "z.png"]
    assert [r.read() for r in found.records] == [good[0].packed, good[1].packed]
    (reason,) = reasons(found).values()
    return reason


def broken(record: Record) -> str:
    with pytest.raises(DataError) as caught:
        record.read()
    return str(caught.value)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    archive.close_archives()


def test_what_is_written_by_hand_here_is_a_proper_zip(tmp_path: Path) -> None:
    path = raw_zip(
        tmp_path / "set.zip", Raw(), Raw(b"2.png", deflated(b"x" * 99), 99, zlib.crc32(b"x" * 99), 0, 8)
    )
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.namelist() == ["1.png", "2.png"]


# names that lead elsewhere, or were written long ago


@pytest.mark.parametrize(
    "member, name, label",
    [
        ("../../evil.png", "evil.png", "set"),
        ("/etc/evil.png", "etc/evil.png", "etc"),
        ("//host/share/evil.png", "host/share/evil.png", "share"),
        ("C:/Users/evil.png", "Users/evil.png", "Users"),
        ("C:evil.png", "evil.png", "set"),
        ("..\\..\\up\\evil.png", "up/evil.png", "up"),
        ("\\\\host\\share\\evil.png", "host/share/evil.png", "share"),
        ("cat\\1.png", "cat/1.png", "cat"),
        ("./cat/./1.png", "cat/1.png", "cat"),
        ("cat//1.png", "cat/1.png", "cat"),
    ],
)
def test_names_that_lead_out_of_a_zip_stay_inside(tmp_path: Path, member: str, name: str, label: str) -> None:
    path = zip_file(tmp_path / "set.zip", {member: PNG})
    before = set(tmp_path.rglob("*"))
    found = find_records([path])
    assert [(r.name, r.label) for r in found.records] == [(name, label)]
    assert found.records[0].read() == PNG
    assert set(tmp_path.rglob("*")) == before  # nothing was unpacked


def test_names_that_become_equal_stay_apart(tmp_path: Path) -> None:
    members = {n: encoded(picture(k)) for k, n in enumerate(["cat/1.png", "../cat/1.png", "/cat\\1.png"])}
    found = find_records([zip_file(tmp_path / "set.zip", members)])
    assert names(found) == ["cat/1 (2).png", "cat/1 (3).png", "cat/1.png"]
    assert sorted(r.read() for r in found.records) == sorted(members.values())


def test_a_member_without_a_name_and_one_with_an_endless_name_are_refused(tmp_path: Path) -> None:
    for name in (b"..", b"", b"\0.png"):
        assert refused(tmp_path, Raw(name)) == "has no name; make the ZIP again"
    assert refused(tmp_path, Raw(b"x" * 60_000 + b".png")) == "has a name of more than 1,000 characters"


@pytest.mark.parametrize(
    "coding, words",
    [
        ("gbk", ("皮肤", "病变")),
        ("shift_jis", ("画像", "表示")),  # the second byte of 表 is that of a backslash
        ("euc_kr", ("피부", "병변")),
        ("cp1251", ("кожа", "рак")),
        ("latin-1", ("Nävus", "Krebs-é")),
    ],
)
def test_names_in_old_encodings_do_not_crash_and_stay_apart(
    tmp_path: Path, coding: str, words: tuple[str, str]
) -> None:
    members = [Raw(f"{word}/1.png".encode(coding), encoded(picture(k))) for k, word in enumerate(words)]
    found = find_records([raw_zip(tmp_path / "set.zip", *members)])
    assert len(set(names(found))) == len({r.label for r in found.records}) == 2
    assert sorted(r.read() for r in found.records) == sorted(m.packed for m in members)
    assert "in an unknown encoding and may look odd: 2 (such as " in found.notes[0]


def test_names_that_lead_out_of_a_zip_are_noted_with_the_first(tmp_path: Path) -> None:
    members = ["cat/1.png", "../../up\nx.png", "C:\\temp\\2.png", "/root.png", "./dog/a..3.png"]
    archived = zip_file(tmp_path / "set.zip", {name: encoded(picture(k)) for k, name in enumerate(members)})
    found = find_records([archived])
    assert len(found.records) == 5
    assert found.notes[0] == (
        "Names in set.zip that lead out of the ZIP and are read as names inside it: 3 "
        "(such as ../../up\\nx.png)."
    )
    plain = zip_file(tmp_path / "plain.zip", {"./dog/a..3.png": PNG})
    assert find_records([plain]).notes == []


def test_names_in_utf8_without_the_flag_are_read_as_a_mac_writes_them(tmp_path: Path) -> None:
    found = find_records([raw_zip(tmp_path / "set.zip", Raw("Nävus/1.png".encode()))])
    assert names(found) == ["Nävus/1.png"]
    assert found.records[0].read() == PNG
    assert found.notes == []


def test_the_unicode_name_beside_an_old_one_counts_only_if_it_belongs_to_it(tmp_path: Path) -> None:
    old, new = "皮肤/1.png".encode("gbk"), "皮肤/1.png".encode()
    for checksum, expected in ((zlib.crc32(old), True), (7, False)):
        extra = struct.pack("<HHBI", 0x7075, 5 + len(new), 1, checksum) + new
        found = find_records([raw_zip(tmp_path / "set.zip", Raw(old, extra=extra))])
        assert (names(found) == ["皮肤/1.png"]) == expected
        assert found.records[0].read() == PNG


# members that are no plain files


@pytest.mark.parametrize(
    "kind, reason",
    [
        (stat.S_IFLNK, "is a link; links in a ZIP are not followed"),
        (stat.S_IFCHR, "is a device or a pipe, no file"),
        (stat.S_IFBLK, "is a device or a pipe, no file"),
        (stat.S_IFIFO, "is a device or a pipe, no file"),
        (stat.S_IFSOCK, "is a device or a pipe, no file"),
    ],
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int, reason: str) -> None:
    assert refused(tmp_path, Raw(b"evil.png", b"/etc/passwd", mode=kind | 0o777)) == reason


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
def test_encrypted_members_are_refused(tmp_path: Path, flags: int) -> None:
    assert refused(tmp_path, Raw(flags=flags)) == "is encrypted; make a ZIP without a password"


@pytest.mark.parametrize(
    "method, name", [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (99, "AES"), (77, "method 77")]
)
def test_members_packed_in_other_ways_are_refused(tmp_path: Path, method: int, name: str) -> None:
    assert (
        refused(tmp_path, Raw(method=method)) == f"is packed by {name}, which is not read; make a plain ZIP"
    )


def test_patched_members_are_refused_when_they_are_read(tmp_path: Path) -> None:
    (record,) = find_records([raw_zip(tmp_path / "set.zip", Raw(flags=0x20))]).records
    assert broken(record) == "is packed in a way that cannot be read; make a plain ZIP"


def test_empty_members_are_refused_and_folders_are_no_members(tmp_path: Path) -> None:
    found = find_records(
        [zip_file(tmp_path / "set.zip", {"cat/": b"", "cat\\": b"", "a.png": PNG, "b.png": b""})]
    )
    assert names(found) == ["a.png"]
    assert reasons(found) == {"b.png": "is empty (0 bytes)"}


def test_a_name_written_twice_stands_for_its_last_content(tmp_path: Path) -> None:
    last = encoded(picture(2))
    found = find_records([raw_zip(tmp_path / "set.zip", Raw(), Raw(packed=last))])
    assert names(found) == ["1.png"]
    assert found.records[0].read() == last
    assert reasons(found) == {
        "1.png": "is in the ZIP a second time under this name; the last one counts, as when unpacking"
    }


def test_names_that_differ_behind_a_zero_byte_are_one_name(tmp_path: Path) -> None:
    found = find_records([raw_zip(tmp_path / "set.zip", Raw(b"1.png\0a"), Raw(b"1.png\0b"))])
    assert (names(found), list(reasons(found))) == (["1.png"], ["1.png"])


# bombs


@pytest.mark.parametrize("megabytes, bad", [(9, False), (11, True)])
def test_a_member_that_unpacks_to_many_times_its_size_is_refused(
    tmp_path: Path, megabytes: int, bad: bool
) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ok.png", PNG)
        file.writestr("zeros.png", bytes(megabytes * 2**20))
    found = find_records([path])
    assert names(found) == ["ok.png"] if bad else ["ok.png", "zeros.png"]
    if bad:
        assert "times its size; at most 200 are read (--limit-ratio)" in reasons(found)["zeros.png"]
        assert len(find_records([path], limits=Limits(ratio=2000)).records) == 2


def test_a_bomb_of_zips_in_zips_is_never_unpacked(tmp_path: Path) -> None:
    """Like 42.zip: sixteen ZIPs in a ZIP, each of sixteen, at last of files that are all zeros."""
    content = deflated(bytes(2**23))
    path = raw_zip(tmp_path / "0.zip", Raw(b"0.png", content, 2**23, 0, 0, 8))
    for level in (1, 2):
        inner = path.read_bytes()
        members = {f"lib {k}.zip": inner for k in range(16)}
        path = zip_file(tmp_path / f"{level}.zip", members)
    with pytest.raises(DataError, match=r"lib 0\.zip is an archive inside another; unpack it\. 15 more"):
        find_records([path])


def test_a_member_that_lies_about_its_size_is_cut_off_and_refused(tmp_path: Path) -> None:
    content = bytes(2**26)
    path = raw_zip(tmp_path / "set.zip", Raw(b"1.png", deflated(content), 1000, zlib.crc32(content), 0, 8))
    (record,) = find_records([path]).records
    tracemalloc.start()
    try:
        assert broken(record) == "cannot be unpacked (its part of the ZIP is damaged)"
        assert tracemalloc.get_traced_memory()[1] < 2**20  # 64 MB were never unpacked
    finally:
        tracemalloc.stop()


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    first = Raw(b"a.png", PNG)
    found = find_records([raw_zip(tmp_path / "set.zip", first, Raw(b"b.png", offset=0), Raw(b"c.png"))])
    assert names(found) == ["c.png"]
    assert list(reasons(found)) == ["a.png", "b.png"]
    assert all(reason.startswith("shares its bytes with other files") for reason in reasons(found).values())


@pytest.mark.parametrize("lie", [{"offset": 2**31}, {"claimed": 2**30}])
def test_members_that_reach_out_of_the_zip_are_refused(tmp_path: Path, lie: dict[str, int]) -> None:
    path = raw_zip(tmp_path / "set.zip", Raw(b"a.png"), Raw(b"b.png", **lie))
    found = find_records([path])
    assert names(found) == ["a.png"]
    assert "lies outside of it" in reasons(found)["b.png"]


def test_a_directory_that_claims_too_many_bytes_together_is_refused(tmp_path: Path) -> None:
    members = [Raw(b"%d.nii" % k, bytes(2**20), 180 * 2**20) for k in range(12)]
    path = raw_zip(tmp_path / "set.zip", *members)
    with pytest.raises(DataError, match=r"have 2\.1 GB unpacked; at most 1 are read.*--limit-total-gb"):
        find_records([path], limits=Limits(total_gb=1))


@pytest.mark.parametrize("claimed", [1, 60_000, None])
def test_a_directory_of_too_many_files_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: int | None
) -> None:
    path = raw_zip(tmp_path / "set.zip", *(Raw(b"%d" % k, b"x") for k in range(300)), count=claimed)

    def parsed(*_: object) -> None:
        raise AssertionError("an entry was parsed")

    monkeypatch.setattr(zipfile, "ZipInfo", parsed)
    with pytest.raises(
        DataError, match=r"set\.zip lists too many files; at most 200 are read \(--limit-files\)"
    ):
        find_records([path], limits=Limits(files=200))


@pytest.mark.parametrize("zip64", [False, True])
def test_a_directory_of_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path, zip64: bool) -> None:
    path, directory = tmp_path / "set.zip", 2**30
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, directory, 4)
    end64 += struct.pack("<4sIQI", b"PK\x06\x07", 0, directory + 4, 1)
    size = 2**32 - 1 if zip64 else directory
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0)
    with path.open("wb") as stream:
        stream.write(b"PK\x03\x04")
        stream.truncate(4 + directory)  # takes no room on the disk
        stream.seek(0, 2)
        stream.write((end64 if zip64 else b"") + end)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="lists too many files"):
            find_records([path])
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_an_empty_directory_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No image found"):
        find_records([zip_file(tmp_path / "set.zip", {})])


def test_ten_thousand_members_are_listed(tmp_path: Path) -> None:
    path = raw_zip(
        tmp_path / "set.zip", *(Raw(b"c%d/%d" % (k % 3, k), bytes(128) + b"DICM") for k in range(10_000))
    )
    assert len(find_records([path]).records) == 10_000


# broken ZIPs


@pytest.mark.parametrize("content", [b"", b"not a zip", PNG])
def test_what_is_no_zip_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"set\.zip is not a ZIP, or it is damaged; make it again\."):
        find_records([tmp_path / "set.zip"])


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_zip_that_begins_well_and_is_cut_short_says_so(tmp_path: Path, cut: int) -> None:
    path = zip_file(tmp_path / "set.zip", {"a.png": PNG, "b.png": PNG})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(
        DataError, match=r"set\.zip is not a ZIP that is whole: its end, which lists the files"
    ):
        find_records([path])
    assert names(find_records([path, png_file(tmp_path / "1.png", 1)])) == ["1.png"]


def test_a_damaged_member_does_not_lose_the_others(tmp_path: Path) -> None:
    pictures = [encoded(picture(k)) for k in range(5)]
    path = zip_file(tmp_path / "set.zip", {f"{k}.png": data for k, data in enumerate(pictures)})
    data = bytearray(path.read_bytes())
    start = data.index(pictures[2])
    data[start + 50 : start + 60] = b"0123456789"
    path.write_bytes(data)
    records = find_records([path]).records
    assert broken(records.pop(2)) == "cannot be unpacked (its part of the ZIP is damaged)"
    assert [r.read() for r in records] == [pictures[k] for k in (0, 1, 3, 4)]


def test_a_zip_with_random_damage_gives_bytes_or_reasons_but_never_a_traceback(tmp_path: Path) -> None:
    members = {
        f"a/{k}{end}": encoded(picture(k, (9, 9))) for k, end in enumerate([".png", "", ".dcm", ".csv"])
    }
    path, chance = zip_file(tmp_path / "set.zip", members), random.Random(0)
    whole = path.read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        try:
            for record in find_records([path]).records:
                try:
                    record.read()
                except DataError as error:
                    assert not str(error).endswith(".")  # to be read after the name
        except DataError as error:
            assert str(error).endswith(".")


# open archives


def test_a_zip_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = zip_file(tmp_path / "set.zip", {"1.png": b"old"})
    (record,) = find_records([path]).records
    assert record.read() == b"old"
    zip_file(path, {"1.png": b"newer"})
    assert record.read() == b"newer"
    path.unlink()
    assert broken(record) == "cannot be read (No such file or directory)"


def test_only_a_few_zips_stay_open_and_none_after_closing(tmp_path: Path) -> None:
    paths = [zip_file(tmp_path / f"{k}.zip", {f"{k}.png": b"%d" % k}) for k in range(9)]
    records = find_records(paths).records
    assert not archive._ARCHIVES  # listing leaves none open
    for _ in range(2):
        assert [r.read() for r in records] == [b"%d" % k for k in range(9)]
        assert 0 < len(archive._ARCHIVES) <= 4
    archive.close_archives()
    assert not archive._ARCHIVES


def test_threads_can_read_while_others_close(tmp_path: Path) -> None:
    records = find_records(
        [
            zip_file(tmp_path / f"{z}.zip", {f"{z}{k}.png": b"%d" % k * 50 for k in range(20)})
            for z in range(6)
        ]
    ).records
    failures: list[Exception] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(60):
                record = chance.choice(records)
                assert record.read() == record.name[1:-4].encode() * 50
                if chance.random() < 0.1:
                    archive.close_archives()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_the_zip_for_itself(tmp_path: Path) -> None:
    (record,) = find_records([zip_file(tmp_path / "set.zip", {"1.png": PNG})]).records
    assert record.read() == PNG  # open here, before the fork
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with archive._LOCK:  # held by a thread that does not exist in the child
        child = context.Process(target=lambda: results.put((len(archive._ARCHIVES), record.read() == PNG)))
        child.start()
        assert results.get(timeout=30) == (0, True)
    child.join()
