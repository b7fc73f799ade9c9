"""The command line's options, without the code that runs them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from medgan import __version__
from medgan.arguments_studies import add_anomaly, add_usefulness
from medgan.config import AUGMENT, DEVICES, SIZES, STOP_ON
from medgan.data.limits import described, option
from medgan.hosting import TITLE
from medgan.modalities import MODALITIES
from medgan.presets import PRESETS

ACTIONS = ("list", "show", "stop", "pause", "resume", "sample", "save", "first")

HERE = "here"
ENGINES = (HERE, "slurm", "hf-jobs")

Command = Callable[[argparse.Namespace], Any]


class _Parser(argparse.ArgumentParser):
    """A wrong call gets one sentence, not the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with 2."""
        self.exit(2, f"medgan: {message}; see {self.prog} --help\n")


_DASHED = {"--window": r"-[\d.]", "--exclude": r"-[^-]", "--group": r"-[^-]"}
"""What a value may begin with that looks like an option; all options begin with two dashes."""


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--window -1350,150` as `--window=-1350,150`: argparse would take a range that
    begins below zero for an option, and so a name or a pattern that begins with one dash."""
    found: list[str] = []
    for argument in arguments:
        if found and (value := _DASHED.get(found[-1])) and re.match(value, argument):
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found


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
    _add_source(sub)
    sub.add_argument("--out", required=True, metavar="DATASET", help="the new folder")
    sub.add_argument("--name", help="what to call it (default: the folder's name)")
    _add_intake(sub)

    sub = command("inspect", "say what a data set holds, or what prepare would make of images")
    _add_source(sub, "a prepared data set; or ")
    _add_intake(sub)

    sub = command("train", "train a GAN; writes a run folder")
    _add_training(sub)

    sub = command("runs", "list runs, and steer those at work, whoever started them")
    sub.add_argument("action", nargs="?", default="list", choices=ACTIONS, help="default list")
    sub.add_argument("run", nargs="?", metavar="RUN", help="a run folder, or a name in the workspace")

    sub = command("generate", "generate images by seed")
    _add_generation(sub)

    sub = command("evaluate", "judge a model, or a folder of images, against held-out images")
    _add_evaluation(sub)

    sub = command("study-usefulness", "study whether synthetic images help a classifier")
    add_usefulness(sub)

    sub = command("anomaly", "see whether a model of normal images finds those that are not")
    add_anomaly(sub)

    sub = command("push", "put a model, or an export of images, on the Hugging Face Hub (private by default)")
    _add_push(sub)

    sub = command("models", "list models, pull one from the Hub, or pack one to hand on")
    sub.add_argument("action", nargs="?", default="list", choices=("list", "pull", "pack", "card"))
    sub.add_argument("target", nargs="?", help="pull: owner/name on the Hub; pack, card: a MODEL")
    sub.add_argument("--revision", help="pull: branch, tag or commit")
    sub.add_argument("--out", help="pack: the new model folder")
    sub.add_argument(
        "--with-discriminator",
        action="store_true",
        help="pack: also what others need for --init; it may tell who was trained on",
    )
    sub.add_argument(
        "--report",
        action="append",
        default=[],
        help="card: an evaluation whose figures go into it; may be repeated",
    )
    sub.add_argument(
        "--licence", default="", help="card: the model's own, as the Hub names it, such as cc0-1.0"
    )
    sub.add_argument("--faults", default="", help="card: what is wrong with the images, in a sentence or two")
    sub.add_argument("--note", default="", help="card: a sentence on the training images and their licence")

    sub = command("space", "build the folder of a Docker Space, which is the dashboard on the Hub")
    sub.add_argument("--out", required=True, metavar="FOLDER", help="a new or empty folder")
    sub.add_argument("--title", default=TITLE, help="what the Space is called (default %(default)s)")
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", help="a prepared data set")
    # torchrun takes every option that begins as one of its own, and it has --run-path.
    add("--run", "--run-folder", dest="run", metavar="RUN", help="the run folder")
    add("--preset", choices=PRESETS, help="default small on a GPU, else small-cpu")
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--kimg", type=float, help="train until so many thousand images were shown")
    goal.add_argument("--iterations", type=int, help="train for so many steps in all")
    goal.add_argument("--minutes", type=float, help="train for so long in all, over all resumes")
    add("--batch-size", type=int, help="instead of the preset's")
    add(
        "--augment",
        choices=AUGMENT,
        help="how the discriminator sees images changed: for a modality, auto (the data set's) or none",
    )
    add("--conditional", action="store_true", help="learn the classes apart, so that each can be asked for")
    add("--init", metavar="MODEL", help="begin with the weights of this model instead of with nothing")
    add("--seed", type=int, help="seed of weights, order and latents (default 0)")
    add("--stop-on", choices=STOP_ON, help="kid: end when held-out images get no nearer; never (preset's)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting; may be repeated")
    add("--device", choices=DEVICES, help="default auto, or what the resumed run had")
    add("--devices", type=int, metavar="N", help="GPUs (or processes on the CPU) that train it together")
    add("--resume", action="store_true", help="go on with the run's own settings, or further with a new goal")
    add("--on", choices=ENGINES, default=HERE, help="here (default), a SLURM cluster, or Hugging Face Jobs")
    add("--hours", type=float, help="elsewhere: the longest one job may take (default 12)")
    add("--flavor", metavar="NAME", help="hf-jobs: the hardware; without it, what there is and its price")
    add(
        "--plan",
        action="store_true",
        help="elsewhere: only say what it takes and costs; start nothing",
    )
    add("--yes", action="store_true", help="hf-jobs: do not ask whether it may cost what it costs")
    add("--partition", metavar="NAME", help="slurm: the part of the cluster")
    add(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="slurm: an option of sbatch, such as account=NAME or cpus_per_task=8; may be repeated",
    )
    add(
        "--estimate",
        action="store_true",
        help="only measure a few steps: the time, memory and disk it takes",
    )


