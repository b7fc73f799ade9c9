"""The folder of an export made ready to leave as a data set: what an export holds and lists, no more."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.generation.export import EXPORT
from medgan.generation.packing import METADATA
from medgan.hub.exported import export_record
from medgan.runs.info import CARD

ENDINGS = (".png", ".dcm", ".parquet")
"""Of what lies in an export's folders."""


def stage_export(
    source: Path, folder: Path, licence: str, override: str, judge: Callable[[str], str]
) -> None:
    """Put into `folder` what of the export `source` goes out, with its card.

    `judge` is told the model's sha256, and gives what the card must say besides, or raises. DataError where
    the images were not checked for copies and `override` is empty, the licence is another one, or there are
    images that the export did not make.
    """
    record = export_record(source)
    warning = judge(str(record.get("model_sha256", "")))
    if (doubt := _doubt(record)) and not override:
        do = "Export them with the check, or say" if record.get("unchecked") else "Say"
        raise DataError(
            f"{doubt} {do} in words why they shall go out all the same (--override), which will stand in the "
            "card."
        )
    if str(record.get("licence") or "").lower() != licence:
        raise DataError(
            f"This export says {record.get('licence') or 'nothing'} about its licence, and you say "
            f"{licence}; export the images again under that licence (--licence {licence})."
        )
    text = _card(source, record, warning, override)
    names = list(_files(source))
    _check_listed(source, names)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _link(source / name, folder / name)
    (folder / CARD).write_text(text, "utf-8")


def _doubt(record: dict[str, Any]) -> str:
    """What nobody has checked of these images; empty where all was."""
    if record.get("unchecked"):
        return f"None of these images was checked for copies. {record['unchecked']}"
    return str(record.get("caveat") or "")


def _card(source: Path, record: dict[str, Any], warning: str, override: str) -> str:
    try:
        text = (source / CARD).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"This export has no readable {CARD}; export the images again.") from error
    said = [warning] if warning else []
    if doubt := _doubt(record):
        said.append(f"**{doubt}** Whoever published them wrote: {override}")
    if not said:
        return text
    return f"{text.rstrip()}\n\n## Published in spite of that\n" + "\n\n".join(said) + "\n"


def _files(source: Path) -> Iterator[str]:
    """What goes out besides the card, which is written anew. DataError for a link: it could lead anywhere."""
    for name in EXPORT:
        path = source / name
        found = sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]
        for file in found:
            where = file.relative_to(source).as_posix()
            if file.is_symlink():
                raise DataError(f"{where} of this export is a link; only its own files can go out.")
            if file.is_file() and where != CARD and (file == path or file.suffix in ENDINGS):
                yield where


def _check_listed(source: Path, names: list[str]) -> None:
    """Nobody has put an image there that the table does not know. Parquet files are tables themselves."""
    images = {name for name in names if name.startswith("images/")}
    listed: set[str] = set()
    if (source / METADATA).is_file():
        with (source / METADATA).open(encoding="utf-8", newline="") as file:
            listed = {str(row.get("file_name")) for row in csv.DictReader(file)}
    strange, gone = sorted(images - listed), sorted(listed - images)
    if strange:
        raise DataError(
            f"{strange[0]} is not in {METADATA}: this export did not make it, so nothing goes out."
        )
    if gone:
        raise DataError(f"{gone[0]} is in {METADATA} and not in the folder; export the images again.")


def _link(source: Path, target: Path) -> None:
    """100,000 images are not copied where a link does."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
