"""Prepare a data set, and inspect one or what one could be made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from medgan.data.limits import Limits, described
from medgan.data.records import Found, find_records
from medgan.data.settings import Settings
from medgan.errors import DataError
from medgan.files import write_json
from medgan.modalities import MODALITIES, OTHER
from medgan.terminal import Bar, EndOnSignal, say
from medgan.workspace import Workspace

Progress = Callable[[str, int, int], None]
SHOWN = 20
"""Rejected files that are named on the terminal; the report has them all."""


def prepare(options: argparse.Namespace) -> dict[str, Any]:
    """Make a data set out of images."""
    from medgan.data.prepare import prepare as make
    from medgan.data.prepare import refuse_existing

    out, settings, limits = Path(options.out), chosen_settings(options), _limits(options)
    settings.check()
    refuse_existing(out)
    with _watched(options) as progress:
        if any(source.startswith("phantom:") for source in options.source):
            data = _draw(options, out, settings.modality, progress)
        else:
            sources, note = _local(options, progress)
            found = _found(sources, note, limits, options.labels)
            data = make(found, out, settings, name=options.name, limits=limits, progress=progress)
    _tell(data.report)
    kind = "grey" if data.channels == 1 else "colour"
    say(f"{data.name}: {len(data)} {kind} images at {data.size} x {data.size} in {out}")
    return {"dataset": str(out), "name": data.name, **data.report}


def inspect(options: argparse.Namespace) -> dict[str, Any]:
    """Say what a data set holds, or what `prepare` would make of images; nothing is written, but for the
    modality of a data set where one is given."""
    from medgan.data.prepare import inspect as look

    first = Path(options.source[0])
    settings, limits = chosen_settings(options), _limits(options)
    if len(options.source) == 1 and _is_prepared(first):
        if replace(settings, modality=OTHER) != Settings():
            raise DataError(
                f"{first} is prepared already, so only --modality can be changed; leave the other options "
                "away."
            )
        return _inspect_dataset(first, options.modality)
    settings.check()
    with _watched(options) as progress:
        sources, note = _local(options, progress)
        report = look(
            _found(sources, note, limits, options.labels), settings, limits=limits, progress=progress
        )
        report["source_folder"] = str(sources[0]) if note else None
        if options.record:
            write_json(options.record / "report.json", report)
    _tell(report)
    return report


def _inspect_dataset(folder: Path, modality: str | None) -> dict[str, Any]:
    from medgan.data.dataset import Dataset

    data = Dataset(folder)
    if modality:
        data.set_modality(modality)
    with Bar("image") as bar:
        changes = data.changes(bar.update)
    report = {"dataset": str(folder), **data.report, **data.info, "changes": changes}
    _tell(report)
    if changes:
        raise DataError(
            f"{folder} is not as it was prepared (differences: {len(changes)}, the first: {changes[0]}); "
            "prepare the set again."
        )
    say(f"All {len(data)} images are as they were prepared.")
    shown = MODALITIES[data.modality]
    say(f"They show: {shown.title} ({shown.name}). Seen in training: {shown.words()}")
    return report


def _is_prepared(source: Path) -> bool:
    return (source / "dataset.json").is_file()


def _draw(options: argparse.Namespace, out: Path, modality: str, progress: Progress) -> Any:
    from medgan.data.phantom import draw_set
    from medgan.data.prepare import store

    if len(options.source) > 1:
        raise DataError("A phantom is drawn alone; give one phantom:… and no other source.")
    kind = options.source[0].removeprefix("phantom:")
    count = 200 if options.count is None else options.count
    images, labels = draw_set(
        kind,
        count,
        seed=options.seed,
        size=options.size,
        progress=lambda done, total: progress("Drawing", done, total),
    )
    name = options.name or out.name
    return store(images, labels, out, name=name, split=options.split, seed=options.seed, modality=modality)


def _local(options: argparse.Namespace, progress: Progress) -> tuple[list[Path], str]:
    """The sources as paths on this machine, what is elsewhere downloaded; and a word on what that is."""
    from medgan.hub.datasets import fetch_source, is_remote

    paths, notes = [], []
    remote = [source for source in options.source if is_remote(source)]
    if options.count is not None and not remote:
        raise DataError("--count is for phantoms and sets from elsewhere; of your own images all are used.")
    for source in options.source:
        if source not in remote:
            paths.append(_own(source))
            continue
        fetched = fetch_source(
            source,
            Workspace.default(),
            count=options.count,
            seed=options.seed,
            size=options.size,
            limits=_limits(options),
            progress=lambda done, total: progress("Downloading", done, total),
        )
        paths.append(fetched.folder)
        notes.append(fetched.note)
        options.name = options.name or fetched.name
    return paths, " ".join(notes)


def _own(source: str) -> Path:
    """A source on this machine; DataError for what is none, with what may have been meant."""
    if not source.strip():  # Path("") would be the current folder
        raise DataError("A source is empty (a variable that is not set?); give a folder, files or a ZIP.")
    path = Path(source)
    if path.exists():
        if _is_prepared(path):
            raise DataError(f"{source} is a prepared data set; give the images that it was made of.")
        return path
    if source.startswith("phantom:"):
        raise DataError(f"{source} needs no looking at: it is drawn when it is prepared.")
    if source.startswith(("hub:", "medmnist")):
        raise DataError(f"{source} names no set; write hub:datasets/owner/name or medmnist:NAME.")
    return path


def _found(sources: Sequence[Path], note: str, limits: Limits, labels: str | None) -> Found:
    found = find_records(sources, limits=limits, labels=Path(labels) if labels else None)
    return Found(found.records, found.rejected, [*filter(None, [note]), *found.notes])


def chosen_settings(options: argparse.Namespace) -> Settings:
    """How images are to be prepared, by the options."""
    values = {setting.name: getattr(options, setting.name) for setting in fields(Settings)}
    return Settings(**values | {"modality": options.modality or _modality(options.source)})


def _modality(sources: Sequence[str]) -> str:
    """What the images of sources with a name show; `other` where that is not known, or not one thing."""
    from medgan.hub.medmnist import modality_of

    drawn = {f"phantom:{name}": name for name in MODALITIES}
    known = {drawn.get(source) or modality_of(source) for source in sources}
    return known.pop() if len(known) == 1 else OTHER


def _limits(options: argparse.Namespace) -> Limits:
    return Limits.changed({name: getattr(options, f"limit_{name}") for name in described()})


@contextmanager
def _watched(options: argparse.Namespace) -> Iterator[Progress]:
    """Progress for the terminal and, with --record, for the dashboard; a signal ends it cleanly."""
    from medgan.runs.watched import watched

    with EndOnSignal(), watched(options.record) as record, Bar("") as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.label(what)
            bar.update(done, total)
            record.progress(what, done, total)

        progress("Starting", 0, 1)
        yield progress


def _tell(report: dict[str, Any]) -> None:
    """The report in words: counts first, then what was left out and what to look at."""
    for note in report.get("notes", ()):
        say(note)
    for label, counts in report.get("classes", {}).items():
        say(f"  {label}: {', '.join(f'{count} {part}' for part, count in counts.items())}")
    copies = {
        ("exact copy", "exact copies"): "duplicates",
        ("near copy", "near copies"): "near_duplicates",
        ("copy in two classes", "copies in two classes"): "conflicts",
    }
    for (one, many), key in copies.items():
        if pairs := report.get(key):
            first = pairs[0]
            words = one if len(pairs) == 1 else many
            say(f"{len(pairs)} {words}, such as {first['first']} and {first['second']}")
    for what, count in report.get("dropped", {}).items():
        say(f"Not kept: {what} of {count} file{'' if count == 1 else 's'}")
    _list(report.get("flagged", []), "to look at")
    _list(report.get("rejected", []), "left out")
    if leak := report.get("leak_check"):
        for words in filter(None, (leak.get("warning") or leak["words"], leak.get("nameless"))):
            say(words)
    for advice in report.get("advice", ()):
        say(advice["text"])


def _list(entries: Sequence[dict[str, str]], what: str) -> None:
    for entry in entries[:SHOWN]:
        say(f"  {what}: {entry['file']} {entry['reason']}")
    if len(entries) > SHOWN:
        say(f"  … and {len(entries) - SHOWN} more; --json names them all")
