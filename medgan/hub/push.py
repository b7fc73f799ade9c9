"""Putting a model, or images that it made, on the Hugging Face Hub: looked at first, private by default."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.files import write_json
from medgan.generation.licence import check_licence
from medgan.generation.sampling import sample
from medgan.hub.card import SAMPLES, SHEET, card
from medgan.hub.exported import is_export, unpacked
from medgan.hub.failures import Target
from medgan.hub.process import Watch, converse
from medgan.hub.stage_export import stage_export
from medgan.hub.transfer import target_of
from medgan.images import grid, png
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import CARD, CONFIG, WEIGHTS, model_sha256, read_info

MODEL, IMAGES = "model", "dataset"
STALL = 180.0
"""Seconds in which no byte goes and no answer comes after which an upload is given up; a commit of many files
takes the Hub a minute."""


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
class Plan:
    """What would leave, before anything does: from where to where, which files, of how many bytes."""

    repo: str
    host: str
    kind: str
    private: bool
    files: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Pushed:
    """Where it is now: the address of its page, the commit, and who sees it."""

    url: str
    revision: str
    files: tuple[str, ...]
    private: bool = True


def push(
    source: Path,
    repo: str,
    wish: Wish,
    *,
    token: str = "",
    agree: Callable[[Plan], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    endpoint: str | None = None,
    deadline: float = math.inf,
) -> Pushed:
    """Put the model folder, or the folder or ZIP of an export, `source` on the Hub as `owner/name`.

    `token` is one that was typed; it reaches the uploading process by its environment alone. Without it, the
    one of `hf auth login` or `HF_TOKEN` is used. `agree` sees the plan before anything leaves, and raises
    where it does not agree. `progress(bytes done, bytes in all)` is called on this thread.

    DataError where there is no licence, where a report is not of this model, or where a verdict on copies
    speaks against it and nobody overrode that; HubError where the Hub did not take it, holds something else
    under this name, or would show to everybody what shall be private; Interrupted when `cancelled()`.
    """
    target = replace(target_of(repo, endpoint, kind=kind_of(source), token=token), upload=True)
    cancelled = cancelled or (lambda: False)
    with prepared(source, wish, target, cancelled) as (folder, files):
        size = sum((folder / name).stat().st_size for name in files)
        if agree:
            agree(Plan(target.repo, target.host, target.kind, wish.private, tuple(files), size))
        watch = Watch(
            progress=progress or (lambda done, total: None),
            deadline=deadline,
            cancelled=cancelled,
            accept=lambda total: None,
            stall=STALL,
            stopped=f"Stopped; perhaps a part of it is in {target.repo}, and goes on with the next push.",
        )
        request = {"folder": str(folder), "private": wish.private}
        found = converse("medgan.hub.upload", request, target, watch)
    return Pushed(str(found["url"]), str(found["revision"]), tuple(files), bool(found["private"]))


def kind_of(source: Path) -> str:
    """`MODEL` or `IMAGES`; DataError for anything else."""
    if is_export(source):
        return IMAGES
    if (source / CONFIG).is_file() and (source / WEIGHTS).is_file():
        return MODEL
    raise DataError(f"{source} is neither a model nor an export; name a model, or what generate --out made.")


@contextmanager
def prepared(
    source: Path, wish: Wish, target: Target, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Path, list[str]]]:
    """A folder with just what will be uploaded, card included, and the names of its files."""
    licence = wish.licence.strip().lower()
    if not licence:
        raise DataError("Say under which licence it goes out: --licence cc-by-4.0, for example.")
    check_licence(licence)
    wish = replace(wish, licence=licence, override=" ".join(wish.override.split()))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "upload"
        folder.mkdir()
        if target.kind == MODEL:
            _model(source, folder, wish, target.repo)
        else:
            with unpacked(source, cancelled) as export:
                stage_export(export, folder, licence, wish.override, lambda sha256: _judge(wish, sha256))
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        yield folder, names


def _model(source: Path, folder: Path, wish: Wish, repo: str) -> None:
    """Weights, config, a sheet of samples and the card; nothing else that lies there leaves."""
    warning = _judge(wish, model_sha256(source))
    info = read_info(source)
    write_json(folder / CONFIG, info.to_json())
    shutil.copyfile(source / WEIGHTS, folder / WEIGHTS)
    if (source / SAMPLES).is_file():
        shutil.copyfile(source / SAMPLES, folder / SAMPLES)
    else:
        generator, _ = load_generator(source)
        (folder / SAMPLES).write_bytes(png(grid(sample(generator, SHEET), columns=8)))
    text = card(
        info,
        wish.reports,
        wish.note,
        wish.licence,
        wish.faults,
        repo=repo,
        warning=warning,
        weights=source / WEIGHTS,
    )
    (folder / CARD).write_text(text, "utf-8")


def _judge(wish: Wish, sha256: str) -> str:
    """What the card says first where the verdict on copies is bad and somebody set it aside, else "".
    DataError where a report is of another model, or nobody set it aside."""
    if any(report.get("model", {}).get("sha256") != sha256 for report in wish.reports):
        raise DataError("The report is not of this model; evaluate this model and give that report.")
    verdicts = [report["verdicts"].get("memorisation", {}) for report in wish.reports]
    failed = [verdict for verdict in verdicts if verdict.get("level") == "fail"]
    if not failed:
        return ""
    said = f"The verdict on memorisation is fail: {failed[0].get('reason', '')}".rstrip(". ")
    if not wish.override:
        raise DataError(
            f"{said}. Do not publish it, or say in words why it shall go out all the same (--override), "
            "which will stand in the card."
        )
    return f"**{said}.** Whoever published it wrote: {wish.override}"
