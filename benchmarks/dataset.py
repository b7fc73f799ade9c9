"""Opening a data set of a million images: `python -m benchmarks.dataset`. The pixels are a sparse file."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from medgan.data.dataset import COLUMNS, FORMAT, Dataset

COUNT, SIZE = 1_000_000, 128


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        before = psutil.Process().memory_info().rss
        start = time.perf_counter()
        data = Dataset(folder)
        last = int(data[COUNT - 1].sum())
        opened = time.perf_counter() - start
        grown = psutil.Process().memory_info().rss - before
        print(f"{len(data):,} images of {SIZE} x {SIZE}, {data.images.nbytes / 2**30:.0f} GB")
        print(f"opened, last image read ({last}): {opened * 1e3:.1f} ms, {grown / 2**20:.1f} MB of memory")
        start = time.perf_counter()
        parts = data.column("split")
        print(f"one column of the manifest ({len(set(parts))} values): {time.perf_counter() - start:.1f} s")


def make(folder: Path) -> None:
    with (folder / "images.npy").open("wb") as stream:
        shape = (COUNT, SIZE, SIZE, 3)
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        stream.truncate(stream.tell() + COUNT * SIZE * SIZE * 3)
    with (folder / "manifest.csv").open("w") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        for k in range(COUNT):
            stream.write(f"{k}.png,nevus,{k},{('train', 'test')[k % 5 == 0]},600,450,,{k:064x}\n")
    info = {"format": FORMAT, "name": "million", "size": SIZE, "channels": 3, "images": COUNT}
    (folder / "dataset.json").write_text(json.dumps(info))


if __name__ == "__main__":
    main()
