"""Putting a model, or images that it made, on the Hugging Face Hub: looked at first, private by default."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.generation.export import EXPORT, RECORD
from medgan.generation.sampling import sample
from medgan.hub.card import SAMPLES, SHEET, card
from medgan.hub.failures import Target
from medgan.hub.process import Watch, converse
from medgan.hub.transfer import target_of
from medgan.images import grid, png
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import CARD, CONFIG, WEIGHTS, model_sha256, read_info

MODEL, IMAGES = "model", "dataset"
DEADLINE = 3600.0
OVERRIDE = "or say in words why it shall go out all the same (--override), which will stand in the card."


@dataclass(frozen=True)
class Wish:
    """What somebody wants published: under which `licence` (as the Hub names it), with which evaluations,
    with a `note` on the training images and the `faults` that were seen; `override` are the words with which
    a verdict against it is set aside."""

    licence: str
    reports: Sequence[dict[str, Any]] = ()
    note: str = ""
    faults: str = ""
    override: str = ""
    private: bool = True


@dataclass(frozen=True)
class Pushed:
    """Where it is now: the address of its page, and the commit."""

    url: str
    revision: str
    files: tuple[str, ...]


def push(
    source: Path,
    repo: str,
    wish: Wish,
    *,
    token: str = "",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    endpoint: str | None = None,
    deadline: float = DEADLINE,
) -> Pushed:
    """Put the model folder, or the folder of an export, `source` on the Hub as `owner/name`.

    `token` is one that was typed; it reaches the uploading process by its environment alone. Without it, the
    one of `hf auth login` or `HF_TOKEN` is used. DataError where there is no licence, where a report is not
    of this model, or where a verdict on copies speaks against it and nobody overrode that; HubError where the
    Hub did not take it.
    """
    kind = kind_of(source)
    target = target_of(repo, endpoint, kind=kind, token=token)
    with prepared(source, wish, target) as (folder, files):
        watch = Watch(
            progress=progress or (lambda done, total: None),
            deadline=deadline,
            cancelled=cancelled or (lambda: False),
            accept=lambda total: None,
            stopped=f"Stopped; perhaps {target.repo} is there, and empty.",
        )
        request = {"folder": str(folder), "files": files, "private": wish.private}
        found = converse("medgan.hub.upload", request, target, watch)
    return Pushed(str(found["url"]), str(found["revision"]), tuple(files))


def kind_of(source: Path) -> str:
    """`MODEL` or `IMAGES`; DataError for anything else."""
    if (source / RECORD).is_file():
        return IMAGES
    if (source / CONFIG).is_file() and (source / WEIGHTS).is_file():
        return MODEL
    raise DataError(
        f"{source} is neither a model nor the folder of an export; name a model, or what generate --out made "
        "(a folder, not a ZIP)."
    )


@contextmanager
def prepared(source: Path, wish: Wish, target: Target) -> Iterator[tuple[Path, list[str]]]:
    """A folder with just what will be uploaded, card included, and the names of its files."""
    if not wish.licence.strip():
        raise DataError("Say under which licence it goes out: --licence cc-by-4.0, for example.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "upload"
        folder.mkdir()
        if target.kind == MODEL:
            _model(source, folder, wish)
        else:
            _images(source, folder, wish)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        yield folder, names


def _model(source: Path, folder: Path, wish: Wish) -> None:
    """Weights, config, a sheet of samples and the card; nothing else that lies there leaves."""
    sha256 = model_sha256(source)
    if any(report.get("model", {}).get("sha256") != sha256 for report in wish.reports):
        raise DataError("The report is not of this model; evaluate this model and give that report.")
    failed = [r for r in wish.reports if r["verdicts"].get("memorisation", {}).get("level") == "fail"]
    if failed and not wish.override.strip():
        reason = failed[0]["verdicts"]["memorisation"]["reason"]
        raise DataError(f"The verdict on memorisation is fail: {reason} Do not publish it, {OVERRIDE}")
    for name in (CONFIG, WEIGHTS):
        shutil.copyfile(source / name, folder / name)
    if (source / SAMPLES).is_file():
        shutil.copyfile(source / SAMPLES, folder / SAMPLES)
    else:
        generator, _ = load_generator(source)
        (folder / SAMPLES).write_bytes(png(grid(sample(generator, SHEET), columns=8)))
    faults = wish.faults
    if failed:
        said = f"**The verdict on memorisation is fail.** Whoever published it wrote: {wish.override.strip()}"
        faults = f"{said}\n\n{faults}".strip()
    text = card(read_info(source), wish.reports, wish.note, wish.licence, faults)
    (folder / CARD).write_text(text, "utf-8")


def _images(source: Path, folder: Path, wish: Wish) -> None:
    record = json.loads((source / RECORD).read_text("utf-8"))
    if record.get("unchecked") and not wish.override.strip():
        raise DataError(
            f"None of these images was checked for copies. {record['unchecked']} Export them with the check, "
            f"{OVERRIDE}"
        )
    for name in EXPORT:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, folder / name, copy_function=_link)
        elif path.is_file():
            shutil.copyfile(path, folder / name)
    text = (source / CARD).read_text("utf-8")
    if record.get("licence") != wish.licence:
        raise DataError(
            f"This export says {record.get('licence') or 'nothing'} about its licence, and you say "
            f"{wish.licence}; export it with --licence {wish.licence}."
        )
    if record.get("unchecked"):
        said = f"**None was checked.** Whoever published them wrote: {wish.override.strip()}"
        text = f"{text.rstrip()}\n\n## Published without a check\n{said}\n"
    (folder / CARD).write_text(text, "utf-8")


def _link(source: str, target: str) -> None:
    """100,000 images are not copied where a link does."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
