"""Listing and reading ZIPs that may mean harm.

Members are read in memory, each up to a limit, and never written to a path that the archive names. The
directory is bounded before it is parsed, since a few megabytes can list millions of members.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from medgan.data.limits import LIMITS, Limits, option
from medgan.data.names import leads_out, safe_parts
from medgan.errors import DataError

RATIO_FROM = 10 * 2**20
"""Bytes from which on the ratio counts: small flat images pack a thousandfold with no harm."""

_ENTRY_BYTES = 400
"""Bytes of the directory that one file may take on average: 46, and its name and times."""

_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How members may be packed. For the others zipfile does not bound what one call unpacks: four kilobytes of
bzip2 can hold gigabytes."""

_OTHER_METHODS = {
    **{9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ"},
    **{96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES"},
}
_OPEN = 4
NO_ZIP = "is not a ZIP, or it is damaged; make it again"
_CUT_SHORT = (
    "is not a ZIP that is whole: its end, which lists the files, is damaged or missing; copy it again"
)


@dataclass(frozen=True)
class Member:
    """One file of a ZIP: its safe name in parts, its name as zipfile knows it, and what the directory says.

    `problem` is why it cannot be used, to be read after its name; `odd` that its name is in no known
    encoding; `outside` is its name as it is written, if that leads out of the ZIP.
    """

    parts: tuple[str, ...]
    key: str
    size: int
    crc: int
    problem: str
    odd: bool
    outside: str = ""


def members(path: Path, limits: Limits = LIMITS) -> list[Member]:
    """Every file that the ZIP at `path` lists, in its order; nothing is unpacked.

    DataError, to be read after the ZIP's name, if it is damaged or lists more than `limits.files`.
    """
    with _LOCK:
        archive = _opened(path, limits)
        infos = [info for info in archive.infolist() if not _is_folder(info)]
        overlapping = _overlapping(infos, archive.start_dir)
        last = {info.filename: info for info in infos}
        return [_member(info, last[info.filename] is info, info in overlapping, limits) for info in infos]


def read_member(path: Path, key: str, limits: Limits = LIMITS) -> bytes:
    """A member's bytes; DataError, to be read after its name, if it is too large or broken."""
    with _LOCK, _stream(path, key, limits) as (info, stream):
        check_size(info.file_size, limits)  # zipfile hands out no more than the directory claims
        return stream.read(info.file_size + 1)


def read_start(path: Path, key: str, count: int, limits: Limits = LIMITS) -> bytes:
    """The first `count` bytes of a member; DataError as `read_member`."""
    with _LOCK, _stream(path, key, limits) as (_, stream):
        return stream.read(count)


def close_archives() -> None:
    """Close the ZIPs that this process keeps open for reading, so that they can be deleted."""
    with _LOCK:
        while _ARCHIVES:
            _close(next(iter(_ARCHIVES)))


def check_size(size: int, limits: Limits) -> None:
    """DataError, to be read after the file's name, if it is larger than `limits.file_mb`."""
    if size > limits.file_mb * 2**20:
        raise DataError(
            f"has {-(-size // 2**20):,} MB unpacked; at most {limits.file_mb} are read ({option('file_mb')})"
        )


# ---- the open archives of this process; a lock, since zipfile's own do not cover opening and closing

_Key = tuple[str, int, int]
_LOCK = threading.RLock()
_ARCHIVES: dict[_Key, tuple[zipfile.ZipFile, IO[bytes]]] = {}


def _forget_after_fork() -> None:
    """A child must not share file positions with its parent, nor a lock that some thread held."""
    global _LOCK
    _LOCK = threading.RLock()
    _ARCHIVES.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forget_after_fork)


def _opened(path: Path, limits: Limits) -> zipfile.ZipFile:
    try:
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        if key not in _ARCHIVES:
            while len(_ARCHIVES) >= _OPEN:
                _close(next(iter(_ARCHIVES)))
            _ARCHIVES[key] = _open(path, limits)
        _ARCHIVES[key] = _ARCHIVES.pop(key)  # the latest used is closed last
        return _ARCHIVES[key][0]
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})") from error


def _close(key: _Key) -> None:
    archive, stream = _ARCHIVES.pop(key)
    archive.close()
    stream.close()


def _open(path: Path, limits: Limits) -> tuple[zipfile.ZipFile, IO[bytes]]:
    stream = _Stream(path, limits.files)
    try:
        archive = zipfile.ZipFile(stream)
    except (DataError, OSError):
        stream.close()
        raise
    except Exception as error:  # a damaged directory makes zipfile stumble in many ways
        stream.seek(0)
        good_start = stream.read(4) == b"PK\x03\x04"
        stream.close()
        raise DataError(_CUT_SHORT if good_start else NO_ZIP) from error
    stream.files = None
    return archive, stream