def _add_evaluation(parser: argparse.ArgumentParser) -> None:
    """The words are checked where they are used."""
    add = parser.add_argument
    add("model", help="as for generate, or a folder or ZIP of images that any generator made")
    add("dataset", help="a prepared data set")
    add(
        "--features",
        metavar="NETWORK",
        help="dinov2, inception, squeezenet or random (default: the best here)",
    )
    add("--count", type=int, default=1000, help="images to generate, or to take (default 1000)")
    add("--split", default="test", help="the real images that judge: test (default) or validation")
    add(
        "--parts",
        default="quality,diversity,memorisation",
        metavar="PART,PART",
        help="what to judge (default %(default)s)",
    )
    add("--bootstrap", type=int, default=1000, metavar="N", help="resamples of the images (default 1000)")
    add("--lpips-net", choices=("alex", "squeeze", "vgg"), help="default: the first of these that is here")
    add("--seed", type=int, default=0, help="seed of pairs, subsets and bootstrap (default 0)")
    add("--study", type=Path, metavar="STUDY.json", help="what study-usefulness wrote, for that verdict")
    add("--out", required=True, metavar="REPORT.json", help="where the report goes")
    add("--html", type=Path, metavar="REPORT.html", help="the same as one page with the pictures")
    add("--record", type=Path, help=argparse.SUPPRESS)  # status and pictures for the dashboard


