"""Study whether synthetic images help a classifier, and whether a model finds what is not normal."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.arguments_studies import AUTO
from medgan.cli.models import model_folder
from medgan.cli.work import chosen_preset
from medgan.config import GOALS, parse_changes
from medgan.errors import ConfigError, Interrupted
from medgan.presets import preset
from medgan.terminal import Bar, StopOnSignal, say

if TYPE_CHECKING:
    from medgan.data.dataset import Dataset
    from medgan.studies.models import Recipe

Progress = Callable[[str, int, int], None]


def study_usefulness(options: argparse.Namespace) -> dict[str, Any]:
    """Do the whole study, or go on with it."""
    from medgan.data.dataset import Dataset
    from medgan.studies.arms import chosen
    from medgan.studies.usefulness import Plan, study
    from medgan.studies.words import usefulness_table

    out = Path(options.out)
    with _watched(options.record) as (interrupted, progress):
        data = Dataset(options.dataset)
        for name in ("seeds", "epochs"):
            _positive(name, getattr(options, name))
        plan = Plan(
            recipe=_recipe(options, data),
            features=_features(options.features),
            classifier=options.classifier,
            epochs=options.epochs,
            seeds=options.seeds,
            arms=tuple(chosen(options.arms)),
            classes=tuple(filter(None, (name.strip() for name in options.classes.split(",")))),
            given=dict(_given(text) for text in options.model),
            seed=options.seed,
        )
        try:
            result = study(data, out, plan, interrupted=interrupted, progress=progress)
        except Interrupted:
            raise Interrupted(f"Interrupted; {out} is saved, the same command goes on with it.") from None
    say(usefulness_table(result))
    say(f"Written to {out / 'study.json'}")
    return result


def anomaly(options: argparse.Namespace) -> dict[str, Any]:
    """Train an encoder on normal images, and see which test images it cannot rebuild."""
    from medgan.data.dataset import Dataset
    from medgan.studies.anomaly import Question, detect
    from medgan.studies.words import anomaly_table

    out = Path(options.out)
    with _watched(options.record) as (interrupted, progress):
        _positive("iterations", options.iterations)
        data = Dataset(options.dataset)
        question = Question(options.normal, _features(options.features), options.iterations, options.seed)
        result = detect(
            model_folder(options.model), data, question, out, interrupted=interrupted, progress=progress
        )
    say(anomaly_table(result))
    say(f"Written to {out}: anomaly.json, anomalies.png (image, rebuilt, heat; red bar: not normal), heat/")
    return result


@contextmanager
def _watched(record: Path | None) -> Iterator[tuple[Callable[[], bool], Progress]]:
    """Whether to save and end, by a signal or by a request in the folder `record`; and progress, on the
    terminal and in that folder's status."""
    from medgan.runs.watched import watched
    from medgan.training.devices import leave_a_core

    # Training does so, and what comes after it must not depend on whether this process has trained.
    leave_a_core()
    with watched(record) as watch, StopOnSignal() as signal, Bar("") as bar:

        def interrupted() -> bool:
            return signal.requested() or watch.stop_wanted()

        def progress(what: str, done: int, total: int) -> None:
            bar.label(what)
            bar.update(done, total)
            watch.note(what, done, total)

        watch.note("Loading", 0, 1)
        yield interrupted, progress


def _recipe(options: argparse.Namespace, data: Dataset) -> Recipe:
    from medgan.studies.models import Recipe

    goal = {name: getattr(options, name) for name in GOALS if getattr(options, name) is not None}
    for name, value in goal.items():
        _positive(name, value)
    model_changes, train_changes = parse_changes(options.set)
    name = chosen_preset(options)
    model, config = preset(name).for_data(channels=data.channels, size=data.size)
    # Stopping by the validation part would let it have a say in what is studied.
    settings = {"stop_on": "never", "seed": options.seed} | train_changes
    return Recipe(
        preset=name,
        model=replace(model, **model_changes),
        train=replace(config, **settings).with_goal(goal),
        device=options.device,
    )


def _features(name: str) -> str:
    from medgan.metrics.features import choose

    if name != AUTO:
        return name
    choice = choose()
    say(choice.sentence)
    return choice.network.name


def _given(text: str) -> tuple[str, Path]:
    label, equals, spec = text.partition("=")
    if not equals or not label or not spec:
        raise ConfigError(f"--model {text} is not possible; write --model CLASS=MODEL.")
    return label, model_folder(spec)


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"--{name} is {value}; it must be above 0.")
