"""What a run is started with, and how that is said to `python -m medgan train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Goal = Mapping[str, float]
Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a run is trained: one of `config.DEVICES`, and on how many of them; `engine` holds the options
    that send it elsewhere, none for here."""

    device: str = "auto"
    devices: int = 1
    engine: tuple[str, ...] = ()


ANYWHERE = Place()


@dataclass(frozen=True)
class Begin:
    """What a run begins with: `init` is the MODEL whose weights it takes over, empty for none; `conditional`,
    whether its model tells the classes of the data set apart."""

    init: str = ""
    conditional: bool = False


AFRESH = Begin()


def training_options(
    dataset: Path,
    preset: str,
    *,
    goal: Goal,
    changes: Changes,
    begin: Begin = AFRESH,
    place: Place = ANYWHERE,
) -> list[str]:
    """What follows `train` on the command line. `goal` is one of `config.GOALS` with its value, or empty
    for the preset's; `changes` are settings other than the preset's."""
    options = [str(dataset), f"--preset={preset}", f"--device={place.device}"]
    options += [f"--devices={place.devices}"] if place.devices > 1 else []
    options += place.engine
    options += [f"--init={begin.init}"] if begin.init else []
    options += ["--conditional"] if begin.conditional else []
    options += [f"--{name}={value}" for name, value in goal.items()]
    return options + [f"--set={name}={value}" for name, value in changes.items()]
