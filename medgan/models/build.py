"""From a `ModelConfig` to networks."""

from __future__ import annotations

import torch
from torch import nn

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.models import sngan

_NETWORKS = {"sngan": (sngan.Generator, sngan.Discriminator)}


def _lookup(config: ModelConfig) -> tuple[type[nn.Module], type[nn.Module]]:
    if config.architecture not in _NETWORKS:
        valid = ", ".join(_NETWORKS)
        raise ConfigError(f"There is no architecture {config.architecture!r}; valid are: {valid}.")
    return _NETWORKS[config.architecture]


def build_generator(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A freshly initialised generator; the same seed gives the same weights."""
    return _seeded(_lookup(config)[0], config, seed)


def build_discriminator(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A freshly initialised discriminator; the same seed gives the same weights."""
    return _seeded(_lookup(config)[1], config, seed)


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in network.parameters())


def _seeded(network: type[nn.Module], config: ModelConfig, seed: int) -> nn.Module:
    # Layer initialisers draw from the global generator; fork it so that nobody else's draws change.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(config)
