"""Training as a run folder: stop, crash, resume, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.errors import CheckpointError, ConfigError, DataError, RunError
from medgan.generation.sampling import sample
from medgan.runs.checkpoint import load_generator, read_tensors
from medgan.runs.record import FAILED, FINISHED, INTERRUPTED, QUEUED, STOPPED, Run, Status
from medgan.training.devices import reserve
from medgan.training.loop import Request, train
from medgan.training.saving import TENSORS
from medgan.workspace import Workspace

MakeRequest = Callable[..., Request]
LOSSES = ("loss_d", "loss_g", "d_real", "d_fake")


class Watcher:
    """Follows a training by its reports, and interrupts it (or crashes it) at a step."""

    def __init__(self, stop_at: int | None = None, crash_at: int | None = None) -> None:
        self.stop_at, self.crash_at = stop_at, crash_at
        self.reports: list[Status] = []

    def report(self, status: Status) -> None:
        self.reports.append(replace(status))

    def interrupted(self) -> bool:
        step = self.reports[-1].step if self.reports else 0
        if self.crash_at is not None and step >= self.crash_at:
            raise ZeroDivisionError("a bug")
        return self.stop_at is not None and step >= self.stop_at


def watch(request: Request, stop_at: int | None = None, crash_at: int | None = None) -> Status:
    watcher = Watcher(stop_at, crash_at)
    return train(request, interrupted=watcher.interrupted, report=watcher.report)


def training_tensors(run: Path) -> dict[str, Tensor]:
    latest = Run(run).latest()
    assert latest is not None
    return read_tensors(latest / TENSORS)


def losses(run: Path) -> list[tuple[float, ...]]:
    return [(e["step"], e["images"], *(e[name] for name in LOSSES)) for e in Run(run).events()]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_finished_training_leaves_a_complete_run_folder(request_for: MakeRequest, channels: int) -> None:
    request = request_for(channels=channels, sample_every=3)
    status = train(request)
    assert (status.state, status.step, status.iterations) == (FINISHED, 7, 7)
    run = Run(request.run)
    assert run.status() == status
    assert [event["step"] for event in run.events()] == list(range(1, 8))
    assert [path.name for path in run.samples()] == [f"step-{k:06d}.png" for k in (1, 3, 6, 7)]
    with Image.open(run.samples()[-1]) as picture:
        assert picture.mode == ("L" if channels == 1 else "RGB")
    latest = run.latest()
    assert latest is not None
    assert latest.name == "step-000007"
    generator, info = load_generator(latest)
    assert info.model == request.model
    assert sample(generator, [0]).shape == (1, 64, 64, channels)


def test_images_are_counted_with_the_smaller_last_batch(request_for: MakeRequest) -> None:
    request = request_for(iterations=4)  # 10 training images: batches of 4, 4, 2, then 4
    assert Dataset(request.dataset).info["splits"]["train"] == 10
    assert train(request).images == 14
    assert [event["images"] for event in Run(request.run).events()] == [4, 8, 10, 14]


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
    with pytest.raises(ZeroDivisionError):
        watch(crashed, crash_at=5)
    run = Run(crashed.run)
    status = run.status()
    assert status.state == FAILED
    assert status.resumable
    assert "ZeroDivisionError: a bug" in status.message
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
    with pytest.raises(ZeroDivisionError):
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


def test_a_run_is_never_overwritten(request_for: MakeRequest) -> None:
    train(request_for(iterations=1))
    before = (request_for().run / "config.json").read_bytes()
    with pytest.raises(RunError, match="holds a run already; add --resume"):
        train(request_for(iterations=2))
    assert (request_for().run / "config.json").read_bytes() == before
    assert Run(request_for().run).status().state == FINISHED


def test_a_model_of_another_shape_than_the_data_is_refused_before_anything_is_written(
    request_for: MakeRequest,
) -> None:
    request = request_for()
    with pytest.raises(DataError, match="channels and size"):
        train(replace(request, model=ModelConfig(channels=3, size=64, ngf=4, ndf=4)))
    assert not (request.run / "config.json").exists()


def test_an_error_is_raised_and_written_to_the_status(request_for: MakeRequest) -> None:
    request = replace(request_for(), device="gpu")
    with pytest.raises(ConfigError, match="gpu is not known"):
        train(request)
    status = Run(request.run).status()
    assert status.state == FAILED
    assert "gpu is not known" in status.message


def test_losses_that_are_no_longer_numbers_end_it_and_are_not_saved(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(learning_rate=1e20, checkpoint_every=1, iterations=50)
    with pytest.raises(RunError, match=r"no longer numbers at step \d+.*lower learning rate"):
        train(request)
    run = Run(request.run)
    assert run.status().state == FAILED
    assert all(np.isfinite([event[name] for name in LOSSES]).all() for event in run.events())
    assert all(
        t.isfinite().all() for path in run.checkpoints() for t in read_tensors(path / TENSORS).values()
    )


def test_running_out_of_memory_names_a_smaller_batch(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("medgan.training.step.GanStep.__call__", fail)
    with pytest.raises(RunError, match=r"Out of memory at batch size 4; .*--batch-size 2"):
        train(request_for())
    assert Run(request_for().run).status().state == FAILED


def test_two_checkpoints_stay(request_for: MakeRequest) -> None:
    train(request_for(checkpoint_every=1))
    assert [path.name for path in Run(request_for().run).checkpoints()] == ["step-000006", "step-000007"]


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
    assert [path.name for path in run.checkpoints()] == ["step-000004", "step-000005"]


def test_a_second_training_in_the_same_folder_is_refused(request_for: MakeRequest) -> None:
    again: list[str] = []

    def report(status: Status) -> None:
        if status.step == 1 and not again:
            with pytest.raises(RunError, match="Another process is training") as caught:
                train(request_for(resume=True))
            again.append(str(caught.value))

    assert train(request_for(), report=report).state == FINISHED
    assert again


def test_a_training_that_is_stopped_while_it_waits_for_the_device_has_trained_nothing(
    request_for: MakeRequest,
) -> None:
    watcher = Watcher()

    def interrupted() -> bool:
        return any(report.state == QUEUED for report in watcher.reports)

    with reserve(Workspace.default(), torch.device("cpu"), lambda: True):
        status = train(request_for(), interrupted=interrupted, report=watcher.report)
    queued = next(report for report in watcher.reports if report.state == QUEUED)
    assert "another training is using cpu" in queued.message
    assert (status.state, status.step) == (STOPPED, 0)
    assert train(request_for(resume=True)).state == FINISHED


def test_a_resumed_run_shows_its_progress_from_the_first_report(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=4)
    watcher = Watcher()
    with reserve(Workspace.default(), torch.device("cpu"), lambda: True):
        train(request_for(resume=True), interrupted=lambda: len(watcher.reports) > 1, report=watcher.report)
    assert watcher.reports[-1].state == STOPPED
    assert watcher.reports[-1].step == 4
    assert Run(request_for().run).status().step == 4


def test_the_run_can_be_read_by_a_person(request_for: MakeRequest) -> None:
    train(request_for(iterations=1))
    config = json.loads((request_for().run / "config.json").read_text("utf-8"))
    assert config["dataset"]["name"] == "Clouds"
    assert config["model"]["channels"] == 1
    assert config["train"]["batch_size"] == 4
    assert config["versions"]["torch"] == torch.__version__


def test_a_run_whose_process_was_killed_is_interrupted_and_resumes(request_for: MakeRequest) -> None:
    watch(request_for(), stop_at=3)
    path = request_for().run / "status.json"
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(values | {"state": "running", "pid_started": values["pid_started"] - 999}))
    assert Run(request_for().run).status().state == INTERRUPTED
    assert train(request_for(resume=True)).state == FINISHED
