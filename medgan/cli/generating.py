"""Generate images, check them, and write them in a form that others read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.cli.models import model_folder
from medgan.errors import DataError, MetricError
from medgan.files import write_json
from medgan.terminal import Bar, EndOnSignal, say
from medgan.workspace import Workspace

if TYPE_CHECKING:
    from medgan.generation.gate import Gate
    from medgan.generation.seeds import Part
    from medgan.runs.info import ModelInfo

STOPPED = "Stopped; the same command goes on from here."
OFF = "The check was switched off (--no-gate)."


def generate(options: argparse.Namespace) -> dict[str, Any]:
    """Generate images by seed into a folder or ZIP."""
    from medgan.generation.export import Origin, Settings, export
    from medgan.generation.licence import check_licence
    from medgan.generation.seeds import parse_seeds
    from medgan.runs.checkpoint import load_generator
    from medgan.runs.info import model_sha256
    from medgan.runs.watched import watched

    # Before a model is opened.
    if options.count is not None and options.count < 1:
        raise DataError(f"--count is {options.count}; it must be 1 or more.")
    if options.licence:
        check_licence(options.licence)
    seeds = parse_seeds(options.seeds) if options.count is None else range(options.count)
    with watched(options.record) as record, EndOnSignal(STOPPED), Bar("") as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.label(what)
            bar.update(done, total)
            record.progress(what, done, total)

        progress("Opening the model", 0, 1)
        folder = model_folder(options.model)
        generator, info = load_generator(folder)
        parts = _parts(options, info, seeds)
        gate, unchecked = _gate(options, info)
        if unchecked and not options.no_gate:
            say(unchecked)
        origin = Origin(str(info.about.get("name") or folder.name), model_sha256(folder), info.about)
        settings = Settings(options.truncation, options.form, options.licence, unchecked)
        summary = export(
            generator,
            parts,
            Path(options.out),
            origin=origin,
            settings=settings,
            gate=gate,
            progress=progress,
            anew=bool(options.record),  # whoever gives a record of its own has nothing else there
        )
        if options.record:
            write_json(options.record / "summary.json", {"sentence": summary.sentence()})
    say(f"{summary.released:,} images of {origin.name} in {options.out}")
    say(summary.sentence())
    return {
        "out": str(options.out),
        "images": summary.released,
        "model": origin.name,
        "model_sha256": origin.sha256,
        "checked": gate is not None,
        "copies": summary.copies,
        "repeats": summary.repeats,
        "reason": unchecked,
    }


def _gate(options: argparse.Namespace, info: ModelInfo) -> tuple[Gate | None, str]:
    """The gate, or None and a sentence why there is none."""
    from medgan.data.dataset import Dataset
    from medgan.generation.gate import OUT_OF_REACH, gate_of, training_set

    if options.no_gate:
        return None, OFF
    if options.dataset:
        dataset = Dataset(options.dataset)
        _refuse_another(dataset, info)
    else:
        found = training_set(info, Workspace.default())
        if found is None:
            return None, OUT_OF_REACH
        dataset = found
    try:
        return gate_of(dataset), ""
    except MetricError as error:
        return None, f"Its images cannot be checked. {error}"


def _refuse_another(dataset: Any, info: ModelInfo) -> None:
    from medgan.runs.info import trained_on

    known = trained_on(info.about)
    if known and known != dataset.info["content_sha256"]:
        raise DataError(
            f"{dataset.name} is not the data set that the model was trained on; name that one, or leave "
            "--dataset away."
        )


def _parts(options: argparse.Namespace, info: ModelInfo, seeds: Sequence[int]) -> list[Part]:
    """Which seeds of which class."""
    from medgan.generation.export import only_class
    from medgan.generation.seeds import Part

    known = [name for name, _ in info.model.classes] or [only_class(info.about)]
    counts = _counts(options, known) if options.fill is None else _lacking(Path(options.fill), info)
    if counts:
        for label, count in counts.items():
            if count and label not in known:
                raise DataError(f"The model cannot make {label!r}; it makes {_listed(known)}.")
        return [Part(range(count), label) for label, count in counts.items() if count]
    if options.label is not None and options.label not in known:
        raise DataError(f"The model cannot make {options.label!r} on its own; it makes {_listed(known)}.")
    return [Part(seeds, options.label or only_class(info.about))]


def _lacking(folder: Path, info: ModelInfo) -> dict[str, int]:
    """How many images each class of a data set lacks to its largest."""
    from medgan.data.dataset import Dataset
    from medgan.generation.balance import lacking, misfit

    data = Dataset(folder)
    if words := misfit(info.model, data):
        raise DataError(words)
    counts = lacking(data.info["classes"])
    if len(counts) < 2:
        raise DataError(f"{data.name} has no two classes, one of which could lack images.")
    if not any(counts.values()):
        raise DataError(f"The classes of {data.name} are balanced already.")
    return counts


def _counts(options: argparse.Namespace, known: Sequence[str]) -> dict[str, int]:
    """How many images of each class, where that was asked for; the model has the classes `known`."""
    counts = _read_counts(options.classes or [], known)
    if counts and options.label:
        raise DataError("--classes says already which classes to make; leave --class away.")
    if counts and not any(counts.values()):
        raise DataError("--classes asks for no images; write for example melanoma=62.")
    return counts


def _read_counts(given: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    from medgan.generation.seeds import is_number

    counts: dict[str, int] = {}
    for item in (item for text in given for item in _items(text, known)):
        label, equals, number = item.rpartition("=")
        label = label if label in known else label.strip()
        if not equals or not is_number(number):
            raise DataError(
                f"--classes {item[:60]} cannot be read; write for example melanoma=62,nevus=10. A class with "
                "a comma in its name needs a --classes of its own."
            )
        if label in counts:
            raise DataError(f"--classes names {label} twice; say once how many images of it you want.")
        counts[label] = int(number)
    return counts


def _items(text: str, known: Sequence[str]) -> list[str]:
    """The parts of one --classes; all of it is one where that names a class, which may have commas."""
    label = text.rpartition("=")[0]
    if label in known or label.strip() in known:
        return [text]
    return [item for item in text.split(",") if item]


def _listed(names: list[str]) -> str:
    return ", ".join(filter(None, names)) or "images of no named class"
