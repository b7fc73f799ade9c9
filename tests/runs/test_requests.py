"""What others want of a training, as files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from medgan.runs.requests import PAUSE, RESUME, SAMPLE, STOP, ask, asked, clear, take


def test_requests_come_in_the_order_in_which_they_were_made_and_once(tmp_path: Path) -> None:
    started = time.time()
    for age, request in ((3, RESUME), (2, SAMPLE), (1, PAUSE)):
        ask(tmp_path, request)
        os.utime(tmp_path / request, (started + 10 - age, started + 10 - age))
    assert take(tmp_path, started) == [RESUME, SAMPLE, PAUSE]
    assert take(tmp_path, started) == []


def test_a_stop_stays_until_the_process_has_ended(tmp_path: Path) -> None:
    ask(tmp_path, STOP)
    ask(tmp_path, STOP)
    assert take(tmp_path, time.time()) == [STOP]
    assert take(tmp_path, time.time()) == [STOP]
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_request_to_an_earlier_process_is_not_for_this_one(tmp_path: Path) -> None:
    for request in (STOP, PAUSE):
        ask(tmp_path, request)
    assert not asked(tmp_path, STOP, started=time.time() + 100)
    assert take(tmp_path, started=time.time() + 100) == []
    assert list(tmp_path.iterdir()) == []
