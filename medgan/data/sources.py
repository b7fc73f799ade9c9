"""What lies in a source (a folder, a file, a ZIP): every file by name and size, none opened but to be told.

In a folder, links to regular files count as these; links to folders are refused, so that no loop hangs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from medgan.data import archive, kinds, names
from medgan.data.classes import UNLABELLED, class_of, part_of
from medgan.data.limits import LIMITS, Limits, option
from medgan.errors import DataError


@dataclass(frozen=True)
class Entry:
    """A file in a source: its class by the folders that it lies in, the folder (if any) that says which
    part of the set it is of, and the `problem` why it cannot be used, to be read after the name, or ""."""

    name: str
    label: str
    path: Path
    member: str | None = None
    size: int = 0
    crc: int | None = None
    problem: str = ""
    part: str = ""

    def start(self, limits: Limits = LIMITS, count: int = kinds.START) -> bytes:
        """The first bytes, by default enough to tell what it is; DataError if they cannot be had."""
        if self.member is None:
            return read_file(self.path, count)
        return archive.read_start(self.path, self.member, count, limits)

    def read(self, limits: Limits = LIMITS) -> bytes:
        """All bytes; DataError, to be read after the name, if it is too large or broken."""
        if self.member is not None:
            return archive.read_member(self.path, self.member, limits)
        data = read_file(self.path, limits.file_mb * 2**20 + 1)
        archive.check_size(len(data), limits)
        return data


@dataclass
class Listing:
    """The files of a source, what tells the source from others, and what a person should know of it."""

    entries: list[Entry]
    origin: str
    notes: list[str] = field(default_factory=list)


def list_source(source: Path, limits: Limits = LIMITS) -> Listing:
    """Every file in `source` that is not hidden. DataError if the source is not there or has too many."""
    try:
        status = source.stat()
    except FileNotFoundError as error:
        raise DataError(f"{source} does not exist.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{source} cannot be read: {_why(error)}.") from error
    if stat.S_ISDIR(status.st_mode):
        return Listing(_in_folder(source, limits), names.printable(source.resolve().name))
    if not stat.S_ISREG(status.st_mode):  # a device or pipe could be read for ever
        raise DataError(f"{source} is neither a file nor a folder.")
    return _file(source, status.st_size, limits)


def locate(path: Path, limits: Limits = LIMITS) -> Entry:
    """The file at `path`, which may lead into a ZIP (`set.zip/labels.csv`); DataError if there is none."""
    if _is_file(path):
        return Entry(names.printable(path.name), "", path, size=path.stat().st_size)
    for parent in path.parents:
        if _is_file(parent):
            inside = names.printable(path.relative_to(parent).as_posix())
            found = [entry for entry in list_source(parent, limits).entries if entry.name == inside]
            if found and not found[-1].problem:
                return found[-1]
    raise DataError(f"{path} is not there, or it is no file.")


def read_file(path: Path, count: int) -> bytes:
    """Up to `count` bytes of a regular file; DataError, to be read after its name, if it is none."""
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            return _regular(stream).read(count)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({_why(error)})") from error


def check_count(count: int, limits: Limits) -> None:
    """DataError if there are more than `limits.files` files."""
    if count > limits.files:
        raise DataError(
            f"There are more than {limits.files:,} files; prepare a part of them, or raise {option('files')}."
        )


def check_total(size: int, limits: Limits) -> None:
    """DataError if all files together have more than `limits.total_gb`."""
    if size > limits.total_gb * 2**30:
        raise DataError(
            f"The images have {size / 2**30:,.1f} GB unpacked; at most {limits.total_gb} are read; prepare a "
            f"part of them, or raise {option('total_gb')}."
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, a folder that may not be looked into
        return False


def _regular(stream: IO[bytes]) -> IO[bytes]:
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # it was replaced since it was listed
        raise OSError("it is no regular file")
    return stream


def _without_waiting(path: str, flags: int) -> int:
    """Opening a pipe would else wait for someone to write into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


# ---- single files and ZIPs


def _file(path: Path, size: int, limits: Limits) -> Listing:
    name, folder = names.printable(path.name), names.printable(path.absolute().parent.name)
    entry = Entry(name, UNLABELLED, path, size=size)
    if kinds.by_name(name) == "other":  # an Office document is a ZIP, too
        return Listing([entry], folder)
    try:
        kind = kinds.archive_kind(entry.start())
        if kind == "ZIP":
            return _in_zip(path, limits)
        problem = _archive_problem(name, kind)
    except DataError as error:
        problem = str(error)
    return Listing([replace(entry, problem=problem)], folder)


