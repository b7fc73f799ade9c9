"""Preparing a data set against a plain loop, in the same run: `python -m benchmarks.prepare`.

The plain loop is what one writes with Pillow: open, convert, resize the shorter side, crop, stack, save. The
real images are few, so they are copied to the asked number, once as they are (byte-identical files, which
intake decodes once) and once with a few bytes of their own at the end (every file is decoded).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from medgan.data.decoding import Decoding, decode
from medgan.data.prepare import prepare
from medgan.data.records import find_records
from medgan.data.settings import REDUCE, Settings
from medgan.images import resize_and_crop

SHARED = Path(os.environ.get("MEDGAN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SETS = {"isic_original": 500, "chest_ct_original": 1000}
SETTINGS = Settings(duplicates="keep", conflicts="keep")  # all copies stay, so that both write the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"{len(os.sched_getaffinity(0))} cores; medians of {rounds} rounds, taken in turns\n")
    for name, count in SETS.items():
        for alike in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                source = copies(SHARED / "data" / name, Path(folder) / "set", count, alike=alike)
                report(f"{name}, {'byte-identical' if alike else 'different'} files", source, count, rounds)
    memory()
    reduced()


def copies(original: Path, to: Path, count: int, *, alike: bool) -> Path:
    """`count` files made of those in `original`."""
    files = sorted(original.iterdir())
    to.mkdir()
    for k in range(count):
        file = files[k % len(files)]
        (to / f"{k:05d}{file.suffix}").write_bytes(file.read_bytes() + (b"" if alike else b"%08d" % k))
    return to


def report(what: str, source: Path, count: int, rounds: int) -> None:
    times: dict[str, list[float]] = {"plain": [], "medgan": []}
    for k in range(rounds):
        times["plain"].append(timed(lambda: plain(source, source.parent / f"plain-{k}.npy")))  # noqa: B023
        times["medgan"].append(
            timed(lambda: prepare(find_records([source]), source.parent / f"out-{k}", SETTINGS))  # noqa: B023
        )
    plain_rate, rate = (count / statistics.median(times[who]) for who in ("plain", "medgan"))
    print(
        f"{what}: plain loop {plain_rate:.0f} images/s, prepare {rate:.0f} images/s, "
        f"ratio {rate / plain_rate:.2f}"
    )


def plain(source: Path, out: Path) -> None:
    """Open, convert, resize, crop, stack, save."""
    images = []
    for path in sorted(source.iterdir()):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        scale = 128 / min(width, height)
        image = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - 128) // 2, (image.height - 128) // 2
        images.append(np.asarray(image.crop((left, top, left + 128, top + 128))))
    np.save(out, np.stack(images))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory() -> None:
    """Peak memory of `python -m medgan prepare` and its workers, pages that they share counted once."""
    print()
    for name in SETS:
        for count in (100, 1000, 4000):
            with tempfile.TemporaryDirectory() as folder:
                source = copies(SHARED / "data" / name, Path(folder) / "set", count, alike=False)
                command = [sys.executable, "-m", "medgan", "prepare", str(source), "--out", f"{folder}/out"]
                print(f"{name}, {count} files: peak {peak(command) / 2**20:.0f} MB")
    for count in (8, 32):
        with tempfile.TemporaryDirectory() as folder:
            source = volumes(Path(folder) / "set", count)
            command = [sys.executable, "-m", "medgan", "prepare", str(source), "--out", f"{folder}/out"]
            print(f"NIfTI volumes of 200 slices, {count} files: peak {peak(command) / 2**20:.0f} MB")


def volumes(to: Path, count: int) -> Path:
    """Volumes of noise, 128 x 128 x 200 in 16 bits: 6.5 MB each, which nothing can shorten."""
    import nibabel

    to.mkdir()
    for k in range(count):
        values = np.random.default_rng(k).integers(-900, 900, (128, 128, 200)).astype(np.int16)
        volume = nibabel.Nifti1Image(values, np.eye(4))  # type: ignore[no-untyped-call]
        volume.to_filename(to / f"{k}.nii")
    return to


def peak(command: list[str]) -> int:
    """The largest sum of the processes' proportional set sizes, bytes."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        most = 0
        while process.poll() is None:
            most = max(most, tree(psutil.Process(process.pid)))
            time.sleep(0.05)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed")
    return most


def tree(root: psutil.Process) -> int:
    total = 0
    try:
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # one of them has just ended
    return total


def reduced() -> None:
    """How much decoding JPEGs at a half, quarter or eighth changes what the network sees."""
    print()
    for path in sorted((SHARED / "data" / "isic_original").iterdir()):
        data = path.read_bytes()
        full, quick = (
            resize_and_crop(next(iter(decode(data, path.name, Decoding(shortest=s)).pictures)).image, 128, 3)
            for s in (None, REDUCE * 128)
        )
        error = np.abs(full.astype(int) - quick.astype(int))
        print(f"{path.name} {Image.open(path).size}: mean {error.mean():.2f}, largest {error.max()} of 255")


if __name__ == "__main__":
    main()
