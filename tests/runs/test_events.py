"""The events of a run, read in pieces while they grow."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from medgan.runs import events
from medgan.runs.events import START, Follower, append, read_all, read_since, rewind


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def log(path: Path, steps: range) -> None:
    with path.open("a") as stream:
        stream.writelines(json.dumps({"step": step}) + "\n" for step in steps)


def steps(rows: list[events.Event]) -> list[int]:
    return [row["step"] for row in rows]


def test_only_what_is_new_is_read(path: Path) -> None:
    assert read_since(path) == ([], START)
    log(path, range(3))
    first, mark = read_since(path)
    log(path, range(3, 5))
    second, mark = read_since(path, mark)
    assert (steps(first), steps(second)) == ([0, 1, 2], [3, 4])
    assert read_since(path, mark) == ([], mark)


def test_a_line_that_is_being_written_is_read_when_it_is_whole(path: Path) -> None:
    log(path, range(2))
    with path.open("a") as stream:
        stream.write('{"step"')
    rows, mark = read_since(path)
    with path.open("a") as stream:
        stream.write(": 2}\n")
    more, _ = read_since(path, mark)
    assert (steps(rows), steps(more)) == ([0, 1], [2])


def test_one_look_reads_a_bounded_piece_and_all_comes_in_the_end(path: Path) -> None:
    log(path, range(1000))
    rows, mark = read_since(path, most=500)
    assert 10 < len(rows) < 60
    while (piece := read_since(path, mark, most=500))[1] != mark:
        rows, mark = rows + piece[0], piece[1]
    assert steps(rows) == list(range(1000))
    assert steps(read_all(path)) == list(range(1000))


def test_what_was_forgotten_by_a_resume_is_forgotten_by_its_followers(path: Path) -> None:
    follower = Follower(path)
    log(path, range(10))
    assert follower.update()
    rewind(path, 4)
    append(path, {"step": 5, "again": True})
    assert follower.update()
    assert steps(follower.rows) == [0, 1, 2, 3, 4, 5]
    assert follower.rows[-1]["again"]
    assert not follower.update()


def test_a_follower_of_100_000_events_holds_few_of_them_evenly_and_the_newest(path: Path) -> None:
    log(path, range(100_000))
    follower = Follower(path, points=500)
    while follower.update():
        pass
    shown = steps(follower.rows)
    assert 500 <= len(shown) <= 1001
    gaps = {b - a for a, b in pairwise(shown[:-1])}
    assert len(gaps) == 1
    assert (shown[0], shown[-1]) == (0, 99_999)


def test_a_look_at_100_000_known_events_reads_no_more_than_the_new_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(path, range(100_000))
    follower = Follower(path)
    while follower.update():
        pass
    parsed: list[int] = []
    parse = events._parsed
    monkeypatch.setattr(events, "_parsed", lambda data: parsed.append(len(data)) or parse(data))
    log(path, range(3))
    follower.update()
    assert sum(parsed) < 100


def test_findings_of_observers_are_kept_apart_from_the_curves(path: Path) -> None:
    append(path, {"step": 1, "loss_d": 0.5})
    append(path, {"step": 1, "observer": "kid", "kid": 0.1})
    follower = Follower(path)
    follower.update()
    assert [row["loss_d"] for row in follower.rows] == [0.5]
    assert [row["kid"] for row in follower.findings] == [0.1]


def test_lines_that_are_no_events_are_passed_over(path: Path) -> None:
    path.write_bytes(b'[]\n{"step": 1}\n\xff\xfe\nnull\n{"step": 2}\n')
    assert steps(read_all(path)) == [1, 2]