def _add_generation(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", default="0-63", help="for example 0-63 or 3,17,100-199 (default 0-63)")
    which.add_argument("--count", type=int, metavar="N", help="seeds 0 to N - 1")
    which.add_argument(
        "--classes",
        action="append",
        metavar="CLASS=N,CLASS=N",
        help="so many images of each class; may be repeated, as for a class with a comma in its name",
    )
    which.add_argument(
        "--fill",
        metavar="DATASET",
        help="what each class of this set lacks to its largest",
    )
    add = parser.add_argument
    add("--class", dest="label", help="of a class-conditional model: images of this class alone")
    add(
        "--truncation",
        type=float,
        default=1.0,
        help="below 1: more usual, less varied images (default 1)",
    )
    add(
        "--dataset",
        metavar="DATASET",
        help="what the model was trained on, to check for copies (default: looked for in the workspace)",
    )
    add("--no-gate", action="store_true", help="let copies and repeats through; README and manifest say so")
    add("--form", choices=("png", "parquet", "dicom"), default="png", help="default png")
    add("--licence", default="", help="of the images, for example cc-by-4.0")
    add("--out", required=True, help="a new folder, or a file that ends in .zip; goes on where it stopped")
    add("--record", type=Path, help=argparse.SUPPRESS)  # status for the dashboard


def _add_push(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", help="a MODEL, or the folder or ZIP of an export")
    add("repo", help="owner/name")
    add("--licence", default="", help="under which it goes out, as the Hub names it: mit, cc-by-4.0, …")
    add("--public", action="store_true", help="for everybody to see")
    add("--report", action="append", default=[], help="an evaluation for the card; may be repeated")
    add("--note", default="", help="a sentence on the training images and their licence")
    add("--faults", default="", help="what is wrong with its images")
    add("--override", default="", metavar="WORDS", help="why it goes out in spite of a failed check")
    add("--yes", action="store_true", help="do not ask")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run folder, model folder, name in checkpoints/, or hub:owner/name")


def _add_source(parser: argparse.ArgumentParser, before: str = "") -> None:
    parser.add_argument(
        "source",
        nargs="+",
        help=f"{before}folders, image files, ZIPs, hub:datasets/owner/name, medmnist:NAME, or "
        "phantom:chest-ct|dermoscopy",
    )


def _add_intake(parser: argparse.ArgumentParser) -> None:
    """What decides how images are read, judged and divided; the words are checked where they are used."""
    add = parser.add_argument
    add(
        "--modality",
        help=f"what the images show, which says how training may change them: {', '.join(MODALITIES)} "
        "(default: what a named set is known to show, else other); inspect writes it into a prepared set",
    )
    add("--labels", metavar="CSV", help="classes from a table: file,label[,patient] (default: folder names)")
    add("--size", type=int, default=128, choices=SIZES, help="pixels a side (default 128)")
    add("--fit", default="crop", help="crop (the paper's), pad or squash (default crop)")
    add("--color", dest="colour", default="auto", help="auto, rgb or grey (default auto)")
    add(
        "--window",
        default="auto",
        help="which values of deep images are shown: auto, file, lung, mediastinum, bone, brain, abdomen, "
        "percentiles, LOW,HIGH or A%%,B%% (default auto: the file's own, else percentiles)",
    )
    add("--slices", default="all", help="pictures of a volume: START:STOP:STEP, such as 10%%:90%%:2")
    add("--group", default="auto", help="what stays on one side: auto, patient, none, or a pattern on names")
    add(
        "--split",
        default="0.7/0.15/0.15",
        help="train/validation/test, shares or counts (%(default)s)",
    )
    add("--duplicates", default="drop", help="exact copies: drop (default) or keep")
    add("--near", default="keep", help="near copies: keep on one side (default) or drop")
    add("--conflicts", default="drop", help="copies in two classes: drop all of them (default) or keep")
    add("--exclude", action="append", default=[], metavar="NAME", help="leave this one out (again for more)")
    add("--seed", type=int, default=0, help="seed of the split (default 0)")
    add("--count", type=int, help="phantoms to draw (default 200), or images of a remote set to take")
    add("--record", type=Path, help=argparse.SUPPRESS)  # status for the dashboard
    for name, (default, text) in described().items():
        add(option(name), type=int, metavar="N", help=f"{text} (default {default:,})")
