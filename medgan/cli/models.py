"""The models command, and what MODEL means on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.runs.models import read_source
from medgan.terminal import Bar, say
from medgan.workspace import Workspace


def models(options: argparse.Namespace) -> Any:
    """List models, pull one from the Hub, pack one, or write its card."""
    return {"list": _list, "pull": _pull_one, "pack": _pack, "card": _card}[options.action](options)


def _list(options: argparse.Namespace) -> list[dict[str, str]]:
    from medgan.runs.models import list_models

    entries = list_models(Workspace.default())
    for entry in entries:
        revision = read_source(entry.folder).get("revision", "")
        say(f"{entry.spec:32} {entry.kind:8} {entry.folder} {revision}".rstrip())
    if not entries:
        say("No models yet. Train one, or pull one: python -m medgan models pull owner/name")
    return [
        {
            "model": entry.spec,
            "name": entry.name,
            "kind": entry.kind,
            "folder": str(entry.folder),
            **read_source(entry.folder),
        }
        for entry in entries
    ]


def _pull_one(options: argparse.Namespace) -> dict[str, str]:
    repo = _target(options, "the repository: python -m medgan models pull owner/name")
    folder = _pull(repo, options.revision)
    commit = read_source(folder).get("revision", "")
    say(f"Pulled revision {commit} to {folder}; use it as MODEL hub:{repo.removeprefix('hub:')}")
    return {"model": f"hub:{repo.removeprefix('hub:')}", "revision": commit, "folder": str(folder)}


def _pack(options: argparse.Namespace) -> dict[str, str]:
    from medgan.hub.card import pack

    model = _target(options, "the run: python -m medgan models pack RUN --out FOLDER")
    if not options.out:
        raise DataError("Say where to: python -m medgan models pack RUN --out FOLDER.")
    folder = pack(model_folder(model), Path(options.out), discriminator=options.with_discriminator)
    say(f"Packed as {folder}")
    return {"folder": str(folder)}


def _card(options: argparse.Namespace) -> dict[str, str]:
    from medgan.evaluation.report import load_report
    from medgan.hub.card import write_card

    model = _target(options, "the model: python -m medgan models card MODEL --report REPORT.json")
    path = write_card(
        model_folder(model),
        reports=[load_report(Path(report)) for report in options.report],
        note=options.note,
        licence=options.licence,
        faults=options.faults,
    )
    say(f"Written to {path}")
    return {"card": str(path)}


def _target(options: argparse.Namespace, what: str) -> str:
    if not options.target:
        raise DataError(f"Name {what}.")
    return str(options.target)


def model_folder(spec: str) -> Path:
    """The folder of MODEL; one on the Hub is pulled where it is not here yet."""
    from medgan.hub.transfer import obtain

    return obtain(spec, Workspace.default(), fetch=_pull)


def _pull(repo: str, revision: str | None) -> Path:
    from medgan.hub.transfer import pull

    with Bar("B", scale=True) as bar:
        return pull(repo, Workspace.default(), revision=revision, progress=bar.update)
