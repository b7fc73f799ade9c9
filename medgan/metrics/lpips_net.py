"""LPIPS (Zhang et al. 2018) by the package `lpips`, with each image's features computed once.

LPIPS is a weighted squared distance of channel-normalised features, averaged over places and added over
layers, and its weights are not negative. Each image therefore has a vector, features times the
root of weight / places, and the LPIPS of two images is the squared distance of their vectors. The
network runs once an image instead of twice a pair; the figures are the same (see the tests).
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medgan.errors import ConfigError, MetricError
from medgan.metrics.pairwise import Pairs, check_images
from medgan.metrics.weights import TIMEOUT, Progress, Source, ensure

RANGE = "[-1, 1]"
VERSION = "0.1"
"""Version of the layer weights inside the package (0.0 had a normalisation bug)."""
CHUNK = 8
"""Images that go through the network together."""
VECTOR_BYTES = 512 * 2**20
"""Vectors of held-out images that are kept at once: VGG needs 8 MB for an image of 128 x 128."""


@dataclass(frozen=True)
class Network:
    """A backbone by its name in `lpips`, its title, and torchvision's names for it and its weights."""

    name: str
    title: str
    model: str
    weights: str = "IMAGENET1K_V1"


NETWORKS = {
    network.name: network
    for network in (
        Network("alex", "AlexNet", "alexnet"),
        Network("vgg", "VGG16", "vgg16"),
        Network("squeeze", "SqueezeNet 1.1", "squeezenet1_1"),
    )
}


def network(name: str) -> Network:
    """The backbone called `name`; ConfigError listing the valid names."""
    if name not in NETWORKS:
        raise ConfigError(f"There is no LPIPS network {name!r}; valid are: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def source(name: str) -> Source:
    """Where the weights of a backbone come from, as torchvision says."""
    from torchvision.models import get_model_weights

    known = network(name)
    weights = get_model_weights(known.model)[known.weights]
    return Source(known.title, weights.url, weights.meta["_file_size"])


def load(name: str, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Lpips:
    """LPIPS with the backbone `alex`, `vgg` or `squeeze`, on the CPU.

    The backbone's weights are downloaded on first use; MetricError with the reason where they cannot be
    had or cannot be read, ConfigError for another name.
    """
    path = ensure(source(name), progress=progress, timeout=timeout)
    try:
        # Building the network draws initial weights from the global generator; nobody else's change.
        with _quiet(), torch.random.fork_rng(devices=[]):
            import lpips

            return Lpips(lpips.LPIPS(net=name, version=VERSION, verbose=False))
    except (RuntimeError, OSError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise MetricError(f"{path} cannot be read as weights; delete it, and it comes anew.") from error


Advance = Callable[[int], None]
"""Called with the number of images that were just done."""


def _ignore(images: int) -> None:
    """Nobody listens."""


class Lpips:
    """Distances by one `lpips.LPIPS` module. Lower is better; 0 for identical images."""

    def __init__(self, module: Any) -> None:
        self._module = module.eval().requires_grad_(False)
        self._layer_weights = [layer.model[-1].weight.reshape(1, -1, 1, 1) for layer in module.lins]
        if any(bool((weights < 0).any()) for weights in self._layer_weights):
            raise MetricError(
                "These LPIPS weights are negative in places, so they are not the published ones."
            )

    @torch.inference_mode()
    def embed(self, images: Tensor, advance: Advance = _ignore) -> Tensor:
        """`(N, C, H, W)` float in [-1, 1], C 1 (expanded to 3) or 3, to vectors `(N, D)` float32 whose
        squared distances are LPIPS. `advance` hears of every few images that are done."""
        check_images(images)
        if not len(images):
            raise MetricError("There are no images to embed.")
        vectors = torch.empty(0)
        for start in range(0, len(images), CHUNK):
            some = self._embed(images[start : start + CHUNK])
            if not start:  # now the length is known; one allocation, since vectors are megabytes each
                vectors = torch.empty(len(images), some.shape[1])
            vectors[start : start + CHUNK] = some
            advance(len(some))
        return vectors

    def _embed(self, images: Tensor) -> Tensor:
        from lpips import normalize_tensor

        features = self._module.net(self._module.scaling_layer(images.expand(-1, 3, -1, -1)))
        parts = [
            (normalize_tensor(feature) * (weights / feature[0, 0].numel()).sqrt()).flatten(1)
            for feature, weights in zip(features, self._layer_weights, strict=True)
        ]
        return torch.cat(parts, dim=1)

    def block_size(self, image: Tensor) -> int:
        """How many images like `image` `(1, C, H, W)` may be kept as vectors at once."""
        return max(CHUNK, VECTOR_BYTES // (4 * self.embed(image).shape[1]))

    @torch.inference_mode()
    def distances(
        self, *, real: Tensor, fake: Tensor, pairs: Pairs, advance: Advance = _ignore
    ) -> np.ndarray:
        """LPIPS of each pair `(P,)`. `real` are vectors `(M, D)` from `embed`, `fake` are images
        `(N, C, H, W)`; only those that stand in a pair are computed."""
        values = np.empty(len(pairs))
        order = np.argsort(pairs.fake, kind="stable")
        wanted, starts = np.unique(pairs.fake[order], return_index=True)
        partners = np.split(order, starts[1:])
        for start in range(0, len(wanted), CHUNK):
            vectors = self.embed(fake[torch.from_numpy(wanted[start : start + CHUNK])], advance)
            for vector, places in zip(vectors, partners[start : start + CHUNK], strict=True):
                for place in places:
                    values[place] = (vector - real[int(pairs.real[place])]).square().sum().item()
        return values


@contextmanager
def _quiet() -> Iterator[None]:
    """lpips still says `pretrained=True` to torchvision, which warns twice about it."""
    with warnings.catch_warnings():
        for message in ("The parameter 'pretrained' is deprecated", "Arguments other than a weight enum"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        yield
