"""What a scorecard is to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medgan.data.split import TEST
from medgan.errors import ConfigError, DataError
from medgan.evaluation.kinds import PARTS
from medgan.evaluation.reals import FEWEST, SPLITS
from medgan.metrics import lpips_net
from medgan.metrics.bootstrap import RESAMPLES
from medgan.metrics.features import NETWORKS


@dataclass(frozen=True)
class Settings:
    """What to compute. `features` and `lpips` name networks; without them the best that is here is taken.
    `seed` draws pairs, subsets, reference images and resamples."""

    count: int = 1000
    split: str = TEST
    features: str | None = None
    parts: Sequence[str] = PARTS
    bootstrap: int = RESAMPLES
    seed: int = 0
    lpips: str | None = None

    def check(self) -> None:
        """ConfigError or DataError for what cannot be."""
        if self.count < FEWEST:
            raise DataError(
                f"--count {self.count} is too few; give {FEWEST} or more, 1000 for steady figures."
            )
        if self.bootstrap < 2:
            raise ConfigError(f"--bootstrap is {self.bootstrap}; it must be 2 or more.")
        if self.split not in SPLITS:
            raise ConfigError(f"There is no part {self.split!r} to judge by; valid are: {', '.join(SPLITS)}.")
        for part in self.parts:
            if part not in PARTS:
                raise ConfigError(f"There is no part {part!r}; valid are: {', '.join(PARTS)}.")
        if not self.parts:
            raise ConfigError(f"No part is named; valid are: {', '.join(PARTS)}.")
        if self.features and self.features not in NETWORKS:
            raise ConfigError(
                f"There is no feature network {self.features!r}; valid are: {', '.join(NETWORKS)}."
            )
        if self.lpips:
            lpips_net.network(self.lpips)


USUAL = Settings()
