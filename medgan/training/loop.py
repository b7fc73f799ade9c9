"""Training as a process on a run folder: alone in it, in line for the device, ended with a clear sentence."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from filelock import FileLock, Timeout

from medgan.errors import MedGANError, RunError
from medgan.runs.queue import Ticket
from medgan.runs.record import FINISHED, PAUSED, QUEUED, STARTING, STOPPED, Run, Status, step_of
from medgan.training import failures
from medgan.training.bodies import obtain
from medgan.training.desk import Desk
from medgan.training.devices import (
    choose_precision,
    find_device,
    holder,
    leave_a_core,
    local_devices,
    reserve_all,
)
from medgan.training.observers import MakeObservers, nobody
from medgan.training.request import Request, prepare, settings_of
from medgan.training.setting import Setting
from medgan.training.stretch import Training
from medgan.training.together import ALONE, Together
from medgan.training.trial import is_out_of_memory

__all__ = ["Request", "train"]

NAP = 0.1
"""Seconds between two looks of a paused training."""


def train(
    request: Request,
    *,
    observers: MakeObservers = nobody,
    interrupted: Callable[[], bool] = lambda: False,
    report: Callable[[Status], None] = lambda _: None,
    together: Together = ALONE,
) -> Status:
    """Train until the goal is reached, a stop is requested or `interrupted()` turns true.

    Everything learned is in the run folder afterwards. Returns the last status; raises a MedGANError,
    also written to the status, where it cannot go on. Of several processes that train `together` this is
    for the main one; the others `follow` it.
    """
    run = Run(request.run)
    if request.resume:
        settings_of(run)
    else:
        run.refuse_existing()
    run.folder.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        before = run.status() if request.resume else Status()
        status = _first_status(run, before)
        with Desk(run, status, interrupted=interrupted, report=report) as desk:
            _train_or_explain(run, request, desk, observers, together, before)
        together.share(None)  # the others may go
        return status


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    lock = FileLock(run.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"Another process is training {run.folder}; stop it first, or use another folder."
        ) from None
    with lock:
        run.sweep()
        yield


def _first_status(run: Run, before: Status) -> Status:
    """It shows at once how far a run is that goes on."""
    latest = run.latest()
    return Status(
        state=STARTING,
        message="Starting.",
        device=before.device,
        step=step_of(latest) if latest else 0,
        iterations=before.iterations,
        images=before.images,
        seconds=before.seconds,
        minutes=before.minutes,
    )


def _train_or_explain(
    run: Run,
    request: Request,
    desk: Desk,
    observers: MakeObservers,
    together: Together,
    before: Status,
) -> None:
    """Train; an error is said in the status, and raised as our own where it is no bug."""
    setting: list[Setting] = []
    try:
        setting.append(_set(run, request, desk, together))
        _work(setting[0], desk, observers)
    except MedGANError as error:
        message = failures.sentence(error, run) or str(error)
        if before.state == FINISHED and not setting:  # it is what it was, and only does not go on
            desk.say(FINISHED, message)
        else:
            desk.fail(message)
        raise (error if message == str(error) else RunError(message)) from error.__cause__
    except BaseException as error:
        message = failures.sentence(error, run)
        if setting and is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # they hold what fills the memory
            s = setting[0]
            message = failures.out_of_memory(
                s.request.model, s.request.train, s.device, s.precision, run, processes=together.count
            )
        if not message:
            desk.fail(f"A bug ended it: {type(error).__name__}: {error}. {failures.kept(run)}")
            raise
        desk.fail(message)
        raise RunError(message) from error


def _set(run: Run, request: Request, desk: Desk, together: Together) -> Setting:
    leave_a_core(together.count)
    desk.say(STARTING, "Loading the images.")
    request = replace(request, devices=together.count)
    without = ""
    if not request.resume:
        model, without = obtain(request.model, partial(desk.say, STARTING))
        request = replace(request, model=model)
    request, data, images = prepare(run, request)
    wanted = str(together.device.type if together.device else request.device or "auto")
    device, note = find_device(wanted, before=desk.status.device)
    precision = choose_precision(request.train.precision, device)
    desk.update(
        device=str(device),
        devices=together.count,
        precision=str(precision).removeprefix("torch."),
    )
    note = " ".join(filter(None, [note, without]))
    return Setting(run, request, data, images, device, precision, note, together)


def _work(setting: Setting, desk: Desk, observers: MakeObservers) -> None:
    """Stretches of training, each with the device for itself, and pauses without it."""
    training: Training | None = None
    while True:
        wait = partial(_wait, desk)
        devices = local_devices(setting.device, setting.together.count)
        with reserve_all(devices, wait, name=setting.run.name, folder=setting.run.folder) as mine:
            if mine:
                training = training or Training(setting, desk, observers)
                training.stretch()
        if training and training.over:
            return
        if desk.stop_wanted():
            desk.say(STOPPED, _words(training, "Stopped"))
            return
        _pause(desk, training)


def _wait(desk: Desk, device: torch.device, before: list[Ticket]) -> bool:
    """Say who is at work on the device; False if it shall not wait any longer."""
    who = holder(device) or "another training"
    line = f", and {len(before)} before this one in line" if before else ""
    message = f"Waiting: {who} is using {device}{line}. It starts by itself."
    if (desk.status.state, desk.status.message) != (QUEUED, message):
        desk.say(QUEUED, message)
    return not desk.called_away()


def _pause(desk: Desk, training: Training | None) -> None:
    """Wait until somebody lets it go on. The device is free for others meanwhile."""
    desk.say(PAUSED, _words(training, "Paused"), seconds_left=None, **(training.facts() if training else {}))
    while desk.pause_wanted() and not desk.stop_wanted():
        if training:
            training.grant_wishes()
        time.sleep(NAP)


def _words(training: Training | None, what: str) -> str:
    if training is None:
        return f"{what} while it was waiting for the device."
    return f"{what}; everything learned is saved." if training.done else f"{what} before the first step."
