"""Whether a GPU is there is guessed from the driver and from how PyTorch was built, without importing it."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medgan import hardware
from medgan.presets import PRESETS, usual_preset

CUDA, CPU = "cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n", "cuda = None\nhip = None\n"


class Driver:
    """As `libnvidia-ml` answers."""

    def __init__(self, cards: int, code: int = 0) -> None:
        self.cards, self.code, self.nvmlShutdown = cards, code, lambda: 0

    def nvmlInit_v2(self) -> int:
        return self.code

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = self.cards
        return 0


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Linux machine with a card and a PyTorch for it; returns the file that says what it is built for."""
    version = tmp_path / "version.py"
    version.write_text(CUDA)
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(1))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    hardware._gpu_here.cache_clear()
    yield version
    hardware._gpu_here.cache_clear()


def test_a_card_with_a_driver_and_the_pytorch_for_it_is_a_gpu() -> None:
    assert hardware.gpu_expected()
    assert hardware.gpu_expected("cuda") and hardware.gpu_expected("mps")
    assert not hardware.gpu_expected("cpu")


@pytest.mark.parametrize("driver", [Driver(0), Driver(1, code=9), SimpleNamespace()])
def test_a_driver_without_a_card_or_that_fails_is_none(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)
    assert not hardware.gpu_expected()
    assert hardware.gpu_expected("cuda"), "who names a device means it"


def test_no_driver_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", gone)
    assert not hardware.gpu_expected()


def test_a_pytorch_for_processors_uses_no_card(machine: Path) -> None:
    machine.write_text(CPU)
    assert not hardware.gpu_expected()


def test_without_pytorch_there_is_nothing_to_use_it(machine: Path) -> None:
    machine.unlink()
    assert not hardware.gpu_expected()


@pytest.mark.parametrize(("hidden", "there"), [("", False), ("-1", False), ("0", True)])
def test_a_card_that_is_hidden_from_the_process_is_none(
    hidden: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert hardware.gpu_expected() == there


@pytest.mark.parametrize(("kind", "there"), [("arm64", True), ("x86_64", False)])
def test_a_mac_has_one_since_it_has_processors_of_its_own(
    kind: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: kind)
    assert hardware.gpu_expected() == there


def test_the_usual_presets_are_there() -> None:
    assert [usual_preset(gpu=gpu) for gpu in (True, False)] == ["small", "small-cpu"]
    assert {"small", "small-cpu"} <= PRESETS.keys()


def test_on_this_machine_it_agrees_with_pytorch_and_does_not_import_it() -> None:
    code = (
        "import sys; from medgan.hardware import gpu_expected; found = gpu_expected()\n"
        "assert 'torch' not in sys.modules; import torch\n"
        "print(found == (torch.cuda.is_available() or torch.backends.mps.is_available()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
