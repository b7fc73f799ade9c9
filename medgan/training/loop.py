"""The training loop: prepare, resume, step, log, sample, save. What it writes is the run folder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from medgan import __version__
from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import HELDOUT, TRAIN
from medgan.errors import DataError, MedGANError, RunError
from medgan.files import write_bytes
from medgan.generation.sampling import sample, with_standing_statistics
from medgan.images import grid, png
from medgan.runs.info import ModelInfo
from medgan.runs.record import (
    FAILED,
    FINISHED,
    QUEUED,
    RUNNING,
    STARTING,
    STOPPED,
    Run,
    Status,
    step_name,
    step_of,
)
from medgan.training.batches import Batches, latents
from medgan.training.devices import choose_device, choose_precision, holder, leave_a_core, reserve
from medgan.training.saving import restore_newest, save
from medgan.training.step import GanStep, StepResult

GRID_SEEDS = range(36)
KEEP = 2
"""Checkpoints that stay in the run folder; two, in case the newest cannot be read."""


@dataclass(frozen=True)
class Request:
    """What to train. With `resume`, the run folder's own settings count, but for `iterations`."""

    dataset: Path
    run: Path
    preset: str
    model: ModelConfig
    train: TrainConfig
    device: str = "auto"
    resume: bool = False


def train(
    request: Request,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    report: Callable[[Status], None] = lambda _: None,
) -> Status:
    """Train until the iterations are done, a stop is requested or `interrupted()` turns true.

    Everything learned is in the run folder afterwards. Returns the last status; raises a MedGANError,
    also written to the status, where it cannot go on.
    """
    run = Run(request.run)
    if request.resume:
        _settings_of(run)
    else:
        run.refuse_existing()
    run.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"Another process is training {run.folder}; stop it first, or use another folder."
        ) from None
    with lock:
        before = run.status() if request.resume else Status()
        status = replace(before, state=STARTING, message="Starting.")
        try:
            request = _prepare(run, request)
            _Training(run, request, status, interrupted, report).go()
        except MedGANError as error:
            _fail(run, status, str(error))
            raise
        except torch.OutOfMemoryError as error:
            message = (
                f"Out of memory at batch size {request.train.batch_size}; start a new run with batch size "
                f"{max(2, request.train.batch_size // 2)} or a smaller preset."
            )
            _fail(run, status, message)
            raise RunError(message) from error
        except BaseException as error:
            _fail(run, status, f"A bug ended it: {type(error).__name__}: {error}.")
            raise
        return status


def _prepare(run: Run, request: Request) -> Request:
    """Make the run folder, or take the settings of the one that is resumed."""
    data = Dataset(request.dataset)
    if not request.resume:
        if data.channels != request.model.channels or data.size != request.model.size:
            raise DataError(f"{data.name} does not have the model's channels and size; prepare it again.")
        run.create(_config_json(request, data))
        return request
    saved = _settings_of(run)
    if saved["dataset"]["content_sha256"] != data.info["content_sha256"]:
        raise DataError(f"{request.dataset} is not the data set that {run.folder} was trained on.")
    train_config = TrainConfig.from_json(saved["train"])
    if request.train.iterations:
        train_config = replace(train_config, iterations=request.train.iterations)
    return replace(
        request, preset=saved["preset"], model=ModelConfig.from_json(saved["model"]), train=train_config
    )


def _settings_of(run: Run) -> dict[str, Any]:
    saved = run.config()
    if not {"dataset", "train", "model", "preset"} <= saved.keys():
        raise RunError(f"{run.folder} is not a run folder; name the one that `train --run` made.")
    return saved


