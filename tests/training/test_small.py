"""Runs with everything on: frozen judge, augmentation, average, classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import ConfigError, DataError, MetricError
from medgan.evaluation.membership import discriminator_scores
from medgan.generation.sampling import OfClass, inputs_of, labels_of, sample
from medgan.metrics.features import NETWORKS
from medgan.models.resize import Discriminator
from medgan.runs.checkpoint import load_generator
from medgan.runs.models import usable
from medgan.runs.record import FINISHED, RUNNING, Run
from medgan.training import bodies, heldout
from medgan.training.augment import DRAWS
from medgan.training.graphs import WARM_UP, GraphedStep
from medgan.training.loop import train
from medgan.training.request import classes_of
from medgan.training.request import labels_of as labels_of_images
from medgan.training.step import GanStep, StepResult, tell_apart
from medgan.training.stepper import Stepper
from tests.training.conftest import CLASSES, smooth_images
from tests.training.test_graphs import _Recorder
from tests.training.watching import Killed, MakeRequest, Watcher, losses, training_tensors, watch

CPU = torch.device("cpu")
THREE = (("x", 3), ("y", 4), ("z", 3))


def test_it_resumes_bit_for_bit(full: MakeRequest) -> None:
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


def test_seeds_name_images_with_a_class_and_without(full: MakeRequest) -> None:
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


def test_without_the_weights_it_trains_without_them_and_says_so(
    full: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_membership_is_asked_of_the_part_that_learned_from_these_images(full: MakeRequest) -> None:
    request = full(iterations=2)
    train(request)
    images = np.zeros((6, 64, 64, 1), np.uint8)
    classes = {"train_classes": "ab" * 3, "heldout_classes": "ab" * 2}
    scores = discriminator_scores(usable(request.run), train=images, heldout=images[:4], seed=0, **classes)
    assert [len(s) for s in scores] == [6, 4]
    assert all(np.isfinite(s).all() for s in scores)


def _says_the_class(_: Discriminator, images: Tensor, labels: Tensor | None = None) -> Tensor:
    return torch.full((len(images),), 9.0) if labels is None else labels.float()


def test_membership_is_asked_with_the_class_of_each_image(
    full: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = full(iterations=2)
    train(request)
    model, images = usable(request.run), np.zeros((5, 64, 64, 1), np.uint8)
    monkeypatch.setattr(Discriminator, "forward", _says_the_class)

    def scores(train: str, heldout: str) -> list[list[float]]:
        found = discriminator_scores(
            model,
            train=images[: len(train)],
            heldout=images[: len(heldout)],
            train_classes=train,
            heldout_classes=heldout,
            seed=0,
        )
        return [part.tolist() for part in found]

    assert scores("abb", "ba") == [[0, 1, 1], [1, 0]]
    assert scores("azb", "bz") == [[0, 1], [1]], "of an unknown class nobody can ask"
    with pytest.raises(MetricError, match="knows none of the classes"):
        scores("zz", "z")


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


def test_after_a_crash_it_is_as_if_nothing_had_happened(full: MakeRequest) -> None:
    whole, crashed = full("whole", iterations=6), full("crashed", iterations=6, checkpoint_every=2)
    train(whole)
    with pytest.raises(Killed):
        watch(crashed, crash_at=5)
    assert Run(crashed.run).status().message.endswith("Everything up to step 4 is saved.")
    assert train(full("crashed", resume=True, iterations=6)).state == FINISHED
    found = training_tensors(crashed.run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())
    assert losses(crashed.run) == losses(whole.run)


def test_one_step_changes_all_that_learns_and_nothing_of_the_frozen_network(full: MakeRequest) -> None:
    request = full()
    step = GanStep(request.model, replace(request.train, augment="histology"), CPU, torch.float32)
    body = step.discriminator.frozen._body[0]
    learning = [p for o in step.optimizers().values() for g in o.param_groups for p in g["params"]]
    assert not {id(p) for p in body.parameters()} & {id(p) for p in learning}
    tell_apart(list(step.networks().values()), 2.0)
    networks = {"generator": step.generator, "discriminator": step.discriminator, "average": step.average}
    before = {key: value.clone() for key, value in _named(networks).items()}
    frozen_before = [p.clone() for p in body.parameters()]
    real, noise, draws = torch.rand(4, 1, 64, 64) * 2 - 1, torch.randn(4, 16), torch.rand(4, 2, DRAWS)
    result = step(real, noise, draws=draws, labels=torch.tensor([0, 1, 0, 1]))
    still = [key for key, value in _named(networks).items() if torch.equal(value, before[key])]
    # Real and generated images pull at the bias of a head alike, until the hinge lets go of one of them.
    assert not [key for key in still if not (key.startswith("discriminator.frozen") and key.endswith("bias"))]
    assert all(torch.equal(a, b) for a, b in zip(frozen_before, body.parameters(), strict=True))
    assert all(p.requires_grad for p in step.discriminator.parameters())
    assert not any(value.requires_grad for value in vars(result).values())


def test_classes_come_in_after_so_many_images_in_all_networks_at_once(full: MakeRequest) -> None:
    request = full(iterations=5)
    train(request)
    images = 4 + 4 + 2 + 4 + 4
    ramps = {name: float(t) for name, t in training_tensors(request.run).items() if name.endswith(".ramp")}
    assert ramps.keys() == {f"{n}.conditioning.ramp" for n in ("generator", "discriminator", "ema.network")}
    assert all(ramp == pytest.approx(images / 10 - 1) for ramp in ramps.values())


def test_each_image_comes_with_its_own_label() -> None:
    """Images of class k are of brightness 50 k, so that one look at a batch tells the classes."""
    labels = np.array([0, 1, 2, 1, 0, 2, 2, 1, 0, 1])
    images = np.broadcast_to((50 * labels)[:, None, None, None], (10, 64, 64, 1)).astype(np.uint8)
    model = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=4, channels=1, classes=THREE)
    stepper = Stepper(model, TrainConfig(batch_size=4), images, CPU, torch.float32, labels=labels)
    seen: list[tuple[list[int], list[int]]] = []

    def look(real: Tensor, noise: Tensor, whole: int, labels: Tensor) -> StepResult:
        seen.append((((real.mean((1, 2, 3)) + 1) * 127.5 / 50).round().int().tolist(), labels.tolist()))
        return StepResult(*torch.zeros(4))

    stepper.step, stepper._graphed = look, None  # type: ignore[assignment]
    look.augmentation = None  # type: ignore[attr-defined]
    for k in range(6):
        stepper(k)
    assert all(shown == given for shown, given in seen)
    assert sorted(label for _, given in seen for label in given) == sorted([*labels, *labels])


def test_labels_are_those_of_the_training_part_in_its_order(full: MakeRequest) -> None:
    request = full()
    data = Dataset(request.dataset)
    found = labels_of_images(data, request.model)
    assert found is not None and len(found) == len(data.part("train")) == 10
    rows = [row for row in data.manifest if row["split"] == "train"]
    assert ["ab"[k] for k in found] == [row["class"] for row in rows]
    assert labels_of_images(data, replace(request.model, classes=())) is None
    with pytest.raises(DataError, match="has images of 'b', a class that the model does not know"):
        labels_of_images(data, replace(request.model, classes=(("a", 5), ("c", 5))))


def test_a_run_with_everything_is_watched_beside_unseen_images(
    full: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = smooth_images(34, 1)
    store(images, ["a", "b"] * 17, tmp_path / "more", name="More", split="16/12/6", modality="dermoscopy")
    monkeypatch.setattr(heldout, "EVALUATE_EVERY", 16)
    monkeypatch.setattr(heldout, "SAMPLES_ON_CPU", 16)
    request = full(iterations=4)
    model = replace(request.model, classes=classes_of(Dataset(tmp_path / "more")))
    train(replace(request, dataset=tmp_path / "more", model=model), observers=heldout.observers)
    run = Run(request.run)
    figures = {name for event in run.events() for name in event}
    assert {"kid", "gap", "real_sign"} <= figures
    assert run.config()["train"]["augment"] == "dermoscopy"
    assert run.best() is not None


def _named(networks: dict[str, Any]) -> dict[str, Tensor]:
    return {f"{n}.{name}": p.detach() for n, net in networks.items() for name, p in net.named_parameters()}
