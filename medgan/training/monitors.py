"""What to watch while a GAN trains: figures, when to stop, and which checkpoint is the best.

Pure functions and a small state object whose state is plain JSON values. Nothing here reads, writes
or knows the loop: `reference.py` measures samples, `monitor_words.py` says what the figures mean. Levels
are of the project's reference on training GANs unless another source is named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from torch import Tensor

from medgan.metrics import neighbours

SIGN_TARGET = 0.6
"""Of E[sign D(real)]: where adaptive augmentation holds it (Karras et al. 2020, ADA)."""
SIGN_WARN = 0.9
"""19 of 20 real images are told apart, and little is left to learn from (own judgement)."""
GAP_WARN = 0.5
DIVERSITY_WARN, DIVERSITY_STOP = 0.8, 0.6
MS_SSIM_WARN = 0.1
MEMORY_WARN, MEMORY_FAIL = neighbours.WARN, neighbours.FAIL
PATIENCE = 5
"""Evaluations in a row without an improvement above one standard error, after which a run stops."""
COLLAPSE_PATIENCE = 2
"""Evaluations in a row below `DIVERSITY_STOP` (own judgement: one of 64 samples may be bad luck)."""
EVALUATE_EVERY = 10_000
"""Images between two evaluations."""
EARLY = 30_000
"""Images before which nothing is stopped: in the reference's first trials all looked their worst then."""


def sign_mean(real: Tensor, fake: Tensor | None = None) -> Tensor:
    """E[sign D(real)] of logits, in [-1, 1], as a scalar on their device (nothing is read back).

    For relativistic losses, whose logits have no zero of their own, pass the logits of `fake` of the
    same shape too: E[sign(D(real) - D(fake))]. Near 1 the discriminator tells all real images apart.
    """
    logits = real.detach().float()
    if fake is not None:
        logits = logits - fake.detach().float()
    return logits.sign().mean()


def overfitting_gap(*, train: float, heldout: float, fake: float) -> float | None:
    """(E D_train - E D_heldout) / (E D_train - E D_fake) of mean logits, r_v of ADA; lower is better.

    0: held-out images look as real as training images; 1: as false as generated ones. None where the
    discriminator does not put training images above generated ones, so that there is no gap to share.
    All three means must be of one discriminator with the same augmentation.
    """
    if not all(math.isfinite(value) for value in (train, heldout, fake)) or train - fake <= 1e-6:
        return None
    return (train - heldout) / (train - fake)


@dataclass(frozen=True)
class Readings:
    """The monitors at one moment; None for what was not or could not be measured.

    `real_sign` and `gap` come from the discriminator, the others from `Reference.measure`. `features` is
    the identity of the network behind them: figures of two networks cannot be compared.
    """

    real_sign: float | None = None
    gap: float | None = None
    diversity: float | None = None
    """Mean feature distance of pairs of samples, over that of pairs of real images. Blind to a collapse
    onto some images that differ: k of them still have 1 - 1/k, and only KID falls behind."""
    ms_ssim_excess: float | None = None
    """Mean MS-SSIM of pairs of samples, less that of pairs of real images."""
    nearest_ratio: float | None = None
    copy_ratio: float | None = None
    kid: float | None = None
    kid_low: float | None = None
    kid_high: float | None = None
    kid_sd: float | None = None
    features: str | None = None
    missing: tuple[str, ...] = ()
    """Why figures are absent, a sentence each."""

    @property
    def memory(self) -> float | None:
        """The worse of the two ratios that tell copies; below `MEMORY_FAIL` the images are copies."""
        known = [value for value in (self.nearest_ratio, self.copy_ratio) if value is not None]
        return min(known, default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without what is absent."""
        values = asdict(self) | {"missing": list(self.missing)}
        return {name: value for name, value in values.items() if value is not None and value != []}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The readings in a line of events; whatever else stands there is passed over."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**known | {"missing": tuple(known.get("missing", ()))})


@dataclass(frozen=True)
class Decision:
    """What an evaluation means for the run.

    `best`: keep this checkpoint as the best. `stop`: end the run. `reason`: a sentence where it stops,
    where a memorising checkpoint is passed over, or where counting starts anew.
    """

    best: bool = False
    stop: bool = False
    reason: str | None = None


class EarlyStopping:
    """Keeps the best held-out KID and says when to stop.

    Best is the lowest KID of a model that does not copy: one whose `Readings.memory` is below
    `MEMORY_FAIL` never is, however good its KID. The run stops after `patience` evaluations in a row of
    which none was better by more than its standard error than the last that was (so a slow but steady
    fall goes on), or after two in a row with collapsed diversity; never before `EARLY` images.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience = patience
        self.best_step: int | None = None
        self.best_kid: float | None = None
        self.waited = 0
        """Evaluations since the last improvement."""
        self._level: float | None = None
        """KID of the last improvement, which the next one must undercut."""
        self._collapsed = 0
        self._features: str | None = None

    def observe(self, step: int, images: int, readings: Readings) -> Decision:
        """Take the evaluation after `step` steps and `images` images. Without a KID it counts for nothing."""
        if readings.kid is None or not math.isfinite(readings.kid):
            return Decision()
        reason = self._same_features(readings.features)
        copies = readings.memory is not None and readings.memory < MEMORY_FAIL
        if copies:
            reason = "This checkpoint repeats training images, so it is not kept as the best."
        best = not copies and (self.best_kid is None or readings.kid < self.best_kid)
        if best:
            self.best_step, self.best_kid = step, readings.kid
        margin = readings.kid_sd or 0.0
        if not copies and (self._level is None or self._level - readings.kid > margin):
            self._level, self.waited = readings.kid, 0
        else:
            self.waited += 1
        low = readings.diversity is not None and readings.diversity < DIVERSITY_STOP
        self._collapsed = self._collapsed + 1 if low else 0
        why = self._why_stop() if images >= EARLY else None
        return Decision(best=best, stop=why is not None, reason=why or reason)

    def _why_stop(self) -> str | None:
        if self._collapsed >= COLLAPSE_PATIENCE:
            return (
                f"Stopped: the images became nearly all alike {COLLAPSE_PATIENCE} times in a row. "
                f"{self._kept()} Train anew with stronger augmentation or another preset."
            )
        if self.waited >= self.patience:
            return f"Stopped: no improvement on held-out images in {self.waited} evaluations. {self._kept()}"
        return None

    def _kept(self) -> str:
        if self.best_step is None:
            return "No checkpoint is kept as the best, since all of them repeat training images."
        return f"The best checkpoint is the one after step {self.best_step:,}."

    def _same_features(self, features: str | None) -> str | None:
        changed = self._features is not None and features != self._features
        self._features = features
        if not changed:
            return None
        self.best_step = self.best_kid = self._level = None
        self.waited = 0
        return "Images are now compared by another feature network, so the search for the best starts anew."

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "best_step": self.best_step,
            "best_kid": self.best_kid,
            "waited": self.waited,
            "level": self._level,
            "collapsed": self._collapsed,
            "features": self._features,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.best_step, self.best_kid = state["best_step"], state["best_kid"]
        self.waited, self._level = int(state["waited"]), state["level"]
        self._collapsed, self._features = int(state["collapsed"]), state["features"]
