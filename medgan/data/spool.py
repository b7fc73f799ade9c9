"""Prepared pixels on their way into a data set: a folder with one file for each process that decodes, so
that no picture is held in memory or sent from one process to another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Place:
    """Where the pixels of a picture lie, and their shape."""

    file: str
    at: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Spool:
    """Written by any number of processes, each its own file; read by anybody."""

    folder: Path

    def append(self, pixels: np.ndarray) -> Place:
        """Keep uint8 pixels; OSError if the disk is full."""
        name = f"{os.getpid()}.raw"
        with (self.folder / name).open("ab") as stream:
            at = stream.tell()
            stream.write(pixels.tobytes())
        return Place(name, at, pixels.shape)

    def read(self, place: Place) -> np.ndarray:
        """The pixels of a place."""
        with (self.folder / place.file).open("rb") as stream:
            stream.seek(place.at)
            data = stream.read(int(np.prod(place.shape)))
        return np.frombuffer(data, np.uint8).reshape(place.shape)
