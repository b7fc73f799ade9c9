"""A checkpoint from which training goes on: a model folder plus networks, optimisers and the step.

The data order and the latents are functions of the seed and the step (`batches.py`), so no random
state needs saving.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from medgan.errors import CheckpointError
from medgan.files import write_folder
from medgan.runs.checkpoint import load_into, network_state, read_tensors, save_model
from medgan.runs.info import ModelInfo
from medgan.training.step import GanStep

TENSORS, STATE = "training.safetensors", "training.json"


def save(folder: Path, step: GanStep, generator: nn.Module, info: ModelInfo, done: int) -> None:
    """Write a checkpoint folder at once; `generator` is the one to sample from."""
    tensors: dict[str, Tensor] = {}
    for name, network in _networks(step).items():
        tensors |= {f"{name}.{key}": value for key, value in network_state(network).items()}
    for name, optimizer in _optimizers(step).items():
        tensors |= {f"{name}.{key}": value for key, value in _moments(optimizer).items()}

    def fill(temporary: Path) -> None:
        save_model(temporary, generator, info)
        save_file(tensors, temporary / TENSORS)
        (temporary / STATE).write_text(json.dumps({"step": done}), "utf-8")

    write_folder(folder, fill)


def restore(folder: Path, step: GanStep) -> int:
    """Put a checkpoint back into `step`; returns the iterations that it has done.

    CheckpointError naming the tensor that is missing, cut short or of another shape.
    """
    tensors = read_tensors(folder / TENSORS)
    try:
        done = int(json.loads((folder / STATE).read_text("utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.name}/{STATE} cannot be read; delete this checkpoint.") from error
    for name, network in _networks(step).items():
        load_into(network, _under(tensors, name), source=f"{folder.name}/{TENSORS} ({name})")
    for name, optimizer in _optimizers(step).items():
        _restore_moments(optimizer, _under(tensors, name), f"{folder.name}/{TENSORS} ({name})")
    return done


def restore_newest(folders: Sequence[Path], step: GanStep) -> int:
    """Restore the last of `folders` that can be read; returns the iterations that it has done.

    Broken ones after it are removed, since each would be taken for the newest again. CheckpointError of
    the last one if none can be read.
    """
    broken: dict[Path, CheckpointError] = {}
    for folder in reversed(folders):
        try:
            done = restore(folder, step)
        except CheckpointError as error:
            broken[folder] = error
            continue
        for path in broken:
            shutil.rmtree(path)
        return done
    raise next(iter(broken.values()), CheckpointError("There is no checkpoint to go on from."))


def _networks(step: GanStep) -> dict[str, nn.Module]:
    return {"generator": step.generator, "discriminator": step.discriminator}


def _optimizers(step: GanStep) -> dict[str, torch.optim.Optimizer]:
    return {"optimizer_g": step.optimizer_g, "optimizer_d": step.optimizer_d}


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts as `<parameter index>.<name>`."""
    return {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], source: str) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(parameters):
        shapes = {"step": torch.Size(), "exp_avg": parameter.shape, "exp_avg_sq": parameter.shape}
        state[index] = {
            name: _moment(tensors, f"{index}.{name}", shape, source) for name, shape in shapes.items()
        }
        for name in ("exp_avg", "exp_avg_sq"):
            # Fused Adam walks raw memory: a moment laid out otherwise than its weight (contiguous
            # beside channels-last) is silently paired with the wrong elements.
            state[index][name] = torch.empty_like(parameter).copy_(state[index][name])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _moment(tensors: dict[str, Tensor], name: str, shape: torch.Size, source: str) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"{source} lacks the tensor {name} {tuple(shape)}.")
    found = tensors[name]
    if found.shape != shape:
        raise CheckpointError(
            f"{source}: the tensor {name} is {tuple(found.shape)}, expected {tuple(shape)}."
        )
    return found
