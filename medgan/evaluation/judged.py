"""What is judged: the images of a model's seeds, or those in a folder that anybody's generator filled.

They are made or decoded once and wait on the disk, so that 10,000 of them are never in memory together.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medgan.data.dataset import Dataset
from medgan.errors import DataError
from medgan.generation.sampling import BATCH, sample, sample_batches
from medgan.runs.checkpoint import load_generator
from medgan.runs.info import CONFIG, ModelInfo, model_sha256, read_info

if TYPE_CHECKING:
    from torch import nn

SAMPLER = 1
"""To be raised when a seed gets another image: features that were kept are then of no use."""

Report = Callable[[int, int], None]
"""Called with (done, total)."""


def is_image_folder(spec: str) -> bool:
    """Whether MODEL on the command line is a folder (or ZIP) of images and neither a model nor a run."""
    path = Path(spec).expanduser()
    if path.is_file():
        return path.suffix.lower() == ".zip"
    if not path.is_dir():
        return False
    return not any((path / name).exists() for name in (CONFIG, "checkpoints", "status.json"))


class Spool:
    """uint8 images of one shape in a file without a name, which ends with the process."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._shape, self._bytes = shape, int(np.prod(shape))
        self.count = 0

    def add(self, images: np.ndarray) -> None:
        """Append images; OSError where the disk is full."""
        self._file.write(np.ascontiguousarray(images).data)
        self._file.flush()
        self.count += len(images)

    def clear(self) -> None:
        """Drop all of them."""
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def close(self) -> None:
        """Give the disk's room back."""
        self._file.close()

    def read(self, start: int, count: int) -> np.ndarray:
        """Images `start` to `start + count`, `(count, H, W, C)`."""
        count = min(count, self.count - start)
        data = os.pread(self._file.fileno(), count * self._bytes, start * self._bytes)
        return np.frombuffer(data, np.uint8).reshape(count, *self._shape)


class Judged(ABC):
    """Images that are judged.

    `facts` goes into the report under "model" or "folder", `labels` names each image (its seed or file),
    `key` says all that the images depend on.
    """

    facts: dict[str, dict[str, Any]]
    labels: Sequence[int] | Sequence[str]
    key: str
    generator: nn.Module | None = None
    info: ModelInfo | None = None
    notes: Sequence[str] = ()
    _spool: Spool

    def close(self) -> None:
        """Let the images go."""
        self._spool.close()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def name(self) -> str:
        """What people call it."""
        return str(next(iter(self.facts.values()))["name"])

    @abstractmethod
    def batches(self) -> Iterator[np.ndarray]:
        """All images in order, uint8 `(B, H, W, C)`, a few at a time."""

    @abstractmethod
    def some(self, indices: Sequence[int]) -> np.ndarray:
        """The images of these places, uint8 `(len(indices), H, W, C)`."""


class OfModel(Judged):
    """Seeds 0 to `count` - 1 of a model folder. Everything that is needed of it is read here: a run that is
    still training deletes its older checkpoints. DataError if its images do not fit the data set."""

    def __init__(self, folder: Path, dataset: Dataset, count: int) -> None:
        info = read_info(folder)
        _refuse_misfit(info, dataset)
        self.generator, self.info = load_generator(folder)
        self.folder, self.labels = folder, range(count)
        sha256 = model_sha256(folder)
        self.facts = {
            "model": {
                "name": str(info.about.get("name") or folder.name),
                "sha256": sha256,
                "config": info.model.to_json(),
                "about": info.about,
            }
        }
        self.key = f"model {sha256} {json.dumps(info.model.to_json(), sort_keys=True)} seeds {SAMPLER}"
        self._spool = Spool((dataset.size, dataset.size, dataset.channels))

    def batches(self) -> Iterator[np.ndarray]:
        """Made when first asked for, read from the disk afterwards."""
        assert self.generator is not None
        if self._spool.count == len(self):
            yield from _read(self._spool)
            return
        self._spool.clear()
        keep = True
        for images in sample_batches(self.generator, self.labels):  # type: ignore[arg-type]
            if keep:
                try:
                    self._spool.add(images)
                except OSError:  # the disk is full: they are made again
                    keep = False
                    self._spool.clear()
            yield images

    def some(self, indices: Sequence[int]) -> np.ndarray:
        """From the disk, or made."""
        assert self.generator is not None
        if self._spool.count == len(self):
            return np.concatenate([self._spool.read(k, 1) for k in indices])
        return sample(self.generator, [int(k) for k in indices])


