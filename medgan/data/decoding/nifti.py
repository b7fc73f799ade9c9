"""NIfTI volumes (.nii, .nii.gz): the axial slices of the first volume, as radiologists look at them."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from medgan.data.decoding.checks import DAMAGED, check_frames, check_shape, pictures, reading, spread
from medgan.data.decoding.geometry import squared
from medgan.data.decoding.hush import hush
from medgan.data.decoding.kinds import kind_of
from medgan.data.decoding.options import Decoding
from medgan.data.decoding.result import Decoded
from medgan.data.limits import Limits, option
from medgan.data.window import SAMPLE, Array, Scale, choose_scale
from medgan.errors import DataError

HU_BELOW = -200.0
"""Values below this are taken for Hounsfield units: of what is stored in NIfTI, only CT has air at -1000."""

_HEAD = 1024
_CHUNK = 2**20
_LABELS = 1002
_RATIO_FROM = 10 * 10**6


@dataclass(frozen=True)
class _Volume:
    """`stored` is `(X, Y, Z)` as in the file; `turned` the same with x to the right, y to the front and z
    up; `slope` and `intercept` make the values of it; `spacing` is in mm, in the order of `turned`; the file
    holds `count` volumes, of which this is the first."""

    stored: Array
    turned: Array
    slope: float
    intercept: float
    spacing: tuple[float, float, float]
    own: Scale | None
    labels: bool
    texts: bool
    count: int = 1

    def values(self, stored: Array) -> Array:
        """Stored numbers as values, float64."""
        return np.asarray(stored.astype(np.float64) * self.slope + self.intercept)

    def slice(self, number: int) -> Array:
        """An axial slice `(H, W)`: the patient's right on the left of the picture, the front on top."""
        return self.values(self.turned[::-1, ::-1, number].T)


def decode_nifti(data: bytes, options: Decoding) -> Decoded:
    """The chosen axial slices of the first volume, from bottom to top; DataError with the reason."""
    with reading():
        volume = _volume(data, options.limits)
        count = volume.turned.shape[2]
        chosen = options.slices.of(count)
        sampled = _sample(volume)
        hu = bool(sampled.size) and float(sampled.min()) < HU_BELOW
        scale = choose_scale(options.window, volume.own, hu, lambda: sampled)

    def read(number: int) -> Image.Image:
        image = Image.fromarray(np.ascontiguousarray(scale.levels(volume.slice(number))))
        return squared(image, volume.spacing[0], volume.spacing[1])

    skipped: list[int] = []
    return Decoded(
        pictures(chosen, count, read, skipped, f" in the window {scale.words}"),
        "NIfTI",
        scale.words,
        deep=True,
        hu=hu,
        dropped=("text comments",) if volume.texts else (),
        flags=("a map of labels, not a picture",) if volume.labels else (),
        skipped=skipped,
        volumes=volume.count,
    )


def _volume(data: bytes, limits: Limits) -> _Volume:
    hush("nibabel.global")
    import nibabel

    packed = data[:2] == b"\x1f\x8b"
    head = next(_inflated(data, _HEAD, limits)) if packed else data[:_HEAD]
    if kind_of(head) != "NIFTI":
        raise DataError("is packed with gzip but holds no NIfTI volume")
    image_class: Any = nibabel.Nifti2Image if head[4:7] in (b"n+2", b"ni2") else nibabel.Nifti1Image
    _check_single(head)
    header = image_class.header_class.from_fileobj(io.BytesIO(head), check=False)
    kind = header.get_data_dtype()
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise DataError(f"holds values of a kind that is not read ({_kind_words(header)}); grey volumes are")
    shape = [int(n) for n in header.get_data_shape()]
    volumes = math.prod(shape[3:])
    shape = (shape + [1, 1, 1])[:3]  # of a fourth and further dimension (time), the first volume
    if min(shape) < 1:
        raise DataError(DAMAGED)
    start = int(header["vox_offset"]) or len(header.binaryblock) + 4
    end = start + int(np.prod(shape, dtype=object)) * kind.itemsize
    if end > limits.file_mb * 10**6:
        raise DataError(
            f"holds a volume of {end // 10**6} MB; at most {limits.file_mb} are read ({option('file_mb')})"
        )
    content: bytes | bytearray = data
    if packed:
        content = bytearray()  # not b"".join, which would hold the volume twice
        for piece in _inflated(data, end, limits):
            content += piece
    if len(content) < end or start < len(header.binaryblock):
        raise DataError(DAMAGED)
    stored = np.frombuffer(content, kind, int(np.prod(shape)), start).reshape(shape, order="F")
    volume = replace(_as_radiologists_look(stored, header), count=volumes)
    check_shape(volume.turned.shape[0], volume.turned.shape[1], limits)
    check_frames(volume.turned.shape[2], limits)
    return volume


