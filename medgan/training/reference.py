"""Real images with their features, computed once, against which samples are measured while training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from medgan.errors import MetricError
from medgan.images import to_float
from medgan.metrics.distribution import kid, ms_ssim, spread
from medgan.metrics.features import FeatureNetwork, pixels
from medgan.metrics.neighbours import copy_ratio, nearest_ratio
from medgan.training.monitors import Readings

SAMPLES = 1000
"""Samples of an evaluation; fewer cost less and say less."""
DIVERSITY_SAMPLES = 64
MS_SSIM_PAIRS = 128
RESAMPLES = 200
"""Enough for a standard error; the scorecard draws more."""

T = TypeVar("T")


class Reference:
    """Measures samples beside training and held-out images, uint8 `(N, H, W, C)` each.

    Held-out means the validation part, never the test part. The same samples and `seed` give the same
    readings. Works on `device` in fp32; draws nothing from torch's global generator.
    """

    def __init__(
        self,
        network: FeatureNetwork,
        *,
        train: np.ndarray,
        heldout: np.ndarray,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.network, self.seed, self.device = network, seed, device
        self._pixels = pixels()
        self._missing: list[str] = []
        self._train, self._heldout = self._features(train), self._features(heldout)
        self._train_pixels, self._heldout_pixels = self._shrunk(train), self._shrunk(heldout)
        chosen = np.random.default_rng(seed).permutation(len(train))[:DIVERSITY_SAMPLES]
        self._spread = self._attempt(lambda: spread(self._train[chosen]))
        self._alike = self._attempt(lambda: self._similarity(train[np.sort(chosen)]))

    def measure(self, samples: np.ndarray) -> Readings:
        """Readings of uint8 samples `(N, H, W, C)`, of which the first 64 are measured for diversity.

        What cannot be computed is absent, with its reason in `missing`.
        """
        self._missing = []
        features = self._features(samples)
        few = features[:DIVERSITY_SAMPLES]
        distance = self._attempt(
            lambda: kid(real=self._heldout, fake=features, seed=self.seed, resamples=RESAMPLES)
        )
        varied = self._attempt(lambda: spread(few))
        alike = self._attempt(lambda: self._similarity(samples[:DIVERSITY_SAMPLES]))
        nearest = self._attempt(
            lambda: (
                nearest_ratio(
                    generated=features,
                    train=self._train,
                    heldout=self._heldout,
                    seed=self.seed,
                    resamples=RESAMPLES,
                ).value
            )
        )
        copies = self._attempt(
            lambda: (
                copy_ratio(
                    generated=self._shrunk(samples),
                    train=self._train_pixels,
                    heldout=self._heldout_pixels,
                    seed=self.seed,
                    resamples=RESAMPLES,
                ).value
            )
        )
        return Readings(
            diversity=varied / self._spread if varied is not None and self._spread else None,
            ms_ssim_excess=None if alike is None or self._alike is None else alike - self._alike,
            nearest_ratio=nearest,
            copy_ratio=copies,
            kid=None if distance is None else distance.value,
            kid_low=None if distance is None else distance.low,
            kid_high=None if distance is None else distance.high,
            kid_sd=None if distance is None else distance.sd,
            features=self.network.identity,
            missing=tuple(dict.fromkeys(self._missing)),
        )

    def _attempt(self, figure: Callable[[], T]) -> T | None:
        try:
            return figure()
        except MetricError as error:
            self._missing.append(str(error))
            return None

    def _features(self, images: np.ndarray) -> np.ndarray:
        if not len(images):
            return np.empty((0, self.network.dimensions), np.float32)
        return self.network.extract(images, device=self.device)

    def _shrunk(self, images: np.ndarray) -> np.ndarray:
        if not len(images):
            return np.empty((0, self._pixels.dimensions), np.float32)
        return self._pixels.extract(images)

    def _similarity(self, images: np.ndarray) -> float:
        return ms_ssim(to_float(images).to(self.device), pairs=MS_SSIM_PAIRS, seed=self.seed)
