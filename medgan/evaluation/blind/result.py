"""How a blind test ended: shares with their intervals, and what they say in words."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with Wilson's interval; value and interval are None where `n` is 0."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


def wilson(hits: int, n: int, level: float = LEVEL) -> Share:
    """The share `hits` / `n` with the interval of Wilson (1927), which has a width at 0 and at 1 too."""
    if not n:
        return Share(0, 0, None, None, None)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / n
    value = hits / n
    centre = (value + z2 / 2) / (1 + z2)
    half = (z2 * value * (1 - value) + z2**2 / 4) ** 0.5 / (1 + z2)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Share(hits, n, value, low, high)


@dataclass(frozen=True)
class Result:
    """How a test ended. `all` is the accuracy, `real` and `generated` that on each kind."""

    all: Share
    real: Share
    generated: Share
    planned: int

    @property
    def sentence(self) -> str:
        """What the accuracy says, in words."""
        low, high = self.all.low, self.all.high
        if low is None or high is None:
            return "No image was judged."
        if low > 0.5:
            return "Better than guessing: the generated images could be told from real ones."
        if high < 0.5:
            return "Worse than guessing: a difference was seen, and taken the wrong way round."
        if high - low > 0.3:
            return "No better than guessing can be shown, but so few answers could not show much."
        return "No better than guessing can be shown: the images could not be told apart here."
