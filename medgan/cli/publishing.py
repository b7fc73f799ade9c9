"""Push to the Hub."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from medgan.cli.models import model_folder
from medgan.errors import Interrupted
from medgan.terminal import Bar, say


def push(options: argparse.Namespace) -> dict[str, Any]:
    """Put a model or an export on the Hub."""
    from medgan.evaluation.report import load_report
    from medgan.generation.export import RECORD
    from medgan.hub.push import Wish, kind_of, prepared
    from medgan.hub.push import push as upload
    from medgan.hub.transfer import target_of

    source = Path(options.source)
    if not (source / RECORD).is_file():
        source = model_folder(options.source)
    wish = Wish(
        licence=options.licence,
        reports=[load_report(Path(report)) for report in options.report],
        note=options.note,
        faults=options.faults,
        override=options.override,
        private=not options.public,
    )
    target = target_of(options.repo, None, kind=kind_of(source))
    with prepared(source, wish, target) as (folder, files):
        size = sum((folder / name).stat().st_size for name in files)
        shown = ", ".join(files[:8]) + (f" and {len(files) - 8:,} more" if len(files) > 8 else "")
    who = "public: everybody may see it" if options.public else "private"
    say(f"To {target.host}, {target.kind} {target.repo} ({who}), {size / 1e6:.1f} MB: {shown}.")
    if not options.yes:
        _ask()
    with Bar("B", scale=True) as bar:
        pushed = upload(source, options.repo, wish, progress=bar.update)
    say(f"It is at {pushed.url}, commit {pushed.revision}.")
    return {"url": pushed.url, "revision": pushed.revision, "files": list(pushed.files)}


def _ask() -> None:
    """Nothing leaves before somebody said so."""
    if not sys.stdin.isatty():
        raise Interrupted("Nothing was uploaded: add --yes where nobody can be asked.")
    say("Upload it? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Interrupted("Nothing was uploaded.")
