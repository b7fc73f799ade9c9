"""Which models there are, and what MODEL on the command line means. No torch is needed to know it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medgan.errors import CheckpointError
from medgan.runs.info import WEIGHTS, ModelInfo, read_info
from medgan.runs.record import Run, find_runs
from medgan.workspace import CHECKPOINTS, Workspace

SHIPS, TRAINED, HUB = "ships", "trained", "hub"
HUB_PREFIX = "hub:"
SOURCE = "source.json"
"""Beside a pulled model: the repository and the commit that it comes from."""
LISTED = 20
"""Names that an error lists at most."""

# The Hub's own rule for names: letters, digits, - _ and . inside, neither -- nor .. anywhere.
_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}/{_PART}(?<!\.git)")


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be used now. `spec` is what to type as MODEL; `info` is its `config.json`."""

    name: str
    kind: str
    folder: Path
    spec: str
    info: ModelInfo = field(compare=False, repr=False)


def list_models(workspace: Workspace) -> list[ModelEntry]:
    """Models that ship, then those trained in `workspace` (newest first), then those pulled from the Hub.

    A folder that cannot be used is left out; `find_model` says what is wrong with it.
    """
    return list(_entries(workspace))


def find_model(spec: str, workspace: Workspace) -> Path:
    """The model folder that `spec` means.

    `spec` is a run folder (its newest checkpoint counts), a checkpoint or model folder, the name of a
    model that ships or of a run in `workspace`, or `hub:owner/name`, pulled before (with `@commit` that very
    commit). CheckpointError saying what is wrong with that model, or listing those that exist.
    """
    problem: CheckpointError | None = None
    for folder in _candidates(spec.strip(), workspace):
        try:
            return usable(folder)
        except CheckpointError as error:
            problem = problem or error
    raise problem or CheckpointError(_unknown(spec, workspace))


def usable(folder: Path) -> Path:
    """`folder` if it is a model folder, or the newest usable checkpoint if it is a run.

    CheckpointError saying what is missing. The weights themselves are not read.
    """
    if not (folder / WEIGHTS).is_file() and _is_run(folder):
        return _newest_checkpoint(Run(folder))
    read_info(folder)
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder.name} lacks {WEIGHTS}, so there is nothing to generate from.")
    return folder


def repo_of(spec: str) -> str | None:
    """`owner/name` of a repository written so, as `hub:owner/name` or as its address; None if it is none."""
    repo = spec.strip().removeprefix(HUB_PREFIX).removeprefix("https://huggingface.co/").rstrip("/")
    return repo if _REPO.fullmatch(repo) else None


def hub_spec(spec: str) -> tuple[str, str | None] | None:
    """Repository and revision of `hub:owner/name` or `hub:owner/name@revision`; None if it is neither."""
    name, _, revision = spec.strip().partition("@")
    repo = repo_of(name) if name.startswith(HUB_PREFIX) else None
    return (repo, revision or None) if repo else None


def pulled_folder(repo: str, workspace: Workspace) -> Path:
    """Where the model of repository `owner/name` lies once it is pulled. No name on the Hub holds `--`."""
    return workspace.models / repo.replace("/", "--")


def read_source(folder: Path) -> dict[str, str]:
    """`repo` and `revision` of a pulled model; empty where that was not written down."""
    try:
        values = json.loads((folder / SOURCE).read_text("utf-8"))
        return {name: str(values[name]) for name in ("repo", "revision")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _entries(workspace: Workspace) -> Iterator[ModelEntry]:
    ships = _subfolders(CHECKPOINTS)
    for folder in ships:
        yield from _entry(folder.name, SHIPS, folder, folder.name)
    taken = {folder.name for folder in ships}
    for run in find_runs(workspace.runs):
        # A run that is called like a model that ships is reached by its path.
        yield from _entry(run.name, TRAINED, run.folder, str(run.folder) if run.name in taken else run.name)
    for folder in _subfolders(workspace.models):
        repo = folder.name.replace("--", "/", 1)
        yield from _entry(repo, HUB, folder, HUB_PREFIX + repo)


def _entry(name: str, kind: str, folder: Path, spec: str) -> Iterator[ModelEntry]:
    try:
        model = usable(folder)
        yield ModelEntry(name, kind, model, spec, read_info(model))
    except CheckpointError:
        return


def _is_run(folder: Path) -> bool:
    return (folder / "checkpoints").is_dir() or (folder / "status.json").is_file()


def _newest_checkpoint(run: Run) -> Path:
    for folder in reversed(run.checkpoints()):
        try:
            return usable(folder)
        except CheckpointError:
            continue  # the one before it is kept for this
    raise CheckpointError(f"{run.name} has no checkpoint yet; let it train longer, or choose another model.")


def _candidates(spec: str, workspace: Workspace) -> Iterator[Path]:
    """Folders that `spec` may mean, the likeliest first. Names are looked up, never joined to a path."""
    if spec.startswith(HUB_PREFIX):
        repo, revision = hub_spec(spec) or ("", None)
        folder = pulled_folder(repo, workspace)
        if repo and folder.is_dir() and revision in (None, read_source(folder).get("revision")):
            yield folder
        return
    path = Path(spec).expanduser()
    if path.is_file():
        raise CheckpointError(f"{spec} is a file; name the folder that it is in.")
    if spec and path.is_dir():
        yield path
    for folder in (CHECKPOINTS, workspace.runs):
        yield from (known for known in _subfolders(folder) if known.name == spec)


def _subfolders(folder: Path) -> list[Path]:
    """Folders in `folder` by name; hidden ones are still being written."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _unknown(spec: str, workspace: Workspace) -> str:
    if spec.startswith(HUB_PREFIX):
        named = hub_spec(spec)
        if named is None:
            return f"{spec} names no repository; write hub:owner/name."
        which = f"{named[0]} --revision {named[1]}" if named[1] else named[0]
        return f"{spec} is not here yet; pull it with `python -m medgan models pull {which}`."
    specs = [entry.spec for entry in list_models(workspace)]
    if not specs:
        return f"There is no model {spec!r}, nor any other yet; train one, or pull one from the Hub."
    close = difflib.get_close_matches(spec, specs, 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    more = ", …" if len(specs) > LISTED else ""
    return f"There is no model {spec!r}; there are: {', '.join(specs[:LISTED])}{more}.{hint}"
