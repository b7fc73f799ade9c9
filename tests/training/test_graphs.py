"""A recorded step is the ordinary one. A GPU is needed for the real thing; what surrounds it is tested with
a recording that keeps the function and calls it again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.training.batches import latents
from medgan.training.graphs import WARM_UP, GraphedStep, cuda_graph
from medgan.training.step import GanStep, StepResult

MODEL = ModelConfig(size=64, ngf=4, ndf=4, latent=16)
CPU = torch.device("cpu")


def batch(k: int, count: int, device: torch.device = CPU) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(k)
    real = torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1
    return real.to(device), latents(0, k, count, 16).to(device)


def new_step(device: torch.device = CPU) -> GanStep:
    return GanStep(MODEL, TrainConfig(batch_size=4), device, torch.float32)


def state(step: GanStep) -> dict[str, torch.Tensor]:
    return {f"{n}.{k}": v for n, net in step.networks().items() for k, v in net.state_dict().items()}


class _Recorder:
    """Records by keeping the function; the first replay fills in what a graph knows from recording."""

    def __init__(self, graphed: list[GraphedStep]) -> None:
        self.graphed, self.replays = graphed, 0

    def __call__(self, work: Callable[[], None]) -> _Recorder:
        self.work = work
        zero = torch.zeros(())
        self.graphed[0]._result = StepResult(
            zero, zero, zero, zero
        )  # as after a recording: places, no values
        return self

    def replay(self) -> None:
        self.replays += 1
        self.work()


def recorded(step: GanStep) -> tuple[GraphedStep, _Recorder]:
    holder: list[GraphedStep] = []
    recorder = _Recorder(holder)
    holder.append(GraphedStep(step, recorder))
    return holder[0], recorder


def test_a_replayed_step_does_what_the_ordinary_one_does_and_small_batches_go_their_own_way() -> None:
    plain, step = new_step(), new_step()
    graphed, recorder = recorded(step)
    sizes = [4, 4, 2, 4, 4, 2, 4, 4]
    for k, count in enumerate(sizes):
        expected = plain(*batch(k, count))
        graphed(*batch(k, count))
        assert torch.isfinite(expected.loss_d)
    assert recorder.replays == len([n for n in sizes[WARM_UP:] if n == 4])
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
    def fails(work: Callable[[], None]) -> _Recorder:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    plain, step = new_step(), new_step()
    graphed = GraphedStep(step, fails)
    for k in range(WARM_UP + 3):
        plain(*batch(k, 4))
        graphed(*batch(k, 4))
    assert "without a CUDA graph" in graphed.note
    assert "operation not permitted when stream is capturing)" in graphed.note
    assert all(parameter.requires_grad for parameter in step.discriminator.parameters())
    found = state(step)
    assert all(torch.equal(value, found[name]) for name, value in state(plain).items())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_cuda_graph_gives_the_losses_of_the_ordinary_step() -> None:
    device = torch.device("cuda", 0)
    plain, step = new_step(device), new_step(device)
    graphed = GraphedStep(step, cuda_graph)
    for k in range(20):
        expected = plain(*batch(k, 4, device))
        found = graphed(*batch(k, 4, device))
        assert graphed.note == ""
        for name in ("loss_d", "loss_g", "d_real", "d_fake"):
            assert torch.allclose(getattr(expected, name), getattr(found, name), atol=2e-2), (k, name)
