"""Evaluate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.cli.models import model_folder
from medgan.errors import DataError
from medgan.terminal import Bar, say

if TYPE_CHECKING:
    from medgan.evaluation.scorecard import Scorecard
    from medgan.evaluation.watch import Progress


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Judge a model, or a folder of images, against held-out images."""
    from medgan.evaluation.pictures import save_pictures
    from medgan.evaluation.report import save_report, text_table
    from medgan.files import write_bytes
    from medgan.runs.watched import watched
    from medgan.training.devices import leave_a_core

    out = Path(options.out)
    _refuse_to_replace(out)
    if options.html and options.html.exists() and not options.html.is_file():
        raise DataError(f"{options.html} is a folder; name a file.")
    if options.record:
        leave_a_core()  # it was started from the dashboard, whose clicks want one
    with watched(options.record) as record, Bar("") as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.label(what)
            bar.update(done, total)
            record.progress(what, done, total)

        record.progress("Loading", 0, 1)
        card = _judged(options, progress)
        if options.record:
            save_pictures(card.pictures, options.record)
        if options.html:
            from medgan.evaluation.html import html

            write_bytes(options.html, html(card.report, card.pictures).encode())
        save_report(card.report, out)
    say(text_table(card.report))
    say(f"Written to {out}{f' and {options.html}' if options.html else ''}")
    return card.report


def _judged(options: argparse.Namespace, progress: Progress) -> Scorecard:
    from medgan.data.dataset import Dataset
    from medgan.evaluation.judged import is_image_folder
    from medgan.evaluation.scorecard import judge_folder, judge_model
    from medgan.evaluation.settings import Settings

    settings = Settings(
        count=options.count,
        split=options.split,
        features=options.features,
        parts=[part.strip() for part in options.parts.split(",") if part.strip()],
        bootstrap=options.bootstrap,
        seed=options.seed,
        lpips=options.lpips_net,
    )
    settings.check()
    study = _study(options.study)
    if is_image_folder(options.model):
        folder = Path(options.model).expanduser()
        return judge_folder(folder, Dataset(options.dataset), settings, study=study, progress=progress)
    model = model_folder(options.model)
    return judge_model(model, Dataset(options.dataset), settings, study=study, progress=progress)


def _study(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as JSON; give what study-usefulness wrote.") from error


def _refuse_to_replace(out: Path) -> None:
    """An earlier report may be replaced, nothing else."""
    from medgan.evaluation.report import load_report

    if out.exists():
        try:
            load_report(out)
        except DataError:
            raise DataError(f"{out} exists and is no report; choose another name.") from None
