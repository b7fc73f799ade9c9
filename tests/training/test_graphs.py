"""A recorded step is the ordinary one. A GPU is needed for the real thing; what surrounds it is tested with
a recording that keeps the function and calls it again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from medgan.config import ModelConfig, TrainConfig
from medgan.modalities import MODALITIES
from medgan.training.augment import DRAWS
from medgan.training.batches import chances, latents
from medgan.training.graphs import WARM_UP, CudaGraphs, GraphedStep
from medgan.training.step import GanStep, StepResult

MODEL = ModelConfig(size=64, ngf=4, ndf=4, latent=16)
CPU = torch.device("cpu")


def batch(k: int, count: int, device: torch.device = CPU) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(k)
    real = torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1
    return real.to(device), latents(0, k, count, 16).to(device)


def new_step(device: torch.device = CPU) -> GanStep:
    return GanStep(MODEL, TrainConfig(batch_size=4), device, torch.float32)


def new_full_step(device: torch.device = CPU, augment: str = "dermoscopy") -> GanStep:
    """With all that there is but a frozen network: augmentation, an average, classes."""
    model = replace(MODEL, architecture="resize", classes=(("a", 2), ("b", 2)))
    return GanStep(model, TrainConfig(batch_size=4, augment=augment, ema_kimg=1.0), device, torch.float32)


def more(k: int, count: int, device: torch.device = CPU) -> dict[str, torch.Tensor]:
    """Draws and labels of a batch."""
    return {
        "draws": chances(0, k, count, DRAWS).to(device),
        "labels": torch.arange(count, device=device) % 2,
    }


def state(step: GanStep) -> dict[str, torch.Tensor]:
    return {f"{n}.{k}": v for n, net in step.networks().items() for k, v in net.state_dict().items()}


class _Recorder:
    """Records by keeping the function. As a graph, it works on the buffers that were there then, whatever the
    networks have in their place by now."""

    def __init__(self, step: GanStep) -> None:
        self.step, self.replays = step, 0

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def record(self, work: Callable[[], None]) -> _Recorder:
        self.work, self.graphed = work, work.__self__  # type: ignore[attr-defined]
        zero = torch.zeros(())
        self.graphed._result = StepResult(zero, zero, zero, zero)  # places without values
        networks = self.step.networks().values()
        modules = [module for network in networks for module in network.modules()]
        self.places = [(m, name, value) for m in modules for name, value in m._buffers.items()]
        return self

    def replay(self) -> None:
        self.replays += 1
        for module, name, value in self.places:
            module._buffers[name] = value
        self.work()


def recorded(step: GanStep, size: int = 4) -> tuple[GraphedStep, _Recorder]:
    recorder = _Recorder(step)
    return GraphedStep(step, recorder, size), recorder


def test_a_replayed_step_does_what_the_ordinary_one_does_and_small_batches_go_their_own_way() -> None:
    plain, step = new_step(), new_step()
    graphed, recorder = recorded(step)
    sizes = [4, 4, 2, 2, 4, 2, 4, 4, 2]  # the first one that could be recorded is a small one
    for k, count in enumerate(sizes):
        expected = plain(*batch(k, count))
        graphed(*batch(k, count))
        assert torch.isfinite(expected.loss_d)
    assert recorder.replays == sizes[WARM_UP:].count(4)
    found = state(step)
    assert all(torch.equal(value, found[name]) for name, value in state(plain).items())


def test_buffers_stay_where_a_graph_reads_them() -> None:
    step = new_step()
    graphed, recorder = recorded(step)
    for k in range(WARM_UP):
        graphed(*batch(k, 4))
    before = {name: value.data_ptr() for name, value in step.discriminator.named_buffers()}
    values = {name: value.clone() for name, value in step.discriminator.named_buffers()}
    for k in range(WARM_UP, WARM_UP + 3):
        graphed(*batch(k, 4))
    assert recorder.replays == 3
    after = dict(step.discriminator.named_buffers())
    assert {name: value.data_ptr() for name, value in after.items()} == before
    assert any(not torch.equal(after[name], values[name]) for name in after if name.endswith("_u"))


def test_where_recording_fails_it_trains_on_without_and_says_so() -> None:
    class Fails(_Recorder):
        def record(self, work: Callable[[], None]) -> _Recorder:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")

    plain, step = new_step(), new_step()
    graphed = GraphedStep(step, Fails(step), 4)
    for k in range(WARM_UP + 3):
        plain(*batch(k, 4))
        graphed(*batch(k, 4))
    assert "without a CUDA graph" in graphed.note
    assert "operation not permitted when stream is capturing)" in graphed.note
    assert all(parameter.requires_grad for parameter in step.discriminator.parameters())
    found = state(step)
    assert all(torch.equal(value, found[name]) for name, value in state(plain).items())


class _HostWatch(TorchDispatchMode):
    """Notes what a CUDA graph cannot record: tensors made of Python's numbers, and numbers read back."""

    FORBIDDEN = ("lift_fresh", "_local_scalar_dense", "nonzero", "masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if any(word in str(function) for word in self.FORBIDDEN):
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("augment", ["none", *MODALITIES])
def test_a_step_moves_no_numbers_between_host_and_device(augment: str) -> None:
    step = new_full_step(augment=augment)
    for k in range(2):  # the first one makes the optimisers' states
        with _HostWatch() as watch:
            step(*batch(k, 4), **more(k, 4))
    assert not watch.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_cuda_graph_records_augmentation_classes_and_an_average() -> None:
    device = torch.device("cuda", 0)
    plain, step = new_full_step(device), new_full_step(device)
    graphed = GraphedStep(step, CudaGraphs(), 4)
    for k in range(20):
        expected = plain(*batch(k, 4, device), **more(k, 4, device))
        found = graphed(*batch(k, 4, device), **more(k, 4, device))
        assert graphed.note == ""
        for name in ("loss_d", "loss_g", "d_real", "d_fake"):
            assert torch.allclose(getattr(expected, name), getattr(found, name), atol=2e-2), (k, name)
    assert torch.equal(plain.strength.value, step.strength.value)
    assert torch.equal(plain.average.seen, step.average.seen)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_cuda_graph_gives_the_losses_of_the_ordinary_step() -> None:
    device = torch.device("cuda", 0)
    plain, step = new_step(device), new_step(device)
    graphed = GraphedStep(step, CudaGraphs(), 4)
    for k in range(20):
        expected = plain(*batch(k, 4, device))
        found = graphed(*batch(k, 4, device))
        assert graphed.note == ""
        for name in ("loss_d", "loss_g", "d_real", "d_fake"):
            assert torch.allclose(getattr(expected, name), getattr(found, name), atol=2e-2), (k, name)
