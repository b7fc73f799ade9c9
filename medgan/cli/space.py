"""The space command: the folder that becomes a Docker Space."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from medgan.hosting import build_space, size_of
from medgan.terminal import say


def space(options: argparse.Namespace) -> dict[str, Any]:
    """Build the folder of a Docker Space."""
    out = Path(options.out)
    files = build_space(out, title=options.title)
    models = sorted(path.parent.name for path in out.glob("checkpoints/*/model.safetensors"))
    size = size_of(out)
    say(f"{len(files)} files, {size / 1e6:.0f} MB in {out}; models: {', '.join(models) or 'none'}.")
    say("To put it on the Hub:")
    say("  hf repos create OWNER/NAME --type space --sdk docker --private")
    say(f"  hf upload OWNER/NAME {out} . --type space")
    return {"folder": str(out), "files": files, "bytes": size, "models": models}
