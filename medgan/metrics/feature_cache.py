"""Features on the disk: what a network said of a set of images is computed once.

`<folder>/<network>/<hash>.npy` holds the features of the images whose pixels have that hash. Anybody may
delete any of it at any time, and any number of processes may use it at once: a file appears whole, with
its own checksum at its end, and one that is damaged is computed anew. A disk that is full or cannot be
written only means that nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from medgan.files import aside, sweep
from medgan.metrics.feature_network import Advance, FeatureNetwork, Images, eight_bit, ignore

LIMIT = 2 * 2**30
"""Bytes that are kept; beyond, what was not used for longest is deleted. 10,000 images take 15 MB with
DINOv2, 82 MB with Inception."""
FORMAT = 1
"""To be raised when images go through networks in another way: then nothing kept before is found."""
_BLOCK = 256
"""Images that are hashed together."""
_CHUNK = 1 << 20
_DIGEST = hashlib.sha256().digest_size


def cached(
    network: FeatureNetwork,
    images: Images,
    *,
    folder: Path,
    device: torch.device | str = "cpu",
    advance: Advance = ignore,
) -> np.ndarray:
    """`network.extract(images)`, from `folder` where it was computed before.

    What comes from the disk is memory-mapped; writing to it changes nothing there. `advance` hears of all
    images either way. Features computed on another device or with other threads differ in the last
    digits; the first ones stay. MetricError as from `extract`.
    """
    if not len(images):
        return network.extract(images)  # which says why not

    def compute() -> np.ndarray:
        return network.extract(images, device=device, advance=advance)

    return _remembered(network, content_hash(images), len(images), compute, folder, advance)


def cached_stream(
    network: FeatureNetwork,
    key: str,
    batches: Callable[[], Iterable[Images]],
    *,
    count: int,
    folder: Path,
    device: torch.device | str = "cpu",
    advance: Advance = ignore,
) -> np.ndarray:
    """`network.extract_stream(batches())`, from `folder` where it was computed before, without making the
    images again.

    `key` must say everything that the images depend on (hash of the model, seeds, class, version of the
    sampler). `count` is how many there are. MetricError as from `extract_stream`.
    """

    def compute() -> np.ndarray:
        return network.extract_stream(batches(), device=device, advance=advance)

    name = hashlib.sha256(f"made {key}".encode()).hexdigest()
    return _remembered(network, name, count, compute, folder, advance)


def content_hash(images: Images) -> str:
    """sha256 over height, width, channels and all pixels as 8 bits, read in blocks: the same for images
    in memory, on the disk and as floats. MetricError for what `FeatureNetwork.extract` does not take."""
    digest = hashlib.sha256()
    for start, some in enumerate(eight_bit(images, _BLOCK)):
        if not start:
            digest.update(f"{tuple(some.shape[1:])}".encode())
        digest.update(some.cpu().contiguous().numpy().data.cast("B"))
    return digest.hexdigest()


def _remembered(
    network: FeatureNetwork,
    name: str,
    count: int,
    compute: Callable[[], np.ndarray],
    folder: Path,
    advance: Advance,
) -> np.ndarray:
    path = folder / _shelf(network) / f"{name}.npy"
    features = _read(path, (count, network.dimensions))
    if features is not None:
        advance(count)
        return features
    features = compute()
    _write(path, features)
    _trim(folder)
    return features


def _shelf(network: FeatureNetwork) -> str:
    """The weights, and how images are brought before them."""
    way = (FORMAT, network.size, network.mean, network.std, network.dimensions)
    return f"{network.identity}-{hashlib.sha256(repr(way).encode()).hexdigest()[:8]}"


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The features, or None where they are not there, not whole, or of another shape."""
    try:
        if _sealed(path) != _seal(path):
            return None
        features: np.ndarray = np.load(path, mmap_mode="c")
    except (OSError, ValueError):
        return None
    if features.dtype != np.float32 or features.shape != shape:
        return None
    with suppress(OSError):
        os.utime(path)  # used now
    return features


def _write(path: Path, features: np.ndarray) -> None:
    if features.nbytes > LIMIT:
        return
    with suppress(OSError), aside(path) as temporary:
        with temporary.open("wb") as stream:
            np.lib.format.write_array(stream, features, allow_pickle=False)
            stream.write(bytes(_DIGEST))
        seal = _seal(temporary)
        with temporary.open("rb+") as stream:
            stream.seek(-_DIGEST, os.SEEK_END)
            stream.write(seal)


def _seal(path: Path) -> bytes:
    """sha256 of a file up to its own seal."""
    digest, left = hashlib.sha256(), path.stat().st_size - _DIGEST
    with path.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.digest()


def _sealed(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(-_DIGEST, os.SEEK_END)
        return stream.read()


def _trim(folder: Path) -> None:
    """Delete what was not used for longest, until the rest is within `LIMIT`."""
    kept = []
    for path in folder.glob("*/*.npy"):
        with suppress(OSError):  # another process deletes as well
            about = path.stat()
            kept.append((about.st_mtime_ns, about.st_size, path))
    total = 0
    for _, size, path in sorted(kept, reverse=True):
        total += size
        if total > LIMIT:
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):
        for shelf in folder.iterdir():
            sweep(shelf)
