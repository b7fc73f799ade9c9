"""The observer of every training, on a tiny model: figures, words, the best so far, nothing changed."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.data.dataset import Dataset
from medgan.data.prepare import store
from medgan.errors import MetricError
from medgan.generation.sampling import labels_of, with_standing_statistics
from medgan.training import heldout
from medgan.training.heldout import HeldOut
from medgan.training.monitors import EVALUATE_EVERY
from medgan.training.observers import CutShort, Moment, Scene
from medgan.training.step import GanStep
from tests.training.conftest import smooth_images

MODEL = ModelConfig(channels=1, size=64, ngf=4, ndf=4, latent=16)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(heldout, "SAMPLES_ON_CPU", 16)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))  # the random network then


def scene(tmp_path: Path, *, validation: int = 12, stop_on: str = "never") -> Scene:
    images = smooth_images(40, 1, seed=3)
    split = f"{36 - validation}/{validation}/4"
    data = store(images, ["a", "b"] * 20, tmp_path / "data", name="x", split=split)
    config = TrainConfig(batch_size=4, stop_on=stop_on)
    return Scene(MODEL, config, data, data.part("train"), torch.device("cpu"))


def moment(step: GanStep, *, images: int = EVALUATE_EVERY, called_away: bool = False) -> Moment:
    made = with_standing_statistics(step.generator, 4)
    return Moment(images // 4, images, step, lambda: made, lambda: called_away)


@pytest.fixture
def step() -> GanStep:
    return GanStep(MODEL, TrainConfig(batch_size=4), torch.device("cpu"), torch.float32)


def test_it_measures_samples_against_validation_images_and_asks_the_discriminator(
    tmp_path: Path, step: GanStep
) -> None:
    found = HeldOut(scene(tmp_path)).observe(moment(step))
    assert {"kid", "kid_sd", "diversity", "nearest_ratio", "real_sign"} <= found.figures.keys()
    assert found.score == found.figures["kid"]
    assert found.end == ""


def test_the_discriminator_is_asked_in_mixed_batches_as_in_training(tmp_path: Path, step: GanStep) -> None:
    """A set stands in the order of its classes, and batch norm would see batches that it has never seen."""
    sorted_by_class = np.repeat(np.array([0, 255], np.uint8), 16)[:, None, None, None]
    images = np.broadcast_to(sorted_by_class, (32, 64, 64, 1)).copy()
    kinds: list[int] = []
    step.discriminator.register_forward_pre_hook(
        lambda network, inputs: kinds.append(len(inputs[0].mean(dim=(1, 2, 3)).unique()))
    )
    HeldOut(replace(scene(tmp_path), images=images)).observe(moment(step))
    assert sum(kinds[:8]) > 12, "most of the eight batches of training images hold both kinds"


@pytest.mark.parametrize("strange", [0, 3, 12], ids=["all known", "three unknown", "none known"])
def test_the_discriminator_is_asked_with_the_class_of_each_image(
    strange: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that only the validation part shows was not learned, and nobody can ask for it."""
    images = smooth_images(40, 1, seed=3)
    images[:, 0, 0, 0] = np.tile([0, 255], 20)  # a corner tells the class
    data = store(images, ["a", "b"] * 20, tmp_path / "data", name="x", split="24/12/4")
    names, parts = np.array(data.column("class")), data.column("split")
    names[[k for k, part in enumerate(parts) if part == "validation"][:strange]] = "z"
    columns = {"class": names.tolist(), "split": parts}
    monkeypatch.setattr(Dataset, "column", lambda self, name: columns[name])
    model = replace(MODEL, architecture="resize", classes=(("a", 12), ("b", 12)))
    config = TrainConfig(batch_size=4, stop_on="never")
    judge = GanStep(model, config, torch.device("cpu"), torch.float32)
    asked: list[tuple[bool, int]] = []

    def note(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        pixels, labels = inputs
        asked.extend(zip((pixels[:, 0, 0, 0] > 0).tolist(), labels.tolist(), strict=True))

    judge.discriminator.register_forward_pre_hook(note)
    here = Scene(model, config, data, data.part("train"), torch.device("cpu"))
    found = HeldOut(here).observe(moment(judge)).figures
    real, fake = asked[: 36 - strange], asked[36 - strange :]
    assert all(label == int(bright) for bright, label in real)
    expected = labels_of(range(16), model.classes)[np.random.default_rng(0).permutation(16)]
    assert [label for _, label in fake] == expected.tolist()
    assert ("gap" in found) == (strange < 12) and "real_sign" in found


@pytest.mark.parametrize("classes", [(), (("a", 12), ("b", 12))], ids=["plain", "classes"])
def test_the_data_set_may_go_while_the_training_goes_on(
    classes: tuple[tuple[str, int], ...], tmp_path: Path
) -> None:
    model = replace(MODEL, architecture="resize", classes=classes)
    config = TrainConfig(batch_size=4, stop_on="never")
    figures = []
    for gone in (False, True):
        torch.manual_seed(0)
        step = GanStep(model, config, torch.device("cpu"), torch.float32)
        observer = HeldOut(replace(scene(tmp_path / str(gone)), model=model))
        if gone:
            shutil.rmtree(tmp_path / str(gone))
        figures.append(observer.observe(moment(step)).figures)
    assert figures[0] == figures[1] and "gap" in figures[0]


def test_the_test_part_is_never_looked_at(tmp_path: Path, step: GanStep) -> None:
    first = HeldOut(scene(tmp_path)).observe(moment(step))
    array = np.lib.format.open_memmap(tmp_path / "data" / "images.npy", mode="r+")
    manifest = (tmp_path / "data" / "manifest.csv").read_text().splitlines()[1:]
    for k, row in enumerate(manifest):
        if ",test," in row:
            array[k] = 255
    array.flush()
    again = HeldOut(replace(scene_of(tmp_path))).observe(moment(step))
    assert first.figures == again.figures


def scene_of(tmp_path: Path) -> Scene:
    data = Dataset(tmp_path / "data")
    return Scene(MODEL, TrainConfig(batch_size=4), data, data.part("train"), torch.device("cpu"))


def test_looking_changes_nothing_in_the_training(tmp_path: Path, step: GanStep) -> None:
    before = copy.deepcopy(step.discriminator.state_dict())
    state = torch.get_rng_state()
    HeldOut(scene(tmp_path)).observe(moment(step))
    after = step.discriminator.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert step.discriminator.training and step.generator.training
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_judged_in_the_first_ten_thousand_images(tmp_path: Path, step: GanStep) -> None:
    found = HeldOut(scene(tmp_path)).observe(moment(step, images=EVALUATE_EVERY - 4))
    assert not found.figures and not found.warnings and found.score is None


def test_too_few_validation_images_are_told(tmp_path: Path, step: GanStep) -> None:
    with pytest.raises(MetricError, match=r"holds 3 images for validation.*--split"):
        HeldOut(scene(tmp_path, validation=3)).observe(moment(step))


def test_it_gives_way_when_the_training_is_wanted_elsewhere(tmp_path: Path, step: GanStep) -> None:
    with pytest.raises(CutShort):
        HeldOut(scene(tmp_path)).observe(moment(step, called_away=True))


@pytest.mark.parametrize(("stop_on", "ends"), [("kid", True), ("never", False)])
def test_it_ends_the_run_only_where_that_is_wanted(
    stop_on: str, ends: bool, tmp_path: Path, step: GanStep
) -> None:
    observer = HeldOut(scene(tmp_path, stop_on=stop_on))
    found = [observer.observe(moment(step, images=EVALUATE_EVERY * k)) for k in range(1, 8)]
    assert bool(found[-1].end) is ends
    assert any("best checkpoint is the one" in sentence for sentence in found[-1].warnings) is not ends


def test_what_it_remembers_goes_on_where_it_was(tmp_path: Path, step: GanStep) -> None:
    here = scene(tmp_path)
    first = HeldOut(here)
    first.observe(moment(step))
    second = HeldOut(here)
    second.restore(first.state())
    assert second.observe(moment(step)).score is None  # the same figures are no improvement


def test_a_discriminator_with_batch_norm_is_asked_as_it_is_trained(tmp_path: Path, step: GanStep) -> None:
    """Its running averages mix real and generated batches and fit neither."""
    for norm in step.discriminator.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.fill_(50.0)  # type: ignore[union-attr]
    here = scene(tmp_path)
    found = HeldOut(here).observe(moment(step))
    real = torch.from_numpy(here.images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        logits = torch.cat([step.discriminator(real[k : k + 4]) for k in range(0, len(real), 4)])
    assert found.figures["real_sign"] == pytest.approx(float(logits.sign().mean()), abs=0.3)


def test_it_is_asked_every_ten_thousand_images_whatever_the_last_batch(tmp_path: Path) -> None:
    observer = HeldOut(scene(tmp_path))  # 24 images in batches of 4
    assert observer.every == EVALUATE_EVERY // 4
    uneven = replace(observer.scene, train=TrainConfig(batch_size=5))  # 5, 5, 5, 5 and 4
    assert HeldOut(uneven).every == -(-EVALUATE_EVERY * 5 // 24)
