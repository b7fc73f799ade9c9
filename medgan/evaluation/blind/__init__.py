"""The blind test: can a person tell generated images from real ones?

A folder holds one test: `quiz.json` (what is tested), `images/001.png` … in the order in which they are
shown, `key.json` (what is which), `answers.jsonl` (a line an answer). Both kinds of images are written by the
same hand: same size, same mode, no metadata, no compression, so that even the files are equally long. A coin
decides for each place whether it is real, so that counting does not help, and everything is drawn from a seed
that nobody sees before the end.
"""

from __future__ import annotations

from medgan.evaluation.blind.items import ANSWERS, GENERATED, LEAST, MOST, REAL, Item, draw
from medgan.evaluation.blind.making import begin, encode
from medgan.evaluation.blind.quiz import CHARACTERS, Quiz, find
from medgan.evaluation.blind.result import LEVEL, Result, Share, wilson

__all__ = [
    "ANSWERS",
    "CHARACTERS",
    "GENERATED",
    "LEAST",
    "LEVEL",
    "MOST",
    "REAL",
    "Item",
    "Quiz",
    "Result",
    "Share",
    "begin",
    "draw",
    "encode",
    "find",
    "wilson",
]
