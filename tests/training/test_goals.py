"""How long a training goes on: steps, images or minutes, over all resumes."""

from __future__ import annotations

import pytest
import torch

from medgan.config import TrainConfig
from medgan.runs.record import FINISHED, STOPPED, Run
from medgan.training import stretch
from medgan.training.loop import train
from tests.training.watching import MakeRequest, training_tensors, watch


def test_thousands_of_images_are_shown_and_no_batch_more(request_for: MakeRequest) -> None:
    status = train(request_for(iterations=0, kimg=0.019))  # 10 images: batches of 4, 4, 2, 4, 4, 2
    assert (status.step, status.images, status.iterations) == (6, 20, 6)


@pytest.mark.parametrize(("images", "batch_size"), [(10, 4), (160, 16), (3, 8)])
@pytest.mark.parametrize("kimg", [0.001, 0.01, 0.1, 1.234])
def test_the_steps_of_a_goal_in_images_are_the_fewest_that_reach_it(
    images: int, batch_size: int, kimg: float
) -> None:
    from medgan.training.batches import Batches

    steps = TrainConfig(kimg=kimg, batch_size=batch_size).total_iterations(images)
    batches = Batches(torch.zeros(images, 1, 1, 1).numpy(), batch_size, 0)
    assert batches.images_seen(steps) >= 1000 * kimg > batches.images_seen(steps - 1)


class Time:
    """A clock that goes on by a second a look."""

    now = 0.0

    @classmethod
    def monotonic(cls) -> float:
        cls.now += 1.0
        return cls.now


def test_minutes_count_training_time_over_all_resumes(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medgan.training.clock.time", Time)
    request = request_for("parts", iterations=0, minutes=4.0, sample_every=10**6, checkpoint_every=10**6)
    stopped = watch(request, stop_at=5)
    assert stopped.state == STOPPED
    assert 0 < stopped.seconds < 240
    assert 0 < stopped.progress < 1
    resumed = train(request_for("parts", iterations=0, resume=True))
    assert resumed.state == FINISHED
    assert resumed.step > 5
    assert 240 <= resumed.seconds < 300
    assert [e["seconds"] for e in Run(request.run).events()] == sorted(
        e["seconds"] for e in Run(request.run).events()
    )


def test_a_training_by_minutes_learns_what_one_by_steps_learns(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medgan.training.clock.time", Time)
    timed = train(request_for("timed", iterations=0, minutes=3.0))
    assert timed.state == FINISHED
    train(request_for("counted", iterations=timed.step))
    found = training_tensors(request_for("counted").run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(request_for("timed").run).items())


def test_a_new_goal_is_known_to_the_next_resume_too(request_for: MakeRequest) -> None:
    train(request_for(iterations=3))
    watch(request_for(resume=True, iterations=9), stop_at=5)
    assert train(request_for(resume=True, iterations=0)).step == 9


def test_a_long_step_does_not_keep_a_run_from_being_saved(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretch, "LONGEST", 0.0)
    train(request_for(checkpoint_every=10**6))
    assert [path.name for path in Run(request_for().run).checkpoints()] == [
        f"step-{k:06d}" for k in (5, 6, 7)
    ]


def test_sampling_and_saving_are_left_out_when_they_cost_too_much(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medgan.training.clock.FREE", -1.0)
    monkeypatch.setattr("medgan.training.clock.SHARE", 0.0)
    train(request_for(checkpoint_every=1, sample_every=1))
    run = Run(request_for().run)
    assert [path.name for path in run.samples()] == ["step-000001.png", "step-000007.png"]
    assert [path.name for path in run.checkpoints()] == ["step-000007"]