def _archive_problem(name: str, kind: str) -> str:
    """Why a file that is no ZIP is refused if it is, or is named as, an archive."""
    if name.lower().endswith(".zip"):
        return f"is {_a(kind)} archive in truth; unpack it and make a ZIP" if kind else archive.NO_ZIP
    if kinds.by_name(name) == "archive" or kind in ("RAR", "7z", "tar"):
        return f"is {_a(kind or kinds.ending(name))} archive, which is not read; unpack it or make a ZIP"
    return ""


def _a(word: str) -> str:
    return f"an {word}" if word in ("xz", "iso", "arj", "lzh", "lzma", "lz4") else f"a {word}"


def _in_zip(path: Path, limits: Limits) -> Listing:
    """A ZIP counts as a folder of its name, so that it gives the classes of the folder that was packed."""
    found = [m for m in archive.members(path, limits) if not names.is_hidden(m.parts)]
    home = names.printable(path.stem)
    listing = Listing([_entry(path, member, home) for member in found], names.printable(path.name))
    if odd := [m for m in found if m.odd]:
        listing.notes.append(
            f"Names in {names.printable(path.name)} that are in an unknown encoding and may look odd: "
            f"{len(odd):,} (such as {names.shortened('/'.join(odd[0].parts))})."
        )
    if outside := [m.outside for m in found if m.outside]:
        listing.notes.append(
            f"Names in {names.printable(path.name)} that lead out of the ZIP and are read as names inside "
            f"it: {len(outside):,} (such as {names.shortened(names.printable(outside[0]))})."
        )
    return listing


def _entry(path: Path, member: archive.Member, home: str) -> Entry:
    name = "/".join(member.parts)
    folders = (home, *member.parts[:-1])
    problem = member.problem or _name_problem(name)
    shown = names.shortened(name, names.LONGEST) or "(a file without a name)"
    label, part = class_of(folders), part_of(folders)
    return Entry(shown, label, path, member.key, member.size, member.crc, problem, part)


def _name_problem(name: str) -> str:
    if not name:
        return "has no name; make the ZIP again"
    return f"has a name of more than {names.LONGEST:,} characters" if len(name) > names.LONGEST else ""


# ---- folders


def _in_folder(root: Path, limits: Limits) -> list[Entry]:
    """Every file below `root`, without recursion, since folders may lie a thousand deep."""
    home = names.printable(root.resolve().name)
    entries: list[Entry] = []
    waiting: list[tuple[Path, tuple[str, ...]]] = [(root, ())]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder, parts = waiting.pop()
        try:
            if not _first_visit(folder, seen):  # a junction or a mount that leads back
                continue
            with os.scandir(folder) as items:
                for item in items:
                    if names.is_hidden([item.name]):
                        continue
                    if item.is_dir(follow_symlinks=False):
                        waiting.append((Path(item.path), (*parts, item.name)))
                    else:
                        entries.append(_folder_entry(item, parts, home))
                    check_count(len(entries) + len(waiting), limits)
        except OSError as error:
            name = names.printable("/".join(parts)) or home or str(root)
            entries.append(Entry(name, UNLABELLED, folder, problem=f"cannot be read ({_why(error)})"))
    return entries


def _first_visit(folder: Path, seen: set[tuple[int, int]]) -> bool:
    status = folder.stat()
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def _folder_entry(item: os.DirEntry[str], parts: Sequence[str], home: str) -> Entry:
    name = names.printable("/".join((*parts, item.name)))
    folders = (home, *map(names.printable, parts))
    label, part = class_of(folders), part_of(folders)
    size, problem = 0, _name_problem(name)
    try:
        status = item.stat()
        size = status.st_size
        if stat.S_ISDIR(status.st_mode):
            problem = "is a link to a folder; give that folder as a source of its own"
        elif not stat.S_ISREG(status.st_mode):
            problem = "is a device or a pipe, no file"
    except OSError as error:
        problem = "is a link to nothing" if item.is_symlink() else f"cannot be read ({_why(error)})"
    shown = names.shortened(name, names.LONGEST)
    return Entry(shown, label, Path(item.path), size=size, problem=problem, part=part)
