"""The command line: one function a command. JSON goes to stdout, words and progress bars to stderr.

Exit codes: 0, 2 for bad input with one sentence that says what to do, 130 on interrupt.
Heavy imports (torch) stand inside the commands, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from medgan.arguments import build_parser, joined
from medgan.cli.data import inspect, prepare
from medgan.cli.generating import generate
from medgan.cli.judging import evaluate
from medgan.cli.models import models
from medgan.cli.publishing import push
from medgan.cli.runs import runs
from medgan.cli.space import space
from medgan.cli.studies import anomaly, study_usefulness
from medgan.cli.work import train
from medgan.errors import Interrupted, MedGANError
from medgan.terminal import say

BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser(COMMANDS).parse_args(joined(sys.argv[1:] if arguments is None else arguments))
    try:
        result = options.command(options)
    except Interrupted as error:
        return _fail(str(error), INTERRUPTED)
    except MedGANError as error:
        return _fail(str(error), BAD_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}. Choose another place, or make room.", BAD_INPUT)
    except KeyboardInterrupt:
        return _fail("Interrupted.", INTERRUPTED)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0


def _fail(message: str, code: int) -> int:
    say(f"medgan: {message}")
    return code


COMMANDS = {
    "prepare": prepare,
    "inspect": inspect,
    "train": train,
    "runs": runs,
    "generate": generate,
    "push": push,
    "evaluate": evaluate,
    "study-usefulness": study_usefulness,
    "anomaly": anomaly,
    "models": models,
    "space": space,
}
