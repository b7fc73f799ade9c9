"""Models on disk: safetensors beside readable JSON, never pickled code.

A model folder has the Hub's layout: `config.json` (what to build, where it comes from),
`model.safetensors` (the generator) and perhaps `README.md` (the model card). A checkpoint in a run
folder is such a model folder plus `training.safetensors` and `training.json`, from which training
goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medgan.errors import CheckpointError, ConfigError
from medgan.models.build import build_generator
from medgan.models.layers import ResizeUp
from medgan.runs.info import CONFIG, WEIGHTS, ModelInfo, read_info

if TYPE_CHECKING:
    from collections.abc import Iterable

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def save_model(folder: Path, generator: nn.Module, info: ModelInfo, *, half: bool = False) -> None:
    """Write `config.json` and `model.safetensors` into the existing `folder`.

    `half` stores convolution weights as fp16; batch norm stays fp32, whose variances fp16 would round.
    """
    state = network_state(generator)
    write_model(folder, halved(state) if half else state, info)


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with matrices and kernels as fp16, all else as it is."""
    return {name: tensor.half() if tensor.dim() > 1 else tensor for name, tensor in state.items()}


def write_model(folder: Path, state: Mapping[str, Tensor], info: ModelInfo) -> None:
    """As `save_model`, from a `network_state`, which another thread may write while the network learns."""
    save_file(dict(state), folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(info.to_json(), indent=2, ensure_ascii=False), "utf-8")


def load_generator(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """The generator of a model folder, fp32, in eval mode, on the CPU; to draw from, not to go on training.

    CheckpointError naming the tensor if the weights are missing, cut short or of another shape.
    """
    info = read_info(folder)
    try:
        generator = build_generator(info.model)
    except ConfigError as error:
        raise CheckpointError(f"{folder.name}/{CONFIG}: {error}") from error
    load_into(generator, read_tensors(folder / WEIGHTS), source=f"{folder.name}/{WEIGHTS}")
    for module in generator.modules():
        if isinstance(module, ResizeUp):
            module.settle()
    return generator.eval().requires_grad_(False), info


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file; CheckpointError saying what is wrong with it."""
    if not path.is_file():
        raise CheckpointError(f"{path.parent.name} has no {path.name}.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path.parent.name}/{path.name} {_what_is_wrong(path)}.") from error


def network_state(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as contiguous CPU tensors, in the plain memory layout."""
    return {
        name: tensor.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
        if tensor.dim() == 4
        else tensor.detach().to("cpu", copy=True)
        for name, tensor in network.state_dict().items()
    }


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Copy `tensors` into `network`; CheckpointError naming the first tensor that does not fit."""
    own = network.state_dict()
    for name, expected in own.items():
        if name not in tensors:
            raise CheckpointError(f"{source} lacks the tensor {name} {tuple(expected.shape)}.")
        found = tensors[name]
        if found.shape != expected.shape:
            raise CheckpointError(
                f"{source}: the tensor {name} is {tuple(found.shape)}, "
                f"but this network needs {tuple(expected.shape)}."
            )
        if expected.is_floating_point() and found.dtype not in _FLOATS:
            raise CheckpointError(f"{source}: the tensor {name} is {found.dtype}, not a floating point one.")
        if not torch.isfinite(found).all():
            raise CheckpointError(f"{source}: the tensor {name} holds values that are not numbers.")
    _refuse_extra(tensors, own, source)
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in tensors.items()})


def _refuse_extra(tensors: Mapping[str, Tensor], own: Iterable[str], source: str) -> None:
    extra = sorted(set(tensors) - set(own))
    if extra:
        raise CheckpointError(f"{source} holds the tensor {extra[0]}, which this network does not have.")


def _what_is_wrong(path: Path) -> str:
    """Name the tensor at which a safetensors file ends too early (its header comes first)."""
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, size)))
        header.pop("__metadata__", None)
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][1]):
            if 8 + length + entry["data_offsets"][1] > size:
                return f"is cut short: the tensor {name} is incomplete ({size:,} bytes are there)"
    except (ValueError, LookupError, TypeError, AttributeError, OSError):
        pass
    return "is not a safetensors file, or its beginning is damaged"
