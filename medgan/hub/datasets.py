"""Image data sets from elsewhere, as local folders `<class>/<file>`: `hub:datasets/owner/name` and
`medmnist:NAME`.

A fetched folder lies in `workspace.sources` and is named after what was fetched at which commit; nothing is
downloaded twice for it. Anybody may delete that folder at any time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medgan.data.limits import LIMITS, Limits, option
from medgan.errors import HubError
from medgan.files import beside, sweep, write_json
from medgan.hub import medmnist
from medgan.hub.alone import alone
from medgan.hub.failures import Target, disk_full, disk_trouble
from medgan.hub.process import Progress, Watch, converse
from medgan.hub.transfer import HUGGING_FACE, SPARE, is_address
from medgan.runs.models import HUB_PREFIX, repo_of
from medgan.workspace import Workspace

PREFIX = f"{HUB_PREFIX}datasets/"
_ADDRESS = "https://huggingface.co/datasets/"
ABOUT = ".source.json"
"""In a fetched folder: what it is. Hidden, so that no reader takes it for an image."""
FETCHING = ("files", "file_mb", "total_gb")
"""Limits that decide which images are fetched."""
PATIENCE = 20.0
"""Seconds to wait for each bit of an answer."""
STALL = 45.0
"""Seconds that a download may stand still."""
DEADLINE = 6 * 3600.0
"""Seconds that it may take in all: the largest sets have 16 GB."""


@dataclass(frozen=True)
class Fetched:
    """Images on this disk. `name` is a name for a data set made of them; `note` a sentence on what they
    are: from where, which revision, how many of how many, the licence."""

    folder: Path
    name: str
    note: str
    images: int


@dataclass(frozen=True)
class _Job:
    """One thing to be fetched: `key` names it on this disk, `drawn` which images of it."""

    module: str
    target: Target
    key: str
    drawn: str
    name: str
    request: dict[str, Any]
    note: Callable[[dict[str, Any]], str]


def is_remote(spec: str) -> bool:
    """Whether a source is one of those that `fetch_source` takes, and no path."""
    return spec.startswith((PREFIX, _ADDRESS, medmnist.PREFIX))


def fetch_source(
    spec: str,
    workspace: Workspace,
    *,
    count: int | None = None,
    seed: int = 0,
    size: int = 128,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    limits: Limits = LIMITS,
    deadline: float = DEADLINE,
) -> Fetched:
    """Fetch the images of `hub:datasets/owner/name[@revision]` or `medmnist:NAME`.

    `count`: at most that many, drawn at random with `seed` from each class in proportion (MedMNIST: 1000
    by default; of a repository of single files, only those are downloaded). `size`: which of MedMNIST's
    sizes, 64, 128 or 224. `progress(done, in all)` is called on this thread with bytes, those that must be
    unpacked counted twice; it never goes back. Without a revision, what was fetched before is taken, with
    no network; `@main` asks for the newest. The download runs in a process of its own that is ended when
    it stands still, after `deadline` seconds, or when `cancelled()` is true (Interrupted); what came so far
    stays for the next time. Nothing is read beyond `limits`. HubError in a sentence for all that goes wrong.
    """
    _check_count(count, limits)
    if spec.startswith(medmnist.PREFIX):
        job = _medmnist_job(medmnist.find_set(spec, size), size, count, seed)
    else:
        job = _hub_job(spec, count, seed, limits)
    fixed = job.target.revision is None or re.fullmatch(r"[0-9a-f]{40}", job.target.revision)
    if fixed and (found := _newest(job, workspace)):
        return found
    watch = Watch(
        progress=progress or (lambda done, total: None),
        deadline=deadline,
        cancelled=cancelled or (lambda: False),
        accept=lambda needed: _check_disk(needed, workspace),
        stall=STALL,
        stopped=f"Stopped; what came of {job.target.repo} so far stays for the next time.",
    )
    try:
        with _alone(job, workspace) as work:
            return _run(job, work, workspace, watch)
    except OSError as error:
        raise HubError(disk_trouble(error)) from error


def _check_count(count: int | None, limits: Limits) -> None:
    if count is not None and not 1 <= count <= limits.files:
        raise HubError(
            f"{count} images cannot be fetched; ask for 1 to {limits.files:,} ({option('files')})."
        )


def _hub_job(spec: str, count: int | None, seed: int, limits: Limits) -> _Job:
    name, _, revision = spec.removeprefix(PREFIX).removeprefix(_ADDRESS).partition("@")
    repo = repo_of(name.rstrip("/"))
    if repo is None:
        raise HubError(f"{spec!r} is no data set of the Hub; write it as {PREFIX}owner/name.")
    endpoint = _endpoint(os.environ.get("HF_ENDPOINT") or HUGGING_FACE, "HF_ENDPOINT")
    target = Target(repo, revision or None, endpoint, "data set")

    def note(fetched: dict[str, Any]) -> str:
        licence = fetched["licence"]
        said = f"licence by its card: {licence}" if licence else "its card names no licence"
        about = [said, _how_many(fetched, seed), *fetched["notes"]]
        return f"{repo} of {target.host} at commit {fetched['revision'][:12]}; {'; '.join(about)}."

    request = {"count": count, "seed": seed, "limits": asdict(limits)}
    key, drawn = repo.replace("/", "--"), _drawn(count, seed, limits)
    return _Job("medgan.hub.fetch_dataset", target, key, drawn, repo.split("/")[1], request, note)


def _medmnist_job(source: medmnist.MedMnist, size: int, count: int | None, seed: int) -> _Job:
    endpoint = _endpoint(source.address, medmnist.VARIABLE)
    count = medmnist.COUNT if count is None else count
    target = Target(f"{medmnist.PREFIX}{source.name}", None, endpoint, "data set", medmnist.VARIABLE)

    def note(fetched: dict[str, Any]) -> str:
        about = [f"licence {source.licence}", _how_many(fetched, seed), source.labelling]
        if size > source.size:
            about.append(f"there is none of {size} pixels")
        if fetched["left_out"]:
            about.append(f"{fetched['left_out']:,} left out")
        pixels = f"{source.size} x {source.size} pixels"
        return f"{source.title} (MedMNIST 3) at {pixels}; {'; '.join(filter(None, about))}."

    request = {"name": source.name, "size": source.size, "count": count, "seed": seed}
    key = f"{source.name}_{source.size}"
    return _Job("medgan.hub.fetch_medmnist", target, key, _drawn(count, seed), source.name, request, note)


def _drawn(count: int | None, seed: int, limits: Limits = LIMITS) -> str:
    """Which images; with other limits on what is fetched they may be others."""
    usual, asked = asdict(LIMITS), asdict(limits)
    changed = [f"-{name}{asked[name]}" for name in FETCHING if asked[name] != usual[name]]
    return "".join(["all" if count is None else f"{count}-seed{seed}", *changed])


def _how_many(fetched: dict[str, Any], seed: int) -> str:
    images, of = fetched["images"], fetched["of"]
    return f"{images:,} images" if images == of else f"{images:,} of {of:,} images (seed {seed})"


def _endpoint(address: str, variable: str) -> str:
    """An address of a server, without the slash at its end."""
    if not is_address(address):
        raise HubError(f"{variable} is not the address of a server; unset it, or write it as https://server.")
    return address.rstrip("/")


def _run(job: _Job, work: Path, workspace: Workspace, watch: Watch) -> Fetched:
    """Let the process write into `work`, then give the folder its name."""
    out = work / "images"
    out.mkdir()
    places = {"cache": str(workspace.sources / ".downloads" / job.key), "out": str(out), "patience": PATIENCE}
    known = [about["revision"] for _, about in _here(job, workspace)]
    fetched = converse(job.module, job.request | places | {"known": known}, job.target, watch)
    revision = str(fetched.get("revision", "3"))
    folder = workspace.sources / f"{job.key}@{revision[:12]}-{job.drawn}"
    if not fetched.get("known"):
        about = {"name": job.name, "revision": revision, "images": fetched["images"]}
        write_json(out / ABOUT, about | {"source": job.target.repo, "note": job.note(fetched)})
        shutil.rmtree(folder, ignore_errors=True)  # only one that does not say what it is can be there
        os.rename(out, folder)  # not synced file by file: this is a cache, and 20,000 syncs take long
    return _fetched(folder, json.loads((folder / ABOUT).read_text("utf-8")))


def _newest(job: _Job, workspace: Workspace) -> Fetched | None:
    """What was fetched last of this, if it is here; of a fixed commit, only that."""
    wanted = job.target.revision
    here = [pair for pair in _here(job, workspace) if wanted in (None, pair[1]["revision"])]
    if not here:
        return None
    return _fetched(*max(here, key=lambda pair: (pair[0] / ABOUT).stat().st_mtime_ns))


def _here(job: _Job, workspace: Workspace) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The fetched folders of this job, of any commit, with what they say of themselves."""
    name = re.compile(rf"{re.escape(job.key)}@\w+-{re.escape(job.drawn)}")
    for folder in filter(lambda path: name.fullmatch(path.name), workspace.sources.iterdir()):
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            _fetched(folder, about)
            yield folder, {"revision": str(about["revision"]), **about}
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _fetched(folder: Path, about: dict[str, Any]) -> Fetched:
    return Fetched(folder, str(about["name"]), str(about["note"]), int(about["images"]))


def _check_disk(needed: int, workspace: Workspace) -> None:
    free = shutil.disk_usage(workspace.sources).free
    if free < needed + SPARE:
        raise HubError(disk_full(needed + SPARE, free, "data set"))


@contextmanager
def _alone(job: _Job, workspace: Workspace) -> Iterator[Path]:
    """An empty folder to work in; one fetch of the same thing at a time."""
    with alone(workspace.locks / f"source-{job.key}.lock", f"{job.target.repo} is being fetched"):
        sweep(workspace.sources, job.key, older=0)
        work = beside(workspace.sources / job.key)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
