"""A network that turns images into vectors, and the one way in which all images go through it.

8-bit pixels, resized once (bilinear, antialiased) to the side that the network wants, grey repeated to
three channels, normalised, and pooled to one vector. Real and generated images go through the very same
steps, since a different filter on one side alone moves every figure (Parmar et al. 2022).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from medgan.errors import MetricError
from medgan.metrics.pairwise import check_images

BATCH = 32

Images = np.ndarray | Tensor
Advance = Callable[[int], None]
"""Called with the number of images that were just done."""


def ignore(images: int) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that is never trained here, with all that makes its features reproducible.

    `label` is its name for people, `size` the side in pixels of what it sees, `mean` and `std` its
    normalisation of values in [0, 1], `dimensions` the length D of a vector.
    """

    name: str
    label: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    dimensions: int
    module: nn.Module
    weights_hash: str

    @property
    def identity(self) -> str:
        """Name and hash: figures may be compared only where this is the same."""
        return f"{self.name}-{self.weights_hash[:12]}"

    def extract(
        self,
        images: Images,
        *,
        batch: int = BATCH,
        device: torch.device | str = "cpu",
        advance: Advance = ignore,
    ) -> np.ndarray:
        """Features of images, float32 `(N, dimensions)`.

        `images` are uint8 `(N, H, W, C)`, array or tensor, or a float tensor `(N, C, H, W)` in [-1, 1],
        C 1 or 3, on any device; floats are rounded to 8 bits first, so that an image scores the same
        before and after it was saved. `advance` hears of every few images that are done. Computed in
        fp32 whatever autocast says. MetricError if there are no images or they are of another kind.
        """
        if not len(images):
            raise MetricError("There are no images to take features of.")
        features = np.empty((len(images), self.dimensions), np.float32)
        done = 0
        for some in self._features(eight_bit(images, batch), torch.device(device)):
            features[done : done + len(some)] = some
            done += len(some)
            advance(len(some))
        return features

    def extract_stream(
        self,
        batches: Iterable[Images],
        *,
        batch: int = BATCH,
        device: torch.device | str = "cpu",
        advance: Advance = ignore,
    ) -> np.ndarray:
        """Features `(N, dimensions)` of images that come in batches: the samples of a generator need not be
        in memory together, since each batch is let go before the one after the next is made.

        Each batch is what `extract` takes, of any length; the features are those that `extract` gives for
        all of them at once, but for rounding. MetricError as there, and if the batches differ in height,
        width or channels.
        """
        parts = []
        for some in self._features(_one_shape(batches, batch), torch.device(device)):
            parts.append(some)
            advance(len(some))
        if not parts:
            raise MetricError("There are no images to take features of.")
        return np.concatenate(parts)

    def _features(self, batches: Iterator[Tensor], device: torch.device) -> Iterator[np.ndarray]:
        """uint8 `(B, H, W, C)` to `(B, dimensions)`, batch by batch. Whoever makes the batches runs outside
        of inference mode, as if nobody listened."""
        module = self.module.to(device)
        for some in batches:
            with torch.inference_mode(), torch.autocast(device.type, enabled=False):
                values: np.ndarray = module(self._prepare(some.to(device))).cpu().numpy()
            yield values

    def _prepare(self, pixels: Tensor) -> Tensor:
        """uint8 `(B, H, W, C)` to what the module sees."""
        values = pixels.permute(0, 3, 1, 2).float() / 255
        side = (self.size, self.size)
        if values.shape[2:] != side:
            values = interpolate(values, size=side, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (values.new_tensor(constants)[:, None, None] for constants in (self.mean, self.std))
        normalised = (values.expand(-1, 3, -1, -1) - mean) / std
        return normalised.contiguous(memory_format=torch.channels_last)


def eight_bit(images: Images, batch: int) -> Iterator[Tensor]:
    """The images as uint8 `(B, H, W, C)`, a batch at a time; a memory-mapped array is read as it goes.
    MetricError for what `FeatureNetwork.extract` does not take."""
    for start in range(0, len(images), max(1, batch)):
        some = images[start : start + max(1, batch)]
        tensor = torch.from_numpy(np.array(some)) if isinstance(some, np.ndarray) else some.detach()
        if tensor.dtype == torch.uint8:
            if tensor.dim() != 4 or tensor.shape[3] not in (1, 3):
                raise MetricError(f"8-bit images must be (N, H, W, 1 or 3), not {tuple(tensor.shape)}.")
            yield tensor
        else:
            check_images(tensor)
            scaled = ((tensor.float() + 1) * 127.5).round().clamp(0, 255)
            yield scaled.to(torch.uint8).permute(0, 2, 3, 1)


def _one_shape(batches: Iterable[Images], batch: int) -> Iterator[Tensor]:
    """As 8 bits, no more than `batch` at a time, all of one height, width and number of channels."""
    first = None
    for images in batches:
        for some in eight_bit(images, batch):
            first = first or tuple(some.shape[1:])
            if tuple(some.shape[1:]) != first:
                raise MetricError(f"Images of {first} and {tuple(some.shape[1:])} stand in one set.")
            yield some


def weights_hash(module: nn.Module) -> str:
    """sha256 over names, shapes and little-endian float32 values of all weights, in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()
