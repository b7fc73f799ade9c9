"""Pretrained weights, downloaded on first use into torch's own cache.

torch.hub would do it too, but without a timeout: on a dead network it may hang for ever.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from socket import gaierror
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm import tqdm

from medgan.errors import MetricError
from medgan.files import aside

TIMEOUT = 20.0
"""Seconds without a byte after which the network counts as dead."""
DEADLINE = 1800.0
"""Seconds that a download may take in all: 95 MB on a line of half a megabit a second."""
HUGGING_FACE = "https://huggingface.co"
_CHUNK = 1 << 16
_BLOCK = 1 << 20

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all; 0 if unknown)."""


@dataclass(frozen=True)
class Source:
    """A weights file: what it is and where it comes from.

    Its checksum is `sha256`, or where that is empty its first digits, which torchvision writes into the
    name: `<name>-<digits>.pth`. `saved_as` is its name in the cache where the one of the URL says nothing.
    """

    title: str
    url: str
    megabytes: float
    sha256: str = ""
    saved_as: str = ""

    @property
    def file(self) -> str:
        """Its name in the cache."""
        return self.saved_as or Path(urlsplit(self.url).path).name

    @property
    def sha256_prefix(self) -> str:
        """The checksum, or what is known of it."""
        return self.sha256 or Path(self.file).stem.rpartition("-")[2]


def hub_url(repo: str, revision: str, file: str) -> str:
    """Where a file of a repository of the Hugging Face Hub, or of the hub that `HF_ENDPOINT` names, is."""
    endpoint = (os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
    return f"{endpoint}/{repo}/resolve/{revision}/{file}"


class _Failed(Exception):
    """Why a download ended early, as the end of a sentence."""


class _BrokenOff(_Failed):
    """The connection ended in the middle."""


def cache_folder() -> Path:
    """Where torchvision looks for weights: `$TORCH_HOME/hub/checkpoints`."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def ensure(
    source: Source,
    *,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    deadline: float = DEADLINE,
) -> Path:
    """The weights file, downloaded if it is not in the cache yet.

    Without `progress` a bar is drawn on stderr; what it raises ends the download. A file that is there is
    checked again where its whole checksum is known. A connection that breaks is taken up where it broke.
    MetricError saying why and what to do, after `timeout` seconds of silence or `deadline` seconds in all
    at the latest.
    """
    path = cache_folder() / source.file
    if path.is_file():
        return _checked(path, source)
    try:
        with aside(path) as temporary, _bar(source, progress) as report:
            _download(source.url, temporary, report, timeout, deadline)
            if not _sha256(temporary).startswith(source.sha256_prefix):
                raise _Failed("what arrived is damaged or not that file")
    except _Failed as error:
        raise MetricError(_sentence(source, path, str(error))) from error
    except OSError as error:
        reason = f"{_short(path.parent)} cannot be written ({error.strerror or error})"
        raise MetricError(_sentence(source, path, reason)) from error
    return path


def _checked(path: Path, source: Source) -> Path:
    """A file may have been put there by hand."""
    try:
        if not source.sha256 or _sha256(path) == source.sha256:
            return path
    except OSError as error:
        raise MetricError(f"{_short(path)} cannot be read ({error.strerror or error}).") from error
    raise MetricError(
        f"{_short(path)} does not hold the weights of {source.title}: its checksum is another. Delete it, "
        "and it comes anew."
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sentence(source: Source, path: Path, reason: str) -> str:
    host = urlsplit(source.url).netloc.rpartition("@")[2]  # the address of a hub may hold a password
    return (
        f"The weights of {source.title} ({source.megabytes:.0f} MB from {host}) could not be downloaded: "
        f"{reason}. Try again with a network, or put {path.name} into {_short(path.parent)}."
    )


def _short(path: Path) -> str:
    """`~/…` for a path in the home folder: reports are passed on, and need not tell the user's name."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


@contextmanager
def _bar(source: Source, progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with tqdm(desc=f"{source.title} weights", unit="B", unit_scale=True, leave=False, delay=1) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield report


def _download(url: str, path: Path, progress: Progress, timeout: float, deadline: float) -> None:
    """Write the file, over broken connections for as long as each brings more than the one before."""
    until, furthest = time.monotonic() + deadline, 0
    while True:
        try:
            return _stream(url, path, progress, timeout, until)
        except _BrokenOff:
            gained = path.stat().st_size - furthest
            if gained <= 0:
                raise
            furthest += gained


def _stream(url: str, path: Path, progress: Progress, timeout: float, until: float) -> None:
    """Append the rest of the file. A thread reads, so that a name server that does not answer, which no
    socket timeout covers, cannot hold us up either."""
    arrived: queue.Queue[_Item] = queue.Queue(maxsize=16)
    done = path.stat().st_size if path.exists() else 0
    threading.Thread(target=_read, args=(url, done, arrived, timeout), daemon=True).start()
    total, begun = 0, False
    with path.open("ab") as stream:
        while True:
            item = _next(arrived, timeout, until)
            if isinstance(item, _Begin):
                begun, done, total = True, item.start, item.total
                stream.truncate(done)
            elif isinstance(item, Exception):
                failed = _BrokenOff if begun and not isinstance(item, TimeoutError) else _Failed
                raise failed(_why(item, timeout)) from item
            elif item:
                stream.write(item)
                done += len(item)
                progress(done, total)
            else:
                break
    if done < total:
        raise _BrokenOff(f"it ended after {done:,} of {total:,} bytes")


@dataclass(frozen=True)
class _Begin:
    """The answer begins with byte `start` of `total` (0 if unknown)."""

    start: int
    total: int


_Item = _Begin | bytes | Exception


def _next(arrived: queue.Queue[_Item], timeout: float, until: float) -> _Item:
    left = until - time.monotonic()
    try:
        if left > 0:
            return arrived.get(timeout=min(timeout, left))
    except queue.Empty:
        if left > timeout:
            raise _Failed(f"no answer for {timeout:g} seconds") from None
    raise _Failed("it takes too long on this line")


def _read(url: str, start: int, arrived: queue.Queue[_Item], timeout: float) -> None:
    """Put where it begins, then the bytes, then b""; or the error. Ends by itself when nobody takes them."""
    try:
        for item in _items(url, start, timeout):
            arrived.put(item, timeout=timeout)
    except queue.Full:
        return


def _items(url: str, start: int, timeout: float) -> Iterator[_Item]:
    headers = {"User-Agent": "medgan"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(Request(url, headers=headers), timeout=timeout) as response:
            start = start if response.status == 206 else 0  # many servers send the whole once more
            length = int(response.headers.get("Content-Length") or 0)
            yield _Begin(start, start + length if length else 0)
            while chunk := response.read1(_CHUNK):
                yield chunk
        yield b""
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        yield error


def _why(error: Exception, timeout: float) -> str:
    if isinstance(error, HTTPError):
        return f"the server answered {error.code} {error.reason}"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer for {timeout:g} seconds"
    if isinstance(reason, gaierror):
        return "the server's name was not found, so there may be no network"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror[0].lower() + reason.strerror[1:]
    return str(reason) or type(error).__name__
