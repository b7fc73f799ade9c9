"""Beginning with what another model has learned, instead of with nothing (Wang et al. 2018, "Transferring
GANs")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medgan.config import ModelConfig
from medgan.errors import CheckpointError, ConfigError
from medgan.generation.sampling import class_names
from medgan.images import kind
from medgan.runs.checkpoint import load_generator, read_tensors
from medgan.runs.discriminator import discriminator_state, load_discriminator
from medgan.runs.info import WEIGHTS, ModelInfo, has_discriminator, read_info
from medgan.training.step import GanStep, begin_to_tell_apart


def model_like(info: ModelInfo, wanted: ModelConfig, name: str) -> ModelConfig:
    """The networks of the model that a run begins with, for the images and classes of `wanted`. ConfigError
    where its images are of another kind."""
    source = info.model
    if (source.channels, source.size) != (wanted.channels, wanted.size):
        raise ConfigError(
            f"{name} makes {kind(source)} images and the data set has {kind(wanted)} ones; begin with a "
            "model that fits, or prepare the set accordingly (--size, --color)."
        )
    values = source.to_json() | {"classes": wanted.classes}
    return ModelConfig.from_json(values)


def check_source(folder: Path) -> None:
    """CheckpointError where the weights of a model folder are damaged or do not belong to its `config.json`:
    said before there is a run."""
    try:
        load_generator(folder)
        if has_discriminator(folder):
            load_discriminator(folder)
    except CheckpointError as error:
        raise CheckpointError(
            f"A run cannot begin with {folder}. {error} Copy or pull that model again, or begin with another."
        ) from error


def begin_with(step: GanStep, folder: Path) -> None:
    """Put the weights of a model folder into a step that is not begun: generator, its average, and the
    discriminator where there is one. Layers of other shapes stay new, and so do classes that it does not
    know; those that it does are told by their names."""
    theirs = [name for name, _ in read_info(folder).model.classes]
    mine = class_names(step.generator)
    generator = read_tensors(folder / WEIGHTS)
    take_over(step.generator, _by_class(step.generator, generator, theirs, mine))
    if step.average is not None:
        take_over(step.average.network, step.generator.state_dict())
    if has_discriminator(folder):
        judges = discriminator_state(folder)
        take_over(step.discriminator, _by_class(step.discriminator, judges, theirs, mine))
    if mine:
        # What all have in common is known already: new classes come in at once, and slowly. Known ones matter
        # to a judge that is new as much as to the generator.
        known = float(generator["conditioning.ramp"]) if set(mine) <= set(theirs) else 0.0
        begin_to_tell_apart(list(step.networks().values()), known)


def _by_class(
    network: nn.Module, tensors: Mapping[str, Tensor], theirs: Sequence[str], mine: Sequence[str]
) -> dict[str, Tensor]:
    """`tensors` of a model of the classes `theirs` with the rows of classes where `network` has those of
    `mine`; a class that only `network` has keeps what it has there."""
    found, own = dict(tensors), network.state_dict()
    if theirs == mine or not (theirs and mine):
        return found
    for name, first in _rows_of_classes(network).items():
        if name in found and found[name].shape[1:] == own[name].shape[1:]:
            rows = own[name].clone()
            rows[:first] = found[name][:first]
            for label in set(mine) & set(theirs):
                rows[first + mine.index(label)] = found[name][first + theirs.index(label)]
            found[name] = rows
    return found


def _rows_of_classes(network: nn.Module) -> dict[str, int]:
    """The tensors with a row for each class, and how many rows come before them."""
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Embedding):
            found[f"{name}.weight"] = 0
        elif parametrize.is_parametrized(module):  # the last layer of a judge, with a row for all classes
            parts = ("bias", "parametrizations.weight.original", "parametrizations.weight.0._u")
            found |= {f"{name}.{part}": 1 for part in parts}
    return found


@torch.no_grad()
def take_over(network: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Copy what fits; returns the names of the tensors that stay as they were.

    Where layers have more inputs or outputs here or there, as many as both have are copied: a generator that
    learns classes apart has more inputs, at its beginning and at every stage, and its judges have more
    outputs, and what they have in common stands first."""
    new = []
    for name, own in network.state_dict().items():
        found = tensors.get(name)
        if found is None or found.shape[2:] != own.shape[2:] or found.dim() != own.dim():
            new.append(name)
            continue
        common = tuple(slice(min(sides)) for sides in zip(own.shape[:2], found.shape[:2], strict=True))
        own[common].copy_(found[common])
    return new
