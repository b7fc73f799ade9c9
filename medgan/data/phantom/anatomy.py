"""What differs from chest to chest, and what its tissues look like to a scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NODULE, NORMAL = "nodule", "normal"

AIR, LUNG, FAT, MUSCLE, ORGAN, MARROW, BONE = -1000.0, -850.0, -125.0, 45.0, 50.0, 210.0, 640.0
"""Hounsfield units."""

BACK = 0.05
"""How much further the body reaches behind the middle of the rib cage than before it."""

IN_LUNG = (-960.0, -550.0)
"""What counts as lung without a vessel."""


@dataclass(frozen=True)
class Chest:
    """What differs from patient to patient and slice to slice."""

    level: float
    width: float
    height: float
    fat: float
    breasts: float
    contrast: float
    cage: tuple[float, float]
    heart: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Chest:
        """A chest by chance."""
        fat = float(rng.uniform(0.02, 0.11))
        width = 0.85 + 0.9 * fat + float(rng.uniform(0, 0.06))
        height = 0.6 + 0.5 * fat + float(rng.uniform(0, 0.1))
        return cls(
            level=float(rng.uniform(0.05, 1)),
            width=width,
            height=height,
            fat=fat,
            breasts=float(rng.uniform(0.04, 0.13)) if rng.uniform() < 0.4 else 0.0,
            contrast=float(rng.choice([0.0, rng.uniform(60, 260)])),
            cage=(width - fat - float(rng.uniform(0.06, 0.09)), height - 0.7 * fat - 0.095),
            heart=float(rng.uniform(0.85, 1.15)),
        )

    @property
    def blood(self) -> float:
        """Hounsfield units in the vessels, brighter with contrast medium."""
        return 45.0 + self.contrast
