"""Images in parquet files: the class of every row, then the chosen rows as image files.

Read by pyarrow a few rows at a time. What a file claims of itself is checked before it is read; that it may
lie is why the process that calls this bounds its own memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.data.classes import UNLABELLED
from medgan.data.limits import Limits, option
from medgan.errors import HubError
from medgan.hub.draw import Names
from medgan.hub.layout import LABELS, MOST_CLASSES, card_features, class_names, named

MOST_ROWS = 2_000_000
MOST_MEMORY = 4 << 30
"""Bytes that a process which reads parquet may use."""
GROUP = 1 << 30
"""Bytes of one row group, unpacked: its pages are read whole."""
BATCH = 1
"""Rows that are unpacked at a time: one image may be large."""
_IMAGES = ("image", "img", "picture", "pixel_values", "bytes")


@dataclass(frozen=True)
class Shard:
    """A parquet file on this disk, `name` in its repository."""

    path: Path
    name: str

    @property
    def part(self) -> str:
        """`train` of `data/train-00000-of-00002.parquet`."""
        return Path(self.name).stem.split("-")[0]


@dataclass(frozen=True)
class Columns:
    """Where the image and the class stand, and what the numbers of the classes mean."""

    image: str
    label: str | None
    names: tuple[str, ...]


def bound_memory() -> None:
    """Let this process fail rather than the machine, if a file unpacks to more than it said."""
    try:
        import resource
    except ImportError:  # Windows
        return
    import pyarrow  # type: ignore[import-untyped, unused-ignore]

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # gives memory back between row groups


def labels_of(shards: Sequence[Shard], card: Mapping[str, Any], limits: Limits) -> list[str]:
    """The class of every row of all shards, in order. HubError for a shard that cannot be used."""
    labels: list[str] = []
    for shard in shards:
        with _readable(shard), _open(shard) as file:
            columns = _columns(file, card, shard)
            _check(file, shard, limits, len(labels))
            labels += _labels(file, columns)
    return labels if len(set(labels)) <= MOST_CLASSES else [UNLABELLED] * len(labels)


def extract(
    shards: Sequence[Shard],
    labels: Sequence[str],
    chosen: Sequence[int],
    card: Mapping[str, Any],
    folder: Path,
    limits: Limits,
    step: Callable[[float], None],
) -> tuple[int, int]:
    """Write the chosen rows (ascending indices into `labels`) as `<class>/<file>` into `folder`; returns
    how many were written, and how many were no images. `step(share done)` is called on the way."""
    names, wanted, start = Names(), set(chosen), 0
    written = failed = total = 0
    for shard in shards:
        with _readable(shard), _open(shard) as file:
            columns = _columns(file, card, shard)
            for row, value in _values(file, columns.image, wanted, start):
                data, stem = _image(value, shard, row - start)
                suffix = _suffix(data)
                total += len(data)
                _check_bytes(len(data), total, shard, limits)
                if suffix:
                    path = folder / names.place(labels[row], stem, suffix)
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(data)
                    written += 1
                else:
                    failed += 1
                step((written + failed) / len(chosen))
            start += file.metadata.num_rows
    return written, failed


class _readable:
    """Turns what pyarrow raises on a broken file into a sentence."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        from pyarrow import ArrowException, ArrowMemoryError

        if isinstance(error, MemoryError | ArrowMemoryError):
            raise HubError(f"{self.shard.name} unpacks to more than can be read safely.") from error
        is_ours = isinstance(error, HubError) or (isinstance(error, OSError) and error.errno)
        if isinstance(error, ArrowException | OSError | ValueError | UnicodeError) and not is_ours:
            raise HubError(f"{self.shard.name} is damaged, or it is no parquet file.") from error


def _open(shard: Shard) -> Any:
    import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]

    return pyarrow.parquet.ParquetFile(shard.path, buffer_size=1 << 16, pre_buffer=False)


def _columns(file: Any, card: Mapping[str, Any], shard: Shard) -> Columns:
    features = _features(file) or card_features(card)
    fields = {field.name: field.type for field in file.schema_arrow}
    images = [name for name, type_ in fields.items() if _holds_images(name, type_, features)]
    if not images:
        raise HubError(f"{shard.name} has no column of images; its columns are {_listed(fields)}.")
    image = next((name for name in _IMAGES if name in images), images[0])
    marked = [name for name in fields if class_names(features.get(name))]
    usual = [name for name in LABELS if name in fields and _is_label(fields[name])]
    label = next(iter([name for name in usual if name in marked] + marked + usual), None)
    if label is not None and not _is_label(fields[label]):
        label = None  # a list of classes, for instance
    names = class_names(features.get(str(label))) or class_names(card_features(card).get(str(label)))
    return Columns(image, label, names)


