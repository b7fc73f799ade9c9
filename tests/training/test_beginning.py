"""A run that begins with a model: what it takes from it, what stays new, and that it can be begun again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medgan.config import ModelConfig, TrainConfig
from medgan.errors import CheckpointError, ConfigError, RunError
from medgan.hub.card import pack
from medgan.runs.checkpoint import load_generator
from medgan.runs.discriminator import discriminator_state
from medgan.runs.info import (
    ALONE,
    TRAINING,
    WEIGHTS,
    ModelInfo,
    begins_new,
    model_sha256,
    not_compared,
    read_info,
)
from medgan.runs.models import usable
from medgan.runs.record import FINISHED, Run
from medgan.training.beginning import begin_with, model_like, take_over
from medgan.training.loop import train
from medgan.training.saving import Progress, snapshot, write
from medgan.training.step import GanStep, begin_to_tell_apart
from tests.training.conftest import CLASSES
from tests.training.watching import Killed, MakeRequest, losses, training_tensors, watch

CPU = torch.device("cpu")


@pytest.fixture
def source(full: MakeRequest, tmp_path: Path) -> Path:
    """A packed model of no classes, with its discriminator."""
    request = full("source", iterations=2)
    train(replace(request, model=replace(request.model, classes=())))
    return pack(usable(request.run), tmp_path / "packed", discriminator=True)


def test_a_run_begins_with_a_model_and_what_it_lacks_is_new(full: MakeRequest, source: Path) -> None:
    request = full("target", init=source, iterations=2)
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


def test_a_model_of_another_kind_of_image_is_refused(request_for: MakeRequest) -> None:
    model = request_for().model
    words = "^packed makes grey 64 x 64 images and the data set has colour 64 x 64 ones; begin with a model"
    with pytest.raises(ConfigError, match=words):
        model_like(ModelInfo(model), replace(model, channels=3), "packed")
    with pytest.raises(ConfigError, match="makes grey 64 x 64 images and the data set has grey 128 x 128"):
        model_like(ModelInfo(model), replace(model, size=128), "packed")


def test_layers_of_other_shapes_stay_as_they_were() -> None:
    network = torch.nn.Conv2d(3, 2, 3)
    before = network.weight.clone()
    assert take_over(network, {"weight": torch.ones(2, 3, 4, 4), "bias": torch.ones(2)}) == ["weight"]
    assert torch.equal(network.weight, before) and torch.equal(network.bias, torch.ones(2))


@pytest.mark.parametrize(("source", "target"), [((), CLASSES), (CLASSES, ())], ids=["more", "fewer"])
def test_a_model_of_other_classes_begins_with_the_images_of_its_source(
    source: tuple[tuple[str, int], ...], target: tuple[tuple[str, int], ...], tmp_path: Path
) -> None:
    """What the latent says at every stage comes along, not only what the convolutions have learned."""
    model = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, channels=1, modulated=True)
    models = [replace(model, classes=classes) for classes in (source, target)]
    known, begun = (
        GanStep(m, TrainConfig(seed=k, ema_kimg=1), CPU, torch.float32) for k, m in enumerate(models)
    )
    with torch.no_grad():
        for parameter in known.generator.modulated.parameters():
            parameter.normal_()
    write(tmp_path / "source", snapshot(known, [], Progress(1), known.generator, ModelInfo(models[0])))
    begin_with(begun, tmp_path / "source")
    latents, labels = torch.randn(2, 8), torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():  # classes do not matter yet, and do not matter at all where there are none
        expected, made = (
            network.eval()(latents, labels if network.classes else None)
            for network in (known.generator, begun.sampler())
        )
    torch.testing.assert_close(made, expected)


def test_the_papers_networks_begin_with_a_model_of_theirs(request_for: MakeRequest) -> None:
    """All of it, discriminator included, and so the first images are those of the source."""
    train(request_for("source", iterations=3))
    folder = usable(request_for("source").run)
    step = GanStep(request_for().model, TrainConfig(seed=9), CPU, torch.float32)
    begin_with(step, folder)
    expected = training_tensors(request_for("source").run)
    assert torch.equal(step.generator.state_dict()["main.0.weight"], expected["generator.main.0.weight"])
    for name, tensor in step.discriminator.state_dict().items():
        assert torch.equal(tensor, expected[f"discriminator.{name}"]), name


def test_classes_are_told_by_their_names(tmp_path: Path) -> None:
    """What is known of one of the source's classes is not given to another that stands in its place."""
    wide = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, channels=1)
    models = [replace(wide, classes=tuple((name, 1) for name in names)) for names in ("abc", "cxa")]
    steps = [GanStep(m, TrainConfig(seed=k, ema_kimg=1), CPU, torch.float32) for k, m in enumerate(models)]
    source, target = steps
    with torch.no_grad():
        source.discriminator.main[-1].parametrizations.weight[0]._u.fill_(7.0)
    new = target.generator.embedding.weight[1].clone()
    new_judge = target.discriminator.main[-1].parametrizations.weight.original[2].clone()
    shot = snapshot(source, [], Progress(1), source.generator, ModelInfo(models[0]))
    write(tmp_path / "source", shot)
    begin_with(target, tmp_path / "source")
    theirs, mine = (step.generator.embedding.weight for step in steps)
    assert torch.equal(mine[[0, 2]], theirs[[2, 0]])
    assert torch.equal(mine[1], new)
    assert torch.equal(target.sampler().embedding.weight, mine)
    theirs, mine = (step.discriminator.main[-1].parametrizations.weight.original for step in steps)
    assert torch.equal(mine[[0, 1, 3]], theirs[[0, 3, 1]])  # the common row stands first
    assert torch.equal(mine[2], new_judge)
    power = target.discriminator.main[-1].parametrizations.weight[0]._u
    assert (power[[0, 1, 3]] == 7.0).all() and power[2] != 7.0


