"""Small image data sets as repositories hold them."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from medgan.hub import datasets

NAME = "ada/skin"
KEY = f"datasets/{NAME}"
SPEC = f"hub:{KEY}"


def picture(number: int) -> bytes:
    """A small PNG that differs from the others."""
    pixels = np.random.default_rng(number).integers(0, 255, (16, 16), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def folders(count: int = 20) -> dict[str, bytes]:
    """Three of four are nevi, in an image folder with a card and a script."""
    names = (f"train/{'melanoma' if k % 4 == 0 else 'nevus'}/{k:03d}.png" for k in range(count))
    files = {name: picture(k) for k, name in enumerate(names)}
    return files | {"README.md": b"# Skin", "load.py": b"import os", ".gitattributes": b"*"}


def table(
    labels: list[Any] | None, *, names: list[str] | None = None, path: str | None = None, **options: Any
) -> bytes:
    """A parquet file as the `datasets` library writes it; `names` go into its schema."""
    count = 12 if labels is None else len(labels)
    images = [{"bytes": picture(k), "path": path and path.format(k)} for k in range(count)]
    images_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(images, images_type)}
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if labels is not None:
        columns["label"] = pa.array(labels)
        features["label"] = {"_type": "ClassLabel", "names": names} if names else {"_type": "Value"}
    made = pa.table(columns).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    stream = io.BytesIO()
    pq.write_table(made, stream, **{"row_group_size": 5, **options})
    return stream.getvalue()


def files_of(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != datasets.ABOUT)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def classes(folder: Path) -> Counter[str]:
    return Counter(path.split("/")[0] for path in files_of(folder))


def images_in(folder: Path) -> set[bytes]:
    return {(folder / path).read_bytes() for path in files_of(folder)}
