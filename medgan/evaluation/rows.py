"""The paper's three figures, of rows of images: pairs, values of each pair, mean and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medgan.errors import MetricError
from medgan.evaluation.notes import HIGHER
from medgan.evaluation.references import Row
from medgan.evaluation.watch import Watch
from medgan.images import to_float
from medgan.metrics import lpips_net
from medgan.metrics.bootstrap import RESAMPLES, image_bootstrap
from medgan.metrics.pairwise import PSNR_CAP, Pairs, ms_gmsd, nearest_pairs, psnr, random_pairs

PER_IMAGE = 4
"""Held-out images that each image is compared with in the random pairing."""
RANDOM, NEAREST = "random", "nearest"
PAIRINGS = {
    RANDOM: f"each image against {PER_IMAGE} held-out images drawn at random (the mean image: all of them)",
    NEAREST: "each image against the held-out image with the smallest mean squared pixel difference",
}
LOWER = "lower is better"
METRICS = {"PSNR": ("dB", HIGHER), "MS-GMSD": ("", LOWER), "LPIPS": ("", LOWER)}
"""Name of a figure: its unit and direction."""
NO_VALUE = {"value": None, "low": None, "high": None}
_PAIRS_AT_ONCE = 64

Values = dict[str, np.ndarray]
"""Metric name to one value a pair."""


@dataclass
class Comparison:
    """A row with its pairs of both pairings, one after the other, and each pair's values."""

    row: Row
    pairings: Mapping[str, Pairs]
    values: Values = field(default_factory=dict)

    @property
    def pairs(self) -> Pairs:
        """All pairs, those of the first pairing first."""
        parts = list(self.pairings.values())
        return Pairs(np.concatenate([p.fake for p in parts]), np.concatenate([p.real for p in parts]))

    def of(self, metric: str, pairing: str) -> np.ndarray:
        """The values of one metric in one pairing."""
        first = len(self.pairings[RANDOM])
        return self.values[metric][:first] if pairing == RANDOM else self.values[metric][first:]


def measure(
    rows: Sequence[Row],
    heldout: np.ndarray,
    *,
    lpips: str,
    seed: int,
    watch: Watch,
    resamples: int = RESAMPLES,
) -> tuple[list[dict[str, Any]], int]:
    """The figures of all rows against `heldout` uint8 `(H, H, W, C)` as report entries, and the number
    of pairs whose PSNR ended at its cap (copies)."""
    real = to_float(heldout)
    with watch.stage("pairing"):
        comparisons = [Comparison(row, _pairings(row, real, seed)) for row in rows]
    _measure_pixels(comparisons, real, watch)
    reason = _measure_lpips(comparisons, real, lpips, watch)
    with watch.stage("bootstrap"):
        entries = [
            _entry(comparison, metric, pairing, heldout=len(real), seed=seed, resamples=resamples)
            for pairing in PAIRINGS
            for metric in METRICS
            for comparison in comparisons
        ]
    for entry in entries:
        if entry["name"] == "LPIPS":
            entry |= {"network": _network(lpips), "reason": reason}
    capped = sum(int((c.values["PSNR"] > PSNR_CAP - 0.1).sum()) for c in comparisons)
    return entries, capped


def _pairings(row: Row, real: Tensor, seed: int) -> dict[str, Pairs]:
    # One seed for all rows: image k of every row meets the same held-out images.
    per_image = len(real) if len(row.images) == 1 else PER_IMAGE
    drawn = random_pairs(real=len(real), fake=len(row.images), per_image=per_image, seed=seed)
    return {RANDOM: drawn, NEAREST: nearest_pairs(real=real, fake=to_float(row.images))}


