"""From what a user has (folders, image files, ZIPs) to records; nothing is decoded or unpacked here.

Members of a ZIP are read in memory and never written to a path that the archive names, so a hostile
archive cannot put a file anywhere; `LIMITS` bounds what it can make us read.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from PIL import Image

from medgan.errors import DataError
from medgan.images import upright

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Limits:
    """What intake refuses to read beyond."""

    files: int = 20_000
    file_bytes: int = 100 * 2**20
    total_bytes: int = 4 * 2**30
    pixels: int = 100_000_000


LIMITS = Limits()


@dataclass(frozen=True)
class Record:
    """One image file that has not been opened yet: where it is, what it is called, its class."""

    name: str
    label: str
    path: Path
    member: str | None = None

    def read(self, archives: dict[Path, zipfile.ZipFile]) -> bytes:
        """The file's bytes; DataError if it is too large or the archive is broken."""
        if self.member is None:
            _check_size(self.path.stat().st_size)
            return self.path.read_bytes()
        if self.path not in archives:
            archives[self.path] = zipfile.ZipFile(self.path)
        try:
            with archives[self.path].open(self.member) as stream:
                return _bounded(stream)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise DataError(f"cannot be unpacked ({error})") from error
        except Exception as error:  # zlib.error and lzma.LZMAError share no base but Exception
            if type(error).__module__ in ("zlib", "_lzma", "lzma"):
                raise DataError("cannot be unpacked (its compressed data is damaged)") from error
            raise


def find_records(sources: Iterable[Path]) -> list[Record]:
    """Every image file in `sources` (folders, files, ZIPs), in a fixed order.

    The class is the name of the folder that an image lies in. DataError if a source does not exist or
    no image is found.
    """
    records: list[Record] = []
    for source in sources:
        records += _records_in(Path(source))
        if len(records) > LIMITS.files:
            raise DataError(f"More than {LIMITS.files:,} images; prepare a part of them.")
    if not records:
        formats = ", ".join(e[1:] for e in EXTENSIONS)
        raise DataError(f"No image found. Give a folder, image files or a ZIP of them ({formats}).")
    return records


def decode(data: bytes) -> Image.Image:
    """An image file's bytes as an upright L or RGB image; DataError with the reason if it is none."""
    if not data:
        raise DataError("is empty (0 bytes)")
    try:
        image = Image.open(io.BytesIO(data))
        width, height = image.size
        if width * height > LIMITS.pixels:
            raise DataError(
                f"is {width} x {height} pixels; at most {LIMITS.pixels // 10**6} megapixels are read"
            )
        image.load()
        return upright(image)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError("has more pixels than can be read safely") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise DataError("is not an image, or damaged") from error


def _records_in(source: Path) -> list[Record]:
    if source.is_dir():
        return list(_in_folder(source))
    if not source.exists():
        raise DataError(f"{source} does not exist.")
    if source.suffix.lower() == ".zip":
        return list(_in_zip(source))
    return [Record(source.name, UNLABELLED, source)]


def _in_folder(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if _is_image(relative.as_posix()) and path.is_file() and not path.is_symlink():
            label = relative.parent.name or folder.resolve().name
            yield Record(relative.as_posix(), label, path)


def _in_zip(path: Path) -> Iterator[Record]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if _is_image(info.filename)]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{path.name} is not a ZIP, or it is damaged; make it again.") from error
    if sum(info.file_size for info in members) > LIMITS.total_bytes:
        raise DataError(f"{path.name} unpacks to more than {LIMITS.total_bytes // 2**30} GB; split it.")
    for info in sorted(members, key=lambda info: info.filename):
        label = PurePosixPath(info.filename).parent.name or UNLABELLED
        yield Record(info.filename, label, path, info.filename)


def _is_image(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(EXTENSIONS)


def _check_size(size: int) -> None:
    if size > LIMITS.file_bytes:
        raise DataError(f"is larger than {LIMITS.file_bytes // 2**20} MB")


def _bounded(stream: IO[bytes]) -> bytes:
    data = stream.read(LIMITS.file_bytes + 1)
    _check_size(len(data))
    return data
