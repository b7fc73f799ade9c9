"""The two classifiers of a study: logistic regression on frozen features, and a ResNet-18 that is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from medgan.errors import Interrupted
from medgan.files import aside
from medgan.images import to_float
from medgan.metrics.features import FeatureNetwork
from medgan.metrics.utility import choose_strength, probabilities
from medgan.metrics.weights import cache_folder
from medgan.studies.arms import Member
from medgan.studies.sources import Sources

FROZEN, RESNET18 = "frozen", "resnet18"
CLASSIFIERS = (FROZEN, RESNET18)
RESNET_FILE = "resnet18-f37072fd.pth"
BATCH, LEARNING_RATE = 32, 3e-4

Progress = Callable[[str, int, int], None]


class Classifier(Protocol):
    """Learns from the images of an arm and looks at the test images."""

    def about(self) -> dict[str, Any]:
        """What it is, for the result."""

    def probabilities(self, members: Sequence[Member], seed: int) -> np.ndarray:
        """Of every test image, `(n, classes)`."""


class Frozen:
    """Logistic regression on the features of a network that is never trained.

    Features of every pool are computed once and kept in `cache`, under the hash of what made them.
    """

    def __init__(
        self, sources: Sources, network: FeatureNetwork, cache: Path, *, identity: str, progress: Progress
    ) -> None:
        self.sources, self.network, self.cache, self.identity = sources, network, cache, identity
        self._progress = progress
        self._known: dict[tuple[str, int], np.ndarray] = {}
        self._test = network.extract(sources.test)
        real = [self._pool("real", label) for label in range(len(sources.labels))]
        labels = np.repeat(np.arange(len(real)), [len(features) for features in real])
        self.strength = choose_strength(np.concatenate(real), labels, seed=0)

    def about(self) -> dict[str, Any]:
        """What it is, for the result."""
        return {
            "name": FROZEN,
            "title": f"logistic regression on frozen features: {self.network.label}",
            "features": self.network.name,
            "features_identity": self.network.identity,
            "strength": self.strength,
        }

    def probabilities(self, members: Sequence[Member], seed: int) -> np.ndarray:
        """Of every test image, `(n, classes)`."""
        train = np.stack([self._pool(m.source, m.label)[m.index] for m in members])
        labels = np.array([member.label for member in members])
        return probabilities(train=train, labels=labels, test=self._test, strength=self.strength, seed=seed)

    def _pool(self, source: str, label: int) -> np.ndarray:
        if (source, label) not in self._known:
            key = (
                f"{self.identity} {self.network.identity} {source} {label} {self.sources.size(source, label)}"
            )
            path = self.cache / f"{source}-{label}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
            if not path.is_file():
                self._compute(source, label, path)
            self._known[source, label] = np.load(path)
        return self._known[source, label]

    def _compute(self, source: str, label: int, path: Path) -> None:
        total, done, parts = self.sources.size(source, label), 0, []
        for batch in self.sources.batches(source, label):
            parts.append(self.network.extract(batch))
            done += len(batch)
            self._progress(f"Features, {source} {self.sources.labels[label]}", done, total)
        with aside(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate(parts))


class ResNet18:
    """torchvision's ResNet-18, trained from the weights of ImageNet where they are on this computer, else
    from nothing. Every arm takes the same number of steps, in batches with all classes equally often: what
    an arm gains is not gained by training longer."""

    def __init__(
        self,
        sources: Sources,
        *,
        epochs: int,
        device: torch.device,
        progress: Progress,
        interrupted: Callable[[], bool],
    ) -> None:
        self.sources, self.device, self.epochs = sources, device, epochs
        self._progress, self._interrupted = progress, interrupted
        path = cache_folder() / RESNET_FILE
        self._weights = torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None
        self.steps = epochs * -(-sum(sources.counts()) // BATCH)

    def about(self) -> dict[str, Any]:
        """What it is, for the result."""
        start = "from nothing" if self._weights is None else "from weights of ImageNet"
        return {
            "name": RESNET18,
            "title": f"ResNet-18, trained {start} for {self.steps:,} steps of {BATCH} images",
            "epochs": self.epochs,
            "steps": self.steps,
            "pretrained": self._weights is not None,
        }

    def probabilities(self, members: Sequence[Member], seed: int) -> np.ndarray:
        """Of every test image, `(n, classes)`."""
        images, labels = self.sources.of(members), np.array([member.label for member in members])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._build()
        self._train(network, images, labels, np.random.default_rng(seed))
        network.eval()
        with torch.inference_mode():
            found = [
                F.softmax(network(self._prepared(self.sources.test[at : at + BATCH])).double(), dim=1).cpu()
                for at in range(0, len(self.sources.test), BATCH)
            ]
        return torch.cat(found).numpy()

    def _build(self) -> nn.Module:
        from torchvision.models import resnet18

        network: nn.Module = resnet18(weights=None)
        if self._weights is not None:
            network.load_state_dict(self._weights)
        network.fc = nn.Linear(512, len(self.sources.labels))
        return network.to(self.device)

    def _prepared(self, images: np.ndarray) -> torch.Tensor:
        return to_float(images).to(self.device).expand(-1, 3, -1, -1)

    def _train(
        self, network: nn.Module, images: np.ndarray, labels: np.ndarray, random: np.random.Generator
    ) -> None:
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        chance = 1 / np.bincount(labels)[labels]
        network.train()
        for step in range(self.steps):
            if self._interrupted():
                raise Interrupted("Stopped.")
            drawn = random.choice(len(labels), BATCH, p=chance / chance.sum())
            logits = network(self._prepared(images[drawn]))
            loss = F.cross_entropy(logits, torch.from_numpy(labels[drawn]).to(self.device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            self._progress("Classifier step", step + 1, self.steps)
