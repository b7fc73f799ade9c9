"""From deep values (DICOM, NIfTI, 16-bit files) to the 256 levels of a picture: which range is shown.

A window is the range of values that is spread over black to white; what lies outside is black or white.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from medgan.errors import DataError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Preset:
    """A window that radiologists know by name: `low` to `high` in Hounsfield units, and what it shows."""

    low: float
    high: float
    text: str


WINDOWS: dict[str, Preset] = {
    "lung": Preset(-1350, 150, "air-filled lung: vessels, nodules and airways; soft tissue is white"),
    "mediastinum": Preset(-125, 225, "heart, vessels, lymph nodes and muscle; the lung is black"),
    "bone": Preset(-450, 1050, "bone and calcification"),
    "brain": Preset(0, 80, "grey and white matter"),
    "abdomen": Preset(-150, 250, "liver, kidneys and bowel"),
}
"""Usual windows of CT: level/width -600/1500, 50/350, 300/1500, 40/80 and 50/400."""

PERCENTILES = (0.5, 99.5)
"""What `auto` and `percentiles` show of a file without a window of its own."""

SAMPLE = 2**21
"""Values of a file that are looked at for its percentiles: more do not move them visibly."""


@dataclass(frozen=True)
class Window:
    """Which range of values is shown. `kind` is auto, file, preset, values or percentiles.

    `low` and `high` are values (Hounsfield units for a preset) or percents; `str()` gives the text that
    `parse_window` reads.
    """

    kind: str
    low: float = PERCENTILES[0]
    high: float = PERCENTILES[1]
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind


AUTO = Window("auto")


@dataclass(frozen=True)
class Scale:
    """A chosen window with its numbers: what turns one file's values into levels.

    `shape` is "linear" between `low` and `high`, or "sigmoid" (DICOM's, the same centre and width).
    `words` say for the manifest what was applied; `own` that the file itself brought it.
    """

    low: float
    high: float
    words: str
    shape: str = "linear"
    own: bool = False

    def levels(self, values: Array) -> Array:
        """Values of any shape to uint8 of the same shape; NaN and below are 0, above is 255."""
        low, high = self.low, self.high
        known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        if self.shape == "sigmoid":
            steepness = np.clip(-4.0 * (known - (low + high) / 2.0) / (high - low), -500.0, 500.0)
            shares = 1.0 / (1.0 + np.exp(steepness))
        else:
            shares = (np.clip(known, low, high) - low) / (high - low)
        return np.asarray(np.rint(shares * 255.0).astype(np.uint8))


def parse_window(text: str) -> Window:
    """The window that `text` names: auto, file, a preset, percentiles, LOW,HIGH or A%,B%.

    DataError listing what there is for anything else.
    """
    plain = text.strip().lower()
    if plain in ("auto", "file", "percentiles"):
        return Window(plain)
    if plain in WINDOWS:
        return Window("preset", WINDOWS[plain].low, WINDOWS[plain].high, plain)
    numbers = re.fullmatch(r"([^,%]+)(%?),([^,%]+)(%?)", plain.replace(" ", ""))
    if numbers is None or numbers[2] != numbers[4]:
        raise DataError(f"There is no window {text!r}; {_CHOICES}.")
    low, high = _number(numbers[1], text), _number(numbers[3], text)
    if not low < high:
        raise DataError(f"The window {text!r} is empty; its first number must be below the second.")
    if not numbers[2]:
        return Window("values", low, high, f"{low:.15g},{high:.15g}")
    if low < 0 or high > 100:
        raise DataError(f"The window {text!r} lies outside 0% to 100%.")
    return Window("percentiles", low, high, f"{low:.15g}%,{high:.15g}%")


def percentile_scale(window: Window, values: Array) -> Scale:
    """The scale between two percentiles of `values` (any shape; not finite ones do not count).

    Where both percentiles are the same value (a small object on a flat ground), from the smallest to the
    largest. DataError if all values are the same.
    """
    known = sample(values)
    if not known.size:
        raise DataError("is blank (no pixel holds a number)")
    low, high = (float(v) for v in np.percentile(known, [window.low, window.high]))
    if not low < high:
        low, high = float(known.min()), float(known.max())
    if not low < high:
        raise DataError("is blank (one single value)")
    if not math.isfinite(high - low):
        raise DataError("holds values that are too far apart to be shown; choose LOW,HIGH")
    return Scale(low, high, f"percentiles {window.low:.15g}%,{window.high:.15g}%")


def sample(values: Array) -> Array:
    """At most `SAMPLE` of the finite values as float64 `(N,)`, evenly spread and always the same ones."""
    flat = values.reshape(-1)
    step = -(-flat.size // SAMPLE)
    # an odd step that shares no factor with the usual widths, so that not always the same columns are taken
    chosen = flat[:: step + step % 2 + 1] if step > 1 else flat
    numbers = chosen.astype(np.float64)
    return np.asarray(numbers[np.isfinite(numbers)])


def choose_scale(window: Window, own: Scale | None, hu: bool, values: Callable[[], Array]) -> Scale:
    """The scale for one file.

    `own` is the file's own window, `hu` whether its values are Hounsfield units. `values` gives a sample
    of all its pictures, `(N,)`, and is called only where percentiles are needed. DataError, reading on
    after the file's name, if the window cannot be.
    """
    if window.kind in ("auto", "file") and own is not None:
        return own
    if window.kind == "file":
        raise DataError("has no window of its own; choose auto, percentiles or LOW,HIGH")
    if window.kind == "values":
        return Scale(window.low, window.high, str(window))
    if window.kind == "preset":
        if not hu:
            raise DataError(
                f"has no Hounsfield units, so the {window} window does not apply; "
                "choose percentiles or LOW,HIGH"
            )
        return Scale(window.low, window.high, f"{window} {window.low:g},{window.high:g}")
    return percentile_scale(window, values())


_CHOICES = (
    f"choose auto, file, {', '.join(WINDOWS)}, percentiles, LOW,HIGH (such as -1350,150) "
    "or A%,B% (such as 1%,99%)"
)


def _number(text: str, window: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"There is no window {window!r}; {_CHOICES}.")
    return value
