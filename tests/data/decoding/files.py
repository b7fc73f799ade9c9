"""Files of every kind to decode, made in the test."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import tifffile
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from medgan.data.decoding import Decoded, Decoding, decode
from medgan.data.window import parse_window


def pixels(decoded: Decoded) -> np.ndarray:
    """The only picture of a file as an array."""
    (picture,) = decoded.pictures
    assert picture.number is None
    return np.asarray(picture.image)


def all_pixels(data: bytes, **options: Any) -> dict[int | None, np.ndarray]:
    return {p.number: np.asarray(p.image) for p in decode(data, "x", Decoding(**options)).pictures}


def ramp(shape: tuple[int, ...], kind: str = "u2", step: int = 1, start: int = 0) -> np.ndarray:
    """Every pixel another value: any turn, flip or shift shows."""
    return (start + step * np.arange(np.prod(shape))).reshape(shape).astype(kind)


def tiff(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def dicom(values: np.ndarray, *, syntax: UID = ExplicitVRLittleEndian, **fields: Any) -> bytes:
    """A CT of stored `values`, `(H, W)` or `(H, W, 3)` or, with NumberOfFrames, one axis more in front;
    a field of None is left out."""
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    frame = values[0] if "NumberOfFrames" in fields else values
    standard = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": "1.2.3",
        "Modality": "CT",
        "Rows": frame.shape[0],
        "Columns": frame.shape[1],
        "SamplesPerPixel": 3 if frame.ndim == 3 else 1,
        "PhotometricInterpretation": "RGB" if frame.ndim == 3 else "MONOCHROME2",
        "PlanarConfiguration": 0 if frame.ndim == 3 else None,
        "BitsAllocated": values.dtype.itemsize * 8,
        "BitsStored": values.dtype.itemsize * 8,
        "HighBit": values.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
        "PixelData": values.tobytes() + b"\0" * (values.nbytes % 2),
    }
    for name, value in {**standard, **fields}.items():
        if value is not None:
            setattr(dataset, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def deflated(values: np.ndarray, **fields: Any) -> bytes:
    return dicom(values, syntax=DeflatedExplicitVRLittleEndian, **fields)


def group(**fields: Any) -> pydicom.Sequence:
    """A sequence of one item."""
    item = pydicom.Dataset()
    for name, value in fields.items():
        setattr(item, name, value)
    return pydicom.Sequence([item])


def nifti(
    values: np.ndarray, affine: np.ndarray | None = None, *, packed: bool = False, **header: Any
) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    data: bytes = image.to_bytes()
    return gzip.compress(data) if packed else data


def shipped(name: str) -> bytes:
    """A file that is part of the pydicom package."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def opened(data: bytes, window: str = "auto", **options: Any) -> Decoded:
    return decode(data, "x", Decoding(window=parse_window(window), **options))


def linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint((np.clip(values.astype(np.float64), low, high) - low) / (high - low) * 255)
