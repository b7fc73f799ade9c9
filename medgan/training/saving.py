"""A checkpoint from which training goes on: a model folder plus everything that the next step depends on.

training.safetensors   networks (an average of the generator too), optimisers, the window of figures that
                       were not logged yet, and the states of the global random generators
training.json          step, training time, the best so far, and what observers remember

The data order and the latents are functions of the seed and the step (`batches.py`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from medgan.errors import CheckpointError, RunError
from medgan.files import write_folder
from medgan.runs.checkpoint import load_into, network_state, read_tensors, write_model
from medgan.runs.info import ModelInfo
from medgan.runs.record import discard
from medgan.training.step import GanStep

TENSORS, STATE = "training.safetensors", "training.json"
WINDOW = "window"


class NotFinite(RunError):
    """Losses or weights that are no longer numbers."""


@dataclass
class Progress:
    """`training.json`: how far a training is, beside its tensors. `observed` says at which step each
    observer last looked, `observers` what each remembers, `best` is the content of `best.json`."""

    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)
    observed: dict[str, int] = field(default_factory=dict)
    observers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """Copies on the CPU of all that a checkpoint holds, so that it can be written while training goes on.
    `model` is the state of the network to sample from."""

    tensors: dict[str, Tensor]
    progress: dict[str, Any]
    model: dict[str, Tensor]
    info: ModelInfo


def snapshot(
    step: GanStep, window: Sequence[Tensor], progress: Progress, model: torch.nn.Module, info: ModelInfo
) -> Snapshot:
    """Copy the state between two steps; `window` are the rows of figures that were not logged yet."""
    tensors = training_state(step)
    if window:
        tensors[WINDOW] = torch.stack(list(window)).to("cpu", copy=True)
    return Snapshot(tensors, asdict(progress), network_state(model), info)


def write(folder: Path, shot: Snapshot) -> None:
    """Write a checkpoint folder at once. NotFinite if it holds what is no number: nobody could go on
    from it."""
    for name, tensor in (*shot.tensors.items(), *shot.model.items()):
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise NotFinite(name)

    def fill(temporary: Path) -> None:
        with _errors_of_the_disk(temporary):
            write_model(temporary, shot.model, shot.info)
            save_file(shot.tensors, temporary / TENSORS)
        (temporary / STATE).write_text(json.dumps(shot.progress), "utf-8")

    write_folder(folder, fill)


@contextmanager
def _errors_of_the_disk(folder: Path) -> Iterator[None]:
    """safetensors has an error of its own for a full disk, with the number of the system's in its words."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(folder)) from error


def restore(folder: Path, step: GanStep) -> tuple[Progress, list[Tensor]]:
    """Put a checkpoint back into `step`; returns how far it is, and the window of figures.

    CheckpointError naming the tensor that is missing, cut short or of another shape.
    """
    tensors = read_tensors(folder / TENSORS)
    progress = _progress(folder)
    apply_state(step, tensors, f"{folder.name}/{TENSORS}")
    window = [row.to(step.device) for row in tensors.get(WINDOW, ())]
    return progress, window


def training_state(step: GanStep) -> dict[str, Tensor]:
    """Copies on the CPU of networks, optimisers and random states, by name."""
    return dict(_tensors(step))


def apply_state(step: GanStep, tensors: dict[str, Tensor], source: str, *, stepped: bool = True) -> None:
    """Put a `training_state` back; CheckpointError naming `source` and the tensor that does not fit. Where no
    step was done before it (not `stepped`), optimisers have nothing to remember."""
    for name, network in step.networks().items():
        load_into(network, _under(tensors, name), source=f"{source} ({name})")
    for name, optimizer in step.optimizers().items() if stepped else ():
        _restore_moments(optimizer, _under(tensors, name), f"{source} ({name})")
    _restore_random(_under(tensors, "random"), step.device)


def restore_newest(folders: Sequence[Path], step: GanStep) -> tuple[Progress, list[Tensor]]:
    """Restore the last of `folders` that can be read; returns as `restore`.

    Broken ones after it are removed, since each would be taken for the newest again. CheckpointError of
    the last one if none can be read.
    """
    broken: dict[Path, CheckpointError] = {}
    for folder in reversed(folders):
        try:
            found = restore(folder, step)
        except CheckpointError as error:
            broken[folder] = error
            continue
        for path in broken:
            discard(path)
        return found
    raise next(iter(broken.values()), CheckpointError("There is no checkpoint to go on from."))


def _tensors(step: GanStep) -> Iterator[tuple[str, Tensor]]:
    for name, network in step.networks().items():
        yield from ((f"{name}.{key}", value) for key, value in network_state(network).items())
    for name, optimizer in step.optimizers().items():
        yield from ((f"{name}.{key}", value) for key, value in _moments(optimizer).items())
    yield "random.cpu", torch.get_rng_state()
    if step.device.type == "cuda":
        yield "random.cuda", torch.cuda.get_rng_state(step.device)


def _restore_random(states: dict[str, Tensor], device: torch.device) -> None:
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


def _progress(folder: Path) -> Progress:
    try:
        values = json.loads((folder / STATE).read_text("utf-8"))
        known = {f.name for f in fields(Progress)}
        progress = Progress(**{name: value for name, value in values.items() if name in known})
        progress.step, progress.seconds = int(values["step"]), float(progress.seconds)
        return progress
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder.name}/{STATE} cannot be read; delete this checkpoint.") from error


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
    }


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of Adam's moments and step counts as `<parameter index>.<name>`."""
    return {
        f"{index}.{name}": value.detach().to("cpu", memory_format=torch.contiguous_format, copy=True)
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
