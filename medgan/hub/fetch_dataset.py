"""The process that fetches an image data set of the Hub, started by `datasets.fetch_source`.

Listing first: what is too large is refused, and what is not drawn is not downloaded. Files go into a cache
under their checksum, then as `<class>/<file>` into the folder that the parent named.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medgan.data.limits import Limits, option
from medgan.errors import HubError
from medgan.hub import rows
from medgan.hub.child import Meter, Pulse, say, serve
from medgan.hub.download import Item, obtain
from medgan.hub.draw import Names, draw
from medgan.hub.failures import Target, size
from medgan.hub.layout import (
    Entry,
    Layout,
    card_class_names,
    classes_of,
    find_layout,
    read_metadata,
    stem_of,
)
from medgan.hub.listing import Repository, entries_of, look

LARGEST_METADATA = 50_000_000
TOGETHER = 8
"""Files downloaded at a time: most are so small that waiting is what takes the time."""


@dataclass(frozen=True)
class Request:
    """What the parent asks for. `known` are commits that it has already: nothing is downloaded for them."""

    cache: Path
    out: Path
    count: int | None
    seed: int
    limits: Limits
    patience: float
    known: tuple[str, ...]


def fetch(request: Request, target: Target) -> dict[str, Any]:
    """Fetch the images into `request.out`; returns commit, licence, how many there are and were, notes."""
    repository = look(target, request.patience)
    if repository.commit in request.known:
        return {"revision": repository.commit, "known": True}
    layout = find_layout(list(entries_of(repository)), repository.card, target.repo)
    take = _take_rows if layout.parquet else _take_files
    images, of, notes = take(layout, repository, request)
    if not images:
        raise HubError(f"{target.repo} holds rows, but no image among them: {'; '.join(notes)}.")
    return {
        "revision": repository.commit,
        "licence": repository.licence,
        "images": images,
        "of": of,
        "notes": layout.notes + notes,
    }


def _take_files(layout: Layout, repository: Repository, request: Request) -> tuple[int, int, list[str]]:
    """Image files: draw, download, name."""
    limits = request.limits
    fitting = [e for e in layout.images if 0 < e.size <= limits.file_mb << 20]
    left_out = len(layout.images) - len(fitting)
    notes = [f"{left_out} files were empty or over {limits.file_mb} MB ({option('file_mb')})"] * (
        left_out > 0
    )
    labels = classes_of(fitting, _metadata(layout, repository, request))
    chosen = draw(labels, request.count, request.seed)
    _check_files(len(chosen), limits, repository.target)
    wanted = [fitting[index] for index in chosen]
    paths = _download(wanted, repository, request, unpack=False)
    names = Names()
    for entry, index in zip(wanted, chosen, strict=True):
        place = request.out / names.place(labels[index], stem_of(entry, labels[index]), entry.suffix)
        place.parent.mkdir(exist_ok=True)
        _link(paths[entry], place)
    return len(wanted), len(layout.images), notes


def _metadata(layout: Layout, repository: Repository, request: Request) -> dict[str, str]:
    """The class of each path that a metadata file names."""
    small = [entry for entry in layout.metadata if entry.size <= LARGEST_METADATA]
    paths = _files(small, repository, request, _Quiet())
    known: dict[str, str] = {}
    for entry in small:
        text = paths[entry].read_text("utf-8-sig", errors="replace")
        known.update(read_metadata(entry.path, text, card_class_names(repository.card)))
    return known


def _take_rows(layout: Layout, repository: Repository, request: Request) -> tuple[int, int, list[str]]:
    """Parquet: download all of it, for no part says what is in the others; then draw and unpack."""
    paths = _download(layout.parquet, repository, request, unpack=True)
    shards = [rows.Shard(paths[entry], entry.path) for entry in layout.parquet]
    rows.bound_memory()
    labels = rows.labels_of(shards, repository.card, request.limits)
    chosen = draw(labels, request.count, request.seed)
    _check_files(len(chosen), request.limits, repository.target)
    packed, pulse = sum(entry.size for entry in layout.parquet), Pulse()

    def step(share: float) -> None:
        pulse.beat()
        say(done=packed + int(packed * share))

    out = request.out
    written, failed = rows.extract(shards, labels, chosen, repository.card, out, request.limits, step)
    notes = [f"{failed} rows hold no image of a known kind"] * (failed > 0)
    return written, len(labels), notes


def _download(
    entries: list[Entry], repository: Repository, request: Request, *, unpack: bool
) -> dict[Entry, Path]:
    """Say how much comes, then fetch it. What must be `unpack`ed counts twice, on the way and on the disk."""
    total = sum({entry.digest: entry.size for entry in entries}.values())
    limits = request.limits
    if total > limits.total_gb << 30:
        few = "choose a smaller data set" if unpack else "take fewer with --count"
        raise HubError(
            f"The images of {repository.target.repo} take {size(total)}; at most {limits.total_gb} GB are "
            f"read ({option('total_gb')}): {few}."
        )
    here = sum(entry.size for entry in set(entries) if _blob(entry, request).is_file())
    say(total=total * (2 if unpack else 1), needed=max(0, total - here) + (total if unpack else 0))
    return _files(entries, repository, request, Meter())


def _files(entries: list[Entry], repository: Repository, request: Request, meter: Meter) -> dict[Entry, Path]:
    """Fetch files into the cache, several at a time. The first that fails ends all."""
    items = {
        entry.digest: Item(
            repository.url(entry.path),
            _blob(entry, request),
            f"{repository.target.repo}/{_printable(entry.path)}",
            entry.size,
            entry.size,
            entry.digest,
        )
        for entry in entries
    }
    listener = _Listener(meter)
    pool = ThreadPoolExecutor(TOGETHER)
    try:
        waiting = [pool.submit(obtain, item, repository.way, listener) for item in items.values()]
        for done in as_completed(waiting):
            done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return {entry: _blob(entry, request) for entry in entries}


class _Listener:
    """Adds up what all files bring."""

    def __init__(self, meter: Meter) -> None:
        self.add: Callable[[int], None] = meter.add
        self.beat: Callable[[], None] = Pulse().beat

    def size(self, total: int) -> None:
        """The listing said it already."""


class _Quiet(Meter):
    """For what is not counted: the metadata comes before it is known what else will."""

    def add(self, count: int) -> None:
        """Only a sign of life."""
        say(beat=1)


def _blob(entry: Entry, request: Request) -> Path:
    """Where a file lies in the cache: under its checksum, which is checked to be hexadecimal."""
    return request.cache / (entry.digest or ("", ""))[1]


def _check_files(count: int, limits: Limits, target: Target) -> None:
    if count > limits.files:
        raise HubError(
            f"{target.repo} holds {count:,} images; at most {limits.files:,} are read "
            f"({option('files')}): take a part of them with --count."
        )


def _link(source: Path, place: Path) -> None:
    """A second name for a file of the cache, or a copy where the disk knows no second names."""
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _printable(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path)[-80:]


def _work(request: dict[str, Any], target: Target) -> dict[str, Any]:
    return fetch(
        Request(
            Path(request["cache"]),
            Path(request["out"]),
            request["count"],
            request["seed"],
            Limits(**request["limits"]),
            request["patience"],
            tuple(request["known"]),
        ),
        target,
    )


if __name__ == "__main__":
    serve(_work)
