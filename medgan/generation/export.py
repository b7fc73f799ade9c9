"""Generated images that leave: as a folder, a ZIP or Parquet, checked by the release gate if there is one.

    images/CLASS/seed-000017.png   (images/seed-000017.png where the model knows no class)
    metadata.csv                   a row an image
    README.md, LICENSE             what they are, how they were checked, what they must not be used for
    export.json                    settings and counts

Images are written as they are made, beside a journal of all seeds that were tried, in a folder next to the
place that was named; the same command goes on with it after an interruption.
"""

from __future__ import annotations

import csv
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from medgan.errors import DataError
from medgan.files import beside, into_place, write_json
from medgan.generation.dicom import Source, dicom
from medgan.generation.gate import PASSED, UNCHECKED, Gate, Judgement
from medgan.generation.journal import JOURNAL, Journal
from medgan.generation.licence import check_licence, licence_text
from medgan.generation.packing import METADATA, to_parquet, zipped
from medgan.generation.sampling import (
    MAX_SEED,
    check_truncation,
    class_names,
    classes_of,
    of_class,
    sample,
    sample_ahead,
)
from medgan.generation.seeds import Part, digest, in_order, largest
from medgan.generation.words import Summary, readme
from medgan.images import png
from medgan.runs.info import not_compared
from medgan.workspace import safe_name

COLUMNS = ("file_name", "seed", "label", "truncation", "nearest_train", "gate", "model", "model_sha256")
RECORD = "export.json"
EXPORT = ("images", "data", METADATA, "README.md", "LICENSE", RECORD)
"""All that an export may hold."""
PNG, PARQUET, DICOM = FORMS = ("png", "parquet", "dicom")
OTHER_FILES = frozenset(
    (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".parquet", ".dcm", ".png", ".jpg", ".jpeg")
)
"""Endings of files that `out` cannot be."""
TRIED, FEWEST = 500, 0.05
"""After so many seeds of a class an export ends where a smaller share than this has passed."""
AHEAD = 4
"""Batches whose files may still be on the way to the disk."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Origin:
    """The model: its name, the sha256 of its weights, and what `config.json` says about it."""

    name: str
    sha256: str
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How images leave. `form` is one of `FORMS`; `licence` an SPDX name, or "" where nobody chose one;
    `unchecked` says why there is no gate, where there is none."""

    truncation: float = 1.0
    form: str = PNG
    licence: str = ""
    unchecked: str = "The check was switched off."


def export(
    generator: nn.Module,
    parts: Sequence[Part],
    out: Path,
    *,
    origin: Origin,
    settings: Settings | None = None,
    gate: Gate | None = None,
    progress: Progress = lambda what, done, total: None,
    anew: bool = False,
) -> Summary:
    """Write the images of `parts` to `out` (a new folder, or a file that ends in `.zip`).

    The same arguments give the same bytes, interrupted or not. DataError if there are no seeds, for a form or
    a licence that is none, if `out` is taken or names a file of another kind, if an export to it is at work
    or was begun with other arguments (with `anew` that is thrown away), or if hardly any image passes the
    gate; ConfigError for an impossible truncation.
    """
    settings = settings or Settings()
    _check(generator, parts, out, settings)
    journal = Journal(out, _identity(parts, origin, settings, gate), anew=anew)
    try:
        summary = Summary(
            sum(len(part.seeds) for part in parts),
            unchecked="" if gate else settings.unchecked,
            caveat=not_compared(origin.about) if gate else "",
        )
        for entry in journal.tried:
            summary.add(entry["gate"])
        work = _Work(origin, settings, gate, journal, summary, progress)
        with closing(journal):
            generators = [of_class(generator, part.label) for part in parts]
            work.recall(generators)
            for k, part in enumerate(parts):
                work.make(generators[k], k, part)
        work.finish(out)
    finally:
        journal.leave()
    return summary


def only_class(about: dict[str, object]) -> str:
    """The class of a model that was trained on a single one, else an empty string."""
    dataset = about.get("dataset")
    classes = list(dataset.get("classes", ())) if isinstance(dataset, dict) else []
    return str(classes[0]) if len(classes) == 1 else ""


