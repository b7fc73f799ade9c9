"""Beginning with what another model has learned, instead of with nothing (Wang et al. 2018, "Transferring
GANs")."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.errors import ConfigError
from medgan.generation.sampling import class_names
from medgan.runs.checkpoint import read_tensors
from medgan.runs.discriminator import discriminator_state, has_discriminator
from medgan.runs.info import WEIGHTS, ModelInfo
from medgan.training.step import GanStep, tell_apart


def model_like(info: ModelInfo, wanted: ModelConfig, name: str) -> ModelConfig:
    """The networks of the model that a run begins with, for the images and classes of `wanted`. ConfigError
    where its images are of another kind."""
    source = info.model
    if (source.channels, source.size) != (wanted.channels, wanted.size):
        kinds = [f"{'grey' if m.channels == 1 else 'colour'} {m.size} x {m.size}" for m in (source, wanted)]
        raise ConfigError(
            f"{name} makes {kinds[0]} images and the data set has {kinds[1]} ones; begin with a model that "
            "fits, or prepare the set accordingly (--size, --color)."
        )
    values = source.to_json() | {"classes": wanted.classes}
    return ModelConfig.from_json(values)


def begin_with(step: GanStep, folder: Path) -> None:
    """Put the weights of a model folder into a step that is not begun: generator, its average, and the
    discriminator where there is one. Layers of other shapes stay new."""
    generator = read_tensors(folder / WEIGHTS)
    take_over(step.generator, generator)
    if step.average is not None:
        take_over(step.average.network, generator)
    if has_discriminator(folder):
        take_over(step.discriminator, discriminator_state(folder))
    if class_names(step.generator) and not any(name.startswith("conditioning.") for name in generator):
        tell_apart(list(step.networks().values()), 1.0)  # what all have in common is known already


@torch.no_grad()
def take_over(network: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Copy what fits; returns the names of the tensors that stay as they were.

    Where only the first dimension differs, as many as both have are copied: a generator that learns classes
    apart has more inputs, and its judges have more outputs, and what they have in common stands first."""
    new = []
    for name, own in network.state_dict().items():
        found = tensors.get(name)
        if found is None or found.shape[1:] != own.shape[1:] or found.dim() != own.dim():
            new.append(name)
        elif own.dim():
            rows = min(len(own), len(found))
            own[:rows].copy_(found[:rows])
        else:
            own.copy_(found)
    return new
