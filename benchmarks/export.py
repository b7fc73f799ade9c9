"""Images a second that are generated and written, beside a plain loop, and the memory that it takes.

    python -m benchmarks.export MODEL [--count 400] [--memory 1000,20000] [--dataset DATASET]

First a page of 16 images, the model being in memory, which is what a slider on the Generate page waits for.
The plain loop does what a first script does: one seed, one latent, one image, one PNG file. Both make the
same images, in turns. Then exports of two sizes run each in a process of its own; its peak memory is quoted.
With the data set that the model was trained on, every image goes through the release gate.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

TURNS = 3


def exported(model: str, count: int, dataset: str | None, out: Path, form: str = "png") -> dict[str, Any]:
    from medgan.cli.models import model_folder
    from medgan.data.dataset import Dataset
    from medgan.generation.export import Origin, Settings, export
    from medgan.generation.gate import gate_of
    from medgan.generation.seeds import Part
    from medgan.runs.checkpoint import load_generator

    folder = model_folder(model)
    generator, _ = load_generator(folder)
    gate = gate_of(Dataset(dataset)) if dataset else None
    start = time.perf_counter()
    summary = export(
        generator,
        [Part(range(count))],
        out,
        origin=Origin(folder.name, "0"),
        settings=Settings(form=form),
        gate=gate,
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "images": summary.released,
        "tried": summary.released + summary.copies + summary.repeats,
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def plain(model: str, count: int, out: Path) -> dict[str, Any]:
    """One image after another."""
    import torch

    from medgan.cli.models import model_folder
    from medgan.generation.sampling import inputs_of
    from medgan.images import to_pil, to_uint8
    from medgan.runs.checkpoint import load_generator

    generator, _ = load_generator(model_folder(model))
    out.mkdir()
    start = time.perf_counter()
    with torch.inference_mode():
        for seed in range(count):
            to_pil(to_uint8(generator(*inputs_of(generator, [seed])))[0]).save(out / f"{seed}.png")
    return {"images": count, "seconds": round(time.perf_counter() - start, 2)}


def page_of_images(model: str) -> float:
    """Seconds for the 16 images that the Generate page shows at first."""
    from medgan.cli.models import model_folder
    from medgan.generation.sampling import sample
    from medgan.images import png
    from medgan.runs.checkpoint import load_generator

    generator, _ = load_generator(model_folder(model))
    seconds = []
    for turn in range(1 + 5 * TURNS):
        start = time.perf_counter()
        for image in sample(generator, range(16 * turn, 16 * (turn + 1))):
            png(image, level=1)
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def alone(options: argparse.Namespace, count: int, folder: str) -> dict[str, Any]:
    """An export in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.export", options.model, "--alone", "--count", str(count)]
    command += ["--out", f"{folder}/alone-{count}"]
    command += ["--dataset", options.dataset] if options.dataset else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export")
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--memory", default="1000,20000")
    parser.add_argument("--dataset")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(exported(options.model, options.count, options.dataset, Path(options.out))))
        return
    print(f"16 images after {page_of_images(options.model):.2f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        speeds: dict[str, list[float]] = {"plain loop": [], "export": []}
        for turn in range(TURNS):
            for name, found in (
                ("plain loop", plain(options.model, options.count, Path(folder) / f"plain-{turn}")),
                ("export", exported(options.model, options.count, None, Path(folder) / f"export-{turn}")),
            ):
                speeds[name].append(found["images"] / found["seconds"])
        rates = {name: round(median(found), 1) for name, found in speeds.items()}
        print("images a second", json.dumps(rates), "ratio", round(rates["export"] / rates["plain loop"], 2))
        for count in map(int, filter(None, options.memory.split(","))):
            print(f"{count:,} images", json.dumps(alone(options, count, folder)), flush=True)


if __name__ == "__main__":
    main()
