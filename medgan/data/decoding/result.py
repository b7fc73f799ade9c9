"""What decoding a file gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image


@dataclass(frozen=True)
class Picture:
    """One upright picture, mode L or RGB, 8 bit. `number` counts the pages, frames or slices of the file
    from 0; None for a file with one picture."""

    image: Image.Image
    number: int | None = None
    whole: tuple[int, int] | None = None
    """Width and height in the file, where the picture was decoded smaller."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture in the file."""
        return self.whole or self.image.size


@dataclass(frozen=True)
class Decoded:
    """The pictures of one file, and the facts about it.

    `pictures` is lazy and to be read once: it may raise DataError (reading on after the file's name)
    at any picture. `skipped` fills while it is read with the numbers of blank pictures of a volume.
    """

    pictures: Iterator[Picture]
    kind: str
    """PNG, JPEG, TIFF, DICOM, NIfTI …"""
    window: str = ""
    """What was applied: "" for 8 bits, "file -600/1500", "lung -1350,150", "percentiles 0.5%,99.5%"."""
    deep: bool = False
    """More than 8 bits a value: a window was needed."""
    hu: bool = False
    """The values are Hounsfield units."""
    dropped: tuple[str, ...] = ()
    """Personal data that was seen and not kept: "EXIF", "patient name", …"""
    flags: tuple[str, ...] = ()
    """For the user to look at: "burned-in annotation", "secondary capture", …"""
    patient: str | None = None
    """The raw patient id; to be hashed at once and never written."""
    study: str | None = None
    """The study's number, for sets that name no patient; to be hashed likewise."""
    skipped: list[int] = field(default_factory=list)
    unlike: tuple[int, ...] = ()
    """Pages that are not used since they have another size or kind than the first."""
