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

from PIL import Image, UnidentifiedImageError

from medgan.errors import DataError
from medgan.images import upright

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")
"""What a file may be, whatever its name says. Pillow knows more, but some of those (EPS) run programs."""

UNLABELLED = "unlabelled"


@dataclass(frozen=True)
class Limits:
    """What intake refuses to read beyond."""

    files: int = 20_000
    file_bytes: int = 100 * 2**20
    total_bytes: int = 4 * 2**30
    pixels: int = 100_000_000
    side: int = 8
    elongation: int = 20


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
        try:
            if self.path not in archives:
                archives[self.path] = zipfile.ZipFile(self.path)
            with archives[self.path].open(self.member) as stream:
                return _bounded(stream)
        except DataError:
            raise
        except NotImplementedError as error:
            raise DataError("is packed in a way that cannot be read; make a plain ZIP") from error
        except RuntimeError as error:  # what zipfile raises for a member that needs a password
            raise DataError("is encrypted; make a ZIP without a password") from error
        except Exception as error:  # the decompressors' errors share no base
            raise DataError("cannot be unpacked (its part of the ZIP is damaged)") from error


def find_records(sources: Iterable[Path]) -> list[Record]:
    """Every image file in `sources` (folders, files, ZIPs), in a fixed order.

    The class is the name of the folder that an image lies in. Hidden files are passed over. DataError if
    a source does not exist or no image is found.
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
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_shape(*image.size)
        image.load()
        return upright(image)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError("has more pixels than can be read safely") from error
    except UnidentifiedImageError as error:
        raise DataError(f"is none of {', '.join(FORMATS)}, or its beginning is damaged") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise DataError("is damaged or cut short") from error


def _records_in(source: Path) -> list[Record]:
    try:
        if source.is_dir():
            return list(_in_folder(source))
        if not source.exists():
            raise DataError(f"{source} does not exist.")
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror}.") from error
    if not source.is_file():  # a device or pipe could be read for ever
        raise DataError(f"{source} is neither a file nor a folder.")
    if source.suffix.lower() == ".zip":
        return list(_in_zip(source))
    return [Record(_printable(source.name), UNLABELLED, source)]


def _in_folder(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if _is_image(relative.parts) and path.is_file():
            label = relative.parent.name or folder.resolve().name or UNLABELLED
            yield Record(_printable(relative.as_posix()), _printable(label), path)


def _in_zip(path: Path) -> Iterator[Record]:
    try:
        with zipfile.ZipFile(path) as archive:
            # a name that was written twice stands for its last content, as when unpacking
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}.") from error
    except Exception as error:  # a damaged directory makes zipfile stumble in many ways
        raise DataError(f"{path.name} is not a ZIP, or it is damaged; make it again.") from error
    images = {name: info for name, info in members.items() if _is_image(_member_parts(name))}
    if sum(info.file_size for info in images.values()) > LIMITS.total_bytes:
        raise DataError(f"{path.name} unpacks to more than {LIMITS.total_bytes // 2**30} GB; split it.")
    for name in sorted(images):
        parts = _member_parts(name)
        yield Record("/".join(parts), parts[-2] if len(parts) > 1 else UNLABELLED, path, name)


def _member_parts(name: str) -> tuple[str, ...]:
    """A member's name without what would lead out of the archive: drives, roots, `..`."""
    parts = PurePosixPath(_printable(name).replace("\\", "/")).parts  # some tools on Windows write \
    return tuple(part for part in parts if part not in ("/", "//", "..") and not part.endswith(":"))


def _is_image(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return bool(parts) and not hidden and parts[-1].lower().endswith(EXTENSIONS)


def _printable(name: str) -> str:
    """A name that can be written as UTF-8, also where the disk holds other bytes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _check_shape(width: int, height: int) -> None:
    shape = f"is {width} x {height} pixels"
    if width * height > LIMITS.pixels:
        raise DataError(f"{shape}; at most {LIMITS.pixels // 10**6} megapixels are read")
    if min(width, height) < LIMITS.side:
        raise DataError(f"{shape}; each side must have at least {LIMITS.side}")
    if max(width, height) > LIMITS.elongation * min(width, height):
        raise DataError(f"{shape}; the longer side may be at most {LIMITS.elongation} times the shorter")


def _check_size(size: int) -> None:
    if size > LIMITS.file_bytes:
        raise DataError(f"is larger than {LIMITS.file_bytes // 2**20} MB")


def _bounded(stream: IO[bytes]) -> bytes:
    data = stream.read(LIMITS.file_bytes + 1)
    _check_size(len(data))
    return data
