"""Whoever looks at a training from outside: called in time, remembered in checkpoints, able to end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from medgan.errors import MetricError
from medgan.runs.record import FINISHED, STOPPED, Run, Status
from medgan.training.loop import train
from medgan.training.observers import CutShort, Finding, MakeObservers, Moment, Observer, Scene
from tests.training.watching import Killed, MakeRequest

SCORES = [0.5, 0.3, 0.4, 0.2, 0.6, 0.7, 0.8, 0.9]


class Judge:
    """Gives one of SCORES after the other; what it remembers is how many it gave."""

    name, every = "judge", 2

    def __init__(self, patience: int = 100, act: Callable[[int], None] = lambda done: None) -> None:
        self.looks, self.patience, self.act = 0, patience, act

    def observe(self, moment: Moment) -> Finding:
        self.act(moment.done)
        assert not moment.sampler().training
        score = SCORES[self.looks]
        self.looks += 1
        end = "Ended early: no better." if self.looks > self.patience else ""
        return Finding({"score": score}, [f"look {self.looks}"], score, end)

    def state(self) -> dict[str, Any]:
        return {"looks": self.looks}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.looks = state["looks"]


def by(observer: Observer) -> MakeObservers:
    def make(scene: Scene) -> Sequence[Observer]:
        assert scene.images.shape[0] == 10
        return [observer]

    return make


def found(run: Run) -> list[tuple[int, float]]:
    return [(e["step"], e["score"]) for e in run.events() if e.get("observer") == "judge"]


def test_it_is_called_in_time_and_at_the_end_and_its_figures_are_logged(request_for: MakeRequest) -> None:
    train(request_for(), observers=by(Judge()))
    run = Run(request_for().run)
    assert found(run) == [(2, 0.5), (4, 0.3), (6, 0.4), (7, 0.2)]
    assert next(e for e in run.events() if "observer" in e)["warnings"] == ["look 1"]


def test_the_best_checkpoint_stays_when_others_go(request_for: MakeRequest) -> None:
    train(request_for(checkpoint_every=1, iterations=16), observers=by(Judge()))
    run = Run(request_for().run)
    best = run.best()
    assert best is not None
    assert best.name == "step-000008"
    assert run.best_facts() == {"step": 8, "score": 0.2, "observer": "judge"}
    assert [path.name[-2:] for path in run.checkpoints()] == ["08", "14", "15", "16"]


def test_it_can_end_a_training_with_a_sentence(request_for: MakeRequest) -> None:
    status = train(request_for(iterations=50), observers=by(Judge(patience=2)))
    assert (status.state, status.step, status.message) == (FINISHED, 6, "Ended early: no better.")
    assert status.progress == 1.0


@pytest.mark.parametrize("killed_at", [3, 5, 6])
def test_after_a_kill_it_remembers_and_finds_what_it_would_have_found(
    request_for: MakeRequest, killed_at: int
) -> None:
    def act(done: int) -> None:
        if done >= killed_at:
            raise Killed

    with pytest.raises(Killed):
        train(request_for("killed", checkpoint_every=3), observers=by(Judge(act=act)))
    train(request_for("killed", resume=True), observers=by(Judge()))
    train(request_for("whole", checkpoint_every=3), observers=by(Judge()))
    killed, whole = Run(request_for("killed").run), Run(request_for("whole").run)
    assert found(killed) == found(whole)
    assert killed.best_facts() == whole.best_facts()


def test_an_observation_that_is_cut_short_is_made_when_the_training_goes_on(request_for: MakeRequest) -> None:
    stopping: list[bool] = []

    class Slow(Judge):
        def observe(self, moment: Moment) -> Finding:
            if moment.done == 4 and not stopping:
                stopping.append(True)
                assert moment.called_away()
                raise CutShort
            return super().observe(moment)

    status = train(request_for(), observers=by(Slow()), interrupted=lambda: bool(stopping))
    assert (status.state, status.step) == (STOPPED, 4)
    train(request_for(resume=True), observers=by(Slow()))
    assert found(Run(request_for().run)) == [(2, 0.5), (4, 0.3), (6, 0.4), (7, 0.2)]


def test_an_observer_that_cannot_judge_is_a_warning_and_not_the_end(request_for: MakeRequest) -> None:
    def act(done: int) -> None:
        raise MetricError("Too few images to judge by.")

    assert train(request_for(), observers=by(Judge(act=act))).state == FINISHED
    events = [e for e in Run(request_for().run).events() if "observer" in e]
    assert [e["warnings"] for e in events] == 4 * [["Too few images to judge by."]]


def test_a_window_of_figures_survives_a_stop(request_for: MakeRequest) -> None:
    seen: list[Status] = []
    settings = {"log_every": 5, "sample_every": 2, "iterations": 12}

    def at(done: int) -> None:
        seen.append(replace(Status(), step=done))

    train(
        request_for("parts", **settings),
        observers=by(Judge(act=at)),
        interrupted=lambda: bool(seen) and seen[-1].step == 8,
    )
    train(request_for("parts", resume=True, **settings), observers=by(Judge()))
    train(request_for("whole", **settings), observers=by(Judge()))
    curves = [
        [(e["step"], e["loss_d"]) for e in Run(request_for(name).run).events() if "loss_d" in e]
        for name in ("parts", "whole")
    ]
    assert [step for step, _ in curves[0]] == [5, 10, 12]
    assert curves[0] == curves[1]
