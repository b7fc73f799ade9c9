"""Files of every kind that intake reads, and damage of every kind, drawn by seed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

WRITTEN = {
    "PNG": {},
    "JPEG": {"quality": 85, "exif": b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"},
    "BMP": {},
    "WEBP": {},
    "GIF": {},
    "TIFF": {"compression": "tiff_lzw"},
}


def whole_files(real: Path | None) -> dict[str, bytes]:
    """Undamaged files by name: real images re-encoded in each format, and each container around them."""
    pictures = [Image.open(path).convert("RGB") for path in _real_images(real)] or [_noise()]
    files: dict[str, bytes] = {}
    for k, image in enumerate(pictures):
        small = image.resize((200, 150))
        for kind, options in WRITTEN.items():
            files[f"{k}.{kind.lower()}"] = _encoded(small, kind, **options)
        files[f"{k}-deep.tiff"] = _encoded(_deep(small), "TIFF")
        files[f"{k}-deep.png"] = _encoded(_deep(small), "PNG")
        files[f"{k}-pages.tiff"] = _encoded(small, "TIFF", save_all=True, append_images=[small.rotate(9)])
        files[f"{k}.nii"] = _nifti(small)
    for path in _real_images(real):
        files[path.name] = path.read_bytes()
    files |= {path.name: path.read_bytes() for path in _dicom_files()}
    return files | {"all.zip": _zip(dict(list(files.items())[:12]))}


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one to four kinds of damage."""
    for _ in range(int(rng.integers(1, 5))):
        data = KINDS[int(rng.integers(len(KINDS)))](data, rng)
    return data


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    values = np.frombuffer(data, np.uint8).copy()
    if len(values):
        where = rng.integers(0, len(values), int(rng.integers(1, 20)))
        values[where] ^= rng.integers(1, 256, len(where)).astype(np.uint8)
    return values.tobytes()


def _flip_head(data: bytes, rng: np.random.Generator) -> bytes:
    return _flip(data[:300], rng) + data[300:]


def _extreme(data: bytes, rng: np.random.Generator) -> bytes:
    """A number in the beginning becomes zero or huge: sizes, counts, offsets."""
    at = int(rng.integers(0, max(1, min(len(data), 400))))
    width = int(rng.choice([1, 2, 4, 8]))
    value = bytes([int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))]) * width
    return data[:at] + value + data[at + width :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _drop(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + data[max(0, at - int(rng.integers(1, 200))) :]


def _noise_inside(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(data) + 1))
    return data[:at] + rng.bytes(int(rng.integers(1, 100))) + data[at:]


KINDS = (_flip, _flip_head, _extreme, _cut, _drop, _repeat, _noise_inside)


def _real_images(real: Path | None) -> list[Path]:
    if real is None:
        return []
    return [
        *sorted((real / "isic" / "nevus").iterdir())[:2],
        *sorted((real / "chest_ct_original").iterdir())[:2],
    ]


def _dicom_files() -> list[Path]:
    """The small ones that ship with pydicom."""
    import pydicom

    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if path.stat().st_size < 200_000]


def _noise() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(values).resize((200, 150), Image.Resampling.BICUBIC)


def _deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _nifti(image: Image.Image) -> bytes:
    import nibabel

    grey = np.asarray(image.convert("L")).astype(np.int16)
    volume = np.stack([grey, np.roll(grey, 5)], axis=-1)
    return nibabel.Nifti1Image(volume, np.eye(4)).to_bytes()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"class/{name}", data)
    return buffer.getvalue()
