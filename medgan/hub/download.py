"""One file from a URL to the disk: it goes on where it broke off, is bounded, and checked at the end."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medgan.errors import HubError
from medgan.hub.failures import Target, not_a_file, restless, size

if TYPE_CHECKING:
    from httpx2 import Client, Response

RETRIES = 3
"""How often in a row a connection may break that brought less than `PROGRESS` bytes."""
PROGRESS = 1_000_000
WAIT = 0.5
"""Seconds before the first of those retries; each further one waits that much longer."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Item:
    """A file to be fetched: at most `limit` bytes, exactly `size` if that is known. `digest` is the name of
    its checksum and its value in hex; "git" is git's SHA-1 of a blob."""

    url: str
    path: Path
    name: str
    limit: int
    size: int | None = None
    digest: tuple[str, str] | None = None


@dataclass(frozen=True)
class Way:
    """How files are asked for: with which client and headers, how an answer is checked for a refusal, and
    how many seconds to wait for each bit of it."""

    client: Client
    target: Target
    check: Callable[[Response], None]
    patience: float
    headers: Mapping[str, str] = field(default_factory=dict)


class Listener(Protocol):
    """Hears how far it is."""

    def size(self, total: int) -> None:
        """How many bytes the file has, before the first is written."""

    def add(self, count: int) -> None:
        """So many bytes more are on the disk (fewer, if some must come again)."""

    def beat(self) -> None:
        """At work, though no bytes come."""


def obtain(item: Item, way: Way, listener: Listener) -> None:
    """Fetch `item` to its path, which appears only when it is whole. What came before a break stays beside
    it as `.part`, for the next time.

    HubError where the server sends too much, breaks off again and again, or the checksum is wrong; what
    the client and the disk raise goes on to the caller.
    """
    if item.path.is_file():
        if is_whole(item.path, item, listener.beat):
            listener.size(item.path.stat().st_size)
            listener.add(item.path.stat().st_size)
            return
        item.path.unlink()  # somebody changed it
    item.path.parent.mkdir(parents=True, exist_ok=True)
    part = item.path.with_name(f"{item.path.name}.part")
    resumed = _length(part) > 0
    listener.add(_length(part))
    _persist(item, part, way, listener)
    if resumed and not is_whole(part, item, listener.beat):
        _forget(part, listener)  # the old part may have been of another file: once more, from the start
        _persist(item, part, way, listener)
    if not is_whole(part, item, listener.beat):
        part.unlink(missing_ok=True)
        raise HubError(
            f"{item.name} arrived damaged: its checksum is not the one that was announced. Try again; if "
            "that does not help, tell its owner."
        )
    os.replace(part, item.path)


def is_whole(path: Path, item: Item, beat: Callable[[], None]) -> bool:
    """Whether a file has the size and the checksum that it must have."""
    if item.size is not None and _length(path) != item.size:
        return False
    return item.digest is None or _digest(path, item.digest[0], beat) == item.digest[1]


def _persist(item: Item, part: Path, way: Way, listener: Listener) -> None:
    """Stream until the end is reached, over broken connections."""
    from httpx2 import NetworkError, RemoteProtocolError

    furthest, fruitless = _length(part), 0
    while True:
        try:
            return _stream(item, part, way, listener)
        except (RemoteProtocolError, NetworkError) as error:
            if _never_began(error):
                raise
        gained = _length(part) - furthest
        furthest = max(furthest, _length(part))
        fruitless = 0 if gained >= PROGRESS else fruitless + 1
        if fruitless > RETRIES:
            raise HubError(restless(way.target))
        time.sleep(WAIT * fruitless)


def _never_began(error: Exception) -> bool:
    from httpx2 import ConnectError

    return isinstance(error, ConnectError)


def _stream(item: Item, part: Path, way: Way, listener: Listener) -> None:
    start = _length(part)
    if start and start == item.size:
        return listener.size(start)
    if start > (item.limit if item.size is None else item.size):
        start = _forget(part, listener)
    headers = dict(way.headers) | {"Accept-Encoding": "identity"}  # bytes that can be counted
    if start:
        headers["Range"] = f"bytes={start}-"
    with way.client.stream("GET", item.url, headers=headers, timeout=way.patience) as response:
        if start and response.status_code == 416:  # the part is not the beginning of what is there now
            _forget(part, listener)
            return _stream(item, part, way, listener)
        way.check(response)
        _refuse_pages(response, item, way.target)
        if start and not _goes_on(response, start):
            start = _forget(part, listener)
        total = _announced(response, start)
        _bound(total or 0, item, way.target)
        listener.size(total or item.size or item.limit)
        return _write(response, part, start, item, way.target, listener)


def _write(response: Any, part: Path, done: int, item: Item, target: Target, listener: Listener) -> None:
    with part.open("ab") as stream:
        for data in response.iter_raw():
            done += len(data)
            _bound(done, item, target)
            stream.write(data)
            listener.add(len(data))


def _bound(count: int, item: Item, target: Target) -> None:
    limit = item.limit if item.size is None else item.size
    if count > limit:
        raise HubError(f"{target.host} sends more than the {size(limit)} of {item.name}; it is not pulled.")


def _refuse_pages(response: Response, item: Item, target: Target) -> None:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise HubError(not_a_file(item.name, target))


def _goes_on(response: Response, start: int) -> bool:
    """Whether the answer is the rest that was asked for, not the whole once more."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return response.status_code == 206 and found is not None and int(found[1]) == start


def _announced(response: Response, start: int) -> int | None:
    text = response.headers.get("Content-Length", "")
    return start + int(text) if text.isascii() and text.isdigit() else None


def _forget(part: Path, listener: Listener) -> int:
    """Begin anew, from byte 0."""
    listener.add(-_length(part))
    part.unlink(missing_ok=True)
    return 0


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _digest(path: Path, name: str, beat: Callable[[], None]) -> str:
    # Checksums of the announced bytes against damage on the way; MD5 and SHA-1 are what the servers name.
    hashed = hashlib.new("sha1" if name == "git" else name, usedforsecurity=False)
    if name == "git":
        hashed.update(b"blob %d\0" % _length(path))
    with path.open("rb") as stream:
        while data := stream.read(_BLOCK):
            hashed.update(data)
            beat()
    return hashed.hexdigest()
