"""DICOM: from stored frames to pictures, through rescale, window or table, and photometric interpretation.

pydicom unpacks the frames and applies tables; windows are applied here, since they are shared with other
kinds of files and pydicom knows none of a single frame's.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from medgan.data.decoding.checks import DAMAGED
from medgan.data.decoding.geometry import squared
from medgan.data.window import Array, Scale, Window
from medgan.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

_GREY = ("MONOCHROME1", "MONOCHROME2")
_PALETTE = "PALETTE COLOR"
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_OTHERS = ("HSV", "ARGB", "CMYK", "XYB", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
"""Kinds that DICOM has or had. Anything else is the file's own text, which is not repeated."""
_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
_JPEG2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_RLE = "1.2.840.10008.1.2.5"


class Pixels:
    """The frames of one opened data set. Made from the header alone: no pixel is touched before `check`."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.rows, self.columns = int(dataset.Rows), int(dataset.Columns)
        self.frames = int(dataset.get("NumberOfFrames") or 1)
        self.samples = int(dataset.get("SamplesPerPixel") or 1)
        self.bits = int(dataset.BitsAllocated)
        self.is_float = "PixelData" not in dataset
        self.stored = self.bits if self.is_float else int(dataset.get("BitsStored") or self.bits)
        self.signed = bool(dataset.get("PixelRepresentation"))
        self.photometric = str(dataset.get("PhotometricInterpretation") or _GREY[1]).strip().upper()
        self.syntax = self._transfer_syntax()
        self.hu = self.photometric in _GREY and self._is_hu()
        rescaled = any((slope, intercept) != (1.0, 0.0) for slope, intercept in self._rescales())
        self.deep = self.photometric != _PALETTE and (
            self.is_float or self.stored > 8 or rescaled or "ModalityLUTSequence" in dataset
        )

    def check(self) -> None:
        """DataError if the pixels are of a kind that cannot be read, or are not all there."""
        known = (*_GREY, _PALETTE) if self.samples == 1 else _COLOURS
        if self.samples not in (1, 3) or self.photometric not in known:
            told = self.photometric in (*_GREY, _PALETTE, *_COLOURS, *_OTHERS)
            kind = self.photometric if told else "an unknown kind"
            raise DataError(f"holds pixels of a kind that is not read ({kind}, {self.samples} a pixel)")
        self._check_packing()
        if not self.syntax.is_encapsulated and not self.is_float:
            values = self.rows * self.columns * self.samples * self.frames
            if self.photometric == "YBR_FULL_422":
                values = values * 2 // 3
            if len(self.dataset.PixelData) < -(-values * self.bits // 8):
                raise DataError(DAMAGED)

    def windowed(self, window: Window) -> bool:
        """Whether a window is applied: to deep pixels, and to 8-bit grey that brings its own."""
        if self.samples > 1 or self.photometric == _PALETTE:
            return False
        return self.deep or (window.kind in ("auto", "file") and self.own_scale(0) is not None)

    def own_scale(self, number: int) -> Scale | None:
        """The window or table that the file brings for a frame."""
        table = self._table()
        if table is not None:
            return Scale(0.0, float(max(1, table.max())), "file's table", own=True)
        for item in self._items(number, "FrameVOILUTSequence"):
            scale = _window(item)
            if scale is not None:
                return scale
        return None

    def values(self, number: int) -> Array:
        """A grey frame as the values that a window applies to, `(H, W)` float64, padding as NaN."""
        stored = self._frame(number)
        slope, intercept = self._rescale(number)
        values = self._modality(stored) if slope is None else stored.astype(np.float64) * slope + intercept
        padding = self._padding()
        if padding is not None:
            values = np.where((stored >= padding[0]) & (stored <= padding[1]), np.nan, values)
        return np.asarray(values, dtype=np.float64)

    def picture(self, number: int, scale: Scale | None) -> Image.Image:
        """A frame as an upright picture; `scale` is the window for all frames, where one is needed."""
        if self.samples == 3:
            levels = self._full_range(self._frame(number))
        elif self.photometric == _PALETTE:
            levels = self._coloured(self._frame(number))
        elif scale is None:
            levels = self._inverted(self._full_range(self._frame(number)), None)
        else:
            levels = self._grey(number, scale)
        return squared(Image.fromarray(np.ascontiguousarray(levels)), *self._spacing(number))

    def _grey(self, number: int, scale: Scale) -> Array:
        values = self.values(number)
        outside = np.isnan(values)
        if scale.own:  # each frame may bring another
            table = self._table()
            scale = (self.own_scale(number) or scale) if table is None else scale
            if table is not None:
                values = self._looked_up(values)
        return self._inverted(scale.levels(values), outside)

    def _inverted(self, levels: Array, outside: Array | None) -> Array:
        if self.photometric == "MONOCHROME1":
            levels = 255 - levels
        if outside is not None:
            levels[outside] = 0
        return levels

    def _full_range(self, stored: Array) -> Array:
        """Stored numbers over the whole range of their bits: colour, and grey of 8 bits or less."""
        if self.stored == 8 and not self.signed and stored.dtype == np.uint8:
            return stored
        low = -(2.0 ** (self.stored - 1)) if self.signed else 0.0
        return Scale(low, low + 2.0**self.stored - 1, "").levels(stored)

    def _coloured(self, stored: Array) -> Array:
        from pydicom.pixels.processing import apply_color_lut

        entries, first, _ = self.dataset.RedPaletteColorLookupTableDescriptor
        stored = np.clip(stored.astype(np.int64), first, first + (entries or 2**16) - 1)
        colours = apply_color_lut(stored, self.dataset)[..., :3]
        if colours.dtype == np.uint8 or colours.max() < 256:  # some write 8 bits into the 16 they declare
            return np.asarray(colours, dtype=np.uint8)
        return np.asarray(colours >> 8, dtype=np.uint8)

    def _frame(self, number: int) -> Array:
        from pydicom.pixels.utils import pixel_array

        if self.syntax.is_encapsulated:
            self._check_frame(number)
        frame = pixel_array(self.dataset, index=number)
        if frame.shape[:2] != (self.rows, self.columns):
            raise DataError(DAMAGED)
        return frame

    def _check_packing(self) -> None:
        from pydicom.pixels.decoders.base import get_decoder

        try:
            available = get_decoder(self.syntax).is_available
        except NotImplementedError:
            available = False
        known = self.syntax.name if self.syntax.name != self.syntax else "an unknown kind"
        name = known.split(",")[0].replace(" Image Compression", "")
        if self.syntax in _JPEG[1:] and self.stored != 8:
            available, name = False, "12-bit JPEG"
        if self.syntax in _JPEG2000 and self.samples == 3 and self.stored > 8:
            available, name = False, f"{self.stored}-bit colour JPEG 2000"
        if not available:
            raise DataError(
                f"is packed as {name}, which cannot be unpacked here; "
                "save it uncompressed (with dcmdjpeg, gdcmconv --raw or your viewer)"
            )

    def _check_frame(self, number: int) -> None:
        """DataError if what is packed is not of the size that the header says: it would be unpacked
        whatever its size."""
        from pydicom.encaps import get_frame

        packed = get_frame(self.dataset.PixelData, number, number_of_frames=self.frames)
        if self.syntax in (*_JPEG, *_JPEG2000):
            size = Image.open(io.BytesIO(packed), formats=("JPEG", "JPEG2000")).size
            if size != (self.columns, self.rows):
                raise DataError(DAMAGED)
        # run lengths of a picture are hardly longer than the picture
        most = 2 * self.rows * self.columns * self.samples * (self.bits // 8) + 1024
        if self.syntax == _RLE and len(packed) > most:
            raise DataError(DAMAGED)

    def _transfer_syntax(self) -> Any:
        """What the file says, or for a bare data set how it was found to be written."""
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

        meta = self.dataset.file_meta
        if not meta.get("TransferSyntaxUID"):
            implicit, little = self.dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
        return meta.TransferSyntaxUID

    def _items(self, number: int, name: str) -> Iterator[Dataset]:
        """Where a fact about a frame stands: in the frame's own group, in the shared one, in the file."""
        for sequence, index in (
            ("PerFrameFunctionalGroupsSequence", number),
            ("SharedFunctionalGroupsSequence", 0),
        ):
            groups = self.dataset.get(sequence)
            items = groups[index].get(name) if groups and index < len(groups) else None
            if items:
                yield items[0]
        yield self.dataset

    def _rescale(self, number: int) -> tuple[float | None, float]:
        """Slope and intercept of a frame's own; (None, 0) where the file as a whole has them or none."""
        for item in self._items(number, "PixelValueTransformationSequence"):
            if item is not self.dataset and "RescaleSlope" in item:
                return float(item.RescaleSlope), float(item.get("RescaleIntercept") or 0.0)
        return None, 0.0

    def _rescales(self) -> Iterator[tuple[float, float]]:
        slope, intercept = self._rescale(0)
        if slope is not None:
            yield slope, intercept
        elif "RescaleSlope" in self.dataset and "RescaleIntercept" in self.dataset:
            yield float(self.dataset.RescaleSlope), float(self.dataset.RescaleIntercept)

    def _modality(self, stored: Array) -> Array:
        from pydicom.pixels.processing import apply_modality_lut

        return np.asarray(apply_modality_lut(stored, self.dataset))

    def _is_hu(self) -> bool:
        item = next(iter(self._items(0, "PixelValueTransformationSequence")))
        kind = str(item.get("RescaleType") or "").strip().upper()
        if kind:
            return kind == "HU"
        localizer = "LOCALIZER" in str(self.dataset.get("ImageType") or "")
        return self.dataset.get("Modality") == "CT" and any(True for _ in self._rescales()) and not localizer

    def _padding(self) -> tuple[int, int] | None:
        """The stored values, from and to, that stand for "outside of the picture"."""
        value = self.dataset.get("PixelPaddingValue")
        if value is None or self.is_float:
            return None
        limit = self.dataset.get("PixelPaddingRangeLimit")
        ends = [int(end) for end in (value, value if limit is None else limit)]
        if self.signed:  # some write the bits of a negative number as an unsigned one
            ends = [end - 2**self.bits if end >= 2 ** (self.bits - 1) else end for end in ends]
        return min(ends), max(ends)

    def _table(self) -> Array | None:
        """The first VOI table's entries, where there is one."""
        if not self.dataset.get("VOILUTSequence"):
            return None
        item = self.dataset.VOILUTSequence[0]
        entries = item.LUTDescriptor[0] or 2**16
        return self._looked_up(np.arange(entries, dtype=np.int64) + int(item.LUTDescriptor[1]))

    def _looked_up(self, values: Array) -> Array:
        from pydicom.pixels.processing import apply_voi

        entries, first, _ = self.dataset.VOILUTSequence[0].LUTDescriptor
        whole = np.rint(np.nan_to_num(values.astype(np.float64), nan=float(first)))
        # pydicom holds the place in the table in as few bits as an entry has: kept inside before
        return np.asarray(apply_voi(_inside(whole, first, entries or 2**16), self.dataset))

    def _spacing(self, number: int) -> tuple[float, float]:
        """A pixel's size across and down, in any unit; (1, 1) where the file does not say."""
        for item in self._items(number, "PixelMeasuresSequence"):
            for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
                pair = item.get(name)
                if pair is not None and not isinstance(pair, str) and len(pair) == 2:
                    return float(pair[1]), float(pair[0])
        return 1.0, 1.0


def _inside(values: Array, first: int, entries: int) -> Array:
    return np.clip(values, first, first + entries - 1).astype(np.int64)


def _window(item: Dataset) -> Scale | None:
    """The first window of a data set or a frame's group (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    centre, width = _first(item.get("WindowCenter")), _first(item.get("WindowWidth"))
    if centre is None or width is None or not width > 0:
        return None
    words = f"file {centre:g}/{width:g}"
    function = str(item.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function == "SIGMOID":
        return Scale(centre - width / 2, centre + width / 2, words, "sigmoid", own=True)
    if function == "LINEAR_EXACT" or width <= 1:
        return Scale(centre - width / 2, centre + width / 2, words, own=True)
    return Scale(centre - width / 2, centre + width / 2 - 1, words, own=True)


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    if not isinstance(value, (int, float, str)):  # a list, as of the usual "soft tissue\bone"
        if not len(value):
            return None
        value = value[0]
    number = float(value)
    return number if np.isfinite(number) else None
