"""Generated images as a folder or a ZIP: `images/seed-000017.png` and `manifest.csv`.

Images are written as they are made, so that the count is bounded by the disk and not by the memory,
under a temporary name that becomes the real one when everything is there.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from medgan.errors import DataError
from medgan.files import aside
from medgan.generation.sampling import classes_of, sample_batches
from medgan.images import png

COLUMNS = ("file", "seed", "class", "model", "model_sha256")
Write = Callable[[str, bytes], None]


def export(
    generator: nn.Module,
    seeds: Sequence[int],
    out: Path,
    *,
    model: str,
    sha256: str,
    label: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the images of `seeds` to `out` (a new folder, or a file that ends in `.zip`).

    `label` is the class of all of them in the manifest; without it, each has the class that its seed draws,
    or none where the model tells none apart. The same arguments give the same bytes. DataError if there are
    no seeds, or there is something at `out` already.
    """
    if not seeds:
        raise DataError("No seeds given; name at least one, for example --seeds 0-63.")
    if out.is_file():
        raise DataError(f"{out} exists already; choose another name.")
    opened = _zip_writer(out) if out.suffix.lower() == ".zip" else _folder_writer(out)
    with opened as write:
        rows = []
        for seed, own, data in _pngs(generator, seeds):
            rows.append((f"images/seed-{seed:06d}.png", seed, label or own, model, sha256))
            write(rows[-1][0], data)
            if progress:
                progress(len(rows), len(seeds))
        write("manifest.csv", _csv(rows))
    return out


def parse_seeds(text: str) -> list[int]:
    """`0-63` or `3,17,100-199` as a list in that order, each seed once; DataError if it is neither."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise DataError(f"--seeds {text} cannot be read; write for example 0-63 or 3,17,100-199.")
        start, stop = int(first), int(last or first)
        if stop < start or stop - start >= 10_000_000:
            raise DataError(f"--seeds {part.strip()}: the range must rise and hold at most 10 million seeds.")
        seeds += range(start, stop + 1)
    return list(dict.fromkeys(seeds))


def only_class(about: dict[str, object]) -> str:
    """The class of a model that was trained on a single one, else an empty string."""
    dataset = about.get("dataset")
    classes = list(dataset.get("classes", ())) if isinstance(dataset, dict) else []
    return str(classes[0]) if len(classes) == 1 else ""


def _pngs(generator: nn.Module, seeds: Sequence[int]) -> Iterator[tuple[int, str, bytes]]:
    """Seed, class and PNG of each image."""
    done = 0
    for batch in sample_batches(generator, seeds):
        mine = seeds[done : done + len(batch)]
        for seed, label, image in zip(mine, classes_of(generator, mine), batch, strict=True):
            yield seed, label, png(image)
        done += len(batch)


@contextmanager
def _zip_writer(out: Path) -> Iterator[Write]:
    with aside(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        # A fixed date, so that the same images make the same file; PNG is compressed already.
        yield lambda name, data: archive.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), data)


@contextmanager
def _folder_writer(out: Path) -> Iterator[Write]:
    if out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out} exists and is not empty; choose another folder.")
    with aside(out) as temporary:
        (temporary / "images").mkdir(parents=True)

        def write(name: str, data: bytes) -> None:
            (temporary / name).write_bytes(data)

        yield write


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode()
