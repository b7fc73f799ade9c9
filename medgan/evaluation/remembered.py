"""Slow figures on the disk, beside the cache of features: what was computed once of the same images.

Anybody may delete any of it at any time. What lacks something (no weights, no network) is not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from medgan.files import write_json
from medgan.workspace import Workspace

MOST = 1000
"""Files that are kept, of a few kilobytes each; beyond, the oldest go."""


T = TypeVar("T")


def remembered(key: str, compute: Callable[[], T]) -> T:
    """The JSON value of `compute()`, from the disk where it was computed before for this `key`."""
    folder = Workspace.default().feature_cache / "figures"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError):
        kept: T = json.loads(path.read_text("utf-8"))
        return kept
    value = compute()
    if '"reason": "' not in json.dumps(value):
        with suppress(OSError):
            write_json(path, value)
            for old in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-MOST]:
                old.unlink()
    same: T = json.loads(json.dumps(value))  # what the next one will read
    return same
