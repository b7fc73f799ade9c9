"""Pretrained weights of torchvision's classifiers, downloaded on first use into torch's own cache.

torch.hub would do it too, but without a timeout: on a dead network it may hang for ever.
"""

from __future__ import annotations

import hashlib
import queue
import threading
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
_CHUNK = 1 << 16

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all; 0 if unknown)."""


@dataclass(frozen=True)
class Source:
    """A weights file: what it is, where it comes from, and the first digits of its sha256."""

    title: str
    url: str
    megabytes: float

    @property
    def file(self) -> str:
        """Its name in the cache, `<name>-<first digits of the sha256>.pth`."""
        return Path(urlsplit(self.url).path).name

    @property
    def sha256_prefix(self) -> str:
        """The digits that torchvision puts into the name."""
        return Path(self.file).stem.rpartition("-")[2]


class _Failed(Exception):
    """Why a download ended early, as the end of a sentence."""


def cache_folder() -> Path:
    """Where torchvision looks for weights: `$TORCH_HOME/hub/checkpoints`."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def ensure(source: Source, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Path:
    """The weights file, downloaded if it is not in the cache yet.

    Without `progress` a bar is drawn on stderr. A file that is there is not checked again. MetricError
    saying why and what to do, after `timeout` seconds of silence at the latest.
    """
    path = cache_folder() / source.file
    if path.is_file():
        return path
    try:
        with aside(path) as temporary, _bar(source, progress) as report:
            digest = _download(source.url, temporary, report, timeout)
            if not digest.startswith(source.sha256_prefix):
                raise _Failed("what arrived is damaged or not that file")
    except _Failed as error:
        raise MetricError(_sentence(source, path, str(error))) from error
    except OSError as error:
        reason = f"{_short(path.parent)} cannot be written ({error.strerror or error})"
        raise MetricError(_sentence(source, path, reason)) from error
    return path


def _sentence(source: Source, path: Path, reason: str) -> str:
    host = urlsplit(source.url).netloc
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


def _download(url: str, path: Path, progress: Progress, timeout: float) -> str:
    """Write the file, return its sha256. A thread reads, so that a name server that does not answer,
    which no socket timeout covers, cannot hold us up either."""
    arrived: queue.Queue[int | bytes | Exception] = queue.Queue(maxsize=16)
    threading.Thread(target=_read, args=(url, arrived, timeout), daemon=True).start()
    digest = hashlib.sha256()
    done = total = 0
    with path.open("wb") as stream:
        while True:
            try:
                item = arrived.get(timeout=timeout)
            except queue.Empty:
                raise _Failed(f"no answer for {timeout:g} seconds") from None
            if isinstance(item, int):
                total = item
            elif isinstance(item, Exception):
                raise _Failed(_why(item, timeout)) from item
            elif item:
                stream.write(item)
                digest.update(item)
                done += len(item)
                progress(done, total)
            else:
                break
    if done < total:
        raise _Failed(f"it ended after {done:,} of {total:,} bytes")
    return digest.hexdigest()


def _read(url: str, arrived: queue.Queue[int | bytes | Exception], timeout: float) -> None:
    """Put the length, then the bytes, then b""; or the error. Ends by itself when nobody takes them."""
    try:
        for item in _items(url, timeout):
            arrived.put(item, timeout=timeout)
    except queue.Full:
        return


def _items(url: str, timeout: float) -> Iterator[int | bytes | Exception]:
    try:
        with urlopen(Request(url, headers={"User-Agent": "medgan"}), timeout=timeout) as response:
            yield int(response.headers.get("Content-Length") or 0)
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
