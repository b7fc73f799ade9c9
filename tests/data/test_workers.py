"""Work in other processes: in order, and one item that crashes or hangs costs itself alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medgan.data.workers import CHUNK, each


def square(n: int) -> int:
    return n * n


def deadly(n: int) -> int:
    if n % 10 == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def endless(n: int) -> int:
    if n == 5:
        time.sleep(600)
    return n


def wrong(n: int) -> int:
    raise ZeroDivisionError


def greedy(n: int) -> str:
    try:
        return str(len(bytearray(16 * 2**30)))
    except MemoryError:
        return "too much"


def failed(n: int, reason: str) -> str:
    return f"{n} {reason}"


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_come_in_order(workers: int) -> None:
    count = 5 * CHUNK + 3
    results = list(each(square, range(count), failed, workers=workers, seconds=60))
    assert results == [n * n for n in range(count)]


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(each(square, [], failed, workers=2, seconds=60)) == []


def test_an_item_that_kills_its_process_costs_itself_alone() -> None:
    results = list(each(deadly, range(24), failed, workers=2, seconds=60))
    for n, result in enumerate(results):
        assert result == (f"{n} is damaged in a way that crashes its decoder" if n % 10 == 3 else n)


def test_an_item_that_never_ends_is_given_up() -> None:
    results = list(each(endless, range(8), failed, workers=1, seconds=2))
    late = "5 takes longer than 2 s to decode (--limit-seconds)"
    assert results == [0, 1, 2, 3, 4, late, 6, 7]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_nothing_can_take_all_the_memory() -> None:
    assert list(each(greedy, range(1), failed, workers=1, seconds=60)) == ["too much"]


def test_a_bug_is_raised_and_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        list(each(wrong, range(3), failed, workers=1, seconds=60))


def test_whoever_has_had_enough_leaves_no_process_behind() -> None:
    results = each(square, range(1000), failed, workers=2, seconds=60)
    assert next(results) == 0
    assert multiprocessing.active_children()
    results.close()
    assert not multiprocessing.active_children()


def test_the_main_script_is_not_run_again(tmp_path: Path) -> None:
    """Neither a page of the dashboard nor a script without a guard."""
    script = tmp_path / "unguarded.py"
    script.write_text(
        "print('run')\n"
        "from medgan.data.workers import each\n"
        "print(list(each(abs, [-1, -2], None, workers=1, seconds=60)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert run.stdout == "run\n[1, 2]\n", run.stderr
