"""A blind test in its folder: the image that is due, the answers, and at the end what was what."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medgan.errors import DataError
from medgan.evaluation.blind.items import ANSWERS, REAL, Item
from medgan.evaluation.blind.result import Result, wilson
from medgan.runs.events import append, flush, read_all

CHARACTERS = 500
"""A remark is cut after so many."""
_ENDED = "ended"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
            return image_file(self.folder, number).read_bytes()
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
            self._append(line | {"seconds": taken, "time": now()})

    def end(self) -> None:
        """Stop here; what is answered counts, and no answer is taken any more."""
        self._append({_ENDED: now()})

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


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path.parent.name} is no blind test; begin a new one.") from error
    if not isinstance(values, dict):
        raise DataError(f"{path.parent.name} is no blind test; begin a new one.")
    return values


def image_file(folder: Path, number: int) -> Path:
    """The file of the image at place `number`, from 1."""
    return folder / "images" / f"{number:03d}.png"


def now() -> str:
    """The time as the folder's files have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