def _config_json(request: Request, data: Dataset) -> dict[str, Any]:
    return {
        "preset": request.preset,
        "model": request.model.to_json(),
        "train": request.train.to_json(),
        "device": request.device,
        "dataset": {
            "path": str(request.dataset.resolve()),
            "name": data.name,
            "content_sha256": data.info["content_sha256"],
            "splits": data.info["splits"],
            "classes": data.info["classes"],
        },
        "versions": {"medgan": __version__, "torch": torch.__version__},
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _fail(run: Run, status: Status, message: str) -> None:
    status.state, status.message = FAILED, message
    run.write_status(status)


class _Training:
    """One stretch of training, from a fresh start or a checkpoint to the end or a stop."""

    def __init__(
        self,
        run: Run,
        request: Request,
        status: Status,
        interrupted: Callable[[], bool],
        report: Callable[[Status], None],
    ) -> None:
        self.run, self.request, self.status = run, request, status
        self.interrupted, self.report = interrupted, report
        self.config = request.train
        self.device = choose_device(request.device)
        self.window: list[StepResult] = []

    def go(self) -> None:
        leave_a_core()
        precision = choose_precision(self.config.precision, self.device)
        self.status.device = str(self.device)
        self.status.precision = str(precision).removeprefix("torch.")
        self._say(self.status.state, "Loading the images.")
        # All of it is read now: whatever happens to the folder later, this training goes on.
        self.data = Dataset(self.request.dataset)
        images = self.data.part(TRAIN)
        self.batches = Batches(images, self.config.batch_size, self.config.seed, self.device)
        self.total = self.status.iterations = self.config.total_iterations(len(images))
        latest = self.run.latest() if self.request.resume else None
        self._progress(step_of(latest) if latest else 0)
        with reserve(self.device, self._wait, name=self.run.name) as mine:
            if not mine:
                self._say(STOPPED, "Stopped while it was waiting for the device.")
                return
            self.step = GanStep(self.request.model, self.config, self.device, precision)
            start = restore_newest(self.run.checkpoints(), self.step) if latest else 0
            self.run.rewind_events(start)
            self._train_from(start)

    def _train_from(self, start: int) -> None:
        self.seconds = self._seconds_so_far()
        self.clock, self.clock_step = time.monotonic(), start
        self._progress(start)
        self._say(RUNNING, "Training.")
        done = start
        while done < self.total and not self._stopping():
            self.window.append(self._one(done))
            done += 1
            last = done == self.total
            if done % self.config.log_every == 0 or last:
                self._log(done)
            if done % self.config.sample_every == 0 or last or done == 1:
                self._sample(done)
            if done % self.config.checkpoint_every == 0 and not last:
                self._save(done)
        self._end(done, FINISHED if done >= self.total else STOPPED)

    def _one(self, index: int) -> StepResult:
        real = self.batches.real(index)
        noise = latents(self.config.seed, index, len(real), self.request.model.latent)
        return self.step(real, noise.to(self.device))

    def _log(self, done: int) -> None:
        names = ("loss_d", "loss_g", "d_real", "d_fake")
        means = [float(torch.stack([getattr(r, n) for r in self.window]).mean()) for n in names]
        self.window.clear()
        if not all(map(math.isfinite, means)):
            raise RunError(
                f"The losses are no longer numbers at step {done}; the checkpoints before it are kept. "
                "Start a new run with another seed; this one would end the same way."
            )
        now = time.monotonic()
        seconds = now - self.clock
        images = self.batches.images_seen(done) - self.batches.images_seen(self.clock_step)
        self.seconds += seconds
        self.clock, self.clock_step = now, done
        self._progress(done)
        self.status.images_per_second = round(images / seconds, 2)
        remaining = self.batches.images_seen(self.total) - self.status.images
        self.status.seconds_left = round(remaining / (images / seconds), 1)
        event = dict(zip(names, (round(value, 5) for value in means), strict=True))
        self.run.add_event(
            {
                "step": done,
                "images": self.status.images,
                **event,
                "images_per_second": self.status.images_per_second,
                "seconds": round(self.seconds, 2),
            }
        )
        self._say(RUNNING, "Training.")

    def _sample(self, done: int) -> None:
        images = sample(self._generator(), GRID_SEEDS)
        path = self.run.folder / "samples" / f"{step_name(done)}.png"
        write_bytes(path, png(grid(images, columns=6)))
        self._heartbeat(done)

    def _save(self, done: int) -> None:
        info = ModelInfo(self.request.model, self._about(done))
        save(self.run.folder / "checkpoints" / step_name(done), self.step, self._generator(), info, done)
        self.run.prune(KEEP)
        self._heartbeat(done)

    def _generator(self) -> torch.nn.Module:
        with self.step.autocast():
            return with_standing_statistics(self.step.generator, self.config.batch_size)

    def _about(self, done: int) -> dict[str, Any]:
        data = self.data
        return {
            "name": self.run.name,
            "preset": self.request.preset,
            "step": done,
            "images_seen": self.batches.images_seen(done),
            "train": self.config.to_json(),
            "dataset": {
                "name": data.name,
                "train": data.info["splits"].get(TRAIN, 0),
                "heldout": data.info["splits"].get(HELDOUT, 0),
                "classes": data.info["classes"],
                "content_sha256": data.info["content_sha256"],
            },
            "versions": {"medgan": __version__, "torch": torch.__version__},
        }

    def _end(self, done: int, state: str) -> None:
        if done:
            if self.window:
                self._log(done)
            if not (self.run.folder / "checkpoints" / step_name(done)).exists():
                self._save(done)
        saved = "Stopped; everything learned is saved." if done else "Stopped before the first step."
        words = {FINISHED: "Finished.", STOPPED: saved}
        self.status.seconds_left = None
        self._progress(done)
        self._say(state, words[state])

    def _seconds_so_far(self) -> float:
        return float(next((e["seconds"] for e in reversed(self.run.events()) if "seconds" in e), 0.0))

    def _progress(self, done: int) -> None:
        self.status.step, self.status.images = done, self.batches.images_seen(done)

    def _heartbeat(self, done: int) -> None:
        self._progress(done)
        self._say(self.status.state, self.status.message)

    def _say(self, state: str, message: str) -> None:
        self.status.state, self.status.message = state, message
        self.run.write_status(self.status)
        self.report(self.status)

    def _wait(self) -> bool:
        who = holder(self.device) or "another training"
        self._say(QUEUED, f"Waiting: {who} is using {self.device}. It starts by itself.")
        return not self._stopping()

    def _stopping(self) -> bool:
        return self.interrupted() or self.run.stop_requested()
