"""The line in front of a device."""

from __future__ import annotations

import json
from pathlib import Path

from medgan.runs.queue import Queue, all_queues


def names(queue: Queue) -> list[str]:
    return [ticket.name for ticket in queue.waiting()]


def test_first_come_first_served_and_who_leaves_is_gone(tmp_path: Path) -> None:
    queue = Queue("cuda:0")
    with queue.standing("a"), queue.standing("b") as b:
        with queue.standing("c") as c:
            assert names(queue) == ["a", "b", "c"]
            assert [ticket.name for ticket in c.before()] == ["a", "b"]
        assert [ticket.name for ticket in b.before()] == ["a"]
    assert names(queue) == []


def test_a_run_can_be_moved_to_the_front(tmp_path: Path) -> None:
    queue = Queue("cpu")
    folders = {name: tmp_path / name for name in "abc"}
    with queue.standing("a", folders["a"]) as a, queue.standing("b", folders["b"]):
        with queue.standing("c", folders["c"]) as c:
            assert queue.move_up(folders["c"])
            assert names(queue) == ["c", "a", "b"]
            assert queue.move_up(folders["c"]), "twice is once"
            assert queue.move_up(folders["b"])
            assert names(queue) == ["b", "c", "a"]
            assert len(a.before()) == 2
            assert len(c.before()) == 1
        assert names(queue) == ["b", "a"]
    assert not queue.move_up(folders["a"])


def test_a_ticket_of_a_dead_process_counts_for_nothing() -> None:
    queue = Queue("cpu")
    with queue.standing("alive") as place:
        ticket = {"name": "dead", "folder": "", "pid": 2**22 + 1, "pid_started": 1.0}
        dead = queue.folder / f"{0:020d}-00.json"
        dead.write_text(json.dumps(ticket))
        (queue.folder / f"{1:020d}-01.json").write_text("{")
        assert place.before() == []
        assert names(queue) == ["alive"]
        assert not dead.exists()


def test_each_device_has_a_line_of_its_own() -> None:
    with Queue("cpu").standing("a"), Queue("cuda:1").standing("b"):
        assert [[ticket.name for ticket in queue.waiting()] for queue in all_queues()] == [["a"], ["b"]]
