"""A finished export in one of the shapes that others read: a folder, a ZIP, Parquet in the Hub's layout."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

METADATA = "metadata.csv"
SHARD = 1000
"""Images of a Parquet file: all of its bytes stand in memory while it is written."""
_DATE = (2000, 1, 1, 0, 0, 0)
"""Of all files in a ZIP, so that the same images make the same file."""
Advance = Callable[[int, int], None]


def zipped(folder: Path, out: Path, advance: Advance, *, without: Collection[str] = ()) -> None:
    """All files of `folder` as a ZIP but those named `without`, each read as it is written. PNG and Parquet
    are compressed already."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = sorted(name for name in files if name.split("/")[0] not in without)
    with zipfile.ZipFile(out, "w") as archive:
        for done, name in enumerate(names, 1):
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o644 << 16
            with (folder / name).open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
            advance(done, len(names))


def to_parquet(folder: Path, advance: Advance) -> None:
    """Turn the PNG files of an export into `data/train-00000-of-00003.parquet` and so on: columns `image`
    (bytes and path) and those of `metadata.csv`, described as `datasets` wants it. The PNG files stay."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with (folder / METADATA).open(encoding="utf-8", newline="") as file:
        total = sum(1 for _ in csv.DictReader(file))
    labels = _labels(folder)
    schema = _schema(labels)
    (folder / "data").mkdir(exist_ok=True)
    shards = -(-total // SHARD)
    source = _rows(folder)
    for k in range(shards):
        rows = list(islice(source, SHARD))
        path = folder / "data" / f"train-{k:05d}-of-{shards:05d}.parquet"
        columns = [_cells(name, rows, folder, labels) for name in schema.names]
        pq.write_table(pa.table(columns, schema=schema), path)
        advance(min(total, (k + 1) * SHARD), total)


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / METADATA).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _labels(folder: Path) -> list[str]:
    return sorted({row["label"] for row in _rows(folder)} - {""})


def _schema(labels: list[str]) -> Any:
    import pyarrow as pa

    features: dict[str, Any] = {"image": {"_type": "Image"}}
    fields = [pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    if labels:
        features["label"] = {"names": labels, "_type": "ClassLabel"}
        fields.append(pa.field("label", pa.int64()))
    for name, kind in (
        ("seed", "int64"),
        ("truncation", "float64"),
        ("nearest_train", "float64"),
        ("gate", "string"),
        ("model", "string"),
        ("model_sha256", "string"),
    ):
        features[name] = {"dtype": kind, "_type": "Value"}
        fields.append(pa.field(name, pa.type_for_alias(kind)))
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _cells(name: str, rows: list[dict[str, str]], folder: Path, labels: list[str]) -> list[Any]:
    if name == "image":
        return [
            {"bytes": (folder / row["file_name"]).read_bytes(), "path": Path(row["file_name"]).name}
            for row in rows
        ]
    if name == "label":
        return [labels.index(row["label"]) if row["label"] else None for row in rows]
    kinds: dict[str, Callable[[str], Any]] = {"seed": int, "truncation": float, "nearest_train": float}
    kind = kinds.get(name, str)
    return [kind(row[name]) if row[name] else None for row in rows]
