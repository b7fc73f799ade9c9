"""A whole training step as one CUDA graph: on a GPU a small batch is bound by the launching of some hundred
kernels, and a graph is launched as one.

A graph replays the same kernels on the same memory. So inputs are copied to where it reads them, batches of
another size go the ordinary way, and what a network puts anew at every pass (the spectral norm's vectors) is
copied back to where the graph looks for it next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from medgan.training.step import GanStep, StepResult

WARM_UP = 3
"""Ordinary steps before the recording: they reserve memory and choose algorithms. They count as any other."""


class Recording(Protocol):
    """Something that was recorded and does it again."""

    def replay(self) -> None:
        """Do it again."""


Record = Callable[[Callable[[], None]], Recording]
"""Record what a function does on the device."""


class GraphedStep:
    """Does what `step` does, by a recording once it is warm. `note` says why there is none, if that is so."""

    def __init__(self, step: GanStep, record: Record) -> None:
        self.step, self._record = step, record
        self.note = ""
        self._warm = 0
        self._recording: Recording | None = None
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._result: StepResult | None = None

    def __call__(self, real: Tensor, latents: Tensor, weight: float = 1.0) -> StepResult:
        """As `GanStep`, for one process alone. The result is good until the next call."""
        if self._recording is None and not self.note and self._warm >= WARM_UP:
            self._begin(real, latents)
        if self._recording is None or self._inputs is None or self._result is None:
            self._warm += 1
            return self.step(real, latents, weight)
        if real.shape != self._inputs[0].shape:
            return self.step(real, latents, weight)  # the last batch of an epoch may be smaller
        for place, given in zip(self._inputs, (real, latents), strict=True):
            place.copy_(given)
        self._recording.replay()
        return self._result

    def _begin(self, real: Tensor, latents: Tensor) -> None:
        self._inputs = (
            real.contiguous(memory_format=torch.channels_last).clone(),
            latents.clone(),
        )
        try:
            with _buffers_in_place(list(self.step.networks().values())) as put_back:
                self._recording = self._record(lambda: self._once(put_back))
        except (RuntimeError, NotImplementedError) as error:  # an operation that cannot be recorded
            self._recording = None
            self.step.discriminator.requires_grad_(True)  # it may have ended where they are frozen
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.note = f"It trains without a CUDA graph, more slowly, since recording one failed ({reason})."

    def _once(self, put_back: Callable[[], None]) -> None:
        if self._inputs is None:
            return
        self._result = self.step(*self._inputs)
        put_back()


@contextmanager
def _buffers_in_place(networks: list[nn.Module]) -> Iterator[Callable[[], None]]:
    """Yield a function that copies buffers which were replaced back into those there were, and puts these
    back in place; that is done in any case at the end, so that nothing of a failed recording stays."""
    kept = [
        (module, name, buffer)
        for network in networks
        for module in network.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]

    def put_back() -> None:
        for module, name, buffer in kept:
            new = module._buffers[name]
            if new is not None and new is not buffer:
                buffer.copy_(new)
                module._buffers[name] = buffer

    try:
        yield put_back
    finally:
        for module, name, buffer in kept:
            module._buffers[name] = buffer


def cuda_graph(work: Callable[[], None]) -> Recording:
    """Record `work` on the current CUDA device; it is not done yet."""
    graph = torch.cuda.CUDAGraph()
    # What other threads do meanwhile (a checkpoint that is being written) is none of its business.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph
