"""Files that hold the same bytes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from medgan.data.limits import Limits
from medgan.data.records import Record
from medgan.errors import DataError


class Twins:
    """Which files hold the same bytes: those are decoded once. Only files of equal size, and equal
    checksum in a ZIP, are read for it."""

    def __init__(self, records: Sequence[Record], limits: Limits) -> None:
        self.records, self.limits = records, limits
        self.alike = Counter(_outside(record) for record in records)
        self.firsts: dict[int, int] = {}
        self.contents: dict[bytes, int] = {}

    def first(self, k: int) -> int:
        """The first file with the bytes of file k: k itself, mostly. To be asked in order at first."""
        if k not in self.firsts:
            record = self.records[k]
            alone = self.alike[_outside(record)] == 1
            self.firsts[k] = k if alone else self.contents.setdefault(self._content(record, k), k)
        return self.firsts[k]

    def _content(self, record: Record, k: int) -> bytes:
        try:
            return hashlib.sha256(record.read(self.limits)).digest()
        except (DataError, OSError):
            return str(k).encode()  # its own reason is found when it is decoded


def _outside(record: Record) -> tuple[int, int | None]:
    return record.size, record.crc
