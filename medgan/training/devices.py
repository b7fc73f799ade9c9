"""Which device and which precision; one training at a time on each device."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from medgan.config import DEVICES
from medgan.errors import ConfigError
from medgan.runs.queue import Queue, Ticket
from medgan.workspace import device_locks

PATIENCE = 0.5
"""Seconds between two tries to get a device."""


def choose_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU; ConfigError if the named one is not there."""
    if name not in DEVICES:
        raise ConfigError(f"--device {name} is not known; choose {', '.join(DEVICES)}.")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        raise ConfigError(f"There is no {name} device here; use --device auto or cpu.")
    return torch.device(name, 0) if name == "cuda" else torch.device(name)


def find_device(name: str, before: str = "") -> tuple[torch.device, str]:
    """A device that was tried and works, and a sentence where it is not the one to expect (else empty).

    Where `auto` finds one that fails, the next one is taken; `before` is the device on which a resumed run
    trained. ConfigError if a device that was named is not there or fails.
    """
    if name not in DEVICES:
        choose_device(name)
    wanted = [choose_device(name)] if name != "auto" else _there()
    failures: list[str] = []
    for device in wanted:
        failure = try_device(device)
        if failure:
            failures.append(f"{device} failed ({failure})")
            continue
        notes = [f"{'; '.join(failures)}, so it trains on {device}."] if failures else []
        if before and before != str(device):
            notes.append(f"It trained on {before} before and goes on on {device}; last digits may differ.")
        return device, " ".join(notes)
    raise ConfigError(f"{'; '.join(failures)}. Use --device auto or cpu.")


def try_device(device: torch.device) -> str:
    """Train a tiny convolution for a step; the reason in a few words where that fails, else empty."""
    try:
        layer = torch.nn.Conv2d(3, 4, 3).to(device)
        layer(torch.ones(2, 3, 8, 8, device=device)).square().mean().backward()
        grad = layer.weight.grad
        return "" if grad is not None and bool(grad.isfinite().all()) else "it computes no numbers"
    except (RuntimeError, NotImplementedError) as error:  # a driver, a build or a busy device
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _there() -> list[torch.device]:
    names = [("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True)]
    return [choose_device(name) for name, there in names if there]


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` takes bfloat16 where the device has units for it, else float32."""
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and has_bf16_units()
    return torch.bfloat16 if fast else torch.float32


def has_bf16_units() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AVX-512 BF16, AMX, or Arm BF16)."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave_a_core(processes: int = 1) -> None:
    """Train on all cores but one: with all of them the dashboard's clicks take seconds, and the
    threads wait for one another. OMP_NUM_THREADS overrides it. Several `processes` divide the cores."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (usable_cores() - 1) // processes))


@contextmanager
def reserve(
    device: torch.device,
    waiting: Callable[[list[Ticket]], bool],
    *,
    name: str = "",
    folder: Path | None = None,
) -> Iterator[bool]:
    """Hold `device` alone and yield True. While another training of this user has it or stands before this
    one in line, call `waiting` twice a second with those before; when it returns False, give up and yield
    False.

    The lock is the operating system's: it ends with the process that holds it, however that dies. `name`
    and `folder` tell others who waits and who holds it.
    """
    lock = FileLock(_lock_file(device))
    with Queue(str(device)).standing(name, folder) as place:
        while not (mine := not (before := place.before()) and _acquire(lock)):
            if not waiting(before):
                break
            if before:
                time.sleep(PATIENCE)
    if mine:
        _lock_file(device).with_suffix(".holder").write_text(name, "utf-8")
    try:
        yield mine
    finally:
        lock.release()


def local_devices(device: torch.device, processes: int) -> list[torch.device]:
    """The devices that `processes` processes of one training use on this machine, `device` being the first
    one's: a GPU each, or the one CPU."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    if device.type != "cuda" or processes == 1:
        return [device]
    return [torch.device("cuda", index) for index in range(here)]


@contextmanager
def reserve_all(
    devices: Sequence[torch.device],
    waiting: Callable[[torch.device, list[Ticket]], bool],
    *,
    name: str = "",
    folder: Path | None = None,
) -> Iterator[bool]:
    """As `reserve`, for several: one after the other and always in the same order, so that no two trainings
    wait for each other."""
    with ExitStack() as held:
        yield all(
            held.enter_context(reserve(device, partial(waiting, device), name=name, folder=folder))
            for device in devices
        )


def _acquire(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        return False
    return True


def holder(device: torch.device) -> str:
    """The name under which `device` was reserved last; empty if nobody has said."""
    try:
        return _lock_file(device).with_suffix(".holder").read_text("utf-8")
    except OSError:
        return ""


def user_of(device: torch.device) -> str:
    """Who trains on `device` now; empty if nobody does."""
    lock = FileLock(_lock_file(device))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return holder(device) or "Another training"
    lock.release()
    return ""


def _lock_file(device: torch.device) -> Path:
    name = device.type if device.index is None else f"{device.type}-{device.index}"
    return device_locks() / f"{name}.lock"


def memory_use(device: torch.device) -> tuple[int, int] | None:
    """Bytes of a GPU's memory that are taken, by whomever, and that it has; None for a CPU."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return int(total - free), int(total)
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory()), int(torch.mps.recommended_max_memory())
    return None
