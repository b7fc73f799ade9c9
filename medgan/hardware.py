"""Whether there is a GPU to train on, found out without PyTorch, whose import a page must not wait for.

This is a guess, if a good one: `training.devices` tries a device before it is used."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
from functools import cache
from pathlib import Path


def gpu_expected(device: str = "auto") -> bool:
    """Whether a training that is asked to be on `device`, one of `config.DEVICES`, will be on a GPU."""
    return _gpu_here() if device == "auto" else device != "cpu"


@cache
def _gpu_here() -> bool:
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):  # hidden from this process
        return False
    return (_built_for("cuda") and _nvidia_cards() > 0) or (_built_for("hip") and Path("/dev/kfd").exists())


def _built_for(kind: str) -> bool:
    """Whether the PyTorch that is installed can use such GPUs: many have the one for processors."""
    package = importlib.util.find_spec("torch")
    try:
        text = Path(str(package and package.origin)).with_name("version.py").read_text("utf-8")
    except OSError:
        return False
    return re.search(rf"^{kind}\b[^=]*= '", text, re.MULTILINE) is not None


def _nvidia_cards() -> int:
    """How many the driver knows. Asked through its library for management, which leaves CUDA untouched."""
    try:
        library = ctypes.CDLL("nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1")
        count = ctypes.c_uint(0)
        if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return 0
        library.nvmlShutdown()
    except (OSError, AttributeError):  # no driver, or one of another age
        return 0
    return count.value
