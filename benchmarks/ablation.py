"""What each part of preset `small-cpu` is worth: all arms trained at the same cost, and judged alike.

    python -m benchmarks.ablation DATASET --out FOLDER [--cost SECONDS[,SECONDS…]] [--seeds 0,1]
        [--arms paper,small-cpu] [--init MODEL] [--features squeezenet,random] [--count 1000]

The cost is processor time of the training steps, since another program would take part of the clock; on a GPU
it is the clock's while nothing else is done. First all arms take turns doing a few steps, then each trains
for as many as the cost allows, and is judged; then on to the next cost. What is there already is not done
again, so it may be stopped at any time. Judged are 1,000 images against the test part; the table is printed
as Markdown, and each arm's reports and sheets of samples stay in the folder."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from medgan.config import parse_changes
from medgan.data.dataset import Dataset
from medgan.modalities import AUTO
from medgan.presets import preset
from medgan.training.augment import DRAWS
from medgan.training.devices import choose_device, choose_precision
from medgan.training.graphs import WARM_UP, as_one_launch
from medgan.training.step import GanStep

TURNS = 5
STEPS = {"cpu": 1, "cuda": 50}
"""Steps in one turn."""


@dataclass(frozen=True)
class Arm:
    """A preset with some settings changed."""

    name: str
    title: str
    preset: str
    changes: tuple[str, ...] = ()


ARMS = {
    arm.name: arm
    for arm in (
        Arm("paper", "the paper's system", "paper"),
        Arm(
            "paper-more",
            "+ augmentation, average, its Adam",
            "paper",
            ("augment=auto", "ema_kimg=5", "beta2=0.99"),
        ),
        Arm("own", "resize networks, no frozen judge", "small-cpu", ("frozen=",)),
        Arm("unchanged", "`small-cpu` without augmentation", "small-cpu", ("augment=none",)),
        Arm("unmodulated", "`small-cpu`, latent at the first stage only", "small-cpu", ("modulated=false",)),
        Arm("unspread", "`small-cpu` without the spread of a batch", "small-cpu", ("batch_spread=false",)),
        Arm("small-cpu", "**`small-cpu`**", "small-cpu"),
        Arm("small", "**`small`**", "small"),
    )
}
SELDOM = ("sample_every=100000", "checkpoint_every=100000")
"""Nothing is drawn or saved on the way, but every five minutes."""
COLUMNS = ("kid", "precision", "recall", "spread_ratio", "nearest_ratio", "copies")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cost", default="300", help="seconds of each training")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--init", help="begin all of them with this model instead of with nothing")
    parser.add_argument("--features", default="squeezenet,random")
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    arms = [ARMS[name] for name in options.arms.split(",")]
    seconds = _seconds(arms, Dataset(options.dataset), options.out / "seconds.json")
    rows = []
    for seed in options.seeds.split(","):
        for arm in arms:
            for cost in sorted(map(float, options.cost.split(","))):
                steps = max(1, round(cost / seconds[arm.name]))
                run = _trained(arm, options, seed, steps)
                for features in options.features.split(","):
                    report = _judged(run, steps, options.dataset, features, options.count)
                    rows.append(_row(arm, seed, cost, steps, features, report))
    print("| | seed | seconds | steps | judged by | KID | precision | recall | spread | nearest | copies |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


def _seconds(arms: list[Arm], data: Dataset, file: Path) -> dict[str, float]:
    """Seconds of one step of each arm, medians of turns taken one after the other."""
    known: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    if missing := [arm for arm in arms if arm.name not in known]:
        device = choose_device("auto")
        works = {arm.name: _work(arm, data, device) for arm in missing}
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(TURNS + 1):
            for name, work in works.items():
                times[name].append(_timed(work, device))
        known |= {name: median(found[1:]) for name, found in times.items()}
        file.write_text(json.dumps(known))
    return known


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one step: of a processor's work, or by the clock until a GPU has done it."""
    on_gpu = device.type == "cuda"
    clock, steps = (time.perf_counter if on_gpu else time.process_time), STEPS[device.type]
    for _ in range(on_gpu * (WARM_UP + 1)):
        work()
    if on_gpu:
        torch.cuda.synchronize(device)
    start = clock()
    for _ in range(steps):
        work()
    if on_gpu:
        torch.cuda.synchronize(device)
    return (clock() - start) / steps


def _work(arm: Arm, data: Dataset, device: torch.device) -> Callable[[], object]:
    model_changes, train_changes = parse_changes(arm.changes)
    model, train = preset(arm.preset).for_data(channels=data.channels, size=data.size, **train_changes)
    if train.augment == AUTO:
        train = replace(train, augment=data.modality)
    model = replace(model, **model_changes)
    step = GanStep(model, train, device, choose_precision("auto", device))
    count = train.batch_size
    real = (torch.rand(count, data.channels, data.size, data.size) * 2 - 1).to(device)
    latents, draws = (x.to(device) for x in (torch.randn(count, model.latent), torch.rand(count, 2, DRAWS)))
    whole = as_one_launch(step, train, count) or step
    return lambda: whole(real, latents, draws=draws)


def _trained(arm: Arm, options: argparse.Namespace, seed: str, steps: int) -> Path:
    run = options.out / f"{arm.name}-{seed}"
    sheet = options.out / f"{run.name}-{steps}.png"
    if sheet.exists():
        return run  # type: ignore[no-any-return]
    command = [sys.executable, "-m", "medgan", "train", str(options.dataset), "--run", str(run)]
    command += ["--iterations", str(steps)]
    if run.exists():
        command += ["--resume"]
    else:
        command += [
            "--preset",
            arm.preset,
            "--seed",
            seed,
            *(["--init", options.init] if options.init else []),
        ]
        command += [part for change in (*arm.changes, *SELDOM) for part in ("--set", change)]
    subprocess.run(command, check=True)
    shutil.copy(max((run / "samples").glob("*.png")), sheet)
    return run  # type: ignore[no-any-return]


def _judged(run: Path, steps: int, dataset: Path, features: str, count: int) -> dict[str, Any]:
    """Of the newest checkpoint, which is that of `steps`."""
    report = run.parent / f"{run.name}-{steps}-{features}.json"
    if not report.exists():
        command = [sys.executable, "-m", "medgan", "evaluate", str(run), str(dataset), "--features", features]
        command += ["--count", str(count), "--out", str(report)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found


def _row(arm: Arm, seed: str, cost: float, steps: int, features: str, report: dict[str, Any]) -> str:
    figures = {figure["name"]: figure for figure in report["figures"]}
    cells = [_cell(figures[name]) for name in COLUMNS]
    return f"| {arm.title} | {seed} | {cost:g} | {steps} | {features} | {' | '.join(cells)} |"


def _cell(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "absent"
    if figure["name"] != "kid":
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


if __name__ == "__main__":
    main()
