"""Train."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.arguments import HERE
from medgan.cli.models import model_folder
from medgan.config import GOALS, ModelConfig, TrainConfig, parse_changes
from medgan.errors import ConfigError, Interrupted
from medgan.presets import preset, usual_preset
from medgan.runs.status import FINISHED
from medgan.terminal import Bar, StopOnSignal, say

if TYPE_CHECKING:
    from medgan.runs.info import ModelInfo
    from medgan.runs.status import Status
    from medgan.training.request import Request
    from medgan.training.together import Together


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Train a GAN; the run folder says how far it is."""
    if options.estimate:
        return _estimate(options)
    if options.on != HERE:
        from medgan.cli.elsewhere import train_elsewhere

        return train_elsewhere(options)
    if options.plan:
        raise ConfigError("--plan is for trainings elsewhere (--on); --estimate measures one here.")
    if strange := _for_elsewhere(options):
        raise ConfigError(
            f"{strange} is for trainings elsewhere: name the engine too (--on slurm or hf-jobs)."
        )
    from medgan.training.together import leave

    if not options.run:
        raise ConfigError("Say where the run goes: --run FOLDER.")
    if options.resume:
        refuse_new_settings(options)
    together, well = _gathered(options), False
    try:
        result = _train(options, together) if together.main else _follow(together)
        well = True
    except Interrupted:
        well = True
        raise
    finally:
        leave(together, well=well)
    if not together.main:
        raise SystemExit(0)
    return result


def _for_elsewhere(options: argparse.Namespace) -> str:
    """The first option that was given and means nothing for a training here; empty where there is none."""
    names = ("flavor", "partition", "slurm", "hours", "yes")
    return next((f"--{name}" for name in names if getattr(options, name)), "")


def _follow(together: Together) -> dict[str, Any]:
    from medgan.training.worker import follow

    with StopOnSignal():  # the main process hears it too, and says what is done
        follow(together)
    return {}


def _gathered(options: argparse.Namespace) -> Together:
    """This process and those that train with it. With `--devices` they are started, and this one only
    waits for them."""
    from medgan.runs.record import Run
    from medgan.training.devices import choose_device
    from medgan.training.processes import check, lead, most
    from medgan.training.together import ALONE, join, launched

    known = Run(options.run).config() if options.resume else {}
    device = options.device or str(known.get("device", "auto"))
    count = options.devices if options.devices is not None else int(known.get("devices", 1))
    if launched() > 1:
        return join(choose_device(device).type)
    if options.devices is not None:
        check(count, device)
    elif count > 1 and count > most(device):
        say(f"It was trained on {count} devices and goes on with the {most(device)} there are here.")
        count = most(device)
    if count > 1:
        raise SystemExit(lead(sys.argv[1:], count, device))
    return ALONE


def _train(options: argparse.Namespace, together: Together) -> dict[str, Any]:
    from medgan.training.heldout import observers
    from medgan.training.loop import train as train_run

    request = _request_to_resume(options) if options.resume else _request(options)
    with StopOnSignal() as stop, Bar("it") as bar:
        last = [""]

        def report(status: Any) -> None:
            if status.message != last[0]:
                last[0] = status.message
                bar.write(f"{status.message} [{status.device}, {status.precision}]")
            bar.update(status.step, status.iterations)

        status = train_run(
            request, observers=observers, interrupted=stop.requested, report=report, together=together
        )
    result = outcome(options.run, status)
    if stop.requested() and status.state != FINISHED:
        if options.json:
            print(json.dumps(result, indent=2))
        raise Interrupted(
            f"Interrupted at step {status.step}; {options.run} is saved, add --resume to go on."
        )
    return result


def outcome(run: str, status: Status) -> dict[str, Any]:
    """What `train --json` prints of a run's last status."""
    facts = ("state", "message", "step", "iterations", "images", "seconds", "device", "devices", "precision")
    return {"run": run} | {name: getattr(status, name) for name in facts}


