"""A file's bytes to upright 8-bit pictures and the facts about the file."""

from __future__ import annotations

from medgan.data.decoding.kinds import PEEK, PHOTOS, kind_of, unusable
from medgan.data.decoding.options import ALL, Decoding, Slices, parse_slices
from medgan.data.decoding.result import Decoded, Picture
from medgan.errors import DataError

__all__ = ["ALL", "Decoded", "Decoding", "Picture", "Slices", "decode", "parse_slices"]

_USUAL = Decoding()


def decode(data: bytes, name: str, options: Decoding = _USUAL) -> Decoded:
    """The pictures in a file's bytes. What the file is, its content says; `name` is for people only.

    DataError with the reason, reading on after the file's name, for everything that cannot be used: now,
    or from `pictures` of a file with several.
    """
    head = data[:PEEK]
    kind = kind_of(head)
    # the decoders of rarer formats cost up to a second to import: a set of photographs never pays for them
    if kind in PHOTOS:
        from medgan.data.decoding.photo import decode_photo

        return decode_photo(data, kind, options)
    if kind == "TIFF":
        from medgan.data.decoding.tiff import decode_tiff

        return decode_tiff(data, options)
    if kind == "DICOM":
        from medgan.data.decoding.dicom import decode_dicom

        return decode_dicom(data, options)
    if kind in ("NIFTI", "GZIP"):
        from medgan.data.decoding.nifti import decode_nifti

        return decode_nifti(data, options)
    raise DataError(unusable(head))
