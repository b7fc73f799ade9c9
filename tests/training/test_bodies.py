"""The frozen network is fetched once, looked through as it is, and done without where it cannot be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from medgan.config import ModelConfig
from medgan.errors import MetricError
from medgan.metrics.features import load
from medgan.runs.record import FINISHED, Run
from medgan.training import bodies
from medgan.training.bodies import body_of, obtain
from medgan.training.estimate import estimate
from medgan.training.loop import train
from tests.metrics.backbone import use_random_weights
from tests.training.watching import MakeRequest, Watcher, watch

MODEL = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, frozen="squeezenet")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No weights on this computer, and no connection; what was asked for is listed."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    asked: list[str] = []

    def fails(source, **_: object) -> None:  # type: ignore[no-untyped-def]
        asked.append(source.title)
        raise MetricError("There is no connection.")

    monkeypatch.setattr(bodies, "ensure", fails)
    return asked


def test_a_model_without_a_frozen_network_needs_none(nowhere: list[str]) -> None:
    said: list[str] = []
    model = replace(MODEL, frozen="")
    assert body_of(model) is None
    assert obtain(model, said.append) == (model, "")
    assert not said and not nowhere


def test_weights_that_are_here_are_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_random_weights(tmp_path, monkeypatch)
    monkeypatch.setattr(bodies, "ensure", None)
    said: list[str] = []
    assert obtain(MODEL, said.append) == (MODEL, "")
    assert not said


def test_a_body_is_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What training does to it must not reach the network that measures, nor another training."""
    use_random_weights(tmp_path, monkeypatch)
    first, second = body_of(MODEL), body_of(MODEL)
    assert first is not None and second is not None
    with torch.no_grad():
        first[0].weight.zero_()
    assert second[0].weight.abs().sum() > 0
    assert load("squeezenet").module.features[0].weight.abs().sum() > 0
    assert not any(m.inplace for m in first.modules() if isinstance(m, nn.ReLU))


def test_where_they_cannot_be_had_the_same_model_is_trained_without(nowhere: list[str]) -> None:
    said: list[str] = []
    model, why = obtain(MODEL, said.append)
    assert model == replace(MODEL, frozen="")
    assert "without the pretrained features" in why and "There is no connection." in why
    assert len(nowhere) == 1
    assert said == [f"Downloading the weights of {nowhere[0]} (5 MB), once."]


def test_a_run_that_went_without_goes_on_without(request_for: MakeRequest, nowhere: list[str]) -> None:
    request = replace(request_for(), model=replace(MODEL, channels=1))
    watch(request, stop_at=2)
    config = Run(request.run).config()
    assert config["model"]["frozen"] == ""
    watcher = Watcher()
    assert train(request_for(resume=True), report=watcher.report).state == FINISHED
    assert Run(request.run).config() == config
    assert len(nowhere) == 1  # it was asked once, when the run began


def test_a_run_that_went_with_it_does_not_go_on_without(
    request_for: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of its discriminator would be missing: better a sentence than another training."""
    use_random_weights(tmp_path / "weights", monkeypatch)
    request = replace(request_for(), model=replace(MODEL, channels=1))
    watch(request, stop_at=1)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("medgan.metrics.features.ensure", _fails)
    with pytest.raises(MetricError, match="no connection"):
        train(request_for(resume=True))
    assert Run(request.run).status().resumable


def test_an_estimate_is_of_what_would_be_trained(request_for: MakeRequest, nowhere: list[str]) -> None:
    request = replace(request_for(augment="auto"), model=replace(MODEL, channels=1))
    found = estimate(request)
    assert found.seconds is not None
    assert "without the pretrained features" in found.words()


def _fails(*_: object, **__: object) -> Path:
    raise MetricError("There is no connection.")