class OfFolder(Judged):
    """At most `count` images of a folder or ZIP, drawn by `seed`, brought to the data set's size and channels
    as `prepare` does. DataError if fewer than two can be used."""

    def __init__(
        self, folder: Path, dataset: Dataset, count: int, *, seed: int, report: Report | None = None
    ) -> None:
        from medgan.data.records import find_records

        found = find_records([folder])
        order = np.random.default_rng(seed).permutation(len(found.records))
        self._spool = Spool((dataset.size, dataset.size, dataset.channels))
        labels: list[str] = []
        refused, changed = len(found.rejected), 0
        chosen = sorted(order[:count]) if len(order) > count else range(len(order))
        for done, k in enumerate(chosen, start=1):
            record = found.records[k]
            with suppress(DataError):
                image, fits = _decoded(record.read(), record.name, dataset)
                self._spool.add(image[None])
                labels.append(record.name)
                changed += not fits
            if report:
                report(done, len(chosen))
        self.labels = labels
        refused += len(chosen) - len(labels)
        if len(labels) < 2:
            self.close()
            raise DataError(f"{folder} holds {len(labels)} images that can be used; give 2 or more.")
        content = _content_hash(self._spool)
        self.facts = {
            "folder": {
                "name": folder.absolute().name,
                "images": len(found.records),
                "judged": len(self.labels),
                "content_sha256": content,
            }
        }
        self.key = f"images {content}"
        self.notes = list(_folder_notes(len(found.records), len(self.labels), refused, changed, dataset))

    def batches(self) -> Iterator[np.ndarray]:
        """From the disk."""
        yield from _read(self._spool)

    def some(self, indices: Sequence[int]) -> np.ndarray:
        """From the disk."""
        return np.concatenate([self._spool.read(k, 1) for k in indices])


def _read(spool: Spool) -> Iterator[np.ndarray]:
    for start in range(0, spool.count, 8 * BATCH):
        yield spool.read(start, 8 * BATCH)


def _content_hash(spool: Spool) -> str:
    digest = hashlib.sha256(repr(spool.read(0, 1).shape[1:]).encode())
    for images in _read(spool):
        digest.update(images.data)
    return digest.hexdigest()


def _decoded(data: bytes, name: str, dataset: Dataset) -> tuple[np.ndarray, bool]:
    """The first picture of a file as the data set's images are, and whether it was so before."""
    from medgan.data.decoding import decode
    from medgan.images import fit

    picture = next(iter(decode(data, name).pictures)).image
    fits = picture.size == (dataset.size, dataset.size)
    return fit(picture, dataset.size, dataset.channels), fits


def _folder_notes(found: int, judged: int, refused: int, changed: int, dataset: Dataset) -> Iterator[str]:
    if found > judged + refused:
        yield f"Of {found:,} images in the folder {judged:,} were drawn; a higher --count judges more."
    if refused:
        yield f"{refused} files could not be used."
    if changed:
        yield (
            f"{changed} images were resized or cropped to {dataset.size} x {dataset.size} pixels; what "
            "differs by resizing alone may count against them."
        )


def _refuse_misfit(info: ModelInfo, dataset: Dataset) -> None:
    model, words = info.model, {1: "grey", 3: "colour"}
    if (model.channels, model.size) != (dataset.channels, dataset.size):
        raise DataError(
            f"The model makes {words[model.channels]} images of {model.size} x {model.size} pixels, but "
            f"{dataset.name} holds {words.get(dataset.channels, 'other')} images of {dataset.size} x "
            f"{dataset.size}; prepare the set again with --size {model.size} --color "
            f"{'grey' if model.channels == 1 else 'rgb'}."
        )
