"""Choosing a device and a precision; one training at a time on each device."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

from medgan.errors import ConfigError
from medgan.runs.queue import Ticket
from medgan.training import devices
from medgan.training.devices import choose_device, choose_precision, find_device, leave_a_core, reserve
from medgan.workspace import device_locks

CPU = torch.device("cpu")


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_an_unknown_device_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"tpu is not known; choose auto, cpu, cuda, mps"):
        choose_device("tpu")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(name: str, no_accelerator: None) -> None:
    with pytest.raises(ConfigError, match=f"no {name} device here; use --device auto or cpu"):
        choose_device(name)


def test_auto_takes_cuda_then_mps_then_the_cpu(no_accelerator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda", 0)


def test_a_named_precision_is_kept_and_auto_asks_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, auto in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(devices, "has_bf16_units", lambda fast=fast: fast)
        assert choose_precision("auto", CPU) == auto
        assert choose_precision("float32", CPU) == torch.float32
        assert choose_precision("bfloat16", CPU) == torch.bfloat16


def test_a_core_is_left_for_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda: 3)
    leave_a_core()  # OMP_NUM_THREADS is set here, and what the user says counts
    assert torch.get_num_threads() == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    leave_a_core()
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(devices, "usable_cores", lambda: 1)
    leave_a_core()
    assert torch.get_num_threads() == 1


def test_a_second_training_waits_for_the_device_and_says_so() -> None:
    waiting, order = threading.Event(), []

    def second() -> None:
        def wait(before: list[Ticket]) -> bool:
            waiting.set()
            return True

        with reserve(CPU, wait) as mine:
            order.append(("second", mine))

    with reserve(CPU, lambda _: pytest.fail("nobody has it yet")) as mine:
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(timeout=60)
        order.append(("first", mine))
    thread.join(timeout=60)
    assert order == [("first", True), ("second", True)]


def test_waiting_can_be_given_up() -> None:
    with reserve(CPU, lambda _: True), reserve(CPU, lambda _: False) as mine:
        assert not mine
    with reserve(CPU, lambda _: pytest.fail("it is free again")) as mine:
        assert mine


def test_another_device_need_not_wait() -> None:
    busy = pytest.fail
    with (
        reserve(CPU, lambda _: busy("cpu")),
        reserve(torch.device("cuda", 0), lambda _: busy("cuda 0")),
        reserve(torch.device("cuda", 1), lambda _: busy("cuda 1")),
    ):
        pass


def test_the_reservation_of_a_killed_process_ends_with_it() -> None:
    hold = f"""
import time
from filelock import FileLock
with FileLock({str(device_locks() / "cpu.lock")!r}):
    print("held", flush=True)
    time.sleep(600)
"""
    waited = []
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        def wait(before: list[Ticket]) -> bool:
            waited.append(True)
            holder.kill()
            return True

        with reserve(CPU, wait) as mine:
            assert mine
            assert waited


def test_a_device_that_fails_is_passed_over_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(
        devices, "try_device", lambda device: "no kernel image" if device.type == "cuda" else ""
    )
    assert find_device("auto") == (CPU, "cuda:0 failed (no kernel image), so it trains on cpu.")
    with pytest.raises(ConfigError, match=r"cuda:0 failed \(no kernel image\)\. Use --device auto or cpu"):
        find_device("cuda")


def test_another_device_than_before_is_said() -> None:
    assert find_device("cpu", before="cpu") == (CPU, "")
    assert "trained on cuda:0 before" in find_device("cpu", before="cuda:0")[1]


def test_a_device_is_tried_by_training_on_it() -> None:
    assert devices.try_device(CPU) == ""
    assert devices.try_device(torch.device("cuda", 0)) != "" or torch.cuda.is_available()
