"""How many near copies of real images are found, which real images are taken for copies, and how fast.

    python -m benchmarks.copies FOLDER... [--every 3] [--sheet PAIRS.png]
    python -m benchmarks.copies --speed 1000 20000

For each change below, changed copies of every third image are added to all images of the folder, and the
copies that are joined with their original are counted. The pairs found among the images themselves are drawn
side by side, with their difference, to be looked at.
"""

from __future__ import annotations

import argparse
import io
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image, ImageEnhance, ImageOps

from medgan.data.copies import Clusters, Pair, near_copies
from medgan.data.decoding import decode
from medgan.data.groups import find_groups
from medgan.data.leaks import nearest_across
from medgan.data.records import find_records
from medgan.data.split import Fractions, split
from medgan.data.survey import thumbnail
from medgan.images import fit, is_grey

SIZE = 128
Change = Callable[[Image.Image, random.Random], Image.Image]


def jpeg(quality: int) -> Change:
    def change(image: Image.Image, _: random.Random) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(io.BytesIO(buffer.getvalue()))

    return change


def smaller(image: Image.Image, _: random.Random) -> Image.Image:
    return image.resize((round(image.width * 0.6), round(image.height * 0.6)), Image.Resampling.LANCZOS)


def cropped(share: float) -> Change:
    def change(image: Image.Image, chance: random.Random) -> Image.Image:
        width, height = round(image.width * share), round(image.height * share)
        left, top = chance.randint(0, width), chance.randint(0, height)
        return image.crop((left, top, image.width - width + left, image.height - height + top))

    return change


def brighter(factor: float) -> Change:
    return lambda image, _: ImageEnhance.Brightness(image).enhance(factor)


def several(image: Image.Image, chance: random.Random) -> Image.Image:
    for change in (smaller, cropped(0.02), brighter(1.05), jpeg(60)):
        image = change(image, chance)
    return ImageOps.mirror(image)


CHANGES: dict[str, Change] = {
    "JPEG, quality 95": jpeg(95),
    "JPEG, quality 60": jpeg(60),
    "JPEG, quality 30": jpeg(30),
    "resized to 60 %": smaller,
    "cropped by 1 %": cropped(0.01),
    "cropped by 2 %": cropped(0.02),
    "cropped by 4 %": cropped(0.04),
    "5 % brighter": brighter(1.05),
    "5 % darker": brighter(0.95),
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "upside down": lambda image, _: ImageOps.flip(image),
    "turned by 180 degrees": lambda image, _: image.rotate(180),
    "turned by 90 degrees": lambda image, _: image.transpose(Image.Transpose.ROTATE_270),
    "turned by 270 degrees": lambda image, _: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored and turned by 90 degrees": lambda image, _: image.transpose(Image.Transpose.TRANSVERSE),
    "mirrored and turned by 270 degrees": lambda image, _: image.transpose(Image.Transpose.TRANSPOSE),
    "60 %, cropped 2 %, 5 % brighter, JPEG 60, mirrored": several,
}


def pictures(folder: Path) -> tuple[list[str], list[Image.Image]]:
    names, images = [], []
    for record in find_records([folder]).records:
        for picture in decode(record.read(), record.name).pictures:
            names.append(record.name)
            images.append(picture.image)
    return names, images


def pairs_among(prepared: list[np.ndarray]) -> list[Pair]:
    thumbs = np.stack([thumbnail(pixels) for pixels in prepared])
    return near_copies(thumbs, prepared.__getitem__)


