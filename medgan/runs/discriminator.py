"""The discriminator beside a generator on disk: in a checkpoint, or in a file of its own where a model was
packed with it. It has seen the training images and may tell them apart from others, so models are handed on
without it unless somebody asks."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from medgan.models.build import build_discriminator
from medgan.runs.checkpoint import load_into, read_tensors
from medgan.runs.info import ALONE, TRAINING, read_info

_PREFIX, _FROZEN = "discriminator.", "frozen."


def discriminator_state(folder: Path) -> dict[str, Tensor]:
    """Its tensors by name, those of its judge on frozen features included. CheckpointError where there is
    none, or it cannot be read."""
    if (folder / ALONE).is_file():
        return read_tensors(folder / ALONE)
    tensors = read_tensors(folder / TRAINING)
    return {name.removeprefix(_PREFIX): t for name, t in tensors.items() if name.startswith(_PREFIX)}


def load_discriminator(folder: Path) -> nn.Module:
    """The part of it that learned from these images alone, fp32, in eval mode, on the CPU.

    CheckpointError naming the tensor that is missing or of another shape.
    """
    state = {name: t for name, t in discriminator_state(folder).items() if not name.startswith(_FROZEN)}
    network = build_discriminator(read_info(folder).model)
    load_into(network, state, source=f"{folder.name} (discriminator)")
    return network.eval().requires_grad_(False)
