"""What a file is, told from its first bytes: cheap, and without importing any decoder."""

from __future__ import annotations

PEEK = 352
"""How many bytes of a file's beginning tell its kind."""

PHOTOS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")
"""What Pillow decodes to 8 bits. It knows more formats, but some of those (EPS) run programs."""

KNOWN = "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM, NIfTI"

_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x1f\x8b", "GZIP"),
)

_NIFTI = (b"n+1\0", b"ni1\0")

_DICOM_GROUPS = (b"\x02\x00", b"\x08\x00")
"""File meta or identifying group, little endian: how a DICOM file without preamble begins."""


def kind_of(head: bytes) -> str | None:
    """PNG, JPEG, BMP, WEBP, GIF, TIFF, GZIP, DICOM or NIFTI for a file that begins with `head` (at least
    `PEEK` bytes where the file has them); None for anything else."""
    if head[128:132] == b"DICM":  # first: the 128 bytes before it may be anything, a TIFF header included
        return "DICOM"
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[344:348] in _NIFTI or head[4:8] in (b"n+2\0", b"ni2\0"):
        return "NIFTI"
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS:
        return "BMP"
    return "DICOM" if _dicom_without_preamble(head) else None


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))


def _dicom_without_preamble(head: bytes) -> bool:
    """A first element of group 2 or 8 (either byte order) whose VR is written out or whose length is
    plausible. Such files come from old archives and from exports of a bare data set."""
    if len(head) < 16:
        return False
    if head[:2] in (b"\0\x02", b"\0\x08"):  # big endian is always explicit
        return head[2] == 0 and head[4:6].isalpha() and head[4:6].isupper()
    if head[:2] not in _DICOM_GROUPS:
        return False
    if head[4:6].isalpha() and head[4:6].isupper():
        return True
    return int.from_bytes(head[4:8], "little") <= 64 and head[3] <= 0x20


_OTHERS = (
    (0, b"%PDF", "a PDF document; save its pictures as PNG"),
    (4, b"ftyphei", "a HEIC photograph; save it as JPEG"),
    (4, b"ftypmif", "a HEIC photograph; save it as JPEG"),
    (4, b"ftypavi", "an AVIF picture; save it as PNG"),
    (4, b"jP  \r\n", "a JPEG 2000 picture; save it as PNG"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture; save it as PNG"),
    (0, b"8BPS", "a Photoshop document; save it as PNG"),
    (0, b"NRRD", "an NRRD volume; save it as NIfTI"),
    (0, b"ObjectType", "a MetaImage header; save the volume as NIfTI"),
    (0, b"\x89HDF", "an HDF5 or MINC file; save it as NIfTI or PNG"),
    (0, b"PK\x03\x04", "an archive inside; unpack it first"),
)


def unusable(head: bytes) -> str:
    """Why a file that `kind_of` does not know is refused, reading on after its name."""
    if not head:
        return "is empty (0 bytes)"
    for offset, mark, words in _OTHERS:
        if head[offset:].startswith(mark):
            return f"is {words}"
    return f"is none of {KNOWN}, or its beginning is damaged"
