"""What a blind test shows at each place: a coin decides, so that counting does not help."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from medgan.errors import DataError

REAL, GENERATED = "real", "generated"
ANSWERS = (REAL, GENERATED)
LEAST, MOST = 6, 200
"""Images that a test may have."""
SEEDS = 2**31 - 1


@dataclass(frozen=True)
class Item:
    """What is shown at one place: a real image by its number in the data set, or a generated one by its
    seed."""

    kind: str
    source: int


def draw(count: int, reals: Sequence[int], seed: int) -> list[Item]:
    """What is shown, in order: for each place a coin between a real image (of the numbers `reals`, none
    twice) and a new seed of the model. Both kinds come at least a quarter of the time. DataError where there
    are too few reals or `count` is not possible."""
    if not LEAST <= count <= MOST:
        raise DataError(f"A blind test has {LEAST} to {MOST} images, not {count}.")
    if len(reals) < (count + 1) // 2:
        raise DataError(
            f"{count} images need about {(count + 1) // 2} real ones that were held out; here are "
            f"{len(reals)}. Choose fewer images or another data set."
        )
    rng = random.Random(seed)
    while True:
        coins = [rng.random() < 0.5 for _ in range(count)]
        if count / 4 <= sum(coins) <= min(len(reals), 3 * count / 4):
            break
    real = iter(rng.sample(list(reals), sum(coins)))
    made: set[int] = set()
    while len(made) < count - sum(coins):
        made.add(rng.randrange(SEEDS))
    generated = iter(rng.sample(sorted(made), len(made)))
    return [Item(REAL, next(real)) if coin else Item(GENERATED, next(generated)) for coin in coins]
