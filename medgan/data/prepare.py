"""From files to a data set: survey, examine, and write a folder that is there whole or not at all."""

from __future__ import annotations

import csv
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from medgan import __version__
from medgan.data.dataset import COLUMNS, FORMAT, Dataset
from medgan.data.examine import MINIMUM, Examined
from medgan.data.limits import LIMITS, Limits
from medgan.data.records import Found, Record
from medgan.data.settings import Settings
from medgan.data.spool import Spool
from medgan.data.survey import Look, Progress, leave_out, survey, survey_arrays
from medgan.data.workers import processes
from medgan.errors import DataError
from medgan.files import beside, sweep, write_folder
from medgan.modalities import OTHER

USUAL = Settings()
SPOOL = "prepared-pixels"


def prepare(
    found: Found,
    out: Path,
    settings: Settings = USUAL,
    *,
    name: str | None = None,
    limits: Limits = LIMITS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Write the usable images of `found` as a data set in the new folder `out`.

    One bad file never loses the others: it is listed in the set's report with its reason. `workers`
    processes decode (None: one a core; 0: none, unprotected against crashing decoders). DataError for
    settings that cannot be, if `out` exists, or if fewer than four usable images remain.
    """
    settings.check()
    refuse_existing(out)
    with _spool(out.parent) as spool:
        examined = _examine(found, settings, limits, spool, workers, progress or _silent)
        return _write(examined, out, name or out.name)


def inspect(
    found: Found,
    settings: Settings = USUAL,
    *,
    limits: Limits = LIMITS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report that `prepare` would write, with nothing written."""
    settings.check()
    with _spool(Path(tempfile.gettempdir())) as spool:
        return _examine(found, settings, limits, spool, workers, progress or _silent).report


def store(
    images: np.ndarray,
    labels: Sequence[str],
    out: Path,
    *,
    name: str,
    split: str = Settings.split,
    seed: int = 0,
    modality: str = OTHER,
) -> Dataset:
    """Write images that exist as uint8 `(N, H, W, C)` (the phantoms) as a data set."""
    settings = Settings(
        size=images.shape[1],
        split=split,
        seed=seed,
        modality=modality,
        duplicates="keep",
        near="keep",
        conflicts="keep",
    )
    settings.check()
    refuse_existing(out)
    records = [Record(f"{label}/{k:04d}.png", label, Path()) for k, label in enumerate(labels)]
    with _spool(out.parent) as spool:
        seen = survey_arrays(list(images), records, spool)
        return _write(Examined(seen, Found(records, [], []), settings, spool, _silent), out, name)


def refuse_existing(out: Path) -> None:
    """DataError if there is something at `out` already."""
    if out.exists():
        raise DataError(f"{out} exists already; choose another name.")


def _examine(
    found: Found,
    settings: Settings,
    limits: Limits,
    spool: Spool,
    workers: int | None,
    progress: Progress,
) -> Examined:
    started = time.monotonic()
    look = Look(settings.decoding(limits), settings.size, settings.fit, secrets.token_bytes(32), spool)
    count = processes() if workers is None else workers
    try:
        seen = survey(found.records, look, workers=count, progress=progress)
    except OSError as error:  # what a file does wrong is a rejection: this is the disk
        raise DataError(
            f"The prepared pixels cannot be kept in {spool.folder.parent} ({error.strerror or error}); make "
            "room there, or choose a place on another disk (--out; for inspect the variable TMPDIR)."
        ) from error
    leave_out(seen, settings.exclude)
    examined = Examined(seen, found, settings, spool, progress)
    examined.report["seconds"] = round(time.monotonic() - started, 2)
    return examined


def _write(examined: Examined, out: Path, name: str) -> Dataset:
    if len(examined.rows) < MINIMUM:
        raise DataError(_too_few(examined.report))
    if examined.trouble:
        raise DataError(examined.trouble)

    def fill(folder: Path) -> None:
        _write_images(folder / "images.npy", examined)
        _write_manifest(folder / "manifest.csv", examined)
        _write_json(folder / "report.json", examined.report)
        _write_json(folder / "dataset.json", _info(examined, name))

    try:
        write_folder(out, fill, new=True)
    except OSError as error:
        refuse_existing(out)  # somebody else may have been quicker
        raise DataError(
            f"{out} cannot be written ({error.strerror or error}); choose another place."
        ) from error
    return Dataset(out)


def _info(examined: Examined, name: str) -> dict[str, Any]:
    report = examined.report
    return {
        "format": FORMAT,
        "medgan": __version__,
        "name": name,
        "size": examined.settings.size,
        "channels": examined.channels,
        "images": len(examined.rows),
        **{key: report[key] for key in ("classes", "splits", "groups", "grouping", "leak_check", "advice")},
        "settings": examined.settings.to_json(),
        "content_sha256": report["content_sha256"],
    }


def _write_images(path: Path, examined: Examined) -> None:
    """One image after another, so that memory does not grow with their number."""
    size, channels = examined.settings.size, examined.channels
    shape = (len(examined.rows), size, size, channels)
    with path.open("wb") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for row in examined.rows:
            stream.write(examined.image(row).tobytes())


def _write_manifest(path: Path, examined: Examined) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(examined.manifest())


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False), "utf-8")


@contextmanager
def _spool(place: Path) -> Iterator[Spool]:
    """A folder for pixels on their way, on the disk where the set goes; it is gone at the end, or after a
    day where the process was killed (`files.sweep`)."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        sweep(place, SPOOL)
        folder = beside(place / SPOOL)
        folder.mkdir()
    except OSError as error:
        raise DataError(
            f"{place} cannot be written ({error.strerror or error}); choose another place."
        ) from error
    try:
        yield Spool(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _too_few(report: dict[str, Any]) -> str:
    rejected = [*report["rejected"], *report["left_out"]]
    first = f" The first left out: {rejected[0]['file']} {rejected[0]['reason']}." if rejected else ""
    return (
        f"Only {report['accepted']} usable images; at least {MINIMUM} are needed, and 100 for something "
        f"worth seeing.{first}"
    )


def _silent(what: str, done: int, total: int) -> None:
    pass