def _check(generator: nn.Module, parts: Sequence[Part], out: Path, settings: Settings) -> None:
    if not any(len(part.seeds) for part in parts):
        raise DataError("No seeds given; name at least one, for example --seeds 0-63.")
    if (highest := max(largest(part.seeds) for part in parts)) > MAX_SEED:
        raise DataError(f"Seed {highest:,} is not possible; seeds are 0 to {MAX_SEED:,}.")
    check_truncation(settings.truncation)
    if settings.form not in FORMS:
        raise DataError(f"There is no form {settings.form!r}; valid are: {', '.join(FORMS)}.")
    if settings.licence:
        check_licence(settings.licence)
    if out.suffix.lower() in OTHER_FILES:
        raise DataError(f"{out.name} cannot be written; name a folder, or a file that ends in .zip.")
    labels = {part.label for part in parts}
    labels = labels - {""} | (set(class_names(generator)) if "" in labels else set())
    folders: dict[str, str] = {}
    for label in sorted(labels):
        other = folders.setdefault(safe_name(label).casefold(), label)
        if other != label:
            raise DataError(f"The classes {other!r} and {label!r} would share a folder; export them apart.")


def _identity(parts: Sequence[Part], origin: Origin, settings: Settings, gate: Gate | None) -> dict[str, Any]:
    """What an interrupted export is known by."""
    wanted = [[part.label, len(part.seeds), digest(part.seeds)] for part in parts]
    return {
        "model_sha256": origin.sha256,
        "parts": wanted,
        "gate": [gate.memory, gate.content] if gate else [],
        "columns": list(COLUMNS),
        **asdict(settings),
    }


def _hopeless(passed: int, tried: int) -> bool:
    return tried >= TRIED and passed < FEWEST * tried


def _entry(part: int, seed: int, label: str, judgement: Judgement) -> dict[str, Any]:
    near = None if np.isnan(judgement.distance) else round(judgement.distance, 4)
    return {"part": part, "seed": seed, "label": label, "near": near, "gate": judgement.verdict}


def _place(seed: int, label: str, form: str) -> str:
    """Where an image lies in the folder. A class is a folder of its own, as ImageFolder reads them."""
    kind = "dcm" if form == DICOM else "png"
    folder = f"images/{safe_name(label)}" if label else "images"
    return f"{folder}/seed-{seed:06d}.{kind}"


