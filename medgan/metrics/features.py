"""Feature networks: one vector an image, in which distances and distributions are compared.

Figures of different networks cannot be compared with each other, which is why each network has a name
for people and a hash of its weights. How images go through one is in medgan/metrics/feature_network.py.

To add a network, write a function from its weights to a module `(B, 3, S, S) -> (B, D)` (see
medgan/metrics/backbones.py) and a row in `NETWORKS`; docs/feature-networks.md has an example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from medgan.errors import ConfigError, MetricError
from medgan.metrics import backbones
from medgan.metrics.backbones import State, read_state, unreadable
from medgan.metrics.feature_network import BATCH, Advance, FeatureNetwork, Images, weights_hash
from medgan.metrics.random_network import RandomPyramid
from medgan.metrics.weights import TIMEOUT, Progress, Source, cache_folder, ensure

__all__ = [
    "BATCH",
    "DINOV2",
    "INCEPTION",
    "NETWORKS",
    "PIXELS",
    "RANDOM",
    "SCORECARD",
    "SQUEEZENET",
    "TRAINING",
    "Advance",
    "Choice",
    "FeatureNetwork",
    "Images",
    "Kind",
    "choose",
    "load",
    "missing",
    "pixels",
    "random_network",
    "weights_hash",
]

DINOV2, INCEPTION, SQUEEZENET, RANDOM, PIXELS = "dinov2", "inception", "squeezenet", "random", "pixels"

TRAINING = (SQUEEZENET, RANDOM)
"""What training looks through, best first: it measures often, and must not wait for it."""
SCORECARD = (DINOV2, SQUEEZENET, RANDOM)
"""What the scorecard takes where nobody says otherwise, best first."""

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_TENSORFLOW = (128 / 255, 128 / 255, 128 / 255)
"""(x - 128) / 128 of 8-bit values, as the graph of the FID has it."""


@dataclass(frozen=True)
class Kind:
    """A row of `NETWORKS`: see `FeatureNetwork` for what is there too.

    `module` makes the network from its weights, and `source` says which file they are in; without one the
    network needs none, and `module` gets an empty dict.
    """

    name: str
    label: str
    size: int
    dimensions: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    module: Callable[[State], nn.Module]
    source: Callable[[], Source] | None = None


NETWORKS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            DINOV2,
            "DINOv2 ViT-S/14, trained on photographs without labels",
            size=224,
            dimensions=384,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            module=backbones.dinov2,
            source=backbones.dinov2_source,
        ),
        Kind(
            INCEPTION,
            "Inception v3 of the FID, trained on photographs (ImageNet)",
            size=299,
            dimensions=2048,
            mean=_TENSORFLOW,
            std=_TENSORFLOW,
            module=backbones.inception,
            source=backbones.inception_source,
        ),
        Kind(
            SQUEEZENET,
            "SqueezeNet 1.1, trained on photographs (ImageNet)",
            size=224,
            dimensions=512,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            module=backbones.squeezenet,
            source=backbones.squeezenet_source,
        ),
        Kind(
            RANDOM,
            "random network (fixed seed, never trained: an offline stand-in)",
            size=128,
            dimensions=RandomPyramid.dimensions,
            mean=_HALF,
            std=_HALF,
            module=lambda state: RandomPyramid(),
        ),
        Kind(
            PIXELS,
            "plain pixels at 32 x 32",
            size=32,
            dimensions=3 * 32 * 32,
            mean=_HALF,
            std=_HALF,
            module=lambda state: nn.Flatten(),
        ),
    )
}
"""What `load` knows, by name."""


def load(name: str, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> FeatureNetwork:
    """The network called `name`, on the CPU.

    Its weights are downloaded on first use with `progress` (a bar without it); MetricError with the reason
    and what to do where that fails or the file cannot be read, ConfigError listing the valid names for
    another. Draws nothing from the global generator.
    """
    kind = _kind(name)
    if kind.source is None:
        return _network(kind, {})
    path = ensure(kind.source(), progress=progress, timeout=timeout)
    try:
        return _network(kind, read_state(path))
    except (RuntimeError, KeyError) as error:
        raise unreadable(path) from error


def missing(name: str) -> Source | None:
    """The weights file that `load` would download; None where it needs none or has it. ConfigError for
    an unknown name."""
    kind = _kind(name)
    source = kind.source() if kind.source else None
    return source if source and not (cache_folder() / source.file).is_file() else None


def random_network() -> FeatureNetwork:
    """The offline fallback: a convolutional network with fixed random weights, never trained.

    See medgan/metrics/random_network.py. It sees brightness, contrast and texture, no anatomy.
    """
    return load(RANDOM)


def pixels() -> FeatureNetwork:
    """No network at all: the image at 32 x 32 pixels, in [-1, 1]. In it a copy stays a copy when it is
    noisy or blurred, which trained networks take for another image; made for `copy_ratio`."""
    return load(PIXELS)


@dataclass(frozen=True)
class Choice:
    """A network that can be used now, and the sentence that says which and why."""

    network: FeatureNetwork
    sentence: str


def choose(order: Sequence[str] = TRAINING) -> Choice:
    """The first network of `order` whose weights are on this computer, else the random one. Never
    downloads. The sentence says which better ones there would be. ConfigError for an unknown name."""
    reasons = []
    for name in order:
        if name == RANDOM:
            break
        if source := missing(name):
            reasons.append(f"the weights of {source.title} ({source.megabytes:.0f} MB) are not here yet")
            continue
        try:
            return Choice(network := load(name), _sentence(network, reasons))
        except MetricError:
            reasons.append(f"{_file(name)} cannot be read, and should be deleted")
    network = random_network()
    return Choice(network, _sentence(network, reasons))


def _sentence(network: FeatureNetwork, reasons: list[str]) -> str:
    since = f", since {' and '.join(reasons)}" if reasons else ""
    if network.name != RANDOM:
        return f"Images are compared by {network.label}{since}."
    return (
        f"Images are compared by a {network.label}{since}. It tells noise, blur and collapse from real "
        "images, but knows no anatomy: compare its figures with each other only, and look at the images."
    )


def _file(name: str) -> str:
    source = NETWORKS[name].source
    return source().file if source else name


def _kind(name: str) -> Kind:
    if name not in NETWORKS:
        raise ConfigError(f"There is no feature network {name!r}; valid are: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def _network(kind: Kind, state: State) -> FeatureNetwork:
    with torch.random.fork_rng(devices=[]):  # building draws weights; nobody else's draws change
        module = kind.module(state)
    module = module.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return FeatureNetwork(
        name=kind.name,
        label=kind.label,
        size=kind.size,
        mean=kind.mean,
        std=kind.std,
        dimensions=kind.dimensions,
        module=module,
        weights_hash=weights_hash(module),
    )
