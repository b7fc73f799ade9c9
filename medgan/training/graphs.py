"""A whole training step as one CUDA graph: on a GPU a small batch is bound by the launching of some hundred
kernels, and a graph is launched as one.

A graph replays the same kernels on the same memory. So inputs are copied to where it reads them, batches of
another size go the ordinary way, and what a network puts anew at every pass (the spectral norm's vectors) is
copied back to where the graph looks for it next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from medgan.config import TrainConfig
from medgan.training.step import GanStep, StepResult

WARM_UP = 3
"""Ordinary steps before the recording: they reserve memory and choose algorithms. They count as any other."""


class Recording(Protocol):
    """Something that was recorded and does it again."""

    def replay(self) -> None:
        """Do it again."""


class Recorder(Protocol):
    """Records what a function does on the device."""

    def aside(self) -> AbstractContextManager[object]:
        """Inside of it the device works where the recording will be made."""

    def record(self, work: Callable[[], None]) -> Recording:
        """Record `work`; it is not done yet."""


class GraphedStep:
    """Does what `step` does, for batches of `size` images by a recording once it is warm. `note` says why
    there is none, if that is so."""

    def __init__(self, step: GanStep, recorder: Recorder, size: int) -> None:
        self.step, self._recorder, self.size = step, recorder, size
        self.note = ""
        self._warm = 0
        self._buffers = _Buffers([])
        self._recording: Recording | None = None
        self._inputs: dict[str, Any] = {}
        self._result: StepResult | None = None

    def __call__(self, real: Tensor, latents: Tensor, whole: int | None = None, **more: Tensor) -> StepResult:
        """As `GanStep`, for one process alone. The result is good until the next call."""
        given: dict[str, Any] = {"real": real, "latents": latents, **more}
        whole = len(real) == self.size
        if whole and self._recording is None and not self.note and self._warm >= WARM_UP:
            self._begin(given)
        if not whole or self._recording is None or self._result is None:
            self._warm += 1
            with self._recorder.aside():
                result = self.step(**given)
                self._buffers.put_back()
            return result
        for name, place in self._inputs.items():
            place.copy_(given[name])
        self._recording.replay()
        return self._result

    def _begin(self, given: dict[str, Any]) -> None:
        self._inputs = {name: value.clone() for name, value in given.items()}
        self._buffers = _Buffers(list(self.step.networks().values()))
        try:
            self._recording = self._recorder.record(self._once)
        except (RuntimeError, NotImplementedError) as error:  # an operation that cannot be recorded
            self._buffers.forget_new()
            self._buffers = _Buffers([])
            self.step.discriminator.requires_grad_(True)  # it may have ended where they are frozen
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.note = f"It trains without a CUDA graph, more slowly, since recording one failed ({reason})."

    def _once(self) -> None:
        self._result = self.step(**self._inputs)
        self._buffers.put_back()


class _Buffers:
    """Where the buffers of networks are. A pass that puts a new one in the place of an old one (the spectral
    norm's vectors) would leave a recording, and whoever saves, with two of them."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._kept = [
            (module, name, buffer)
            for network in networks
            for module in network.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]

    def put_back(self) -> None:
        """Copy what is new into the old ones, and put these back in place."""
        for module, name, buffer in self._kept:
            new = module._buffers[name]
            if new is not None and new is not buffer:
                buffer.copy_(new)
                module._buffers[name] = buffer

    def forget_new(self) -> None:
        """Put the old ones back as they are."""
        for module, name, buffer in self._kept:
            module._buffers[name] = buffer


class CudaGraphs:
    """Records on a stream of its own, on which the steps before the recording run too: PyTorch wants both."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """On that stream, after what was asked for before, and before what is asked for after it."""
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            yield
        here.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Recording:
        """A `torch.cuda.CUDAGraph` of `work`."""
        graph = torch.cuda.CUDAGraph()
        # What other threads do meanwhile (a checkpoint that is being written) is none of its business.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            work()
        return graph


def as_one_launch(step: GanStep, train: TrainConfig, size: int) -> GraphedStep | None:
    """`step` as a CUDA graph for batches of `size` images, where that is possible and wanted."""
    if not train.cuda_graphs or step.device.type != "cuda" or step.together.count > 1:
        return None
    return GraphedStep(step, CudaGraphs(), size)
