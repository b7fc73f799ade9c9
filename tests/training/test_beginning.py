"""A run that begins with a model: what it takes from it, what stays new, and that it can be begun again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medgan.errors import ConfigError
from medgan.hub.card import pack
from medgan.runs.checkpoint import load_generator
from medgan.runs.discriminator import discriminator_state
from medgan.runs.info import read_info
from medgan.runs.models import usable
from medgan.runs.record import FINISHED, Run
from medgan.training.beginning import begin_with, model_like, take_over
from medgan.training.loop import train
from medgan.training.step import GanStep
from tests.training.watching import MakeRequest

CPU = torch.device("cpu")


@pytest.fixture
def source(full: MakeRequest, tmp_path: Path) -> Path:
    """A packed model of no classes, with its discriminator."""
    request = full("source")
    train(replace(request, model=replace(request.model, classes=())))
    return pack(usable(request.run), tmp_path / "packed", discriminator=True)


def test_a_run_begins_with_a_model_and_what_it_lacks_is_new(full: MakeRequest, source: Path) -> None:
    request = full("target", init=source)
    model = model_like(read_info(source), request.model, "packed")
    assert model == request.model
    step = GanStep(model, replace(request.train, augment="other"), CPU, torch.float32)
    begin_with(step, source)
    theirs, _ = load_generator(source)
    mine = step.generator.state_dict()
    assert torch.equal(mine["main.3.weight"], theirs.state_dict()["main.3.weight"])
    assert torch.equal(mine["main.0.weight"][:16], theirs.state_dict()["main.0.weight"])
    assert float(step.generator.conditioning.ramp) == 0.0  # what classes have in common is known
    assert torch.equal(step.sampler().state_dict()["main.3.weight"], mine["main.3.weight"])
    heads = discriminator_state(source)["frozen.heads.3.0.weight"].float()
    assert torch.equal(step.discriminator.state_dict()["frozen.heads.3.0.weight"], heads)
    status = train(request)
    assert status.state == FINISHED
    assert Run(request.run).config()["init"]["name"] == "packed"
    assert read_info(usable(request.run)).about["init"]["name"] == "packed"


def test_a_model_of_another_kind_of_image_is_refused(full: MakeRequest, source: Path) -> None:
    with pytest.raises(ConfigError, match="makes grey 64 x 64 images and the data set has colour"):
        model_like(read_info(source), replace(full("x").model, channels=3), "packed")


def test_layers_of_other_shapes_stay_as_they_were() -> None:
    network = torch.nn.Linear(3, 2)
    before = network.weight.clone()
    assert take_over(network, {"weight": torch.ones(2, 4), "bias": torch.ones(2)}) == ["weight"]
    assert torch.equal(network.weight, before) and torch.equal(network.bias, torch.ones(2))
