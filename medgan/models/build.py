"""From a `ModelConfig` to networks."""

from __future__ import annotations

import torch
from torch import nn

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.models import resize, sngan

_NETWORKS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "sngan": (sngan.Generator, sngan.Discriminator),
    "resize": (resize.Generator, resize.Discriminator),
}


def _lookup(config: ModelConfig) -> tuple[type[nn.Module], type[nn.Module]]:
    if config.architecture not in _NETWORKS:
        valid = ", ".join(_NETWORKS)
        raise ConfigError(f"There is no architecture {config.architecture!r}; valid are: {valid}.")
    return _NETWORKS[config.architecture]


def build_generator(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A freshly initialised generator; the same seed gives the same weights."""
    return _seeded(_lookup(config)[0], seed, config)


def build_discriminator(config: ModelConfig, seed: int = 0, body: nn.Module | None = None) -> nn.Module:
    """A freshly initialised discriminator; the same seed gives the same weights. Its judge on frozen
    features is there only with the `body` to look through: whoever does not train can do without."""
    made = (config,) if body is None else (config, body)
    return _seeded(_lookup(config)[1], seed, *made)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters())


def _seeded(network: type[nn.Module], seed: int, *made: object) -> nn.Module:
    # Layer initialisers draw from the global generator; fork it so that nobody else's draws change.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(*made)
