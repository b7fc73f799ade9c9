"""`train --on ENGINE`: the same training as a job elsewhere, followed from here."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medgan.cli.models import model_folder
from medgan.cli.work import changes_of, outcome, refuse_new_settings
from medgan.errors import ConfigError, RunError
from medgan.launchers.follow import Follower, begin, check, known_job
from medgan.launchers.hfjobs import HfJobs
from medgan.launchers.order import Launcher, Order
from medgan.launchers.slurm import Slurm
from medgan.runs.launch import read_note
from medgan.runs.record import FAILED, INTERRUPTED, Run
from medgan.terminal import Bar, StopOnSignal, agreed, say

LAUNCHERS: dict[str, type[Launcher]] = {"slurm": Slurm, "hf-jobs": HfJobs}
PASSED = (
    "preset",
    "kimg",
    "iterations",
    "minutes",
    "batch_size",
    "augment",
    "seed",
    "stop_on",
    "device",
    "devices",
)
"""Options with a value that the training elsewhere gets as they are."""
HOURS, MOST_HOURS = 12.0, 720


def train_elsewhere(options: argparse.Namespace) -> dict[str, Any]:
    """Say what the job takes, start it (or find it, with `--resume`), and follow it to its end; with `--plan`
    say it alone."""
    launcher, order = LAUNCHERS[options.on](), ordered(options)
    job = known_job(order, launcher)
    if job is None:
        _refuse(options, Run(order.run))
    if options.plan:
        return _planned(launcher, order, job)
    if job is None:
        check(launcher, order)
        for sentence in launcher.plan(order):
            say(sentence)
        if launcher.asks(order) and not options.yes:
            _ask()
        job = begin(launcher, order)
        say(f"Job {job} of {launcher.title} is in the line; Ctrl-C leaves it alone.")
    else:
        say(f"Job {job} of {launcher.title} has this run already; Ctrl-C leaves it alone.")
    with StopOnSignal("The job goes on; a second Ctrl-C leaves at once.") as stop, Bar("it") as bar:
        last = [""]

        def report(status: Any) -> None:
            if status.message != last[0]:
                last[0] = status.message
                bar.write(status.message)
            bar.update(status.step, status.iterations)

        status = Follower(launcher, order, job).follow(interrupted=stop.requested, report=report)
    if status.state in (FAILED, INTERRUPTED):
        raise RunError(status.message)
    say(status.message)
    return outcome(options.run, status) | {"engine": launcher.name, "job": job}


def _planned(launcher: Launcher, order: Order, job: str | None) -> dict[str, Any]:
    """What `--plan` prints: the `job` that has this run already, or what is missing, or what will be done."""
    needs = [] if job else launcher.needs(order)
    plan = [] if job or needs else launcher.plan(order)
    for sentence in [f"Job {job} of {launcher.title} has this run already."] if job else [*needs, *plan]:
        say(sentence)
    hardware = [asdict(one) for one in launcher.hardware()]
    return {"engine": launcher.name, "job": job, "needs": needs, "plan": plan, "hardware": hardware}


def _ask() -> None:
    answer = agreed("Start it?")
    if answer is None:
        raise RunError("Nothing was started: add --yes if that is what you want.")
    if not answer:
        raise RunError("Nothing was started.")


def _refuse(options: argparse.Namespace, run: Run) -> None:
    if options.resume:
        refuse_new_settings(options)
        run.config()
    else:
        run.refuse_existing()
    status = run.status()
    if status.alive and status.pid != os.getpid():  # the dashboard names this process before it has begun
        raise RunError(f"{run.name} is at work already; stop it first, or choose another folder.")


def ordered(options: argparse.Namespace) -> Order:
    """The order that these options are, its paths absolute. MedGANError if the data set cannot be used."""
    from medgan.data.dataset import Dataset

    if not options.run:
        raise ConfigError("Say where the run goes: --run FOLDER.")
    changes_of(options)  # before anything leaves
    dataset, run = Dataset(options.dataset).folder.resolve(), Path(options.run).resolve()
    before = _before(run, options)
    hours = options.hours if options.hours is not None else float(before.get("hours", HOURS))
    if not 0 < hours <= MOST_HOURS:
        raise ConfigError(f"--hours is {hours:g}; a job takes more than 0 and at most {MOST_HOURS}.")
    device = options.device or str(before.get("device", ""))
    place = (str(dataset), f"--run={run}")
    arguments = (*place, *_passed(options))
    return Order(
        dataset=dataset,
        run=run,
        arguments=arguments,
        again=arguments if options.resume else (*place, "--resume"),
        gpus=0 if device == "cpu" else options.devices or int(before.get("devices", 1)),
        hours=hours,
        settings={**before.get("settings", {}), **_settings(options)},
    )


def _before(run: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What a run that goes on had: `device`, `devices`, and of the same engine `hours` and `settings`."""
    if not options.resume:
        return {}
    note = read_note(Run(run))
    return Run(run).config() | (note if note.get("engine") == options.on else {})


def _passed(options: argparse.Namespace) -> list[str]:
    given = {name: getattr(options, name) for name in PASSED}
    found = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    found += [f"--set={change}" for change in options.set]
    found += [f"--{name}" for name in ("conditional", "resume") if getattr(options, name)]
    return found + ([f"--init={model_folder(options.init).resolve()}"] if options.init is not None else [])


def _settings(options: argparse.Namespace) -> dict[str, str]:
    settings = {}
    for setting in options.slurm:
        name, equals, value = setting.partition("=")
        if not equals or not name or not value:
            raise ConfigError(f"--slurm {setting!r} is no KEY=VALUE, such as account=NAME.")
        settings[name.strip().lstrip("-").replace("-", "_")] = value.strip()
    for name in ("partition", "flavor"):
        if getattr(options, name):
            settings[name] = getattr(options, name)
    return settings