@pytest.mark.parametrize("judged", [True, False], ids=["whole", "no discriminator"])
@pytest.mark.parametrize(("names", "ramp"), [("ab", 0.75), ("ba", 0.75), ("ax", 0.0)])
def test_classes_matter_to_all_networks_alike(names: str, ramp: float, judged: bool, tmp_path: Path) -> None:
    """As much as to the source where it knows them all; else they come in slowly, as from no classes."""
    wide = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, channels=1)
    models = [replace(wide, classes=tuple((name, 1) for name in some)) for some in ("ab", names)]
    source, target = (GanStep(model, TrainConfig(ema_kimg=1), CPU, torch.float32) for model in models)
    begin_to_tell_apart(list(source.networks().values()), 0.75)
    folder = tmp_path / "source"
    write(folder, snapshot(source, [], Progress(1), source.generator, ModelInfo(models[0])))
    if not judged:
        (folder / TRAINING).unlink()
    begin_with(target, folder)
    networks = (target.generator, target.sampler(), target.discriminator)
    assert [float(network.conditioning.ramp) for network in networks] == [ramp] * 3


def test_a_model_that_lacks_classes_takes_what_all_have_in_common(tmp_path: Path) -> None:
    model = ModelConfig("resize", size=64, ngf=4, ndf=4, latent=8, channels=1, classes=CLASSES)
    source = GanStep(model, TrainConfig(), CPU, torch.float32)
    write(tmp_path / "source", snapshot(source, [], Progress(1), source.generator, ModelInfo(model)))
    wanted = model_like(read_info(tmp_path / "source"), replace(model, classes=()), "source")
    target = GanStep(wanted, TrainConfig(seed=5), CPU, torch.float32)
    begin_with(target, tmp_path / "source")
    assert torch.equal(target.generator.main[0].weight, source.generator.main[0].weight[:8])
    rows = [step.discriminator.main[-1].parametrizations.weight.original for step in (target, source)]
    assert torch.equal(rows[0], rows[1][:1])


def test_classes_cannot_be_asked_of_a_model_of_the_papers_networks(request_for: MakeRequest) -> None:
    info = ModelInfo(request_for().model)
    with pytest.raises(
        ConfigError,
        match=r"^The paper's networks know no classes.*use preset small, or small-cpu without a GPU\.$",
    ):
        model_like(info, replace(info.model, architecture="resize", classes=CLASSES), "old")


