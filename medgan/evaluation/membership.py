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
    folder: Path,
    *,
    train: np.ndarray,
    heldout: np.ndarray,
    train_classes: Sequence[str],
    heldout_classes: Sequence[str],
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Its outputs `(n,)` for training and held-out images, uint8 `(n, H, W, C)`, of these classes. Where it
    tells classes apart it is asked for real ones of their class, as in training, and so of those that it
    knows; images of any other are left out.

    Batch norm uses the statistics of each batch, as in training, so batches mix both kinds, by `seed`: else
    the statistics alone would tell them apart. MetricError where the folder holds no discriminator, as models
    that are handed on do not, or it knows none of the classes.
    """
    discriminator, known = _load(folder)
    images = np.concatenate([train, heldout])
    labels = numbers_of([*train_classes, *heldout_classes], known)
    asked = labels.numpy() >= 0 if known else np.full(len(images), True)
    if not asked.any():
        raise MetricError("The discriminator knows none of the classes of these images.")
    order = np.random.default_rng(seed).permutation(np.flatnonzero(asked))
    scores = np.empty(len(images))
    with torch.inference_mode():
        for some in np.array_split(order, max(1, len(order) // BATCH)):
            more = (labels[some],) if known else ()
            scores[some] = discriminator(to_float(images[some]), *more).float().flatten().numpy()
    n = len(train)
    return scores[:n][asked[:n]], scores[n:][asked[n:]]


def _load(folder: Path) -> tuple[nn.Module, tuple[tuple[str, int], ...]]:
    """The discriminator, and the classes that it tells apart."""
    if not has_discriminator(folder):
        raise MetricError("The model comes without a discriminator, as models that are handed on should.")
    try:
        network, classes = load_discriminator(folder), read_info(folder).model.classes
    except CheckpointError as error:
        raise MetricError(f"The discriminator in {folder.name} cannot be read: {error}") from error
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 0.0  # the running averages stay, and nobody asks for them
    return network, classes
