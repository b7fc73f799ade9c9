"""Seconds and memory of a scorecard, and of its distances beside a plain loop over pairs.

    python -m benchmarks.scorecard MODEL DATASET [--count 1000] [--features squeezenet]

Each part runs in a process of its own, whose peak memory is quoted: the scorecard in an empty workspace,
again with the features kept, and the distances of all generated to all training images in eight turns, by the
blocked way of medgan/metrics/copies.py and by a loop that compares pair by pair.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PAIRS = 20_000
"""Pairs that the plain loop compares; its time for all is estimated from these."""


def scorecard(model: str, dataset: str, features: str, count: int) -> dict[str, Any]:
    from medgan.cli.models import model_folder
    from medgan.data.dataset import Dataset
    from medgan.evaluation.scorecard import judge_model
    from medgan.evaluation.settings import Settings

    settings = Settings(count=count, features=features, lpips="squeeze")
    card = judge_model(model_folder(model), Dataset(dataset), settings)
    return {"stages": card.report["seconds"]}


def distances(model: str, dataset: str, features: str, count: int) -> dict[str, Any]:
    """Both ways in one process, on the same features."""
    import numpy as np

    from medgan.data.dataset import Dataset
    from medgan.data.split import TEST, TRAIN
    from medgan.metrics.copies import contrast_free, copies, turned
    from medgan.metrics.features import pixels

    data = Dataset(dataset)
    network = pixels()
    train, heldout = (contrast_free(network.extract(data.part(part))) for part in (TRAIN, TEST))
    random = np.random.default_rng(0)
    generated = contrast_free(random.normal(size=(count, train.shape[1])))
    start = time.perf_counter()
    copies(generated=turned(generated), train=list(turned(train)), heldout=list(turned(heldout)))
    blocked = time.perf_counter() - start

    ways = list(turned(generated))
    start = time.perf_counter()
    nearest = np.full(count, np.inf)
    for done in range(PAIRS):
        image, other = done // len(train) % count, done % len(train)
        distance = float(np.linalg.norm(ways[done % 8][image] - train[other]))
        nearest[image] = min(nearest[image], distance)
    plain = (time.perf_counter() - start) / PAIRS
    pairs = 8 * len(train) * (count + len(train) + len(heldout))
    return {"pairs": pairs, "blocked_seconds": round(blocked, 2), "loop_seconds": round(plain * pairs, 1)}


WAYS = {"scorecard": scorecard, "distances": distances}


def alone(way: str, options: argparse.Namespace, workspace: str) -> dict[str, Any]:
    """Run one part in a process of its own: its seconds, processor seconds and peak memory."""
    command = [sys.executable, "-m", "benchmarks.scorecard", options.model, options.dataset, "--way", way]
    command += ["--count", str(options.count), "--features", options.features]
    start = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "MEDGAN_HOME": workspace}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": round(time.perf_counter() - start, 1), **found}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scorecard")
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--features", default="squeezenet")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        found = WAYS[options.way](options.model, options.dataset, options.features, options.count)
        used = resource.getrusage(resource.RUSAGE_SELF)
        found |= {
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "peak_mb": round(used.ru_maxrss / 1024),
        }
        print(json.dumps(found))
        return
    options.dataset = str(Path(options.dataset).resolve())
    with tempfile.TemporaryDirectory() as workspace:
        for title, way in (
            ("first run", "scorecard"),
            ("second run", "scorecard"),
            ("distances", "distances"),
        ):
            print(title, json.dumps(alone(way, options, workspace)), flush=True)


if __name__ == "__main__":
    main()
