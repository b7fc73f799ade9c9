"""Training as a run folder: what is in it, and what a person is told when it cannot go on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from medgan.config import ModelConfig
from medgan.data.dataset import Dataset
from medgan.errors import ConfigError, DataError, RunError
from medgan.generation.sampling import sample
from medgan.runs.checkpoint import load_generator, read_tensors
from medgan.runs.record import FAILED, FINISHED, QUEUED, STOPPED, Run, Status
from medgan.training.devices import reserve
from medgan.training.loop import train
from medgan.training.saving import TENSORS
from medgan.training.step import GanStep, StepResult
from tests.training.watching import LOSSES, MakeRequest, Watcher


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
    with pytest.raises(
        RunError, match=r"no longer numbers \(at step \d+\).*lower learning rate.*another seed"
    ):
        train(request)
    run = Run(request.run)
    assert run.status().state == FAILED
    assert all(np.isfinite([event[name] for name in LOSSES]).all() for event in run.events())
    assert all(
        t.isfinite().all() for path in run.checkpoints() for t in read_tensors(path / TENSORS).values()
    )


@pytest.mark.parametrize(
    ("fits", "says"),
    [
        (5, r"Out of memory on cpu at batch size 12; batch size 3 fits: start .* --batch-size 3\."),
        (0, "not even batch size 2 fits: start a new run with a smaller preset"),
    ],
)
def test_running_out_of_memory_names_the_batch_that_fits(
    request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch, fits: int, says: str
) -> None:
    do_step = GanStep.__call__

    def limited(
        step: GanStep, real: torch.Tensor, noise: torch.Tensor, *more: float, **named: torch.Tensor
    ) -> StepResult:
        if len(real) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return do_step(step, real, noise, *more, **named)

    monkeypatch.setattr(GanStep, "__call__", limited)
    with pytest.raises(RunError, match=says):
        train(request_for(batch_size=12))
    status = Run(request_for().run).status()
    assert status.state == FAILED
    assert "Nothing was saved yet." in status.message


def test_three_checkpoints_stay(request_for: MakeRequest) -> None:
    train(request_for(checkpoint_every=1))
    names = [path.name for path in Run(request_for().run).checkpoints()]
    assert names == ["step-000005", "step-000006", "step-000007"]


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

    with reserve(torch.device("cpu"), lambda _: True):
        status = train(request_for(), interrupted=interrupted, report=watcher.report)
    queued = next(report for report in watcher.reports if report.state == QUEUED)
    assert "another training is using cpu" in queued.message
    assert (status.state, status.step) == (STOPPED, 0)
    assert train(request_for(resume=True)).state == FINISHED


def test_the_run_can_be_read_by_a_person(request_for: MakeRequest) -> None:
    train(request_for(iterations=1))
    config = json.loads((request_for().run / "config.json").read_text("utf-8"))
    assert config["dataset"]["name"] == "Clouds"
    assert config["model"]["channels"] == 1
    assert config["train"]["batch_size"] == 4
    assert config["versions"]["torch"] == torch.__version__
