"""Blocks that the networks are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils import parametrize

NOISY = 16
"""So many of the latent's numbers decide about noise."""
WARM_UP = 15
"""Power iterations on the fresh weights, as `torch.nn.utils.parametrizations.spectral_norm` does."""


class Down(nn.Conv2d):
    """4x4 convolution, stride 2, padding 1, no bias: `(N, in, 2h, 2w)` to `(N, out, h, w)`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, or the same sums as one matrix product where that is faster."""
        count, _, height, width = x.shape
        if not _faster_as_matmul(self.weight, x, count * height * width // 4):
            return super().forward(x)
        # Flat rows: with a batch dimension and frozen weights, PyTorch copies the weights N times.
        patches = F.unfold(x, 4, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
        rows = F.linear(patches, self.weight.flatten(1))
        return rows.reshape(count, height // 2, width // 2, -1).permute(0, 3, 1, 2)


class Up(nn.ConvTranspose2d):
    """Transposed 4x4 convolution, stride 2, padding 1, no bias: `(N, in, h, w)` to `(N, out, 2h, 2w)`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, 1, bias=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The transposed convolution, or the same sums as one matrix product where that is faster."""
        return _transposed(self.weight, x)


class ResizeUp(nn.ConvTranspose2d):
    """Twice the size by repeating each place, then a 3x3 convolution, no bias: `(N, in, h, w)` to
    `(N, out, 2h, 2w)`. Every place is reached by as many weights as any other, so there is no grid.
    The weights are `(in, out, 3, 3)`, mirrored as a transposed convolution wants them.
    """

    spread: Tensor
    settled: Tensor | None

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, 2, 1, bias=False)
        self.register_buffer("settled", None, persistent=False)
        # A weight reaches the two by two places that one place was repeated to.
        once = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
        self.register_buffer("spread", torch.kron(once, once), persistent=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """The same sums as one transposed 4x4 convolution of the small image: less than half the work."""
        return _transposed(self.kernel() if self.settled is None else self.settled, x)

    def kernel(self) -> Tensor:
        """The transposed convolution's, `(in, out, 4, 4)`."""
        return (self.weight.flatten(2) @ self.spread).view(*self.weight.shape[:2], 4, 4)

    def settle(self) -> None:
        """Keep the kernel, as the convolution wants it in memory: these weights will not change any more."""
        self.settled = self.kernel().detach().contiguous(memory_format=torch.channels_last)


def _transposed(kernel: Tensor, x: Tensor) -> Tensor:
    """The transposed 4x4 convolution, stride 2, padding 1, with `kernel` `(in, out, 4, 4)`."""
    count, channels, height, width = x.shape
    if not _faster_as_matmul(kernel, x, count * height * width):
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels) @ kernel.flatten(1)
    patches = rows.reshape(count, height * width, -1).transpose(1, 2)
    image = F.fold(patches, (2 * height, 2 * width), 4, padding=1, stride=2)
    return image.contiguous(memory_format=torch.channels_last)


def _faster_as_matmul(kernel: Tensor, x: Tensor, positions: int) -> bool:
    """Few positions under many weights (the stages next to 4x4), in bfloat16 on a CPU.

    There oneDNN's convolution spends its time on rearranging the weights: a product takes a third of
    its time. At fewer than about 4096 weights for each position the convolution wins
    (docs/benchmarks.md).
    """
    few = kernel.numel() >= 4096 * positions
    return few and x.is_cpu and torch.is_autocast_enabled("cpu")


class Modulation(nn.Module):
    """What the latent says at a stage of a generator: how strong each feature is, and how strong a noise is
    added to it (self-modulation, Chen et al. 2019; noise inputs, Karras et al. 2019). Both say nothing at
    the beginning.

    The noise is a fixed function of the latent, which differs from place to place as if it were drawn: a
    seed goes on to name an image."""

    waves: Tensor

    def __init__(self, inputs: int, width: int, side: int, seed: int) -> None:
        super().__init__()
        self.side, self.noisy = side, min(NOISY, inputs)
        self.style = nn.Linear(inputs, 2 * width)
        self.strength = nn.Parameter(torch.zeros(1, width, 1, 1))
        nn.init.zeros_(self.style.weight)
        nn.init.zeros_(self.style.bias)
        # Of its own source: everybody who builds this layer must get the same.
        waves = torch.randn(self.noisy, side * side, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("waves", waves, persistent=False)

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        """`(N, width, side, side)` and `(N, inputs)` to the shape of `x`, and in its place where no gradient
        is asked for: fresh memory costs more than the sums."""
        scale, shift = self.style(latents)[:, :, None, None].chunk(2, dim=1)
        with torch.autocast(x.device.type, enabled=False):  # as in fp32, where images are made
            noise = torch.sin(latents[:, : self.noisy].float() @ self.waves).view(-1, 1, self.side, self.side)
        # Two passes over x where the plain sum makes five: at 128 pixels they are a tenth of the time.
        modulated = torch.addcmul(shift, x, 1 + scale, out=None if torch.is_grad_enabled() else x)
        return modulated.addcmul_(self.strength.to(x.dtype), noise.to(x.dtype))


class BatchSpread(nn.Module):
    """One more feature map, saying how far the images of a batch differ (minibatch standard deviation,
    Karras et al. 2018): it shows a generator that repeats itself. `(N, C, h, w)` to `(N, C + 1, h, w)`."""

    def forward(self, x: Tensor) -> Tensor:
        """In groups of four, or over all where the batch has no whole number of them."""
        count = len(x)
        group = 4 if count % 4 == 0 else count
        apart = x.float().reshape(group, count // group, *x.shape[1:])
        spread = (apart.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
        plane = spread.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, plane.to(x.dtype)], dim=1)


def dcgan_init(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions and N(1, 0.02) for batch norm (Radford 2016, the DCGAN tutorial).

    Call it before `wrap_spectral_norm`: on a parametrised layer `weight` is computed on access, so an
    assignment to it is silently lost.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def wrap_spectral_norm(network: nn.Module) -> None:
    """Put spectral normalisation (Miyato 2018) on every convolution of `network`, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            parametrize.register_parametrization(module, "weight", SpectralNorm(module.weight))


def normalised_weight(layer: nn.Conv2d) -> torch.Tensor:
    """The weight that a spectrally normalised layer uses now, as `(out, in * kh * kw)`."""
    return layer.weight.detach().flatten(1)


class SpectralNorm(nn.Module):
    """`W / sigma(W)`, sigma being the largest singular value of `W` as `(out, in * kh * kw)`.

    Each forward pass in train mode does one power iteration. Same arithmetic and same buffers (`_u`,
    `_v`) as PyTorch's own, but the result comes in the autocast type at once, and its gradient is
    written out: 15 % more images per second.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("_u", F.normalize(matrix.new_empty(matrix.shape[0]).normal_(), dim=0))
        self.register_buffer("_v", F.normalize(matrix.new_empty(matrix.shape[1]).normal_(), dim=0))
        for _ in range(WARM_UP):
            self._iterate(matrix)

    def forward(self, weight: Tensor) -> Tensor:
        """`(out, in, kh, kw)`, of the autocast type where autocast is on."""
        kind = weight.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        with torch.autocast(kind, enabled=False):  # sigma itself is computed in fp32
            matrix = weight.detach().flatten(1)
            if self.training:
                self._iterate(matrix)
            sigma = torch.dot(self._u, torch.mv(matrix, self._v))
            result: Tensor = _Normalise.apply(weight, sigma, self._u, self._v, dtype)
        return result

    def _iterate(self, matrix: Tensor) -> None:
        # New tensors, not in-place: an earlier pass keeps the old ones for its gradient.
        self._u = F.normalize(torch.mv(matrix, self._v), dim=0)
        self._v = F.normalize(torch.mv(matrix.T, self._u), dim=0)


class _Normalise(torch.autograd.Function):
    """`weight / sigma` in `dtype`, with d sigma / d weight = u v' (Miyato 2018, equation 12)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, sigma: Tensor, u: Tensor, v: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.save_for_backward(weight, sigma, u, v)
        return (weight / sigma).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        weight, sigma, u, v = ctx.saved_tensors
        # A copy of our own, changed in place: new tensors of this size cost more than the arithmetic.
        result = grad.to(weight.dtype, memory_format=torch.contiguous_format, copy=True)
        share = torch.dot(result.flatten(), weight.flatten()) / sigma
        result.flatten(1).addr_(u * -share, v)
        return result.div_(sigma), None, None, None, None