@dataclass(frozen=True)
class _Work:
    """An export under way."""

    origin: Origin
    settings: Settings
    gate: Gate | None
    journal: Journal
    summary: Summary
    progress: Progress

    def recall(self, generators: Sequence[nn.Module]) -> None:
        """Let the gate remember the images that passed last, of whichever part: of two classes, too, one may
        repeat the other."""
        if self.gate is None:
            return
        self.gate.forget()
        passed = [entry for entry in self.journal.tried if entry["gate"] == PASSED]
        for number, entries in groupby(passed[-self.gate.memory :], key=lambda entry: int(entry["part"])):
            seeds = [entry["seed"] for entry in entries]
            self.gate.remember(sample(generators[number], seeds, self.settings.truncation))

    def make(self, generator: nn.Module, number: int, part: Part) -> None:
        """Everything of one part that is not there yet."""
        before = [entry for entry in self.journal.tried if entry["part"] == number]
        passed = [entry["seed"] for entry in before if entry["gate"] in (PASSED, UNCHECKED)]
        left, tried, done = len(part.seeds) - len(passed), len(before), {entry["seed"] for entry in before}
        seeds = (seed for seed in in_order(part.seeds) if seed not in done)
        made = sample_ahead(generator, seeds, self.settings.truncation, lambda: left)
        with ThreadPoolExecutor(2) as pool, closing(made):
            writing: deque[tuple[list[Future[None]], list[dict[str, Any]]]] = deque()
            while left and not _hopeless(len(part.seeds) - left, tried):
                if (batch := next(made, None)) is None:
                    raise DataError("There are no more seeds to try.")
                entries, files = [], []
                for seed, image, label, judgement in self._judged(generator, *batch, part.label, left):
                    entries.append(_entry(number, seed, label, judgement))
                    self.summary.add(judgement.verdict)
                    if judgement.verdict in (PASSED, UNCHECKED):
                        left -= 1
                        files.append(pool.submit(self._write, image, seed, label))
                tried += len(entries)
                writing.append((files, entries))
                while len(writing) > (AHEAD if left else 0):
                    written, noted = writing.popleft()
                    for one in written:
                        one.result()
                    self.journal.note(noted)
                self.progress("Image", self.summary.released, self.summary.wanted)
        if left:  # only now that nobody writes any more
            self._give_up(len(part.seeds) - left, tried, part.label)

    def finish(self, out: Path) -> None:
        """Table, README and licence, and all of it in its place. Until it is there the journal holds, and an
        interruption costs no image."""
        folder, packed = self.journal.folder, beside(out.absolute())
        self._describe(folder)
        parquet = self.settings.form == PARQUET
        if parquet:
            to_parquet(folder, lambda done, total: self.progress("Parquet", done, total))
        if out.suffix.lower() != ".zip":
            if parquet:  # all of it stands in data/; without its images the journal would be wrong
                self.journal.path.unlink()
                shutil.rmtree(folder / "images")
                (folder / METADATA).unlink()
            into_place(folder, out)
            (out / JOURNAL).unlink(missing_ok=True)
            return
        without = (JOURNAL, "images", METADATA) if parquet else (JOURNAL,)
        try:
            zipped(folder, packed, lambda done, total: self.progress("ZIP", done, total), without=without)
            into_place(packed, out)  # on the disk before its images are deleted
        finally:
            packed.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def _judged(
        self, generator: nn.Module, batch: Sequence[int], images: np.ndarray, label: str, left: int
    ) -> Iterator[tuple[int, np.ndarray, str, Judgement]]:
        labels = [label or own for own in classes_of(generator, batch)]
        unchecked = [Judgement(UNCHECKED, float("nan"), -1)] * min(left, len(batch))
        found = self.gate.judge(images, left) if self.gate else unchecked
        return zip(batch, images, labels, found, strict=False)  # the last ones may not be needed

    def _write(self, image: np.ndarray, seed: int, label: str) -> None:
        path = self.journal.folder / _place(seed, label, self.settings.form)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.settings.form == DICOM:
            source = Source(self.origin.name, self.origin.sha256, label, self.settings.truncation)
            path.write_bytes(dicom(image, seed, source))
        else:
            path.write_bytes(png(image))

    def _give_up(self, passed: int, tried: int, label: str) -> None:
        self.journal.close()
        shutil.rmtree(self.journal.folder, ignore_errors=True)
        what = f" of class {label}" if label else ""
        raise DataError(
            f"Only {passed:,} of {tried:,} images{what} passed the check: the model repeats itself or its "
            "training images. Train it longer, on more images or with more variety, or switch the check off "
            "(--no-gate)."
        )

    def _describe(self, folder: Path) -> None:
        origin, settings = self.origin, asdict(self.settings)
        released = [entry for entry in self.journal.tried if entry["gate"] in (PASSED, UNCHECKED)]
        with (folder / METADATA).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            for entry in released:
                near = "" if entry["near"] is None else entry["near"]
                place = _place(entry["seed"], entry["label"], self.settings.form)
                more = (self.settings.truncation, near, entry["gate"], origin.name, origin.sha256)
                rows.writerow((place, entry["seed"], entry["label"], *more))
        labels = sorted({entry["label"] for entry in released} - {""})
        text = readme(origin.name, origin.sha256, origin.about, settings, self.summary.sentence(), labels)
        (folder / "README.md").write_text(text, "utf-8")
        record = {"format": 1, "model_sha256": origin.sha256, **settings, **asdict(self.summary)}
        write_json(folder / RECORD, record)
        (folder / "LICENSE").write_text(licence_text(self.settings.licence, origin.name), "utf-8")