def _features(file: Any) -> dict[str, Any]:
    """What the `datasets` library wrote on the columns."""
    metadata = file.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _holds_images(name: str, type_: Any, features: Mapping[str, Any]) -> bool:
    from pyarrow import types

    if types.is_struct(type_):
        index = type_.get_field_index("bytes")
        return index >= 0 and _is_binary(type_.field(index).type)
    feature = features.get(name)
    marked = feature == "image" or (isinstance(feature, dict) and feature.get("_type") == "Image")
    return _is_binary(type_) and (marked or name in _IMAGES)


def _is_binary(type_: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(type_) or types.is_large_binary(type_))


def _is_label(type_: Any) -> bool:
    from pyarrow import types

    kinds = (types.is_integer, types.is_string, types.is_large_string, types.is_boolean, types.is_dictionary)
    return any(kind(type_) for kind in kinds)


def _check(file: Any, shard: Shard, limits: Limits, before: int) -> None:
    about = file.metadata
    if about.num_rows + before > MOST_ROWS:
        raise HubError(f"{shard.name} has {about.num_rows:,} rows; at most {MOST_ROWS:,} are read.")
    groups = [about.row_group(k).total_byte_size for k in range(about.num_row_groups)]
    if max(groups, default=0) > GROUP:
        raise HubError(f"{shard.name} has row groups of over {GROUP >> 30} GB, which cannot be read safely.")
    if sum(groups) > limits.total_gb << 30:
        raise HubError(
            f"{shard.name} unpacks to over {limits.total_gb} GB, the most that is read "
            f"({option('total_gb')})."
        )


def _check_bytes(count: int, total: int, shard: Shard, limits: Limits) -> None:
    if count > limits.file_mb << 20:
        raise HubError(
            f"{shard.name} holds an image of more than {limits.file_mb} MB, the most that is read "
            f"({option('file_mb')})."
        )
    if total > limits.total_gb << 30:
        raise HubError(
            f"The images of {shard.name} take more than {limits.total_gb} GB, the most that is read "
            f"({option('total_gb')}); take fewer with --count."
        )


def _labels(file: Any, columns: Columns) -> Iterator[str]:
    if columns.label is None:
        yield from [UNLABELLED] * file.metadata.num_rows
        return
    for batch in file.iter_batches(batch_size=4096, columns=[columns.label], use_threads=False):
        for value in batch.column(0).to_pylist():
            yield UNLABELLED if value is None else named(value, columns.names)


def _values(file: Any, column: str, wanted: set[int], start: int) -> Iterator[tuple[int, Any]]:
    """(index, value) of the wanted rows; row groups and batches without any are not unpacked."""
    for group in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if wanted.isdisjoint(range(start, start + rows)):
            start += rows
            continue
        at = start
        for batch in file.iter_batches(BATCH, row_groups=[group], columns=[column], use_threads=False):
            for k in range(batch.num_rows):
                if at + k in wanted:
                    yield at + k, batch.column(0)[k].as_py()
            at += batch.num_rows
        start += rows


def _image(value: Any, shard: Shard, row: int) -> tuple[bytes, str]:
    """The bytes of an image (none if it only points elsewhere), and a file name without extension."""
    fields = value if isinstance(value, dict) else {"bytes": value}
    data = fields.get("bytes")
    path = fields.get("path")
    name = Path(str(path).replace("\\", "/")).stem if isinstance(path, str) and path else f"{row:06d}"
    return data if isinstance(data, bytes) else b"", f"{shard.part}_{name}"


def _suffix(data: bytes) -> str:
    """The extension that the bytes themselves call for; "" if they are no image."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[128:132] == b"DICM":
        return ".dcm"
    return next((suffix for start, suffix in _STARTS if data.startswith(start)), "")


_STARTS = (
    (b"\x89PNG\r\n\x1a\n", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"BM", ".bmp"),
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"II+\0", ".tif"), (b"MM\0+", ".tif"),
)  # fmt: skip


def _listed(fields: Mapping[str, Any]) -> str:
    return ", ".join(name[:40] for name in list(fields)[:8])
