"""Damaged files of every kind: each is decoded or refused with a reason; nothing crashes, hangs, is written.

`MEDGAN_FUZZ=5000 python -m pytest tests/data/test_fuzz.py` runs more of them than the suite does.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medgan.data.limits import Limits
from medgan.data.records import Record, Rejection, find_records
from medgan.data.settings import Settings
from medgan.data.spool import Spool
from medgan.data.survey import Look, Seen, look_at
from medgan.data.workers import each
from medgan.errors import DataError
from tests.conftest import SHARED
from tests.data.mutations import damaged, whole_files

COUNT = int(os.environ.get("MEDGAN_FUZZ", "400"))
LIMITS = Limits(seconds=20)


@pytest.mark.timeout(3600)
def test_damaged_files_are_decoded_or_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, elsewhere, spool = (tmp_path / name for name in ("a/b/target", "elsewhere", "spool"))
    for folder in (target, elsewhere, spool):
        folder.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    written = _write_damaged(target)
    records = [record for path in sorted(target.iterdir()) for record in _listed(path)]
    outcomes = Counter[str]()
    for record, seen in zip(records, _look_at_all(records, spool), strict=True):
        outcomes["decoded" if seen.rows else "refused"] += 1
        for reason in [entry.reason for entry in seen.rejected]:
            assert _is_a_reason(reason), (record.name, reason)
            outcomes[f"refused: {reason[:40]}"] += "crash" in reason or "longer than" in reason
    assert outcomes["decoded"] > COUNT / 20, outcomes
    assert outcomes["refused"] > COUNT / 20, outcomes
    assert not [what for what, count in outcomes.items() if "refused: " in what and count], outcomes
    assert {path.name for path in target.iterdir()} == written, "a file was written"
    assert not list(elsewhere.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "elsewhere", "spool"]


def _write_damaged(target: Path) -> set[str]:
    real = SHARED / "data" if (SHARED / "data").is_dir() else None
    files = list(whole_files(real).items())
    for k in range(COUNT):
        name, data = files[k % len(files)]
        (target / f"{k:05d}-{name}").write_bytes(damaged(data, np.random.default_rng(k)))
    return {path.name for path in target.iterdir()}


def _listed(path: Path) -> list[Record]:
    """A damaged archive gives its members or a sentence; any other file is one record."""
    if path.suffix != ".zip":
        return [Record(path.name, "x", path, size=path.stat().st_size)]
    try:
        return find_records([path], limits=LIMITS).records
    except DataError as error:
        assert _is_a_reason(str(error))
        return []


def _look_at_all(records: list[Record], spool: Path) -> list[Seen]:
    look = Look(Settings(size=64).decoding(LIMITS), 64, "crop", b"salt", Spool(spool))
    results = each(partial(look_at, look), records, _lost, workers=2, seconds=LIMITS.seconds)
    return list(results)


def _lost(record: Record, reason: str) -> Seen:
    return Seen(rejected=(Rejection(record.name, reason),))


def _is_a_reason(text: str) -> bool:
    return 5 < len(text) < 300 and "Traceback" not in text and "\n" not in text