def _check_single(head: bytes) -> None:
    if head[344:347] == b"ni1" or head[4:7] == b"ni2":
        raise DataError("is one half of a NIfTI pair (.hdr and .img); save it as one .nii file")


def _kind_words(header: Any) -> str:
    return str(header.get_value_label("datatype")).replace("<", "").replace(">", "") or "unknown"


def _as_radiologists_look(stored: Array, header: Any) -> _Volume:
    orientations: Any = import_module("nibabel.orientations")  # its functions have no types
    affine = header.get_best_affine()
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        affine = header.get_base_affine()
    orientation = orientations.io_orientation(affine)
    if np.isnan(orientation).any():
        raise DataError(DAMAGED)
    slope, intercept = header.get_slope_inter()
    spacing = np.ones(3)
    spacing[orientation[:, 0].astype(int)] = np.linalg.norm(affine[:3, :3], axis=0)
    return _Volume(
        stored,
        orientations.apply_orientation(stored, orientation),
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        _own_window(header),
        int(header["intent_code"]) == _LABELS,
        any(bytes(header[name].tobytes()).strip(b"\0 ") for name in ("descrip", "aux_file")),
    )


def _own_window(header: Any) -> Scale | None:
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if not (np.isfinite([low, high]).all() and low < high):
        return None
    return Scale(low, high, f"file {low:g},{high:g}", own=True)


def _sample(volume: _Volume) -> Array:
    """Values of evenly spread slices, `(N,)` float64, finite, at most about `SAMPLE`."""
    numbers = spread(volume.turned.shape[2], 128)
    plane = volume.turned.shape[0] * volume.turned.shape[1]
    step = max(1, round((plane * len(numbers) / SAMPLE) ** 0.5))
    values = np.concatenate([volume.slice(n)[::step, ::step].reshape(-1) for n in numbers])
    return np.asarray(values[np.isfinite(values)])


def _inflated(data: bytes, most: int, limits: Limits) -> Iterator[bytes]:
    """The first `most` bytes that a gzip file unpacks to, in pieces; never unpacks more.

    DataError if it ends before, is damaged, or grows by more than `limits.ratio`.
    """
    left, packed, done = most, memoryview(data), 0
    while left:
        engine = zlib.decompressobj(31)
        position = 0
        while left and not engine.eof:
            feed = engine.unconsumed_tail or packed[position : position + _CHUNK]
            if not engine.unconsumed_tail:
                position += len(feed)
            piece = engine.decompress(feed, min(left, _CHUNK))
            if not piece and not len(feed):
                raise DataError(DAMAGED)
            done, left = done + len(piece), left - len(piece)
            used = len(data) - len(packed) + position - len(engine.unconsumed_tail)
            if done > _RATIO_FROM and done > limits.ratio * used:
                raise DataError(
                    f"unpacks to more than {limits.ratio} times its size ({option('ratio')}), "
                    "as no real volume does"
                )
            yield piece
        packed = packed[position - len(engine.unused_data) :]
        if left and not len(packed):
            raise DataError(DAMAGED)