class _Stream(io.BufferedReader):
    """A file that refuses to hand out a directory of more than `files` entries.

    zipfile reads the directory in one call, of the size that the end record (ZIP64's too) claims. To look
    here rather than at the end record means that no second reading of it can differ from zipfile's.
    """

    def __init__(self, path: Path, files: int) -> None:
        super().__init__(io.FileIO(path))
        self.files: int | None = files

    def read(self, size: int | None = -1, /) -> bytes:
        if self.files is None or size is None or size < 0:
            return super().read(size)
        if size > 2**16 + self.files * _ENTRY_BYTES:
            raise DataError(self._refusal())
        data = super().read(size)
        if data.count(_ENTRY) > self.files:
            raise DataError(self._refusal())
        return data

    def _refusal(self) -> str:
        return f"lists too many files; at most {self.files:,} are read ({option('files')})"


@contextlib.contextmanager
def _stream(path: Path, key: str, limits: Limits) -> Iterator[tuple[zipfile.ZipInfo, IO[bytes]]]:
    archive = _opened(path, limits)
    try:
        info = archive.getinfo(key)
        with archive.open(info) as stream:
            yield info, stream
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError("is packed in a way that cannot be read; make a plain ZIP") from error
    except RuntimeError as error:  # what zipfile raises for a member that needs a password
        raise DataError("is encrypted; make a ZIP without a password") from error
    except Exception as error:  # the decompressors' errors share no base
        raise DataError("cannot be unpacked (its part of the ZIP is damaged)") from error


# ---- what the directory says of a member


def _member(info: zipfile.ZipInfo, last: bool, overlaps: bool, limits: Limits) -> Member:
    name, odd = _name(info)
    problem = _problem(info, last, overlaps, limits)
    outside = name if leads_out(name) else ""
    return Member(safe_parts(name), info.filename, info.file_size, info.CRC, problem, odd, outside)


def _problem(info: zipfile.ZipInfo, last: bool, overlaps: bool, limits: Limits) -> str:
    """Why a member cannot be used whatever it holds, or nothing."""
    kind = stat.S_IFMT(info.external_attr >> 16)  # the Unix mode, 0 from other systems
    if kind == stat.S_IFLNK:
        return "is a link; links in a ZIP are not followed"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe, no file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted; make a ZIP without a password"
    if info.compress_type not in _METHODS:
        method = _OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is packed by {method}, which is not read; make a plain ZIP"
    if overlaps:
        return "shares its bytes with other files of the ZIP or lies outside of it; make the ZIP again"
    if not last:
        return "is in the ZIP a second time under this name; the last one counts, as when unpacking"
    if info.file_size > max(RATIO_FROM, limits.ratio * info.compress_size):
        times = info.file_size / max(1, info.compress_size)
        return f"unpacks to {times:,.0f} times its size; at most {limits.ratio} are read ({option('ratio')})"
    return ""


def _is_folder(info: zipfile.ZipInfo) -> bool:
    # not is_dir(), which stumbles over an empty name
    return info.filename.endswith("/") or (info.filename.endswith("\\") and info.file_size == 0)


def _name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """The member's name, and whether its encoding is unknown (then each byte is a sign of cp437)."""
    if info.flag_bits & _UTF8 or info.orig_filename.isascii():
        return info.filename, False
    raw = info.orig_filename.encode("cp437")
    try:
        return _unicode_path(info.extra, raw) or raw.decode("utf-8"), False  # a Mac writes UTF-8 and no flag
    except UnicodeDecodeError:
        return info.filename, True


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name in UTF-8 that WinRAR, WinZip and Info-ZIP add (APPNOTE 4.6.9), if it belongs to `raw`."""
    while len(extra) >= 4:
        kind, length = (int.from_bytes(extra[k : k + 2], "little") for k in (0, 2))
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and int.from_bytes(body[1:5], "little") == zlib.crc32(raw):
            return body[5:].decode("utf-8")
    return ""


def _overlapping(infos: list[zipfile.ZipInfo], end: int) -> set[zipfile.ZipInfo]:
    """Members that share bytes with another, as a bomb's do, or reach beyond where the directory starts."""
    bad: set[zipfile.ZipInfo] = set()
    previous, reached = None, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        coding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
        head = 30 + len(info.orig_filename.encode(coding))
        if info.header_offset < reached:
            bad |= {info, previous} if previous else {info}
        if info.header_offset < 0 or info.header_offset + head + info.compress_size > end:
            bad.add(info)
        if info.header_offset + head + info.compress_size > reached:
            previous, reached = info, info.header_offset + head + info.compress_size
    return bad