def _goal(options: argparse.Namespace) -> dict[str, Any]:
    goal = {name: getattr(options, name) for name in GOALS if getattr(options, name) is not None}
    for name, value in goal.items():
        if not value > 0:
            raise ConfigError(f"--{name} is {value}; it must be above 0.")
    return goal


def _request(options: argparse.Namespace) -> Request:
    from medgan.data.dataset import Dataset
    from medgan.runs.info import begins_new, read_info
    from medgan.training.beginning import model_like
    from medgan.training.request import Request, classes_of

    data = Dataset(options.dataset)
    name = chosen_preset(options)
    model_changes, train_changes = changes_of(options)
    for key in ("batch_size", "seed", "stop_on", "augment"):
        if getattr(options, key) is not None:
            train_changes.setdefault(key, getattr(options, key))
    model, config = preset(name).for_data(channels=data.channels, size=data.size)
    goal = {key: train_changes.pop(key) for key in GOALS if key in train_changes} | _goal(options)
    model = replace(model, **model_changes)
    if options.conditional:
        model = replace(model, classes=classes_of(data))
    init = model_folder(options.init) if options.init is not None else None
    if init:
        source = read_info(init)
        model = model_like(source, model, options.init)
        said = [
            f"Begins with {options.init} and takes its networks, whatever the preset's are.",
            "Its classes are not kept apart: --conditional does that." if _forgets(source, model) else "",
            begins_new(init, source.model, [name for name, _ in model.classes]),
        ]
        say(" ".join(filter(None, said)))
    return Request(
        dataset=Path(options.dataset),
        run=Path(options.run or "run"),
        preset=name,
        model=model,
        train=replace(config, **train_changes).with_goal(goal),
        device=options.device,
        devices=options.devices or 1,
        init=init,
    )


def changes_of(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `--set` changes of the model and of the training. ConfigError for what cannot be, and for networks
    where `--init` brings its own."""
    model, train = parse_changes(options.set)
    if options.init and model:
        raise ConfigError(
            f"--init takes the networks of {options.init} as they are; leave --set {next(iter(model))} away."
        )
    return model, train


def _forgets(source: ModelInfo, model: ModelConfig) -> bool:
    return bool(source.model.classes) and not model.classes


def chosen_preset(options: argparse.Namespace) -> str:
    """The name of the preset that was asked for, else of the usual one for the device. ConfigError if that
    device is not there."""
    from medgan.training.devices import choose_device

    if options.preset:
        return str(options.preset)
    name = usual_preset(gpu=choose_device(options.device or "auto").type != "cpu")
    say(f"Preset {name}; --preset names another.")
    return name


def refuse_new_settings(options: argparse.Namespace) -> None:
    """ConfigError for settings that a run that goes on has already."""
    given = [
        f"--{key.replace('_', '-')}"
        for key in ("preset", "batch_size", "seed", "stop_on", "augment", "init")
        if getattr(options, key) is not None
    ]
    given += [f"--{key}" for key in ("set", "conditional") if getattr(options, key)]
    if given:
        raise ConfigError(
            f"A run that goes on keeps its settings; leave {' and '.join(given)} away, or start a new run."
        )


def _request_to_resume(options: argparse.Namespace) -> Request:
    """Its settings are in the run folder; here only the goal and the device may be new."""
    from medgan.training.request import Request

    return Request(
        dataset=Path(options.dataset),
        run=Path(options.run),
        preset="",
        model=ModelConfig(),
        train=TrainConfig().with_goal(_goal(options)),
        device=options.device,
        resume=True,
    )


def _estimate(options: argparse.Namespace) -> dict[str, Any]:
    from medgan.training.estimate import estimate
    from medgan.training.processes import check

    if options.devices is not None:
        check(options.devices, options.device or "auto")
    found = estimate(_request(options))
    say(found.words())
    return found.to_json()
