"""Feature networks: one vector an image, in which distances and distributions are compared.

Every network gets the same treatment: 8-bit pixels, resized once (bilinear, antialiased) to the side that
the network wants, grey repeated to three channels, normalised, and pooled to one vector. Real and
generated images go through the very same steps, since a different filter on one side alone moves every
figure (Parmar et al. 2022). Figures of different networks cannot be compared with each other, which is
why each network has a name for people and a hash of its weights.

To add a network, write a module `(B, 3, S, S) -> (B, D)` and a row in `NETWORKS`.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from medgan.errors import ConfigError, MetricError
from medgan.metrics import lpips_net
from medgan.metrics.pairwise import check_images
from medgan.metrics.random_network import RandomPyramid
from medgan.metrics.weights import TIMEOUT, Progress, Source, cache_folder, ensure

SQUEEZENET, RANDOM, PIXELS = "squeezenet", "random", "pixels"
BATCH = 32
_TINY = 1e-12

Images = np.ndarray | Tensor
Advance = Callable[[int], None]
"""Called with the number of images that were just done."""


def _ignore(images: int) -> None:
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
        advance: Advance = _ignore,
    ) -> np.ndarray:
        """Features of images, float32 `(N, dimensions)`.

        `images` are uint8 `(N, H, W, C)`, array or tensor, or a float tensor `(N, C, H, W)` in [-1, 1],
        C 1 or 3, on any device; floats are rounded to 8 bits first, so that an image scores the same
        before and after it was saved. `advance` hears of every few images that are done. Computed in
        fp32 whatever autocast says. MetricError if there are no images or they are of another kind.
        """
        if not len(images):
            raise MetricError("There are no images to take features of.")
        device = torch.device(device)
        module = self.module.to(device)
        features = np.empty((len(images), self.dimensions), np.float32)
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            done = 0
            for some in _bytes(images, batch):
                features[done : done + len(some)] = module(self._prepare(some.to(device))).cpu().numpy()
                done += len(some)
                advance(len(some))
        return features

    def _prepare(self, pixels: Tensor) -> Tensor:
        """uint8 `(B, H, W, C)` to what the module sees."""
        values = pixels.permute(0, 3, 1, 2).float() / 255
        side = (self.size, self.size)
        if values.shape[2:] != side:
            values = interpolate(values, size=side, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (values.new_tensor(constants)[:, None, None] for constants in (self.mean, self.std))
        normalised = (values.expand(-1, 3, -1, -1) - mean) / std
        return normalised.contiguous(memory_format=torch.channels_last)


def _bytes(images: Images, batch: int) -> Iterator[Tensor]:
    """The images as uint8 `(B, H, W, C)`, a batch at a time; a memory-mapped array is read as it goes."""
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


class _SqueezeNet(nn.Module):
    """SqueezeNet's last feature maps, averaged over places, each vector scaled to unit mean square.

    Without the scaling a cubic kernel hears little but the few images with the strongest responses: with
    it the distance of slightly blurred images stands 60 instead of 40 standard deviations out of the noise.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.features(images).mean(dim=(2, 3))
        return pooled / pooled.square().mean(dim=1, keepdim=True).clamp_min(_TINY).sqrt()


def squeezenet(*, progress: Progress | None = None, timeout: float = TIMEOUT) -> FeatureNetwork:
    """torchvision's SqueezeNet 1.1, trained on photographs (ImageNet); 512 features, 5 MB.

    Downloaded on first use with `progress` (a bar without it); MetricError with the reason and what to
    do where that fails or the file cannot be read. It sees images at 224 pixels, as it was trained: at
    128 it misses a checkerboard of 5 grey levels altogether.
    """
    from torchvision.models import squeezenet1_1

    path = ensure(_squeezenet_source(), progress=progress, timeout=timeout)
    try:
        with torch.random.fork_rng(devices=[]):  # building draws weights; nobody else's draws change
            whole = squeezenet1_1(weights=None)
        whole.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise MetricError(f"{path} cannot be read as weights; delete it, and it comes anew.") from error
    return _network(
        name=SQUEEZENET,
        label="SqueezeNet 1.1, trained on photographs (ImageNet)",
        size=224,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        dimensions=512,
        module=_SqueezeNet(whole.features),
    )


def random_network() -> FeatureNetwork:
    """The offline fallback: a convolutional network with fixed random weights, never trained.

    See medgan/metrics/random_network.py. It sees brightness, contrast and texture, no anatomy.
    """
    module = RandomPyramid()
    return _network(
        name=RANDOM,
        label="random network (fixed seed, never trained: an offline stand-in)",
        size=128,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        dimensions=module.dimensions,
        module=module,
    )


def pixels() -> FeatureNetwork:
    """No network at all: the image at 32 x 32 pixels, in [-1, 1]. In it a copy stays a copy when it is
    noisy or blurred, which trained networks take for another image; made for `copy_ratio`."""
    return _network(
        name=PIXELS,
        label="plain pixels at 32 x 32",
        size=32,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        dimensions=3 * 32 * 32,
        module=nn.Flatten(),
    )


NETWORKS: tuple[str, ...] = (SQUEEZENET, RANDOM, PIXELS)
"""What `load` knows."""


def load(name: str, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> FeatureNetwork:
    """The network called `name`, on the CPU; downloads where it must, see `squeezenet`. ConfigError listing
    the valid names for another."""
    if name == SQUEEZENET:
        return squeezenet(progress=progress, timeout=timeout)
    if name == RANDOM:
        return random_network()
    if name == PIXELS:
        return pixels()
    raise ConfigError(f"There is no feature network {name!r}; valid are: {', '.join(NETWORKS)}.")


@dataclass(frozen=True)
class Choice:
    """A network that can be used now, and the sentence that says which and why."""

    network: FeatureNetwork
    sentence: str


def choose() -> Choice:
    """SqueezeNet where its weights are on this computer, else the random network. Never downloads."""
    source = _squeezenet_source()
    path = cache_folder() / source.file
    if not path.is_file():
        return _fallback(f"the weights of {source.title} ({source.megabytes:.0f} MB) are not here yet")
    try:
        network = squeezenet()
    except MetricError:
        return _fallback(f"{source.file} cannot be read, and should be deleted")
    return Choice(network, f"Images are compared by {network.label}.")


def _fallback(reason: str) -> Choice:
    network = random_network()
    sentence = (
        f"Images are compared by a {network.label}, since {reason}. It tells noise, blur and collapse from "
        "real images, but knows no anatomy: compare its figures with each other only, and look at the images."
    )
    return Choice(network, sentence)


def _squeezenet_source() -> Source:
    return lpips_net.source("squeeze")


def _network(*, module: nn.Module, **about: object) -> FeatureNetwork:
    module = module.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return FeatureNetwork(module=module, weights_hash=weights_hash(module), **about)  # type: ignore[arg-type]


def weights_hash(module: nn.Module) -> str:
    """sha256 over names, shapes and little-endian float32 values of all weights, in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()
