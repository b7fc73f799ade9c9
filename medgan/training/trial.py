"""A few steps on made-up images: how long one takes, how much memory it needs, and which batch fits."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil
import torch
from torch import nn

from medgan.config import ModelConfig, TrainConfig
from medgan.training.augment import DRAWS
from medgan.training.batches import chances, latents
from medgan.training.graphs import as_one_launch
from medgan.training.step import GanStep, StepResult

WARM_UP = {"cuda": 6}
"""Steps that are not timed: the first ones reserve memory and choose algorithms, and record a CUDA graph."""
_NO_CPU_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc")


@dataclass(frozen=True)
class Trial:
    """Seconds of one step (the median), the bytes that the steps took at most, networks and optimisers
    included, what was free before, and the bytes of one checkpoint."""

    seconds: float
    needed: int
    available: int
    checkpoint: int


def try_steps(
    model: ModelConfig,
    train: TrainConfig,
    device: torch.device,
    precision: torch.dtype,
    *,
    steps: int = 3,
    patience: float = 20.0,
) -> Trial:
    """Do up to `steps` timed steps, fewer if that takes longer than `patience` seconds.

    Raises what a step raises where memory does not suffice (`is_out_of_memory`).
    """
    free(device)
    available, begun = available_memory(device), time.monotonic()
    times: list[float] = []
    with _peak(device) as taken:
        step = GanStep(model, train, device, precision)
        work = as_one_launch(step, train, train.batch_size) or step
        warm = WARM_UP.get(device.type, 2)
        while not times or (len(times) < warm + steps and time.monotonic() - begun < patience):
            times.append(_one(work, device, model, train, len(times)))
    return Trial(median(times[warm:] or times[-1:]), taken[0], available, checkpoint_bytes(step))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whatever device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_CPU_MEMORY)


def smaller_batch_that_fits(
    model: ModelConfig,
    train: TrainConfig,
    device: torch.device,
    precision: torch.dtype,
    *,
    processes: int = 1,
) -> int:
    """The first of half, a quarter, … of the batch size with which a step succeeds; 0 if none does. Of
    several processes, which share a batch, each has to do its part."""
    batch = train.batch_size // 2
    while batch >= 2:
        part = replace(train, batch_size=part_of(batch, processes))
        try:
            try_steps(model, part, device, precision, steps=1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return batch
        batch //= 2
    return 0


def part_of(batch: int, processes: int) -> int:
    """The larger part of a batch that one of `processes` processes has to do; two images at least."""
    return max(2, -(-batch // processes))


def free(device: torch.device) -> None:
    """Give memory back that nothing uses any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def available_memory(device: torch.device) -> int:
    """Bytes that can be had: of the device's own memory, or of this machine's or container's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    available = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no container, or none with a limit
        folder = Path("/sys/fs/cgroup")
        limit = int((folder / "memory.max").read_text())
        available = min(available, limit - int((folder / "memory.current").read_text()))
    return available


def _one(
    step: Callable[..., StepResult],
    device: torch.device,
    model: ModelConfig,
    train: TrainConfig,
    k: int,
) -> float:
    start = time.perf_counter()
    shape = (train.batch_size, model.channels, model.size, model.size)
    noise = latents(train.seed, k, train.batch_size, model.latent).to(device)
    draws = chances(train.seed, k, train.batch_size, DRAWS).to(device)
    labels = torch.arange(train.batch_size, device=device) % len(model.classes) if model.classes else None
    more = {"draws": draws} if labels is None else {"draws": draws, "labels": labels}
    result = step(torch.rand(shape, device=device) * 2 - 1, noise, **more)
    float(result.loss_g)  # wait for the device
    return time.perf_counter() - start


@contextmanager
def _peak(device: torch.device) -> Iterator[list[int]]:
    """A list whose one number is, afterwards, the most bytes that were taken inside the block."""
    taken = [0]
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield taken
        taken[0] = max(0, torch.cuda.max_memory_reserved(device) - before)
        return
    process, over = psutil.Process(), threading.Event()
    start = process.memory_info().rss

    def look() -> None:
        while not over.wait(0.005):
            taken[0] = max(taken[0], process.memory_info().rss - start)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


def checkpoint_bytes(step: GanStep) -> int:
    """Bytes of a checkpoint: networks, Adam's two moments of each, and the network to sample from again."""
    networks = sum(_bytes(network) for network in step.networks().values())
    return 3 * networks + _bytes(step.sampler())


def _bytes(network: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in network.state_dict().values())
