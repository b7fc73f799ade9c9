"""What a person asks of a training is answered, whoever asks and however often."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from medgan.runs.queue import Queue
from medgan.runs.record import PAUSED, QUEUED, RUNNING, STOPPED, Run, Status
from medgan.runs.requests import PAUSE, REQUESTS, RESUME, SAMPLE, SAVE, STOP
from medgan.training.desk import Desk
from medgan.training.devices import reserve, user_of
from medgan.training.loop import train
from medgan.training.step import GanStep, StepResult
from tests.training.watching import MakeRequest, losses, training_tensors

CPU = torch.device("cpu")
LONG = 1_000_000


class Background:
    """A training in a thread, steered through its folder as another process would."""

    def __init__(self, request: object) -> None:
        self.run = Run(request.run)  # type: ignore[attr-defined]
        self.states: list[Status] = []
        self.result: list[Status] = []
        self.thread = threading.Thread(target=self._train, args=(request,))
        self.thread.start()

    def _train(self, request: object) -> None:
        self.result.append(train(request, report=lambda s: self.states.append(replace(s))))  # type: ignore[arg-type]

    def until(self, true: Callable[[Status], bool]) -> Status:
        """The first status in the folder of which it is true."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status = self.run.status()
            if true(status):
                return status
            assert self.thread.is_alive() or true(self.run.status()), status
            time.sleep(0.01)
        raise AssertionError(self.run.status())

    def end(self) -> Status:
        self.run.request_stop()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()
        return self.result[0]


@pytest.fixture
def background(request_for: MakeRequest) -> Callable[..., Background]:
    return lambda **train: Background(request_for(**({"iterations": LONG} | train)))


def test_a_training_that_is_asked_twice_to_stop_stops_once_with_everything_saved(
    background: Callable[..., Background],
) -> None:
    training = background()
    training.until(lambda s: s.step > 2)
    training.run.ask(STOP)
    training.run.ask(STOP)
    status = training.end()
    latest = training.run.latest()
    assert status.state == STOPPED
    assert latest is not None
    assert latest.name == f"step-{status.step:06d}"
    assert status.pending == []
    assert not any((training.run.folder / request).exists() for request in REQUESTS)


def test_a_pause_saves_and_frees_the_device_and_changes_nothing(
    background: Callable[..., Background], request_for: MakeRequest
) -> None:
    training = background(run="paused")
    training.until(lambda s: s.step > 2)
    training.run.ask(PAUSE)
    training.run.ask(PAUSE)
    paused = training.until(lambda s: s.state == PAUSED)
    latest = training.run.latest()
    assert latest is not None
    assert latest.name == f"step-{paused.step:06d}"
    assert "everything learned is saved" in paused.message
    assert user_of(CPU) == ""
    training.run.ask(RESUME)
    training.until(lambda s: s.state == RUNNING and s.step > paused.step + 2)

    whole = request_for("whole", iterations=training.end().step)
    train(whole)
    found = training_tensors(training.run.folder)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())
    assert losses(training.run.folder) == losses(whole.run)


def test_a_paused_training_can_be_stopped_and_asked_for_samples(
    background: Callable[..., Background],
) -> None:
    training = background()
    training.until(lambda s: s.step > 2)
    training.run.ask(PAUSE)
    paused = training.until(lambda s: s.state == PAUSED)
    sheet = training.run.folder / "samples" / f"step-{paused.step:06d}.png"
    sheet.unlink(missing_ok=True)
    training.run.ask(SAMPLE)
    training.until(lambda s: sheet.exists() and not s.pending)
    assert training.end().state == STOPPED


def test_a_sample_and_a_checkpoint_come_when_they_are_asked_for(
    background: Callable[..., Background],
) -> None:
    training = background(sample_every=LONG, checkpoint_every=LONG)
    training.until(lambda s: s.step > 2)
    before = len(training.run.samples())
    training.run.ask(SAMPLE)
    training.run.ask(SAVE)
    training.until(lambda s: len(training.run.samples()) > before and training.run.latest() is not None)
    training.until(lambda s: s.pending == [])
    training.end()


def test_a_request_shows_as_pending_while_a_step_is_slow(
    background: Callable[..., Background], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, go_on = threading.Event(), threading.Event()
    do_step = GanStep.__call__

    def step(self: GanStep, real: torch.Tensor, noise: torch.Tensor, *more: float) -> StepResult:
        slow.set()
        assert go_on.wait(timeout=60)
        return do_step(self, real, noise, *more)

    monkeypatch.setattr(GanStep, "__call__", step)
    training = background()
    assert slow.wait(timeout=60)
    training.run.ask(PAUSE)
    training.until(lambda s: s.pending == [PAUSE])
    training.run.ask(STOP)
    status = training.until(lambda s: s.pending == [STOP, PAUSE])
    assert status.state == RUNNING
    go_on.set()
    assert training.end().state == STOPPED


def test_a_waiting_training_can_be_paused_and_cancelled(background: Callable[..., Background]) -> None:
    with reserve(CPU, lambda _: True, name="other"):
        training = background()
        status = training.until(lambda s: s.state == QUEUED)
        assert "other is using cpu" in status.message
        assert [ticket.folder for ticket in Queue("cpu").waiting()] == [str(training.run.folder.resolve())]
        training.run.ask(PAUSE)
        training.until(lambda s: s.state == PAUSED)
        assert Queue("cpu").waiting() == []
        training.run.ask(RESUME)
        training.until(lambda s: s.state == QUEUED)
        assert training.end().state == STOPPED
    assert Queue("cpu").waiting() == []


def test_who_came_first_trains_first() -> None:
    order: list[str] = []

    def take(name: str) -> None:
        with reserve(CPU, lambda _: True, name=name) as mine:
            assert mine
            order.append(name)

    threads = []
    with reserve(CPU, lambda _: True):
        for k, name in enumerate("abc"):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            while len(Queue("cpu").waiting()) <= k:
                time.sleep(0.01)
    for thread in threads:
        thread.join(timeout=60)
    assert order == ["a", "b", "c"]


def test_a_run_folder_that_is_deleted_ends_its_training_and_is_not_made_anew(
    background: Callable[..., Background], monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: caught.append(args.exc_value))
    training = background()
    training.until(lambda s: s.step > 2)
    shutil.rmtree(training.run.folder, ignore_errors=True)
    training.thread.join(timeout=60)
    assert not training.thread.is_alive()
    assert [type(error).__name__ for error in caught] == ["RunError"]
    assert not training.run.folder.exists() or not any(training.run.folder.glob("[!.]*.json"))


def test_a_status_that_is_written_while_the_run_is_deleted_goes_with_it(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(iterations=1)
    train(request)
    run, write = Run(request.run), Run.write_status

    def late(self: Run, status: Status, *more: object) -> None:
        shutil.rmtree(self.folder)  # after the desk has looked whether the run is there
        write(self, status)

    with Desk(run, run.status()) as desk:
        desk.say(RUNNING, "Training.")
        with monkeypatch.context() as deleting:
            deleting.setattr(Run, "write_status", late)
            desk.say(RUNNING, "Still training.")
        assert not run.folder.exists()
        desk.say(RUNNING, "And on.")
    assert not run.folder.exists()