def _measure_pixels(comparisons: Sequence[Comparison], real: Tensor, watch: Watch) -> None:
    total = sum(len(comparison.pairs) for comparison in comparisons)
    for name, metric in (("PSNR", psnr), ("MS-GMSD", ms_gmsd)):
        advance = watch.counter(name, total)
        with watch.stage(name):
            for comparison in comparisons:
                fake, pairs = to_float(comparison.row.images), comparison.pairs
                parts = []
                for start in range(0, len(pairs), _PAIRS_AT_ONCE):
                    some = slice(start, start + _PAIRS_AT_ONCE)
                    parts.append(metric(real=real[pairs.real[some]], fake=fake[pairs.fake[some]]))
                    advance(len(parts[-1]))
                comparison.values[name] = torch.cat(parts).numpy().astype(np.float64)


def _measure_lpips(comparisons: Sequence[Comparison], real: Tensor, name: str, watch: Watch) -> str | None:
    """Fill in LPIPS; where it cannot be had, the reason."""
    stage = "LPIPS weights"
    try:
        with watch.stage(stage):  # without a listener a bar is drawn on stderr
            listener = partial(watch.report, stage) if watch.progress else None
            network = lpips_net.load(name, progress=listener)
    except MetricError as error:
        return str(error)
    with watch.stage("LPIPS"):
        _lpips_values(network, comparisons, real, watch)
    return None


def _lpips_values(
    network: lpips_net.Lpips, comparisons: Sequence[Comparison], real: Tensor, watch: Watch
) -> None:
    """Held-out images in blocks that fit into memory; within one, each image is embedded once."""
    blocks = _blocks(comparisons, real, max(1, network.block_size(real[:1]) // 4))
    images = sum(len(np.unique(pairs.fake)) for _, jobs in blocks for _, pairs in jobs)
    advance = watch.counter("LPIPS", len(real) + images)
    for comparison in comparisons:
        comparison.values["LPIPS"] = np.empty(len(comparison.pairs))
    for block, jobs in blocks:
        vectors = network.embed(real[block], advance)
        for comparison, (inside, pairs) in zip(comparisons, jobs, strict=True):
            fake = to_float(comparison.row.images)
            comparison.values["LPIPS"][inside] = network.distances(
                real=vectors, fake=fake, pairs=pairs, advance=advance
            )


Job = tuple[np.ndarray, Pairs]
"""Which of a comparison's pairs have their held-out image in a block, and these pairs, counted in it."""


def _blocks(comparisons: Sequence[Comparison], real: Tensor, size: int) -> list[tuple[slice, list[Job]]]:
    return [
        (slice(start, start + size), [_inside(comparison.pairs, start, size) for comparison in comparisons])
        for start in range(0, len(real), size)
    ]


def _inside(pairs: Pairs, start: int, size: int) -> Job:
    inside = np.flatnonzero((pairs.real >= start) & (pairs.real < start + size))
    return inside, Pairs(pairs.fake[inside], pairs.real[inside] - start)


def _entry(
    comparison: Comparison, metric: str, pairing: str, *, heldout: int, seed: int, resamples: int
) -> dict[str, Any]:
    """One line of a report; its value is absent where the metric has none."""
    pairs = comparison.pairings[pairing]
    unit, direction = METRICS[metric]
    interval = None
    if metric in comparison.values:
        # The nearest image is part of the question, so there the held-out images stay as they are.
        real = pairs.real if pairing == RANDOM else None
        values = comparison.of(metric, pairing)
        interval = image_bootstrap(values, fake=pairs.fake, real=real, seed=seed, resamples=resamples)
    return {
        "name": metric,
        "row": comparison.row.name,
        "pairing": pairing,
        **(vars(interval) if interval else NO_VALUE),
        "n": {"images": len(comparison.row.images), "heldout": heldout, "pairs": len(pairs)},
        "seed": seed,
        "unit": unit,
        "direction": direction,
        "network": None,
        "reason": None,
    }


def _network(lpips: str) -> dict[str, str]:
    known = lpips_net.network(lpips)
    return {
        "name": known.name,
        "title": known.title,
        "range": lpips_net.RANGE,
        "version": lpips_net.VERSION,
    }
