"""Which device and which precision; one training at a time on each device."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from medgan.config import DEVICES
from medgan.errors import ConfigError
from medgan.workspace import device_locks


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


def leave_a_core() -> None:
    """Train on all cores but one: with all of them the dashboard's clicks take seconds, and the
    threads wait for one another. OMP_NUM_THREADS overrides it."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() - 1))


@contextmanager
def reserve(device: torch.device, waiting: Callable[[], bool], *, name: str = "") -> Iterator[bool]:
    """Hold `device` alone and yield True. While another training of this user has it, call `waiting`
    each second; when that returns False, give up and yield False.

    The lock is the operating system's: it ends with the process that holds it, however that dies. `name`
    is what others are told of who holds it.
    """
    lock = FileLock(_lock_file(device))
    mine = False
    while not mine:
        try:
            lock.acquire(timeout=1.0)
            mine = True
            _lock_file(device).with_suffix(".holder").write_text(name, "utf-8")
        except Timeout:
            if not waiting():
                break
    try:
        yield mine
    finally:
        lock.release()


def holder(device: torch.device) -> str:
    """The name under which `device` was reserved last; empty if nobody has said."""
    try:
        return _lock_file(device).with_suffix(".holder").read_text("utf-8")
    except OSError:
        return ""


def _lock_file(device: torch.device) -> Path:
    name = device.type if device.index is None else f"{device.type}-{device.index}"
    return device_locks() / f"{name}.lock"
