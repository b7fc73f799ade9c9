"""The process that downloads: `python -m medgan.hub.fetch JSON`, started by `transfer.pull`.

It is a process of its own because a silent or dripping server can hold the client library for minutes,
and only a process can be ended at any moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from medgan.errors import CheckpointError, HubError
from medgan.hub.child import explained, say, serve
from medgan.hub.failures import Target, not_a_hub, restless, size, unusable
from medgan.runs.info import CARD, CONFIG, MODEL_FILES, WEIGHTS, file_sha256, read_info

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

LARGEST = {CONFIG: 1_000_000, WEIGHTS: 2_000_000_000, CARD: 1_000_000}
"""Bytes that a file may have; these files are all that is ever downloaded."""
CHUNK = 1 << 18
"""Bytes between two reports; the library's own chunk of 10 MB is larger than many models."""
RESTARTS = 2
"""How often a server that cannot go on where it broke off may begin a file again."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Remote:
    """A file as the hub describes it before the download; None is what it does not say."""

    name: str
    size: int | None
    sha256: str | None


def fetch(target: Target, cache: Path, patience: float) -> dict[str, Any]:
    """Download the files of a model into `cache`; returns their folder, their names and the commit.

    `patience` is the seconds to wait for each first answer. HubError with a sentence for the user.
    """
    files, commit = _look(target, patience)
    total = sum(file.size or 0 for file in files)
    say(total=total)
    done = 0
    for file in files:
        path = _download(file, commit, target, cache, done)
        done += path.stat().st_size
        say(done=done)
        if file.name == CONFIG:
            _check_config(path.parent, target)
    return {"folder": str(path.parent), "files": [file.name for file in files], "revision": commit}


def _look(target: Target, patience: float) -> tuple[list[Remote], str]:
    """What the repository holds at which commit. Nothing is downloaded yet."""
    files: list[Remote] = []
    revision = target.revision
    for name in MODEL_FILES:
        found = _head(name, revision, target, patience)
        if found is None and name == CARD:
            continue
        if found is None:
            raise HubError(
                f"{target.repo} holds no MedGAN model: it lacks {name} (pickled weights are never read)."
            )
        if found.commit_hash is None or not _COMMIT.fullmatch(found.commit_hash) or not found.etag:
            raise HubError(not_a_hub(target))
        revision = found.commit_hash  # all files from one commit, even if somebody pushes meanwhile
        sha256 = found.etag if _SHA256.fullmatch(found.etag) else None
        remote = Remote(name, found.size, sha256)
        if _fits(remote, target):
            files.append(remote)
    return files, str(revision)


def _head(name: str, revision: str | None, target: Target, patience: float) -> HfFileMetadata | None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with explained(target):
        try:
            url = hf_hub_url(target.repo, name, revision=revision, endpoint=target.endpoint)
            return get_hf_file_metadata(url, timeout=patience, endpoint=target.endpoint)
        except RemoteEntryNotFoundError:
            return None


def _fits(file: Remote, target: Target) -> bool:
    """Whether the file is small enough; a huge card is left out, anything else huge is an error."""
    if (file.size or 0) <= LARGEST[file.name]:
        return True
    if file.name == CARD:
        return False
    raise HubError(_too_large(file, target))


def _download(file: Remote, commit: str, target: Target, cache: Path, before: int) -> Path:
    """The file in the cache, its size and checksum checked."""
    from huggingface_hub import hf_hub_download

    bar = _bar(file, target, before)
    with explained(target):
        found = hf_hub_download(
            target.repo, file.name, revision=commit, cache_dir=cache, endpoint=target.endpoint, tqdm_class=bar
        )
        path = Path(found)
        if not _is_whole(path, file):
            path.resolve().unlink()  # or the next pull would trust it
            path.unlink(missing_ok=True)
            raise HubError(
                f"{target.repo}/{file.name} arrived damaged: its checksum is not the hub's. Pull it again; "
                "if that does not help, tell its owner."
            )
    return path


def _is_whole(path: Path, file: Remote) -> bool:
    if file.size is not None and path.stat().st_size != file.size:
        return False
    return file.sha256 is None or file_sha256(path) == file.sha256


def _bar(file: Remote, target: Target, before: int) -> Any:
    """A stand-in for tqdm that reports bytes to the parent and ends a download that goes wrong."""
    limit = LARGEST[file.name] if file.size is None else file.size

    class Bar:
        def __init__(self, *_: Any, initial: int = 0, **__: Any) -> None:
            self.done, self.restarts = initial, 0

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: float | None = 1) -> None:
            step = int(count or 0)
            self.done += step
            self.restarts += step < 0  # the library takes back what it must download again
            if self.restarts > RESTARTS:
                raise HubError(restless(target))
            if self.done > limit:
                raise HubError(
                    f"{target.host} sends more than the {size(limit)} of {file.name}; it is not pulled."
                )
            say(done=before + self.done)

    return Bar


def _check_config(folder: Path, target: Target) -> None:
    """Refuse another program's model, or one of impossible size, before the weights are downloaded."""
    try:
        read_info(folder)
    except CheckpointError as error:
        raise HubError(unusable(target, str(error).replace(folder.name, target.repo))) from error


def _too_large(file: Remote, target: Target) -> str:
    most = size(LARGEST[file.name])
    return f"{target.repo}/{file.name} is larger than {most}; it is not pulled."


def _small_chunks() -> None:
    from huggingface_hub import constants

    constants.DOWNLOAD_CHUNK_SIZE = CHUNK


def _work(request: dict[str, Any], target: Target) -> dict[str, Any]:
    """Serve one request: cache and patience."""
    _small_chunks()
    return fetch(target, Path(request["cache"]), float(request["patience"]))


if __name__ == "__main__":
    serve(_work)
