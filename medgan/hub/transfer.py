"""Pulling a model from the Hugging Face Hub: three named files, checked, or nothing at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medgan.errors import CheckpointError, HubError, MedGANError
from medgan.files import sweep, write_folder, write_json
from medgan.hub.alone import alone
from medgan.hub.failures import Target, disk_full, disk_trouble, unusable
from medgan.hub.process import Progress, Watch, download
from medgan.runs.models import (
    HUB_PREFIX,
    SOURCE,
    find_model,
    hub_spec,
    pulled_folder,
    read_source,
    repo_of,
    usable,
)
from medgan.workspace import Workspace

HUGGING_FACE = "https://huggingface.co"
SPARE = 50_000_000
"""Bytes that stay free on the disk."""


def pull(
    repo: str,
    workspace: Workspace,
    *,
    revision: str | None = None,
    token: str = "",
    login: bool = True,
    progress: Progress | None = None,
    deadline: float = 600.0,
    cancelled: Callable[[], bool] | None = None,
    endpoint: str | None = None,
) -> Path:
    """Pull the model of `owner/name` (or `hub:owner/name`); returns its folder in `workspace.models`.

    `revision` is a branch, a tag or a commit; a commit that is here already needs no network.
    `token` is one that was typed; it reaches the downloading process by its environment alone. Without it,
    the one of `hf auth login` or `HF_TOKEN` is used, or none at all where `login` is false.
    `progress(bytes done, bytes in all)` is called on this thread, never goes back and ends at all.
    `endpoint` is another hub's address (by default `HF_ENDPOINT`); the user's token goes there. The
    download runs in a process of its own that is ended after `deadline` seconds, or when `cancelled()`
    is true (Interrupted). Sizes, checksums and the shape of every tensor are checked before the folder
    appears. Whatever goes wrong, HubError says it in a sentence, and a copy pulled earlier stays.
    """
    target = replace(target_of(repo, endpoint, revision=revision, token=token), login=login)
    folder = pulled_folder(target.repo, workspace)
    if _is_here(folder, target):
        return folder
    watch = Watch(
        progress=progress or (lambda done, total: None),
        deadline=deadline,
        cancelled=cancelled or (lambda: False),
        accept=lambda total: _check_disk(total, workspace),
    )
    try:
        with _alone(folder, target, workspace):
            _install(download(target, workspace.hub, watch), folder, target)
    except HubError as error:
        if not folder.is_dir():
            raise
        raise HubError(f"{error} The copy pulled earlier stays: {HUB_PREFIX}{target.repo}.") from error
    return folder


def obtain(spec: str, workspace: Workspace, fetch: Callable[[str, str | None], Path] | None = None) -> Path:
    """The folder of MODEL, as `find_model` knows it; one on the Hub is pulled where it is not here yet, by
    `fetch(repo, revision)` if given. CheckpointError or HubError where it cannot be had."""
    try:
        return find_model(spec, workspace)
    except CheckpointError:
        named = hub_spec(spec)
        if named is None:
            raise
    if fetch is not None:
        return fetch(*named)
    return pull(named[0], workspace, revision=named[1])


def target_of(
    repo: str, endpoint: str | None, *, revision: str | None = None, kind: str = "model", token: str = ""
) -> Target:
    """The repository `owner/name` (or `hub:owner/name`) on the hub at `endpoint`, by default `HF_ENDPOINT`;
    HubError for what is no such name or address."""
    name = repo_of(repo)
    if name is None:
        raise HubError(f"{repo!r} is not the name of a repository; write it as owner/name.")
    address = (endpoint or os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/")
    if not is_address(address):
        raise HubError("HF_ENDPOINT is not the address of a hub; unset it, or write it as https://server.")
    return Target(name, revision or None, address, kind=kind, token=token.strip())


def is_address(text: str) -> bool:
    """Whether a setting names a server."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_here(folder: Path, target: Target) -> bool:
    """Whether this very commit was pulled before; what a commit holds never changes."""
    if target.revision is None or read_source(folder).get("revision") != target.revision:
        return False
    try:
        return usable(folder) == folder
    except CheckpointError:
        return False


def _install(fetched: dict[str, Any], folder: Path, target: Target) -> None:
    """Copy from the cache into `folder`, which appears only when all of it is there and right."""

    def fill(temporary: Path) -> None:
        for name in fetched["files"]:
            shutil.copyfile(Path(fetched["folder"]) / name, temporary / name)
        write_json(temporary / SOURCE, {"repo": target.repo, "revision": fetched["revision"]})
        try:
            _validate(temporary)
        except MedGANError as error:
            reason = str(error).replace(temporary.name, target.repo)
            raise HubError(unusable(target, reason)) from error

    try:
        write_folder(folder, fill)
    except OSError as error:
        raise HubError(disk_trouble(error)) from error


def _validate(folder: Path) -> None:
    """Build the network that `config.json` describes and put the weights into it."""
    from medgan.runs.checkpoint import load_generator

    load_generator(folder)


def _check_disk(total: int, workspace: Workspace) -> None:
    needed = 2 * total + SPARE  # once in the cache, once as the model folder
    free = shutil.disk_usage(workspace.hub).free
    if free < needed:
        raise HubError(disk_full(needed, free))


@contextmanager
def _alone(folder: Path, target: Target, workspace: Workspace) -> Iterator[None]:
    """One pull of a repository at a time, in a clean place, which it leaves clean."""
    with alone(workspace.locks / f"{folder.name}.lock", f"{target.repo} is being pulled"):
        try:
            _sweep(folder, workspace)
            yield
        finally:
            _sweep(folder, workspace)


def _sweep(folder: Path, workspace: Workspace) -> None:
    """Remove what ended downloads of this repository left behind; the lock says that none is running."""
    sweep(workspace.models, folder.name, older=0)
    for path in (workspace.hub / f"models--{folder.name}" / "blobs").glob("*.incomplete"):
        path.unlink(missing_ok=True)
