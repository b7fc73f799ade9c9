"""What a run would take here, from a few measured steps: time, memory, disk."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.split import TRAIN
from medgan.errors import DataError
from medgan.training.batches import Batches
from medgan.training.bodies import obtain
from medgan.training.clock import SHARE
from medgan.training.devices import choose_precision, find_device, leave_a_core, user_of
from medgan.training.request import Request, fitting
from medgan.training.step import GanStep
from medgan.training.stretch import KEEP
from medgan.training.trial import (
    Trial,
    available_memory,
    checkpoint_bytes,
    is_out_of_memory,
    part_of,
    smaller_batch_that_fits,
    try_steps,
)


@dataclass(frozen=True)
class Estimate:
    """Of a run on this machine. `seconds` and `images_per_second` are None where memory does not suffice;
    `batch_that_fits` is then the batch size that does (0: none), else the one that was asked for. Bytes of
    `memory` are those of the device, or of the machine for a CPU; `disk` is what the run folder will hold.
    """

    device: str
    precision: str
    batch_size: int
    iterations: int
    images: int
    seconds: float | None
    images_per_second: float | None
    memory: int | None
    memory_free: int
    memory_suffices: bool
    batch_that_fits: int
    disk: int
    disk_free: int
    disk_suffices: bool
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values, with the words."""
        return asdict(self) | {"words": self.words()}

    def words(self) -> str:
        """A few sentences for a person."""
        said = [self._time(), self._memory()]
        disk = f"The run folder takes up to {_size(self.disk)}"
        said.append(
            f"{disk}, but only {_size(self.disk_free)} are free." if not self.disk_suffices else f"{disk}."
        )
        return " ".join(filter(None, [*said, self.note]))

    def _time(self) -> str:
        if self.seconds is None or self.images_per_second is None:
            return ""
        return (
            f"About {_duration(self.seconds)} on {self.device} ({self.precision}) for {self.iterations:,} "
            f"steps of {self.batch_size} images, {self.images_per_second:,.1f} images a second."
        )

    def _memory(self) -> str:
        if self.memory_suffices:
            return f"It takes {_size(self.memory or 0)} of memory, and {_size(self.memory_free)} are free."
        if self.batch_that_fits:
            return f"Memory does not suffice for batch size {self.batch_size}; {self.batch_that_fits} fits."
        return "Memory does not suffice, not even for batch size 2; take a smaller preset or another device."


def estimate(request: Request) -> Estimate:
    """Measure a few steps of what `request` would train; no run is made. DataError or ConfigError as
    training would raise them."""
    leave_a_core(request.devices)
    data = Dataset(request.dataset)
    config = fitting(request.train, data)
    images = int(data.info["splits"].get(TRAIN, 0))
    if not images:
        raise DataError(f"{data.name} has no images for training; prepare it again.")
    model, without = obtain(request.model, lambda _: None)
    device, note = find_device(request.device or "auto")
    precision = choose_precision(config.precision, device)
    user = user_of(device)
    busy = f"{user} is using {device} now; alone it is faster." if user else ""
    shared = f"{request.devices} devices share each batch; what they say to each other is not counted."
    part = replace(config, batch_size=part_of(config.batch_size, request.devices))
    trial = _try(model, part, device, precision)
    here = request.devices if device.type == "cpu" else 1  # processes that share one memory
    suffices = trial is not None and trial.needed * here < trial.available
    speed = config.batch_size / trial.seconds if trial else None
    steps = config.total_iterations(images)
    if trial and config.minutes:
        steps = round(60 * config.minutes / trial.seconds / (1 + SHARE))
    shown = Batches(np.empty((images, 0), np.uint8), config.batch_size, 0).images_seen(steps)
    disk = checkpoint_bytes(GanStep(model, config, torch.device("cpu"), torch.float32)) * (KEEP + 2)
    free_disk = shutil.disk_usage(_existing(request.run)).free
    return Estimate(
        device=str(device),
        precision=str(precision).removeprefix("torch."),
        batch_size=config.batch_size,
        iterations=steps,
        images=images,
        seconds=round(shown / speed * (1 + SHARE), 1) if speed else None,
        images_per_second=round(speed, 2) if speed else None,
        memory=trial.needed * here if trial else None,
        memory_free=trial.available if trial else available_memory(device),
        memory_suffices=suffices,
        batch_that_fits=config.batch_size
        if suffices
        else smaller_batch_that_fits(model, config, device, precision, processes=request.devices),
        disk=disk,
        disk_free=free_disk,
        disk_suffices=disk < free_disk,
        note=" ".join(filter(None, [note, without, busy, shared if request.devices > 1 else ""])),
    )


def _try(
    model: ModelConfig, config: TrainConfig, device: torch.device, precision: torch.dtype
) -> Trial | None:
    try:
        return try_steps(model, config, device, precision)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    path = path.resolve()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