def test_what_died_before_its_first_checkpoint_begins_with_the_model_again(
    request_for: MakeRequest,
) -> None:
    train(request_for("source", iterations=3))
    source = usable(request_for("source").run)
    whole, died = (replace(request_for(name), init=source) for name in ("whole", "died"))
    train(whole)
    with pytest.raises(Killed):
        watch(died, crash_at=2)
    assert Run(died.run).latest() is None
    assert train(request_for("died", resume=True)).state == FINISHED
    assert losses(died.run) == losses(whole.run)
    found = training_tensors(died.run)
    assert all(torch.equal(t, found[name]) for name, t in training_tensors(whole.run).items())
    train(request_for("nothing"))
    assert losses(request_for("nothing").run) != losses(whole.run)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("cut", "is cut short"),
        ("numbers", "holds values that are not numbers"),
        ("config", "lacks the tensor embedding.weight"),
        ("judge", r"\(discriminator\): the tensor main.0.weight is"),
    ],
)
def test_a_damaged_model_is_told_before_there_is_a_run(
    harm: str, words: str, full: MakeRequest, source: Path
) -> None:
    kept = {path: path.read_bytes() for path in source.iterdir()}
    if harm == "cut":
        (source / WEIGHTS).write_bytes(kept[source / WEIGHTS][:-1000])
    elif harm == "numbers":
        save_file(
            load_file(source / WEIGHTS) | {"main.0.weight": torch.full((16, 32, 4, 4), torch.nan)},
            source / WEIGHTS,
        )
    elif harm == "config":
        info = read_info(source)
        told = ModelInfo(replace(info.model, classes=CLASSES), info.about)
        (source / "config.json").write_text(json.dumps(told.to_json()))
    else:
        tensors = load_file(source / ALONE)
        save_file(tensors | {"main.0.weight": tensors["main.0.weight"].repeat(1, 3, 1, 1)}, source / ALONE)
    request = full("begun", init=source, iterations=1)
    with pytest.raises(
        CheckpointError, match=f"^A run cannot begin with .*packed. packed.* {words}.*Copy or"
    ):
        train(request)
    assert not Run(request.run).exists()
    for path, data in kept.items():
        path.write_bytes(data)
    assert train(request).state == FINISHED, "the same again, once the model is whole"


def test_what_a_model_does_not_bring_is_said(full: MakeRequest, source: Path) -> None:
    def said(folder: Path, *classes: str) -> str:
        return begins_new(folder, read_info(folder).model, classes)

    assert said(source, "a", "b") == ""
    (source / ALONE).unlink()
    assert said(source) == "It comes without a discriminator, so that begins new."
    train(full("told", iterations=1))
    assert said(usable(full("told").run), "a", "c") == "It does not know c, so that begins new."


def test_a_model_that_is_gone_or_another_now_is_noticed_before_it_is_begun_with(
    request_for: MakeRequest, tmp_path: Path
) -> None:
    for name in ("source", "other"):
        train(request_for(name, iterations=1, seed=len(name)))
    folder = shutil.copytree(usable(request_for("source").run), tmp_path / "model")
    early, late = (replace(request_for(name), init=folder) for name in ("early", "late"))
    with pytest.raises(Killed):
        watch(early, crash_at=2)
    watch(late, stop_at=2)
    words = "the model that early begins with, is no longer in .*model; put it back, or start a new run"
    shutil.copy(usable(request_for("other").run) / WEIGHTS, folder)
    with pytest.raises(RunError, match=words):
        train(request_for("early", resume=True))
    shutil.rmtree(folder)
    with pytest.raises(RunError, match=words):
        train(request_for("early", resume=True))
    assert train(request_for("late", resume=True)).state == FINISHED  # it has what it needs


def test_the_record_says_which_model_a_run_began_with(request_for: MakeRequest) -> None:
    train(request_for("source", iterations=1))
    source = usable(request_for("source").run)
    request = replace(request_for(iterations=1), init=source)
    train(request)
    known = {
        "name": "source",
        "sha256": model_sha256(source),
        "content_sha256": read_info(source).about["dataset"]["content_sha256"],
    }
    assert Run(request.run).config()["init"] == known | {"path": str(source.resolve())}
    assert read_info(usable(request.run)).about["init"] == known, (
        "a model leaves this machine, a path does not"
    )
    assert not not_compared(read_info(usable(request.run)).about), "both were trained on the same set"
    assert Run(request_for("source").run).config()["init"] is None
