"""What a file is, by its ending or, where that says nothing, by its first bytes."""

from __future__ import annotations

import re

IMAGES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".gif", ".tif", ".tiff")
DICOM = (".dcm", ".dicom", ".ima")
VOLUMES = (".nii", ".nii.gz")
EXTENSIONS = (*IMAGES, *DICOM, *VOLUMES)
"""What is read by its ending. DICOM files are found without one, too."""

READABLE = "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM, NIfTI"
START = 264
"""Bytes that tell what a file is: DICOM says so at 128, a tar at 257."""

ARCHIVES = (
    *(".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst"),
    *(".lz4", ".cab", ".iso", ".arj", ".lzh", ".z", ".lzma"),
)
_PASSED_OVER = (
    "csv tsv txt json jsonl xml yaml yml toml md rst html htm pdf doc docx odt rtf xls xlsx ods ppt pptx "
    "py ipynb r sh bat js css log ini cfg db sqlite bib tex url lnk webloc sha256 md5 "
    "part crdownload download tmp bak old "
    "dicomdir license readme makefile checksums changelog md5sums sha256sums"
)
"""Endings, and names without one, of what travels with images and is none, unless its content says so."""

_MAGIC = {
    "ZIP": (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"),
    "RAR": (b"Rar!\x1a\x07",),
    "7z": (b"7z\xbc\xaf\x27\x1c",),
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ\x00",),
    "Zstandard": (b"\x28\xb5\x2f\xfd",),
}
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_VR = re.compile(rb"AE|AS|AT|CS|DA|DS|DT|FL|FD|IS|LO|LT|O[BDFLVW]|PN|S[HLQSTV]|TM|U[CILNRSTV]")


def by_name(name: str) -> str:
    """`image`, `archive`, `other` (known to be no image, as CSV), or `unknown`."""
    file = name.rpartition("/")[2].lower()
    if file.endswith(EXTENSIONS):
        return "image"
    if file.endswith(ARCHIVES):
        return "archive"
    if (ending(file) or file) in _PASSED_OVER.split() or file.endswith("~"):
        return "other"
    return "unknown"


def ending(name: str) -> str:
    """The lower-case ending without the dot, `""` if there is none or a number stands in its place."""
    file = name.rpartition("/")[2].lower()
    last = file.rpartition(".")[2] if "." in file.strip(".") else ""
    return "" if last.isdecimal() or not last.strip() or len(last) > 12 else last


def archive_kind(start: bytes) -> str:
    """`ZIP`, `RAR`, `tar` … by the first bytes, `""` for what is none of these."""
    if start[257:262] == b"ustar":
        return "tar"
    return next((kind for kind, magic in _MAGIC.items() if start.startswith(magic)), "")


def is_image(start: bytes) -> bool:
    """Whether the first bytes are those of a kind of image that is read."""
    if start.startswith(_PICTURES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        return True
    return start[128:132] == b"DICM" or _is_bare_dicom(start)


def _is_bare_dicom(start: bytes) -> bool:
    """DICOM without its preamble: begins with a small element of group 2 or 8 (PS3.5, section 7.1)."""
    for order in ("little", "big"):
        group, element = (int.from_bytes(start[k : k + 2], order) for k in (0, 2))
        if len(start) >= 16 and group in (2, 8) and element <= 0x70:
            length = int.from_bytes(start[4:8], order)
            if _VR.fullmatch(start[4:6]) or (order == "little" and length <= 256):
                return True
    return False
