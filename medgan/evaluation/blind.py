"""The blind test: can a person tell generated images from real ones?

A folder holds one test: `quiz.json` (what is tested), `images/001.png` … in the order in which they are
shown, `key.json` (what is which), `answers.jsonl` (a line an answer). Both kinds of images are written by the
same hand: same size, same mode, no metadata, no compression, so that even the files are equally long. A coin
decides for each place whether it is real, so that counting does not help, and everything is drawn from a seed
that nobody sees before the end.
"""

from __future__ import annotations

import csv
import io
import json
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from medgan.errors import DataError
from medgan.files import write_folder, write_json
from medgan.images import to_pil
from medgan.runs.events import append, flush, read_all

REAL, GENERATED = "real", "generated"
ANSWERS = (REAL, GENERATED)
LEVEL = 0.95
LEAST, MOST = 6, 200
"""Images that a test may have."""
SEEDS = 2**31 - 1
CHARACTERS = 500
"""A remark is cut after so many."""
_ENDED = "ended"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Item:
    """What is shown at one place: a real image by its number in the data set, or a generated one by its
    seed."""

    kind: str
    source: int


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with Wilson's interval; value and interval are None where `n` is 0."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Result:
    """How a test ended. `all` is the accuracy, `real` and `generated` that on each kind."""

    all: Share
    real: Share
    generated: Share
    planned: int

    @property
    def sentence(self) -> str:
        """What the accuracy says, in words."""
        low, high = self.all.low, self.all.high
        if low is None or high is None:
            return "No image was judged."
        if low > 0.5:
            return "Better than guessing: the generated images could be told from real ones."
        if high < 0.5:
            return "Worse than guessing: a difference was seen, and taken the wrong way round."
        if high - low > 0.3:
            return "No better than guessing can be shown, but so few answers could not show much."
        return "No better than guessing can be shown: the images could not be told apart here."


def wilson(hits: int, n: int, level: float = LEVEL) -> Share:
    """The share `hits` / `n` with the interval of Wilson (1927), which has a width at 0 and at 1 too."""
    if not n:
        return Share(0, 0, None, None, None)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / n
    value = hits / n
    centre = (value + z2 / 2) / (1 + z2)
    half = (z2 * value * (1 - value) + z2**2 / 4) ** 0.5 / (1 + z2)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Share(hits, n, value, low, high)


def draw(count: int, reals: Sequence[int], seed: int) -> list[Item]:
    """What is shown, in order: for each place a coin between a real image (of the numbers `reals`, none
    twice) and a new seed of the model. Both kinds come at least a quarter of the time. DataError where there
    are too few reals or `count` is not possible."""
    if not LEAST <= count <= MOST:
        raise DataError(f"A blind test has {LEAST} to {MOST} images, not {count}.")
    if len(reals) < (count + 1) // 2:
        raise DataError(
            f"{count} images need about {(count + 1) // 2} real ones that were held out; here are "
            f"{len(reals)}. Choose fewer images or another data set."
        )
    rng = random.Random(seed)
    while True:
        coins = [rng.random() < 0.5 for _ in range(count)]
        if count / 4 <= sum(coins) <= min(len(reals), 3 * count / 4):
            break
    real = iter(rng.sample(list(reals), sum(coins)))
    made: set[int] = set()
    while len(made) < count - sum(coins):
        made.add(rng.randrange(SEEDS))
    generated = iter(rng.sample(sorted(made), len(made)))
    return [Item(REAL, next(real)) if coin else Item(GENERATED, next(generated)) for coin in coins]


