"""What a checkpoint's discriminator says of training and of held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from medgan.errors import CheckpointError, MetricError
from medgan.generation.sampling import numbers_of
from medgan.images import to_float
from medgan.runs.discriminator import load_discriminator
from medgan.runs.info import has_discriminator, read_info

BATCH = 16


def discriminator_scores(
    folder: Path, *, train: np.ndarray, heldout: np.ndarray, seed: int, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Its outputs `(n,)` for training and held-out images, uint8 `(n, H, W, C)`; `classes` names the class of
    each, training images first. It is asked whether an image is a real one of its class where it knows all.

    Batch norm uses the statistics of each batch, as in training, so batches mix both kinds, by `seed`: else
    the statistics alone would tell them apart. MetricError where the folder holds no discriminator, as models
    that are handed on do not.
    """
    discriminator = _load(folder)
    images = np.concatenate([train, heldout])
    labels = numbers_of(classes, read_info(folder).model.classes)
    known = len(labels) > 0 and bool((labels >= 0).all())
    order = np.random.default_rng(seed).permutation(len(images))
    scores = np.empty(len(images))
    with torch.inference_mode():
        for some in np.array_split(order, max(1, len(order) // BATCH)):
            more = (labels[some],) if known else ()
            scores[some] = discriminator(to_float(images[some]), *more).float().flatten().numpy()
    return scores[: len(train)], scores[len(train) :]


def _load(folder: Path) -> nn.Module:
    if not has_discriminator(folder):
        raise MetricError("The model comes without a discriminator, as models that are handed on should.")
    try:
        network = load_discriminator(folder)
    except CheckpointError as error:
        raise MetricError(f"The discriminator in {folder.name} cannot be read: {error}") from error
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 0.0  # the running averages stay, and nobody asks for them
    return network
