"""Runs with everything on: frozen judge, augmentation, average, classes; and runs that begin with a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.errors import ConfigError, DataError, MetricError
from medgan.evaluation.membership import discriminator_scores
from medgan.generation.sampling import OfClass, inputs_of, labels_of, sample
from medgan.hub.card import pack
from medgan.metrics.features import NETWORKS
from medgan.runs.checkpoint import load_generator
from medgan.runs.discriminator import discriminator_state, has_discriminator, load_discriminator
from medgan.runs.info import read_info
from medgan.runs.models import usable
from medgan.runs.record import FINISHED, RUNNING, Run
from medgan.training import bodies
from medgan.training.beginning import begin_with, model_like, take_over
from medgan.training.graphs import WARM_UP, GraphedStep
from medgan.training.loop import Request, train
from medgan.training.request import classes_of
from medgan.training.step import GanStep
from medgan.training.stepper import Stepper
from tests.metrics.backbone import use_random_weights
from tests.training.test_graphs import _Recorder
from tests.training.watching import MakeRequest, Watcher, losses, training_tensors, watch

CLASSES = (("a", 5), ("b", 5))
CPU = torch.device("cpu")


@pytest.fixture
def full(request_for: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make a request for a class-conditional run of tiny networks with all that preset `small` has."""
    use_random_weights(tmp_path / "weights", monkeypatch)

    def make(run: str, **changes: object) -> Request:
        request = request_for(run, augment="auto", ema_kimg=1.0)
        model = replace(request.model, architecture="resize", frozen="squeezenet", classes=CLASSES)
        return replace(request, model=model, **changes)

    return make


def test_it_resumes_bit_for_bit(full) -> None:  # type: ignore[no-untyped-def]
    whole, parts = full("whole"), full("parts")
    train(whole)
    watch(parts, stop_at=3)
    assert train(full("parts", resume=True)).state == FINISHED
    expected, found = training_tensors(whole.run), training_tensors(parts.run)
    assert expected.keys() == found.keys()
    assert {"strength.value", "ema.seen", "generator.conditioning.ramp"} <= expected.keys()
    assert not [name for name in expected if not torch.equal(expected[name], found[name])]
    assert losses(parts.run) == losses(whole.run)
    assert Run(whole.run).config()["train"]["augment"] == "other"


def test_seeds_name_images_with_a_class_and_without(full) -> None:  # type: ignore[no-untyped-def]
    train(full("run"))
    generator, info = load_generator(usable(full("run").run))
    assert info.model.classes == CLASSES
    assert np.array_equal(sample(generator, [7])[0], sample(generator, range(12))[7])
    generator.conditioning.ramp.fill_(1.0)
    one = OfClass(generator, "a")
    assert np.array_equal(sample(one, [7])[0], sample(one, range(12))[7])
    assert not np.array_equal(sample(one, [7]), sample(OfClass(generator, "b"), [7]))
    drawn = inputs_of(generator, range(8))[1].tolist()
    assert np.array_equal(sample(OfClass(generator, "ab"[drawn[7]]), [7]), sample(generator, [7]))
    with pytest.raises(ConfigError, match="cannot make 'c' on its own; it knows a, b"):
        OfClass(generator, "c")


def test_seeds_are_of_each_class_as_often_as_in_the_training_set() -> None:
    labels = labels_of(range(2000), (("rare", 1), ("common", 3)))
    assert torch.equal(labels, labels_of(range(2000), (("rare", 1), ("common", 3))))
    assert 0.22 < float((labels == 0).float().mean()) < 0.28


def test_without_the_weights_it_trains_without_them_and_says_so(full, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def fails(*_: object, **__: object) -> None:
        raise MetricError("There is no connection.")

    request = full("offline")
    monkeypatch.setattr(bodies, "missing", lambda name: NETWORKS[name].source())
    monkeypatch.setattr(bodies, "ensure", fails)
    watcher = Watcher()
    train(request, report=watcher.report)
    assert Run(request.run).config()["model"]["frozen"] == ""
    said = {report.message for report in watcher.reports if report.state == RUNNING}
    assert any("without the pretrained features" in words and "no connection" in words for words in said)


def test_a_graph_is_given_draws_and_labels() -> None:
    model = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=16, channels=1, classes=CLASSES)
    config = TrainConfig(batch_size=4, augment="dermoscopy", ema_kimg=1.0)
    images = np.random.default_rng(0).integers(0, 255, (10, 64, 64, 1), np.uint8)
    labels = np.array([0, 1] * 5)
    plain, other = (Stepper(model, config, images, CPU, torch.float32, labels=labels) for _ in range(2))
    recorder = _Recorder(other.step)
    other._graphed = GraphedStep(other.step, recorder, 4)
    for k in range(WARM_UP + 5):
        assert torch.equal(plain(k), other(k))
    assert recorder.replays


@pytest.fixture
def source(full, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """A packed model of no classes, with its discriminator."""
    request = full("source")
    train(replace(request, model=replace(request.model, classes=())))
    return pack(usable(request.run), tmp_path / "packed", discriminator=True)


def test_a_run_begins_with_a_model_and_what_it_lacks_is_new(full, source: Path) -> None:  # type: ignore[no-untyped-def]
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


def test_a_model_of_another_kind_of_image_is_refused(full, source: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="makes grey 64 x 64 images and the data set has colour"):
        model_like(read_info(source), replace(full("x").model, channels=3), "packed")


def test_layers_of_other_shapes_stay_as_they_were() -> None:
    network = torch.nn.Linear(3, 2)
    before = network.weight.clone()
    assert take_over(network, {"weight": torch.ones(2, 4), "bias": torch.ones(2)}) == ["weight"]
    assert torch.equal(network.weight, before) and torch.equal(network.bias, torch.ones(2))


def test_a_discriminator_is_judged_without_the_frozen_network(full, source: Path) -> None:  # type: ignore[no-untyped-def]
    assert has_discriminator(source)
    assert load_discriminator(source)(torch.zeros(2, 1, 64, 64)).shape == (2,)
    train(full("run"))
    images = np.zeros((6, 64, 64, 1), np.uint8)
    scores = discriminator_scores(usable(full("run").run), train=images, heldout=images[:4], seed=0)
    assert [len(s) for s in scores] == [6, 4]


def test_a_set_of_one_class_has_none_to_tell_apart(request_for: MakeRequest, tmp_path: Path) -> None:
    from medgan.data.prepare import store

    assert classes_of(Dataset(_made(request_for))) == CLASSES
    store(
        np.random.default_rng(0).integers(0, 255, (12, 64, 64, 1), np.uint8),
        ["a"] * 12,
        tmp_path / "one",
        name="x",
    )
    with pytest.raises(DataError, match="has no two classes to train on"):
        classes_of(Dataset(tmp_path / "one"))


def _made(request_for: MakeRequest) -> Path:
    return request_for().dataset