def encode(image: np.ndarray) -> bytes:
    """An uint8 `(H, W, C)` image as PNG without metadata and without compression: the length of the file
    says nothing of what is in it."""
    buffer = io.BytesIO()
    to_pil(np.ascontiguousarray(image)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


class Quiz:
    """A blind test in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = _read(folder / "quiz.json")
        self.count = int(self.about.get("count", 0))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def image(self, number: int) -> bytes:
        """The PNG shown at place `number`, from 1."""
        try:
            return _place(self.folder, number).read_bytes()
        except OSError as error:
            raise DataError(f"Image {number} of this test is gone; begin a new one.") from error

    def answers(self) -> list[dict[str, Any]]:
        """Answers by place; of two at one place (two windows) the first counts."""
        found: dict[int, dict[str, Any]] = {}
        for line in read_all(self._log):
            number = line.get("number")
            if isinstance(number, int) and line.get("answer") in ANSWERS:
                found.setdefault(number, line)
        return [found[number] for number in sorted(found)]

    @property
    def next(self) -> int | None:
        """The place that is due; None when all are answered or it was stopped."""
        if self.ended:
            return None
        known = {answer["number"] for answer in self.answers()}
        return next(number for number in range(1, self.count + 1) if number not in known)

    @property
    def ended(self) -> bool:
        """Whether all is answered, or somebody asked to stop."""
        return len(self.answers()) >= self.count or any(_ENDED in line for line in read_all(self._log))

    def answer(self, number: int, answer: str, *, remark: str = "", seconds: float | None = None) -> None:
        """Note an answer for the place that is due; another place (an old window, a double click) changes
        nothing. DataError for what is no answer."""
        if answer not in ANSWERS:
            raise DataError(f"{answer!r} is no answer; valid are: {', '.join(ANSWERS)}.")
        if number == self.next:
            line = {"number": number, "answer": answer, "remark": remark.strip()[:CHARACTERS]}
            taken = None if seconds is None else round(seconds, 1)
            self._append(line | {"seconds": taken, "time": _now()})

    def end(self) -> None:
        """Stop here; what is answered counts, and no answer is taken any more."""
        self._append({_ENDED: _now()})

    def _append(self, line: Mapping[str, Any]) -> None:
        """One line, on a line of its own even if the one before was cut off."""
        try:
            torn = not self._log.read_bytes().endswith(b"\n")
        except OSError:  # the first one
            torn = False
        if torn:
            with self._log.open("ab") as stream:
                stream.write(b"\n")
        append(self._log, line)
        flush(self._log)

    def result(self) -> Result:
        """Accuracy, all in all and on each kind. DataError before the end, so that nobody learns on the way
        what was right."""
        key = self._key()
        judged = [(key[answer["number"] - 1].kind, answer["answer"]) for answer in self.answers()]
        right = {kind: [kind == said for true, said in judged if true == kind] for kind in ANSWERS}
        real, generated = (wilson(sum(right[kind]), len(right[kind])) for kind in ANSWERS)
        return Result(wilson(real.hits + generated.hits, real.n + generated.n), real, generated, self.count)

    def csv(self) -> str:
        """All answers beside the truth, as CSV; DataError before the end. What a spreadsheet would take for a
        formula has an apostrophe before it."""
        key = self._key()
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["number", "truth", "answer", "right", "source", "seconds", "time", "reader", "remark"]
        )
        for answer in self.answers():
            item = key[answer["number"] - 1]
            source = f"data set image {item.source}" if item.kind == REAL else f"seed {item.source}"
            right = "yes" if item.kind == answer["answer"] else "no"
            times = [answer.get("seconds"), answer.get("time")]
            words = [_harmless(self.about.get("reader")), _harmless(answer.get("remark"))]
            writer.writerow([answer["number"], item.kind, answer["answer"], right, source, *times, *words])
        return stream.getvalue()

    def truth(self) -> list[Item]:
        """What is which, by place; DataError before the end."""
        return self._key()

    def _key(self) -> list[Item]:
        if not self.ended:
            raise DataError("The test goes on; what is which is told at its end.")
        values = _read(self.folder / "key.json")
        try:
            return [Item(str(item["kind"]), int(item["source"])) for item in values["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.name} has no readable key.json; begin a new test.") from error

    @property
    def _log(self) -> Path:
        return self.folder / "answers.jsonl"


Pictures = Callable[[Sequence[int]], np.ndarray]
"""Images of these numbers (or seeds), uint8 `(n, H, W, C)`."""


def begin(
    folder: Path,
    *,
    count: int,
    reals: Sequence[int],
    real: Pictures,
    generated: Pictures,
    about: Mapping[str, Any],
) -> Quiz:
    """Make a test of `count` images in the new folder `folder`, at once or not at all.

    `reals` are the numbers of held-out images; `real` and `generated` give images of numbers and of seeds.
    `about` says what is tested. DataError as `draw`, or where the two kinds differ in size or channels.
    """
    seed = secrets.randbits(64)
    items = draw(count, reals, seed)
    sources = {kind: [item.source for item in items if item.kind == kind] for kind in ANSWERS}
    images = {REAL: real(sources[REAL]), GENERATED: generated(sources[GENERATED])}
    shapes = {kind: some.shape[1:] for kind, some in images.items()}
    if shapes[REAL] != shapes[GENERATED]:
        raise DataError(
            f"Real images of {shapes[REAL]} and generated ones of {shapes[GENERATED]} would be told apart at "
            "once; choose a model and a data set of the same size and colours."
        )

    def fill(place: Path) -> None:
        (place / "images").mkdir()
        left = {kind: iter(some) for kind, some in images.items()}
        for number, item in enumerate(items, start=1):
            _place(place, number).write_bytes(encode(next(left[item.kind])))
        write_json(place / "key.json", {"seed": seed, "items": [vars(item) for item in items]})
        write_json(place / "quiz.json", {**about, "format": 1, "count": count, "begun": _now()})

    try:
        write_folder(folder, fill, new=True)
    except OSError as error:
        raise DataError(f"The test cannot be written ({error.strerror or error}).") from error
    return Quiz(folder)


def find(folder: Path) -> list[Quiz]:
    """The tests in `folder`, newest first; what cannot be read is left out."""
    found = []
    for path in folder.glob("[!.]*/quiz.json"):
        try:
            found.append(Quiz(path.parent))
        except DataError:
            continue
    return sorted(found, key=lambda quiz: str(quiz.about.get("begun", "")), reverse=True)


def _harmless(text: Any) -> str:
    words = str(text or "")
    return f"'{words}" if words.startswith(_FORMULA) else words


def _place(folder: Path, number: int) -> Path:
    return folder / "images" / f"{number:03d}.png"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path.parent.name} is no blind test; begin a new one.") from error
    if not isinstance(values, dict):
        raise DataError(f"{path.parent.name} is no blind test; begin a new one.")
    return values


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
