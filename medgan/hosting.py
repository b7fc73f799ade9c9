"""The folder of a Docker Space: what the dashboard needs in a container, and the Space's front matter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from medgan.errors import ConfigError
from medgan.files import write_folder

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "app.py",
    "requirements.txt",
    "Dockerfile",
    ".dockerignore",
    ".streamlit",
    "checkpoints",
    "pages",
    "medgan",
)
"""What a Space holds of this folder; of it the container gets what the Dockerfile copies."""

PORT = 7860
"""Where a Space looks for the dashboard, and the container answers."""

TITLE = "MedGAN"
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".*-????????", "secrets.toml", ".DS_Store", "discriminator.safetensors"
)
"""Caches, what a writer left aside, secrets (they belong into the Space's settings), and discriminators,
which may tell who was trained on; the dashboard can do without."""

LARGE = ("*.safetensors", "*.png")
"""What the Hub wants as LFS when it comes with git; `hf upload` sees to it by itself."""

WORDS = """\
Train a generative model on 100 to 1000 medical images, watch what it learns, make synthetic images, and
judge honestly what they are worth.

**Everybody who opens this Space works in one and the same workspace, and it is emptied when the Space
restarts: bring no images here that others must not see.** The images and models here are not for diagnosis.
"""


def build_space(out: Path, *, title: str = TITLE) -> list[str]:
    """Copy what a Docker Space needs into the new or empty folder `out`; returns the files, sorted, with `/`.

    ConfigError if `out` holds something, `title` is no single line of at most 100 characters, or this
    MedGAN was installed without the files around it.
    """
    title = title.strip()
    if not title or len(title) > 100 or not title.isprintable():
        raise ConfigError("The title of a Space is one line of 1 to 100 characters.")
    missing = [part for part in PARTS if not (ROOT / part).exists()]
    if missing:
        raise ConfigError(f"{missing[0]} is not beside this MedGAN; run it in a clone of the repository.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty; choose a new folder for the Space.")
    write_folder(out, lambda folder: _fill(folder, title))
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def _fill(folder: Path, title: str) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=LEFT_OUT)
        else:
            shutil.copyfile(ROOT / part, folder / part)
    (folder / "README.md").write_text(f"{front_matter(title)}\n# {title}\n\n{WORDS}", "utf-8")
    attributes = "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LARGE)
    (folder / ".gitattributes").write_text(attributes, "utf-8")


def front_matter(title: str) -> str:
    """What the Hub reads of a Space's README.md, between two lines of dashes."""
    lines = {
        "title": title,
        "emoji": "🩻",
        "colorFrom": "green",
        "colorTo": "indigo",
        "sdk": "docker",
        "app_port": PORT,
        "short_description": "Synthetic medical images, honestly judged",
        "suggested_hardware": "cpu-basic",
    }
    # A JSON string is a YAML string, whatever stands in the title.
    return (
        "---\n" + "".join(f"{k}: {json.dumps(v, ensure_ascii=False)}\n" for k, v in lines.items()) + "---\n"
    )


def size_of(out: Path) -> int:
    """Bytes of all files below `out`."""
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
