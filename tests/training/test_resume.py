"""A training that was stopped, killed or crashed goes on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from medgan.config import ModelConfig
from medgan.errors import CheckpointError, DataError, RunError
from medgan.runs.checkpoint import load_generator
from medgan.runs.record import FAILED, FINISHED, INTERRUPTED, STOPPED, Run
from medgan.training.devices import reserve
from medgan.training.loop import train
from medgan.training.saving import TENSORS
from tests.training.watching import Killed, MakeRequest, Watcher, losses, training_tensors, watch


@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_run_stopped_at_k_and_resumed_equals_the_uninterrupted_one_bit_for_bit(
    request_for: MakeRequest, k: int
) -> None:
    whole, parts = request_for("whole"), request_for("parts")
    train(whole)
    stopped = watch(parts, stop_at=k)
    assert (stopped.state, stopped.step) == (STOPPED, k)
    assert stopped.resumable
    resumed = train(request_for("parts", resume=True))
    assert (resumed.state, resumed.step) == (FINISHED, 7)

    expected, found = training_tensors(whole.run), training_tensors(parts.run)
    assert expected.keys() == found.keys()
    assert any(name.startswith("optimizer_d.") and name.endswith("exp_avg_sq") for name in expected)
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert not different
    assert losses(parts.run) == losses(whole.run)
    assert Run(parts.run).samples()[-1].read_bytes() == Run(whole.run).samples()[-1].read_bytes()


def test_resuming_continues_the_iteration_count_of_the_optimisers(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=3)
    train(request_for(resume=True))
    steps = {
        name: float(t) for name, t in training_tensors(request_for().run).items() if name.endswith(".step")
    }
    assert steps
    assert set(steps.values()) == {7.0}


def test_after_a_crash_it_goes_on_from_the_last_checkpoint_and_forgets_what_came_after(
    request_for: MakeRequest,
) -> None:
    whole = request_for("whole")
    train(whole)
    settings = {"checkpoint_every": 2, "sample_every": 1}
    crashed = request_for("crashed", **settings)
    with pytest.raises(Killed):
        watch(crashed, crash_at=5)
    run = Run(crashed.run)
    status = run.status()
    assert status.state == FAILED
    assert status.resumable
    assert "A bug ended it: Killed" in status.message
    assert "Everything up to step 4 is saved." in status.message
    assert [path.name for path in run.checkpoints()] == ["step-000002", "step-000004"]

    watcher = Watcher()
    train(request_for("crashed", resume=True), report=watcher.report)
    trained = [report.step for report in watcher.reports if report.state == "running"]
    assert min(trained) == 4
    assert losses(crashed.run) == losses(whole.run)
    assert [path.name for path in run.samples()] == [f"step-{k:06d}.png" for k in range(1, 8)]
    found = training_tensors(crashed.run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())


def test_a_run_that_died_before_its_first_checkpoint_starts_again_when_resumed(
    request_for: MakeRequest,
) -> None:
    with pytest.raises(Killed):
        watch(request_for(), crash_at=2)
    assert Run(request_for().run).latest() is None
    assert train(request_for(resume=True)).state == FINISHED
    assert [event["step"] for event in Run(request_for().run).events()] == list(range(1, 8))


def test_a_finished_run_can_be_trained_further(request_for: MakeRequest) -> None:
    whole = request_for("whole", iterations=9)
    train(whole)
    train(request_for("longer", iterations=5))
    status = train(request_for("longer", iterations=9, resume=True))
    assert (status.state, status.step, status.iterations) == (FINISHED, 9, 9)
    found = training_tensors(request_for("longer").run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())


def test_resuming_takes_the_settings_of_the_run_and_not_new_ones(request_for: MakeRequest) -> None:
    watch(request_for(seed=3), stop_at=2)
    other = request_for(resume=True, seed=8, batch_size=9, iterations=0)
    other = replace(other, preset="paper", model=ModelConfig(channels=1, size=64, ngf=6, ndf=6))
    assert train(other).state == FINISHED
    train(request_for("whole", seed=3))
    assert losses(other.run) == losses(request_for("whole").run)
    latest = Run(other.run).latest()
    assert latest is not None
    assert load_generator(latest)[1].about["preset"] == "demo"


def test_resuming_on_other_images_is_refused(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=2)
    with pytest.raises(DataError, match=r"is not the data set that .* was trained on"):
        train(request_for(resume=True, data_seed=1))


def test_resuming_what_is_no_run_is_refused(request_for: MakeRequest) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        train(request_for(resume=True))


def test_a_broken_newest_checkpoint_costs_only_the_steps_since_the_one_before(
    request_for: MakeRequest,
) -> None:
    whole = request_for("whole")
    train(whole)
    watch(request_for(checkpoint_every=2), stop_at=5)
    newest = Run(request_for().run).checkpoints()[-1]
    assert newest.name == "step-000005"
    (newest / TENSORS).write_bytes((newest / TENSORS).read_bytes()[:-100])
    assert train(request_for(resume=True)).state == FINISHED
    assert losses(request_for().run) == losses(whole.run)
    found = training_tensors(request_for().run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())


def test_when_no_checkpoint_can_be_read_it_says_so_and_deletes_nothing(request_for: MakeRequest) -> None:
    watch(request_for(checkpoint_every=2), stop_at=5)
    run = Run(request_for().run)
    for folder in run.checkpoints():
        (folder / TENSORS).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"step-000005/training\.safetensors is not a safetensors file"):
        train(request_for(resume=True))
    assert run.status().state == FAILED
    assert [path.name for path in run.checkpoints()] == ["step-000002", "step-000004", "step-000005"]


def test_a_resumed_run_shows_its_progress_from_the_first_report(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=4)
    watcher = Watcher()
    with reserve(torch.device("cpu"), lambda _: True):
        train(request_for(resume=True), interrupted=lambda: len(watcher.reports) > 1, report=watcher.report)
    assert watcher.reports[-1].state == STOPPED
    assert watcher.reports[-1].step == 4
    assert Run(request_for().run).status().step == 4


def test_a_run_whose_process_was_killed_is_interrupted_and_resumes(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=3)
    path = request_for().run / "status.json"
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(values | {"state": "running", "pid_started": values["pid_started"] - 999}))
    assert Run(request_for().run).status().state == INTERRUPTED
    assert train(request_for(resume=True)).state == FINISHED
