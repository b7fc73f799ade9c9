from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medgan.errors import MetricError
from medgan.images import to_float
from medgan.metrics import feature_cache, features
from medgan.metrics.feature_cache import cached, cached_stream, content_hash
from medgan.metrics.features import FeatureNetwork, pixels, random_network


def images(n: int = 5, seed: int = 0, size: int = 32, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each extraction had."""
    counts: list[int] = []
    extract = FeatureNetwork.extract

    def counting(self: FeatureNetwork, images: np.ndarray, **settings: object) -> np.ndarray:
        counts.append(len(images))
        return extract(self, images, **settings)

    monkeypatch.setattr(FeatureNetwork, "extract", counting)
    return counts


def test_features_of_a_set_are_computed_once(tmp_path: Path, extracted: list[int]) -> None:
    network, heard = pixels(), []
    first = cached(network, images(), folder=tmp_path, advance=heard.append)
    second = cached(pixels(), images(), folder=tmp_path, advance=heard.append)
    assert extracted == [5]
    assert np.array_equal(first, second)
    assert isinstance(second, np.memmap)
    assert sum(heard) == 10
    assert [path.parent.parent for path in files(tmp_path)] == [tmp_path]


def test_what_is_kept_cannot_be_changed_through_what_is_given_out(tmp_path: Path) -> None:
    first = cached(pixels(), images(), folder=tmp_path).copy()
    cached(pixels(), images(), folder=tmp_path)[:] = 7
    assert np.array_equal(cached(pixels(), images(), folder=tmp_path), first)


def test_the_same_images_are_known_on_the_disk_and_as_floats(tmp_path: Path, extracted: list[int]) -> None:
    np.save(tmp_path / "images.npy", images())
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for same in (images(), mapped, torch.from_numpy(images()), to_float(images())):
        cached(pixels(), same, folder=tmp_path / "cache")
    assert extracted == [5]


@pytest.mark.parametrize(
    "other",
    [
        images(seed=1),
        images()[:4],
        images()[::-1],
        images().reshape(5, 16, 64, 1),
        images().repeat(3, axis=3),
        images() ^ (np.arange(5) == 2).astype(np.uint8).reshape(5, 1, 1, 1),
    ],
    ids=["others", "fewer", "reordered", "reshaped", "colour", "one changed"],
)
def test_other_images_are_computed(other: np.ndarray, tmp_path: Path, extracted: list[int]) -> None:
    cached(pixels(), images(), folder=tmp_path)
    assert np.array_equal(cached(pixels(), other, folder=tmp_path), pixels().extract(other))
    assert len(files(tmp_path)) == 2


def test_the_hash_does_not_depend_on_the_blocks_in_which_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = content_hash(images(7))
    monkeypatch.setattr(feature_cache, "_BLOCK", 2)
    assert content_hash(images(7)) == expected


def test_other_networks_and_other_ways_have_features_of_their_own(tmp_path: Path) -> None:
    from dataclasses import replace

    network = random_network()
    for other in (network, replace(network, size=96), replace(network, weights_hash="0" * 64), pixels()):
        assert np.array_equal(cached(other, images(), folder=tmp_path), other.extract(images()))
    assert len(files(tmp_path)) == 4


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    np.save(path, np.zeros((2, 3)))


@pytest.mark.parametrize("damage", [cut, flip, empty, other])
def test_a_damaged_file_is_computed_anew(damage, tmp_path: Path, extracted: list[int]) -> None:
    first = cached(pixels(), images(), folder=tmp_path).copy()
    damage(files(tmp_path)[0])
    assert np.array_equal(cached(pixels(), images(), folder=tmp_path), first)
    assert np.array_equal(cached(pixels(), images(), folder=tmp_path), first)
    assert extracted == [5, 5]


def test_a_sealed_file_of_another_shape_is_computed_anew(tmp_path: Path, extracted: list[int]) -> None:
    cached(pixels(), images(), folder=tmp_path)
    feature_cache._write(files(tmp_path)[0], np.zeros((2, 3), np.float32))
    assert cached(pixels(), images(), folder=tmp_path).shape == (5, 3072)


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    assert np.array_equal(cached(pixels(), images(), folder=tmp_path), pixels().extract(images()))
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert len(cached(pixels(), images(), folder=tmp_path / "file" / "cache")) == 5


def test_what_was_not_used_for_longest_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extracted: list[int]
) -> None:
    size = 5 * 3072 * 4 + 1000
    monkeypatch.setattr(feature_cache, "LIMIT", 2 * size)
    for age, seed in ((300, 0), (200, 1)):
        known = set(files(tmp_path))
        cached(pixels(), images(seed=seed), folder=tmp_path)
        (new,) = set(files(tmp_path)) - known
        os.utime(new, (new.stat().st_mtime - age,) * 2)
    cached(pixels(), images(seed=0), folder=tmp_path)  # used now
    cached(pixels(), images(seed=2), folder=tmp_path)  # one too many
    assert extracted == [5, 5, 5]
    assert len(files(tmp_path)) == 2
    cached(pixels(), images(seed=0), folder=tmp_path)
    assert extracted == [5, 5, 5]
    cached(pixels(), images(seed=1), folder=tmp_path)
    assert extracted == [5, 5, 5, 5]


def test_features_beyond_the_limit_are_not_kept_and_push_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(pixels(), images(1), folder=tmp_path)
    monkeypatch.setattr(feature_cache, "LIMIT", 20_000)
    cached(pixels(), images(5), folder=tmp_path)
    assert len(files(tmp_path)) == 1


def test_no_images_are_refused_as_by_the_network(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="no images"):
        cached(pixels(), images()[:0], folder=tmp_path)
    with pytest.raises(MetricError, match="8-bit images"):
        cached(pixels(), images()[0], folder=tmp_path)


def test_made_images_are_not_made_again(tmp_path: Path) -> None:
    made = []

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, 6, 4):
            made.append(start)
            yield images(6)[start : start + 4]

    for key in ("model a, seeds 0-5", "model a, seeds 0-5", "model b, seeds 0-5"):
        values = cached_stream(features.pixels(), key, batches, count=6, folder=tmp_path)
        assert np.array_equal(values, pixels().extract(images(6)))
    assert made == [0, 4, 0, 4]


def _work(folder: Path, rounds: int) -> None:
    for k in range(rounds):
        found = cached(pixels(), images(seed=k % 3), folder=folder)
        if not np.array_equal(found, pixels().extract(images(seed=k % 3))):
            os._exit(3)


def test_two_processes_may_use_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Room for two of three sets: each process deletes what the other may be reading.
    monkeypatch.setattr(feature_cache, "LIMIT", 2 * (5 * 3072 * 4 + 1000))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(tmp_path, 60)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(files(tmp_path)) <= 3
