"""The observer of every training: samples beside the validation images, the discriminator beside images it
has not seen, in figures and words; the best checkpoint, and when it is enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from medgan.data.split import TRAIN, VALIDATION
from medgan.errors import MetricError
from medgan.generation.sampling import BATCH, labels_of, numbers_of, sample
from medgan.images import to_float
from medgan.metrics.features import TRAINING, choose
from medgan.training.monitor_words import Circumstances, words
from medgan.training.monitors import EVALUATE_EVERY, EarlyStopping, Readings, overfitting_gap, sign_mean
from medgan.training.observers import CutShort, Finding, Moment, Observer, Scene
from medgan.training.reference import SAMPLES, Reference
from medgan.training.request import class_column

SAMPLES_ON_CPU = 256
"""A thousand would take a processor as long as a twelfth of the training between two evaluations."""
FEWEST = 10
"""Validation images below which no distance to them means anything."""
LOGITS = 256
"""Images of each kind that the discriminator is asked about."""


class HeldOut:
    """Evaluates every 10,000 images. Only the training and the validation part are looked at: the test part
    stays for the scorecard."""

    name = "held-out"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        images = len(scene.images)
        per_epoch = -(-images // scene.train.batch_size)  # the last batch of an epoch may be smaller
        self.every = -(-EVALUATE_EVERY * per_epoch // images)
        self.stopping = EarlyStopping()
        # Read now: the folder may go while the training goes on.
        self.validation = scene.data.part(VALIDATION)
        self.labels = {part: _labels(scene, part) for part in (TRAIN, VALIDATION)}
        self.samples = SAMPLES_ON_CPU if scene.device.type == "cpu" else SAMPLES
        self._reference: Reference | None = None

    def observe(self, moment: Moment) -> Finding:
        """Readings, what they mean, whether this is the best so far, and whether to end. Nothing before the
        first 10,000 images: every training begins badly."""
        if moment.images_seen < EVALUATE_EVERY:
            return Finding()
        images = self._sample(moment)
        readings = self._measured(images, moment)
        decision = self.stopping.observe(moment.done, moment.images_seen, readings)
        about = Circumstances(len(self.scene.images), len(self.validation), moment.images_seen)
        stop = decision.stop and self.scene.train.stop_on == "kid"
        reason = decision.reason or ""
        said = [] if stop else [_upper(reason.removeprefix("Stopped: "))]
        return Finding(
            figures={name: value for name, value in readings.to_json().items() if isinstance(value, float)},
            warnings=[*filter(None, said), *(caution.text for caution in words(readings, about))],
            score=readings.kid if decision.best else None,
            end=reason if stop else "",
        )

    def state(self) -> dict[str, Any]:
        """What it remembers, as JSON values."""
        return self.stopping.state_dict()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
        self.stopping.load_state_dict(state)

    def _sample(self, moment: Moment) -> np.ndarray:
        generator, drawn = moment.sampler(), []
        for start in range(0, self.samples, BATCH):
            if moment.called_away():
                raise CutShort
            drawn.append(sample(generator, range(start, start + BATCH)))
        return np.concatenate(drawn)

    def _measured(self, images: np.ndarray, moment: Moment) -> Readings:
        if len(self.validation) < FEWEST:
            raise MetricError(
                f"The set holds {len(self.validation)} images for validation, and {FEWEST} or more are "
                "needed to see how good the images are; prepare it again with a larger part (--split)."
            )
        figures = self._reals().measure(images).to_json()
        return Readings.from_json(figures | self._discriminator(images, moment))

    def _reals(self) -> Reference:
        """With their features, computed when first needed."""
        if self._reference is None:
            self._reference = Reference(
                choose([name for name in TRAINING if name != self.scene.model.frozen]).network,
                train=self.scene.images,
                heldout=self.validation,
                seed=self.scene.train.seed,
                device=self.scene.device,
            )
        return self._reference

    def _discriminator(self, fake: np.ndarray, moment: Moment) -> dict[str, float]:
        """What it says of training, unseen and generated images, in fp32, learning nothing from them. With
        classes it is asked for real ones of their class, as in training, and so of those that it knows."""
        classes = self.scene.model.classes
        of_fake = labels_of(range(len(fake)), classes) if classes else None
        with _judging(moment.step.discriminator) as judge:
            train = self._logits(judge, self.scene.images, self.labels[TRAIN])
            heldout = self._logits(judge, self.validation, self.labels[VALIDATION])
            false = self._logits(judge, fake, of_fake)
        means = (float(logits.mean()) for logits in (train, heldout, false))
        gap = overfitting_gap(**dict(zip(("train", "heldout", "fake"), means, strict=True)))
        found = {"real_sign": float(sign_mean(train))}
        return found if gap is None else found | {"gap": gap}

    def _logits(self, judge: nn.Module, images: np.ndarray, labels: torch.Tensor | None) -> torch.Tensor:
        known = len(images) if labels is None else np.flatnonzero(labels.numpy() >= 0)
        # In any order but that of the set, which stands by class: in training batches are mixed.
        chosen = np.random.default_rng(0).permutation(known)[:LOGITS]
        size, device = self.scene.train.batch_size, self.scene.device
        found = [torch.empty(0, device=device)]
        for some in (chosen[at : at + size] for at in range(0, len(chosen), size)):
            more = () if labels is None else (labels[some].to(device),)
            found.append(judge(to_float(images[some]).to(device), *more).float().flatten())
        return torch.cat(found)


def _labels(scene: Scene, part: str) -> torch.Tensor | None:
    """The class of each image of a part as its number, -1 where the model has not learned it; None where the
    model tells none apart."""
    if not scene.model.classes:
        return None
    return numbers_of(class_column(scene.data, part), scene.model.classes)


@contextmanager
def _judging(discriminator: nn.Module) -> Iterator[nn.Module]:
    """In eval mode, but batch norm with the statistics of each batch, as in training: real and generated
    images come in batches of their own there, and a running average of both fits neither."""
    was = discriminator.training
    norms = [module for module in discriminator.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    discriminator.eval()
    for norm, _, seen in kept:
        norm.train()
        norm.momentum = 0.0  # the running averages stay
        norm.num_batches_tracked = seen.clone() if seen is not None else None
    try:
        with torch.no_grad():
            yield discriminator
    finally:
        for norm, momentum, seen in kept:
            norm.momentum, norm.num_batches_tracked = momentum, seen
        discriminator.train(was)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def observers(scene: Scene) -> Sequence[Observer]:
    """The observers of a training."""
    return (HeldOut(scene),)
