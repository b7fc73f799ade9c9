"""MedGAN: train a GAN on a small set of medical images, and judge honestly what it makes.

import medgan
generator = medgan.load("hub:owner/name")
images = generator.sample(seeds=range(16), label="melanoma")  # uint8 (16, H, W, C)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medgan.generation.generator import Generator

__version__ = "0.1.0"


def load(model: str) -> Generator:
    """A model by its name: a run or model folder, a name in the workspace or in `checkpoints/`, or
    `hub:owner/name`, with `@revision` behind it if it is to be a certain branch, tag or commit. What is on
    the Hub is pulled once, checked, and there without a network from then on.

    CheckpointError if there is no such model, HubError if it cannot be pulled.
    """
    from medgan.generation.generator import Generator
    from medgan.hub.transfer import obtain
    from medgan.workspace import Workspace

    return Generator(obtain(str(model), Workspace.default()))
