"""Push to the Hub."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medgan.cli.models import model_folder
from medgan.errors import Interrupted
from medgan.terminal import Bar, agreed, say

if TYPE_CHECKING:
    from medgan.hub.push import Plan

SHOWN = 8
"""Names of files that are printed."""


def push(options: argparse.Namespace) -> dict[str, Any]:
    """Put a model or an export on the Hub."""
    from medgan.evaluation.report import load_report
    from medgan.hub.exported import is_export
    from medgan.hub.push import Wish
    from medgan.hub.push import push as upload

    source = Path(options.source)
    if not is_export(source):
        source = model_folder(options.source)
    wish = Wish(
        licence=options.licence,
        reports=[load_report(Path(report)) for report in options.report],
        note=options.note,
        faults=options.faults,
        override=options.override,
        private=not options.public,
    )

    def agree(plan: Plan) -> None:
        who = "private" if plan.private else "public: everybody may see it"
        more = f" and {len(plan.files) - SHOWN:,} more" if len(plan.files) > SHOWN else ""
        say(
            f"To {plan.host}, {plan.kind} {plan.repo} ({who}), {plan.size / 1e6:.1f} MB: "
            f"{', '.join(plan.files[:SHOWN])}{more}."
        )
        if not options.yes:
            _ask()

    with ExitStack() as stack:
        bars: list[Bar] = []  # drawn after the question

        def progress(done: int, total: int) -> None:
            if not bars:
                bars.append(stack.enter_context(Bar("B", scale=True)))
            bars[0].update(done, total)

        pushed = upload(source, options.repo, wish, agree=agree, progress=progress)
    seen = "private" if pushed.private else "public"
    say(f"It is at {pushed.url} ({seen}), commit {pushed.revision}.")
    return {
        "url": pushed.url,
        "revision": pushed.revision,
        "private": pushed.private,
        "files": list(pushed.files),
    }


def _ask() -> None:
    """Nothing leaves before somebody said so."""
    answer = agreed("Upload it?")
    if answer is None:
        raise Interrupted("Nothing was uploaded: add --yes where nobody can be asked.")
    if not answer:
        raise Interrupted("Nothing was uploaded.")
