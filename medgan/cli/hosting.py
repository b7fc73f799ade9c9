"""Make the folder of a Hugging Face Space."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.files import write_folder
from medgan.runs.launch import ROOT
from medgan.terminal import say

CONTEXT = (
    "app.py",
    "pages",
    "medgan",
    "checkpoints",
    "requirements.txt",
    ".streamlit",
    "Dockerfile",
    ".dockerignore",
)
"""What the image is built of."""
CARD = """---
title: {title}
emoji: 🩺
colorFrom: green
colorTo: blue
sdk: docker
app_port: 7860
pinned: false
---
# {title}

Train a generative model on your own small set of medical images, make synthetic images, and judge honestly
what they are worth, with MedGAN.

**What is uploaded here is on somebody else's computer**: upload no images of patients to a public Space. What
is made here is gone when the Space restarts, unless storage is mounted at `/home/user/workspace`.
"""


def space(options: argparse.Namespace) -> dict[str, Any]:
    """Copy what a Docker Space is built of into a new folder."""
    out = Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} exists and is not empty; choose another folder.")
    missing = [name for name in CONTEXT if not (ROOT / name).exists()]
    if missing:
        raise DataError(
            f"{ROOT} has no {missing[0]}: run this in a clone of MedGAN, not in an installed package."
        )
    title = " ".join(options.title.replace(":", " ").split()) or "MedGAN"

    def fill(folder: Path) -> None:
        for name in CONTEXT:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copyfile(source, folder / name)
        for discriminator in folder.glob("checkpoints/*/discriminator.safetensors"):
            discriminator.unlink()
        (folder / "README.md").write_text(CARD.format(title=title), "utf-8")

    write_folder(out, fill)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    say(f"{out} is ready ({size / 1e6:.0f} MB). Put it on the Hub as a Space with the SDK Docker:")
    say(f"  hf upload OWNER/NAME {out} . --repo-type space")
    return {"out": str(out), "bytes": size}
