"""The command line's options, without the code that runs them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from medgan import __version__
from medgan.config import DEVICES, PRESETS, SIZES

Command = Callable[[argparse.Namespace], Any]


class _Parser(argparse.ArgumentParser):
    """A wrong call gets one sentence, not the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with 2."""
        self.exit(2, f"medgan: {message}; see {self.prog} --help\n")


def build_parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of all commands; `commands` maps each name to the function that runs it."""
    parser = _Parser(prog="python -m medgan", description="Train a GAN on medical images.")
    parser.add_argument("--version", action="version", version=f"medgan {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(command=commands[name])
        sub.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
        return sub

    sub = command("prepare", "make a data set out of images")
    sub.add_argument("source", nargs="+", help="a folder, image files, a ZIP, or phantom:chest-ct|dermoscopy")
    sub.add_argument("--out", required=True, metavar="DATASET", help="the new folder")
    sub.add_argument("--name", help="what to call it (default: the folder's name)")
    sub.add_argument("--size", type=int, default=128, choices=SIZES, help="pixels a side (default 128)")
    sub.add_argument(
        "--heldout", type=float, default=0.25, help="share (or count) of images kept for judging"
    )
    sub.add_argument("--seed", type=int, default=0, help="seed of the split (default 0)")
    sub.add_argument("--color", default="auto", choices=("auto", "rgb", "grey"), help="default auto")
    sub.add_argument("--count", type=int, default=200, help="phantoms to draw (default 200)")

    sub = command("train", "train a GAN; writes a run folder")
    sub.add_argument("dataset", help="a prepared data set")
    sub.add_argument("--run", required=True, help="the run folder")
    sub.add_argument("--preset", default="demo", choices=PRESETS, help="default demo")
    sub.add_argument("--iterations", type=int, help="instead of the preset's number")
    sub.add_argument("--batch-size", type=int, help="instead of the preset's 16")
    sub.add_argument("--seed", type=int, help="seed of weights, order and latents (default 0)")
    sub.add_argument("--device", default="auto", choices=DEVICES, help="default auto")
    sub.add_argument("--resume", action="store_true", help="go on with the run's own settings")

    sub = command("generate", "generate images by seed")
    _add_model(sub)
    sub.add_argument("--seeds", default="0-63", help="for example 0-63 or 3,17,100-199 (default 0-63)")
    sub.add_argument("--out", required=True, help="a new folder, or a file that ends in .zip")

    sub = command("evaluate", "judge a model against held-out images")
    _add_model(sub)
    sub.add_argument("dataset", help="a prepared data set")
    sub.add_argument("--count", type=int, default=256, help="images to generate (default 256)")
    sub.add_argument("--lpips-net", default="alex", choices=("alex", "vgg", "squeeze"), help="default alex")
    sub.add_argument("--seed", type=int, default=0, help="seed of pairs and bootstrap (default 0)")
    sub.add_argument("--out", required=True, metavar="REPORT.json", help="where the report goes")
    sub.add_argument("--record", type=Path, help=argparse.SUPPRESS)  # status for the dashboard

    sub = command("models", "list models, pull one from the Hub, or pack one to hand on")
    sub.add_argument("action", nargs="?", default="list", choices=("list", "pull", "pack", "card"))
    sub.add_argument("target", nargs="?", help="pull: owner/name on the Hub; pack, card: a MODEL")
    sub.add_argument("--revision", help="pull: branch, tag or commit")
    sub.add_argument("--out", help="pack: the new model folder")
    sub.add_argument("--report", help="card: the evaluation whose figures go into the card")
    sub.add_argument("--note", default="", help="card: a sentence on the training images and their licence")
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run folder, model folder, name in checkpoints/, or hub:owner/name")
