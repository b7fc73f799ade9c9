"""The options of the commands that study what a model is good for."""

from __future__ import annotations

import argparse
from pathlib import Path

from medgan.config import DEVICES
from medgan.presets import PRESETS

AUTO = "auto"


def add_usefulness(parser: argparse.ArgumentParser) -> None:
    """study-usefulness."""
    add = parser.add_argument
    add("dataset", help="a prepared data set with two classes or more")
    add("--out", required=True, metavar="FOLDER", help="the study's folder; the same command goes on with it")
    add(
        "--preset",
        choices=PRESETS,
        help="of the models, one a class (default small on a GPU, else small-cpu)",
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--kimg", type=float, help="train each until so many thousand images were shown")
    goal.add_argument("--iterations", type=int, help="train each for so many steps")
    goal.add_argument("--minutes", type=float, help="train each for so long (not the same on every machine)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="any training setting; repeatable")
    add("--device", choices=DEVICES, default=AUTO, help="default auto")
    add(
        "--model",
        action="append",
        default=[],
        metavar="CLASS=MODEL",
        help="use this model for a class instead of training one; repeatable",
    )
    add("--classes", default="", help="classes to tell apart, with commas between (default all)")
    add("--arms", default="", help="arms to compare, with commas between (default all)")
    add("--seeds", type=int, default=10, help="classifiers an arm (default 10)")
    add("--classifier", default="frozen", choices=("frozen", "resnet18"), help="default frozen features")
    add("--epochs", type=int, default=10, help="resnet18: passes over the real images (default 10)")
    _add_features(parser)
    add("--seed", type=int, default=0, help="seed of the models and of the bootstrap (default 0)")
    _add_record(parser)


def add_anomaly(parser: argparse.ArgumentParser) -> None:
    """anomaly."""
    add = parser.add_argument
    add("model", help="a model of normal images: a run folder (whose discriminator helps) or any MODEL")
    add("dataset", help="a prepared data set with that class and others")
    add("--normal", required=True, metavar="CLASS", help="the class that counts as normal")
    add("--out", required=True, metavar="FOLDER", help="a new folder")
    add("--iterations", type=int, default=1000, help="steps of the encoder (default 1000)")
    _add_features(parser)
    add("--seed", type=int, default=0, help="seed of the encoder and of the bootstrap (default 0)")
    _add_record(parser)


def _add_record(parser: argparse.ArgumentParser) -> None:
    """Status for the dashboard, which asks it to end there, too."""
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--features",
        default=AUTO,
        help="feature network (default auto: SqueezeNet if it is on this computer, else the random one)",
    )
