"""Several processes that share one training, each on a device of its own, and what they say to one another.

Hugging Face Accelerate brings them together (`accelerate launch -m medgan train …`, torchrun, or
`--devices N`). Each holds whole networks and does its part of every batch; gradients are averaged, and
batch norm sees the whole batch, so that the curve is that of one process with the same batch size. Rank 0,
the main process, decides what is done and alone writes the run folder; the others follow it step by step.

Torch's DistributedDataParallel is not used: it allows one forward pass for each backward pass, and the
discriminator's update has two. Its own SyncBatchNorm does not work on a CPU, where this is tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from medgan.errors import ConfigError, RunError

PATIENCE = timedelta(days=7)
"""How long the others wait for the main process, which may pause. One that dies is noticed at once."""


ENDED = "processes that share this training has ended."


class PartnerLost(RunError):
    """Another process of this training is gone, and with it its part of the batch."""


class Together:
    """The processes of one training; alone, everything here does nothing."""

    def __init__(
        self, rank: int = 0, count: int = 1, device: torch.device | None = None, control: Any = None
    ) -> None:
        self.rank, self.count, self.device = rank, count, device
        self._control = control

    @property
    def main(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0

    def share(self, word: Any = None) -> Any:
        """What the main process says, for all; the others say nothing. PartnerLost if one is gone."""
        if self.count == 1:
            return word
        box = [word]
        with _talking(self.count):
            dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    def gather(self, word: str) -> list[str]:
        """What each process says, for all, in the order of their ranks."""
        words = [word] * self.count
        if self.count > 1:
            with _talking(self.count):
                dist.all_gather_object(words, word, group=self._control)
        return words

    def part(self, count: int) -> slice:
        """Which of the `count` images of a batch this process takes. Where there are fewer images than
        processes, everybody takes them all, which comes to the same."""
        if count < self.count:
            return slice(0, count)
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def weight(self, count: int) -> float:
        """By what the mean over this process's part is multiplied, so that the mean over all processes is
        the mean over the whole batch."""
        part = self.part(count)
        return 1.0 if count < self.count else (part.stop - part.start) * self.count / count

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes into each tensor, with one message for all."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _talking(self.count):
            dist.all_reduce(flat)
        flat /= self.count
        pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.view(tensor.shape))

    def average_gradients(self, network: nn.Module) -> None:
        """The gradients of the whole batch, in every process."""
        if self.count > 1:
            self.average([p.grad for p in network.parameters() if p.grad is not None])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside of it batch norm sees the whole batch; outside, as when somebody samples, its own."""
        global _at_work
        _at_work = self.count > 1
        try:
            yield
        finally:
            _at_work = False


ALONE = Together()
_at_work = False


def launched() -> int:
    """How many processes the launcher of this one has started (torchrun's and Accelerate's WORLD_SIZE)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join(kind: str) -> Together:
    """Meet the other processes that the launcher has started, on devices of `kind`, `cuda` or `cpu`.
    ConfigError for another kind; PartnerLost if they do not come."""
    count = launched()
    if count == 1:
        return ALONE
    if kind not in ("cuda", "cpu"):
        raise ConfigError(f"Several processes train on NVIDIA GPUs or on a CPU, not on {kind}; use one.")
    from accelerate import PartialState

    with _talking(count):
        state = PartialState(cpu=kind == "cpu", timeout=PATIENCE)
        # Words go over a group of their own: on GPUs the other one waits for the device, this one never.
        control = dist.new_group(backend="gloo", timeout=PATIENCE)
    return Together(state.process_index, state.num_processes, state.device, control)


def leave(together: Together, *, well: bool) -> None:
    """Say goodbye, so that nobody waits for a process that has ended. Where it did not end `well`, what is
    under way is given up: another process may never answer."""
    if together.count > 1 and dist.is_initialized():
        if well:
            dist.destroy_process_group()
        else:
            dist.distributed_c10d._abort_process_group()


@contextmanager
def _talking(count: int) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except NotImplementedError as error:  # Accelerate, on GPUs that cannot talk to each other
        raise ConfigError(str(error)) from error
    except RuntimeError as error:
        raise PartnerLost(f"One of the {count} {ENDED}") from error


class _Sum(torch.autograd.Function):
    """The sum over all processes; and so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _summed(grad)


def _summed(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    with _talking(dist.get_world_size()):
        dist.all_reduce(total)
    return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the whole batch, over all processes that are `at_work`."""

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, H, W)`, the same type out as in; computed in fp32."""
        if not (_at_work and self.training):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._over_all(x.float()).to(x.dtype)

    def _over_all(self, x: Tensor) -> Tensor:
        size = x.new_full((1,), x.numel() / x.shape[1])
        sums = _sum(torch.cat([x.sum(dim=(0, 2, 3)), size]))
        mean, size = sums[:-1] / sums[-1], sums[-1].detach()
        centred = x - mean[:, None, None]
        variance = _sum(centred.square().sum(dim=(0, 2, 3))) / size
        self._remember(mean.detach(), variance.detach() * size / (size - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)
    return total


def share_batch_norm(network: nn.Module) -> nn.Module:
    """Put a `SharedBatchNorm` in the place of every batch norm of `network`; names and weights stay."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
                shared.load_state_dict(child.state_dict())
                setattr(module, name, shared)
    return network
