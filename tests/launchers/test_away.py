"""What a job does at its end: it saves before its limit, and sends what it has until that arrives."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medgan.errors import HubError
from medgan.launchers import away
from medgan.runs.record import Run


def exchange(run: Path, *errors: Exception) -> Any:
    """One whose commits fail with these errors first; `sent` counts those that arrived."""
    left = list(errors)

    def send() -> None:
        if left:
            raise left.pop(0)
        made.sent += 1

    made = SimpleNamespace(run=run, sent=0, send=send, wishes=lambda: None)
    return made


def test_the_limit_counts_from_the_start_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDGAN_STARTED", str(int(time.time()) - 240))  # installing took four minutes
    assert away._limit(3600) - time.monotonic() == pytest.approx(3360, abs=2)
    monkeypatch.delenv("MEDGAN_STARTED")
    assert away._limit(3600) - time.monotonic() == pytest.approx(3600, abs=2)


def test_the_end_is_sent_until_it_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "AGAIN", 0.01)
    one = exchange(tmp_path, HubError("The Hub is busy."), OSError("broken pipe"))
    away._deliver(one, time.monotonic() + 60)
    assert one.sent == 1
    with pytest.raises(HubError, match="busy"):
        away._deliver(exchange(tmp_path, HubError("The Hub is busy.")), time.monotonic())


def test_a_failed_commit_ends_neither_the_exchange_nor_the_stop_in_time(tmp_path: Path) -> None:
    Run(tmp_path / "run").folder.mkdir()
    one, over = exchange(tmp_path / "run", OSError("no room")), threading.Event()
    work = threading.Thread(target=away._exchange, args=(one, over, 0.01, time.monotonic()))
    work.start()
    end = time.monotonic() + 20
    while not one.sent and time.monotonic() < end:
        time.sleep(0.01)
    over.set()
    work.join()
    assert one.sent and (tmp_path / "run" / "stop").exists()
