"""A checkpoint from which training goes on: complete, in the right memory layout, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from medgan.config import ModelConfig, TrainConfig
from medgan.errors import CheckpointError
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import ModelInfo
from medgan.training.saving import STATE, TENSORS, NotFinite, Progress, restore, snapshot, write
from medgan.training.step import GanStep

MODEL = ModelConfig(channels=3, size=64, ngf=8, ndf=8, latent=16)


def new_step(model: ModelConfig = MODEL, seed: int = 0) -> GanStep:
    return GanStep(model, TrainConfig(seed=seed), torch.device("cpu"), torch.float32)


def learn(step: GanStep, k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    real = torch.rand(4, 3, 64, 64, generator=generator) * 2 - 1
    step(real, torch.randn(4, MODEL.latent, generator=generator))


def save(folder: Path, step: GanStep, done: int = 2, **progress: Any) -> None:
    info = ModelInfo(MODEL, {"step": done})
    write(
        folder, snapshot(step, [torch.tensor([1.5, 2.5])], Progress(done, **progress), step.generator, info)
    )


@pytest.fixture
def trained() -> GanStep:
    step = new_step()
    learn(step, 0)
    learn(step, 1)
    return step


@pytest.fixture
def checkpoint(trained: GanStep, tmp_path: Path) -> Path:
    folder = tmp_path / "step-000002"
    save(folder, trained)
    return folder


def change(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / TENSORS)
    edit(tensors)
    save_file(tensors, folder / TENSORS)


def test_everything_comes_back_bit_for_bit(trained: GanStep, checkpoint: Path) -> None:
    other = new_step(seed=9)
    assert restore(checkpoint, other)[0].step == 2
    for mine, theirs in (
        (trained.generator, other.generator),
        (trained.discriminator, other.discriminator),
    ):
        pairs = zip(mine.state_dict().items(), theirs.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for (_, a), b in pairs)
    for a, b in ((trained.optimizer_g, other.optimizer_g), (trained.optimizer_d, other.optimizer_d)):
        states = a.state_dict()["state"], b.state_dict()["state"]
        assert states[0].keys() == states[1].keys()
        for index, state in states[0].items():
            assert all(torch.equal(state[name], states[1][index][name]) for name in state)


def test_moments_come_back_in_the_memory_layout_of_their_weights(checkpoint: Path) -> None:
    # Fused Adam walks raw memory: a contiguous moment beside a channels-last weight would be applied to
    # the wrong elements, with no error.
    step = new_step(seed=9)
    restore(checkpoint, step)
    for optimizer in (step.optimizer_g, step.optimizer_d):
        for parameter, state in optimizer.state.items():
            assert state["exp_avg"].stride() == parameter.stride()
            assert state["exp_avg_sq"].stride() == parameter.stride()


def test_the_next_step_after_restoring_is_the_one_that_would_have_come(
    trained: GanStep, checkpoint: Path
) -> None:
    other = new_step(seed=9)
    restore(checkpoint, other)
    for step in (trained, other):
        learn(step, 2)
        learn(step, 3)
    for mine, theirs in (
        (trained.generator, other.generator),
        (trained.discriminator, other.discriminator),
    ):
        pairs = zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


def test_a_checkpoint_is_a_model_folder(trained: GanStep, checkpoint: Path) -> None:
    generator, info = load_generator(checkpoint)
    assert info == ModelInfo(MODEL, {"step": 2})
    assert torch.equal(
        generator.state_dict()["main.0.weight"], trained.generator.state_dict()["main.0.weight"]
    )


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("generator.main.3.weight", "generator"),
        ("discriminator.main.0.parametrizations.weight.0._u", "discriminator"),
        ("optimizer_d.4.exp_avg_sq", "optimizer_d"),
        ("optimizer_g.0.step", "optimizer_g"),
    ],
)
def test_a_missing_tensor_is_named(checkpoint: Path, name: str, part: str) -> None:
    change(checkpoint, lambda tensors: tensors.pop(name))
    with pytest.raises(
        CheckpointError, match=rf"\({part}\) lacks the tensor {name.removeprefix(part + '.')}"
    ):
        restore(checkpoint, new_step())


@pytest.mark.parametrize("name", ["discriminator.main.3.weight", "optimizer_g.1.exp_avg"])
def test_a_tensor_of_another_shape_is_named(checkpoint: Path, name: str) -> None:
    change(checkpoint, lambda tensors: tensors.update({name: torch.zeros(3)}))
    with pytest.raises(CheckpointError, match=rf"tensor {name.split('.', 1)[1]} is \(3,\)"):
        restore(checkpoint, new_step())


def test_a_checkpoint_of_another_width_is_refused(checkpoint: Path) -> None:
    wider = ModelConfig(channels=3, size=64, ngf=12, ndf=12, latent=16)
    with pytest.raises(
        CheckpointError, match=r"tensor main\.0\.weight is \(16, 64, 4, 4\), .*\(16, 96, 4, 4\)"
    ):
        restore(checkpoint, new_step(wider))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"step": "two"}', "\x00"])
def test_an_unreadable_step_is_refused(checkpoint: Path, text: str) -> None:
    (checkpoint / STATE).write_text(text)
    with pytest.raises(CheckpointError, match=r"step-000002/training\.json cannot be read"):
        restore(checkpoint, new_step())


def test_without_its_files_it_is_refused(checkpoint: Path) -> None:
    (checkpoint / STATE).unlink()
    with pytest.raises(CheckpointError, match=r"training\.json cannot be read"):
        restore(checkpoint, new_step())
    (checkpoint / TENSORS).unlink()
    with pytest.raises(CheckpointError, match=r"step-000002 has no training\.safetensors"):
        restore(checkpoint, new_step())


def test_a_save_that_fails_leaves_nothing_that_looks_like_a_checkpoint(
    trained: GanStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("medgan.training.saving.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path / "step-000002", trained)
    assert list(tmp_path.iterdir()) == []


def test_progress_and_the_window_of_figures_come_back(trained: GanStep, tmp_path: Path) -> None:
    known = {
        "seconds": 7.5,
        "best": {"step": 1, "score": 0.5},
        "observed": {"kid": 1},
        "observers": {"kid": [3]},
    }
    save(tmp_path / "step-000002", trained, **known)
    progress, window = restore(tmp_path / "step-000002", new_step())
    assert progress == Progress(2, **known)
    assert [row.tolist() for row in window] == [[1.5, 2.5]]


def test_a_checkpoint_of_an_earlier_version_is_read(checkpoint: Path) -> None:
    (checkpoint / STATE).write_text('{"step": 2, "of another version": 1}')
    change(checkpoint, lambda tensors: [tensors.pop(name) for name in ("window", "random.cpu")])
    assert restore(checkpoint, new_step()) == (Progress(2), [])


def test_the_global_random_state_goes_on_where_it_was(trained: GanStep, tmp_path: Path) -> None:
    save(tmp_path / "step-000002", trained)
    expected = torch.rand(3)
    torch.manual_seed(5)
    restore(tmp_path / "step-000002", new_step())
    assert torch.equal(torch.rand(3), expected)


def test_an_average_of_the_generator_is_kept_and_the_one_to_sample_from(tmp_path: Path) -> None:
    trained, other = (
        GanStep(MODEL, TrainConfig(seed=seed, ema_kimg=1.0), torch.device("cpu"), torch.float32)
        for seed in (0, 9)
    )
    learn(trained, 2)
    save(tmp_path / "step-000003", trained, 3)
    restore(tmp_path / "step-000003", other)
    pairs = zip(trained.sampler().state_dict().values(), other.sampler().state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(trained.sampler().parameters()), next(trained.generator.parameters()))


def test_a_snapshot_does_not_change_while_training_goes_on(trained: GanStep, tmp_path: Path) -> None:
    shot = snapshot(trained, [], Progress(2), trained.generator, ModelInfo(MODEL))
    write(tmp_path / "before", shot)
    learn(trained, 2)
    write(tmp_path / "after", shot)
    before, after = (load_file(tmp_path / name / TENSORS) for name in ("before", "after"))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_weights_that_are_no_numbers_are_not_written(trained: GanStep, tmp_path: Path) -> None:
    with torch.no_grad():
        next(trained.discriminator.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(NotFinite, match="discriminator"):
        save(tmp_path / "step-000002", trained)
    assert list(tmp_path.iterdir()) == []