def measure(folder: Path, every: int, sheet: Path | None) -> None:
    names, images = pictures(folder)
    channels = 1 if all(is_grey(image) for image in images) else 3
    prepared = [fit(image, SIZE, channels) for image in images]
    chosen = range(0, len(images), every)
    print(f"{folder.name}: {len(images)} images, copies of {len(chosen)}")
    for name, change in CHANGES.items():
        chance = random.Random(0)
        copies = [fit(change(images[k], chance), SIZE, channels) for k in chosen]
        clusters = Clusters(len(prepared) + len(copies))
        for pair in pairs_among(prepared + copies):
            clusters.join(pair.first, pair.second)
        found = sum(clusters.find(k) == clusters.find(len(prepared) + n) for n, k in enumerate(chosen))
        # a copy with the very same pixels is an exact copy, and is found here as well
        print(f"  {name:52s} {found:4d} of {len(chosen)} ({found / len(chosen):.1%})")
    pairs = pairs_among(prepared)
    print(
        f"  pairs among the {len(images) * (len(images) - 1) // 2:,} of the images themselves: {len(pairs)}"
    )
    for pair in pairs:
        print(f"    {pair.distance:6.2f} {names[pair.first]} | {names[pair.second]} {pair.turned}")
    if sheet and pairs:
        draw(pairs, prepared).save(sheet.with_stem(f"{sheet.stem}-{folder.name}"))


def draw(pairs: list[Pair], prepared: list[np.ndarray]) -> Image.Image:
    tiles = []
    for pair in pairs:
        first, second = prepared[pair.first], prepared[pair.second]
        difference = np.clip(128 + 2 * (first.astype(int) - second), 0, 255).astype(np.uint8)
        tiles.append(np.concatenate([first, second, difference], axis=1))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 3)
    rows = [np.concatenate(tiles[k : k + 3], axis=1) for k in range(0, len(tiles), 3)]
    sheet = np.concatenate(rows)
    return Image.fromarray(sheet if sheet.shape[2] == 3 else sheet[:, :, 0])


def speed(count: int, kind: str) -> None:
    """Seconds of processor time. `bodies`: all as alike as slices of several bodies, no copies among them;
    `one`: all the same picture with noise."""
    rng = np.random.default_rng(0)
    basis = np.stack([smooth(rng) for _ in range(40)])

    def pixels(k: int) -> np.ndarray:
        own = np.random.default_rng(k)
        weights = own.normal(0, 0.12, 40) if kind == "bodies" else np.zeros(40)
        weights[k % 8 if kind == "bodies" else 0] += 1
        image = 128 + 40 * np.tensordot(weights, basis, 1) + own.normal(0, 2, (SIZE, SIZE, 3))
        return np.clip(image, 0, 255).astype(np.uint8)

    with tempfile.TemporaryFile() as scratch:
        prepared = np.memmap(scratch, np.uint8, "w+", shape=(count, SIZE, SIZE, 3))
        for k in range(count):
            prepared[k] = pixels(k)
        thumbs = np.stack([thumbnail(pixels) for pixels in prepared])
        timed(kind, thumbs, prepared.__getitem__)


def timed(kind: str, thumbs: np.ndarray, pixels: Callable[[int], np.ndarray]) -> None:
    process, start = psutil.Process(), time.process_time()
    count, before = len(thumbs), process.memory_info().rss
    copies = near_copies(thumbs, pixels)
    middle = time.process_time()
    groups = find_groups("auto", [""] * count, [None] * count, thumbs, copies)
    grouped = time.process_time()
    words = ""
    if groups.count > 10:
        splits = split(["a"] * count, groups.numbers, Fractions(), 0)
        leak = nearest_across(thumbs, splits)
        words = f"{Counter(splits)}, nearest {leak.ratio:.0%}" if leak else ""
    end = time.process_time()
    grown = (process.memory_info().rss - before) / 2**20
    print(
        f"{kind} {count:,}: copies {middle - start:.1f} s ({len(copies)} pairs), "
        f"groups {grouped - middle:.1f} s ({groups.count}), split and leaks "
        f"{end - grouped:.1f} s, memory grew by {grown:.0f} MiB; {words}"
    )


def smooth(rng: np.random.Generator) -> np.ndarray:
    small = rng.normal(0, 1, (12, 12, 3))
    layers = [
        Image.fromarray(small[:, :, c]).resize((SIZE, SIZE), Image.Resampling.BICUBIC) for c in range(3)
    ]
    return np.stack([np.asarray(layer) for layer in layers], axis=2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copies")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--speed", nargs="*", type=int, default=[])
    args = parser.parse_args()
    for folder in args.folders:
        measure(folder, args.every, args.sheet)
    for count in args.speed:
        for kind in ("bodies", "one"):
            speed(count, kind)


if __name__ == "__main__":
    main()
