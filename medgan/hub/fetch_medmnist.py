"""The process that fetches a MedMNIST set, started by `datasets.fetch_source`.

The file is a ZIP of arrays of up to 16 GB: the labels are read, images drawn, and the arrays then read image
by image from beginning to end, so that one image at a time is in memory.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from medgan.errors import HubError
from medgan.hub.child import Meter, Pulse, say, serve
from medgan.hub.download import Item, Way, obtain
from medgan.hub.draw import Names, draw
from medgan.hub.failures import Target, refused
from medgan.hub.medmnist import NO_FINDING, PREFIX, MedMnist, find_set

if TYPE_CHECKING:
    from httpx2 import Response

SLACK = 50_000_000
"""Bytes that a file may have beyond its images: labels and headers."""
MOST = 1_000_000
"""Images that a part may have."""


@dataclass(frozen=True)
class Request:
    """What the parent asks for."""

    cache: Path
    out: Path
    count: int | None
    seed: int
    patience: float


def fetch(source: MedMnist, request: Request, target: Target) -> dict[str, Any]:
    """Write the drawn images into `request.out`; returns how many, of how many, how many were left out."""
    path = request.cache / source.file
    packed = _download(source, request, path, target)
    pulse = Pulse()

    def step(share: float) -> None:
        pulse.beat()
        say(done=packed + int(packed * share))

    try:
        with zipfile.ZipFile(path) as archive:
            counts, labels = _labels(archive, source)
            usable = [index for index, label in enumerate(labels) if label is not None]
            drawn = draw([str(labels[index]) for index in usable], request.count, request.seed)
            chosen = {usable[index]: str(labels[usable[index]]) for index in drawn}
            _write(archive, source, counts, chosen, request.out, step)
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError, NotImplementedError) as error:
        path.unlink()  # or the next time would trust it
        raise HubError(
            f"{source.file} is not what MedMNIST 3 describes ({error}); fetch it again."
        ) from error
    return {"images": len(chosen), "of": len(labels), "left_out": len(labels) - len(usable)}


def _download(source: MedMnist, request: Request, path: Path, target: Target) -> int:
    """The file in the cache, its checksum right; returns its size."""
    import httpx2

    def check(response: Response) -> None:
        if response.status_code >= 400:
            raise HubError(refused(response.status_code, source.file, target))

    limit = source.total_bytes + SLACK
    item = Item(
        f"{target.endpoint}/{source.file}?download=1", path, source.file, limit, None, ("md5", source.md5)
    )
    images = sum(source.counts.values()) if request.count is None else request.count
    listener = _Listener(path, images * source.image_bytes)
    with httpx2.Client(follow_redirects=True) as client:
        obtain(item, Way(client, target, check, request.patience), listener)
    return path.stat().st_size


class _Listener(Meter):
    """Tells the parent the size once the server has said it: twice, for unpacking takes its time too."""

    def __init__(self, path: Path, images: int) -> None:
        super().__init__()
        self._path, self._images, self._said_size = path, images, False
        self.beat: Callable[[], None] = Pulse().beat

    def size(self, total: int) -> None:
        """Said once: what must come again, comes again unannounced."""
        if not self._said_size:
            missing = 0 if self._path.is_file() else total - self.done
            say(total=2 * total, done=max(0, self.done), needed=max(0, missing) + self._images)
            self._said_size = True


def _labels(archive: zipfile.ZipFile, source: MedMnist) -> tuple[dict[str, int], list[str | None]]:
    """How many images each part has, and the class of every image of all parts in turn; None for one that
    has several."""
    counts: dict[str, int] = {}
    labels: list[str | None] = []
    width = len(source.labels) if source.several else 1
    for part in source.counts:
        with archive.open(f"{part}_labels.npy") as stream:
            shape, dtype, order = _header(stream)
            if len(shape) != 2 or shape[1] != width or shape[0] > MOST or dtype.kind not in "iu":
                raise ValueError(f"{part}_labels is {dtype} {shape}")
            data = _exactly(stream, math.prod(shape) * dtype.itemsize)
        values = np.frombuffer(data, dtype).reshape(shape, order=order)
        counts[part] = shape[0]
        labels += [_class(row, source) for row in values.tolist()]
    return counts, labels


def _class(row: list[int], source: MedMnist) -> str | None:
    if not source.several:
        if not 0 <= row[0] < len(source.labels):
            raise ValueError(f"label {row[0]}")
        return source.labels[row[0]]
    findings = [name for name, present in zip(source.labels, row, strict=True) if present]
    if len(findings) > 1:
        return None
    return findings[0] if findings else NO_FINDING


def _write(
    archive: zipfile.ZipFile,
    source: MedMnist,
    counts: dict[str, int],
    chosen: dict[int, str],
    out: Path,
    step: Callable[[float], None],
) -> None:
    """`<class>/<part>_<index>.png` of each chosen image; `step(share of the images passed)`."""
    names, start, total = Names(), 0, sum(counts.values())
    for part, count in counts.items():
        wanted = [index for index in sorted(chosen) if start <= index < start + count]
        for index, pixels in _images(archive, part, count, source, [k - start for k in wanted]):
            label = chosen[start + index]
            path = out / names.place(label, f"{part}_{index:06d}", ".png")
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
            step((start + index) / total)
        start += count


def _images(
    archive: zipfile.ZipFile, part: str, count: int, source: MedMnist, wanted: list[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """(index, uint8 pixels) of the wanted images, ascending. A ZIP can only be read forwards."""
    if not wanted:
        return
    shape = (source.size, source.size) if source.channels == 1 else (source.size, source.size, 3)
    with archive.open(f"{part}_images.npy") as stream:
        found, dtype, order = _header(stream)
        if found != (count, *shape) or dtype != np.uint8 or order != "C":
            raise ValueError(f"{part}_images is {dtype} {found}")
        at, beat = 0, Pulse().beat
        for index in wanted:
            for _ in range(index - at):
                _exactly(stream, source.image_bytes)
                beat()
            yield index, np.frombuffer(_exactly(stream, source.image_bytes), np.uint8).reshape(shape)
            at = index + 1


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], Literal["C", "F"]]:
    """Shape, kind and order of an array; nothing of it is executed."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"npy version {version}")
    shape, fortran, dtype = read[version](stream)
    return shape, dtype, "F" if fortran else "C"


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise ValueError("it ends too early")
    return data


def _work(request: dict[str, Any], target: Target) -> dict[str, Any]:
    source = find_set(PREFIX + request["name"], request["size"])
    where = Request(
        Path(request["cache"]), Path(request["out"]), request["count"], request["seed"], request["patience"]
    )
    return fetch(source, where, target)


if __name__ == "__main__":
    serve(_work)
