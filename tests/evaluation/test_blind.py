"""The blind test counts rightly, survives interruptions, and tells nobody what is which before its end."""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from medgan.errors import DataError
from medgan.evaluation.blind import GENERATED, REAL, Quiz, begin, draw, encode, find, wilson


def smooth(numbers: Sequence[int]) -> np.ndarray:
    """What compresses well."""
    return np.full((len(numbers), 32, 32, 1), 120, np.uint8)


def rough(seeds: Sequence[int]) -> np.ndarray:
    """What does not."""
    return np.random.default_rng(0).integers(0, 256, (len(seeds), 32, 32, 1), np.uint8)


@pytest.fixture
def quiz(tmp_path: Path) -> Quiz:
    return begin(
        tmp_path / "quiz", count=20, reals=range(40), real=smooth, generated=rough, about={"model": "tiny"}
    )


def is_real(quiz: Quiz, number: int) -> bool:
    """Seen in the pixels: the tests cheat."""
    return int(np.ptp(np.asarray(Image.open(io.BytesIO(quiz.image(number)))))) == 0


def finish(quiz: Quiz, *, right: bool = True) -> None:
    while (number := quiz.next) is not None:
        quiz.answer(number, REAL if is_real(quiz, number) == right else GENERATED)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (5, 10), (13, 20), (81, 263), (1, 1)])
def test_wilson_is_that_of_scipy(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    found = wilson(hits, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.value == hits / n


def test_wilson_of_a_textbook() -> None:
    # Newcombe 1998, table I: 81 of 263 and 0 of 20
    assert (round(wilson(81, 263).low or 0, 4), round(wilson(81, 263).high or 0, 4)) == (0.2553, 0.3662)
    assert (wilson(0, 20).low, round(wilson(0, 20).high or 0, 4)) == (0.0, 0.1611)
    assert wilson(0, 0).value is None


def test_guessing_is_inside_the_interval_of_95_percent_of_guessers() -> None:
    hits = np.random.default_rng(0).binomial(40, 0.5, size=2000)
    inside = [(w.low or 0) <= 0.5 <= (w.high or 0) for w in (wilson(int(h), 40) for h in hits)]
    assert 0.92 < np.mean(inside) < 0.98


def test_the_order_is_of_chance_and_no_image_comes_twice() -> None:
    for seed in range(50):
        items = draw(20, range(12), seed)
        assert len(set(items)) == 20
        assert 5 <= sum(item.kind == REAL for item in items) <= 12
    assert draw(20, range(12), 1) == draw(20, range(12), 1)
    firsts = [draw(20, range(40), seed)[0].kind == REAL for seed in range(400)]
    assert 0.4 < np.mean(firsts) < 0.6
    pairs = [[item.kind for item in draw(20, range(40), seed)[:2]] for seed in range(400)]
    assert 0.4 < np.mean([one == two for one, two in pairs]) < 0.6


@pytest.mark.parametrize(("count", "reals"), [(5, 40), (201, 500), (20, 9)])
def test_a_test_that_cannot_be_is_refused(count: int, reals: int) -> None:
    with pytest.raises(DataError):
        draw(count, range(reals), 0)


def chunks(data: bytes) -> list[tuple[bytes, int]]:
    """Kind and length of every piece of a PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        found.append((data[place + 4 : place + 8], length))
        place += 12 + length
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_the_files_of_both_kinds_are_built_alike(channels: int) -> None:
    one, other = (np.repeat(images([0]), channels, axis=3)[0] for images in (smooth, rough))
    files = [encode(one), encode(other)]
    assert len(files[0]) == len(files[1])
    assert chunks(files[0]) == chunks(files[1])
    assert {kind for kind, _ in chunks(files[0])} == {b"IHDR", b"IDAT", b"IEND"}
    assert files[0][16:33] == files[1][16:33], "size, depth and colour type"
    shape = (32, 32, 3) if channels == 3 else (32, 32)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(files[1]))), other.reshape(shape))


def test_names_sizes_and_times_of_the_files_say_nothing(quiz: Quiz) -> None:
    files = sorted((quiz.folder / "images").iterdir())
    assert [file.name for file in files] == [f"{k:03d}.png" for k in range(1, 21)]
    assert len({file.stat().st_size for file in files}) == 1
    assert not {"seed", "items"} & set(quiz.about)


def test_nothing_is_told_before_the_end(quiz: Quiz) -> None:
    quiz.answer(1, REAL)
    for secret in (quiz.result, quiz.csv, quiz.truth):
        with pytest.raises(DataError, match="goes on"):
            secret()
    assert "right" not in (quiz.folder / "answers.jsonl").read_text()


@pytest.mark.parametrize("right", [True, False])
def test_all_right_and_all_wrong(quiz: Quiz, right: bool) -> None:
    finish(quiz, right=right)
    result = quiz.result()
    assert result.all.value == result.real.value == result.generated.value == float(right)
    assert result.all.n == result.real.n + result.generated.n == 20
    assert result.sentence.startswith("Better" if right else "Worse")


def test_one_answer_for_all_is_right_on_one_kind_only(quiz: Quiz) -> None:
    while (number := quiz.next) is not None:
        quiz.answer(number, GENERATED)
    result = quiz.result()
    assert (result.real.value, result.generated.value) == (0.0, 1.0)
    assert result.all.hits == result.generated.n


def test_a_half_done_test_goes_on_where_it_was(quiz: Quiz) -> None:
    for number in (1, 2, 3):
        quiz.answer(number, REAL)
    again = Quiz(quiz.folder)
    assert again.next == 4
    with (quiz.folder / "answers.jsonl").open("ab") as stream:
        stream.write(b'{"number": 4, "ans')  # the power failed here
    assert Quiz(quiz.folder).next == 4
    again.answer(4, GENERATED)
    assert Quiz(quiz.folder).next == 5


def test_the_first_of_two_answers_counts(quiz: Quiz) -> None:
    quiz.answer(1, REAL)
    quiz.answer(1, GENERATED)
    quiz.answer(7, GENERATED)
    assert [(a["number"], a["answer"]) for a in quiz.answers()] == [(1, REAL)]
    with pytest.raises(DataError, match="no answer"):
        quiz.answer(2, "maybe")


def test_who_stops_early_gets_what_was_answered(quiz: Quiz) -> None:
    quiz.answer(1, REAL)
    quiz.end()
    assert quiz.ended
    quiz.answer(2, REAL)
    assert quiz.result().all.n == 1
    assert "so few" in quiz.result().sentence
    assert quiz.next is None


def test_the_csv_holds_all_and_no_formula(quiz: Quiz) -> None:
    quiz.answer(1, REAL, remark='=HYPERLINK("x")', seconds=2.34)
    quiz.answer(2, GENERATED, remark='blurred, "odd"\nedge')
    quiz.end()
    first, second = csv.DictReader(io.StringIO(quiz.csv()))
    assert first["remark"].startswith("'=")
    assert first["seconds"] == "2.3"
    assert second["remark"] == 'blurred, "odd"\nedge'
    truth = quiz.truth()[0]
    assert first["truth"] == truth.kind
    assert first["right"] == ("yes" if truth.kind == REAL else "no")
    assert str(truth.source) in first["source"]


def test_images_that_differ_in_size_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    def larger(seeds: Sequence[int]) -> np.ndarray:
        return np.zeros((len(seeds), 64, 64, 1), np.uint8)

    with pytest.raises(DataError, match="at once"):
        begin(tmp_path / "quiz", count=10, reals=range(20), real=smooth, generated=larger, about={})
    assert not list(tmp_path.iterdir())


def test_tests_are_found_and_damaged_ones_left_out(quiz: Quiz) -> None:
    (quiz.folder.parent / "broken").mkdir()
    (quiz.folder.parent / "broken" / "quiz.json").write_text("{")
    (quiz.folder.parent / "list").mkdir()
    (quiz.folder.parent / "list" / "quiz.json").write_text("[]")
    assert [found.name for found in find(quiz.folder.parent)] == ["quiz"]
    (quiz.folder / "key.json").write_text(json.dumps({"items": [{}]}))
    finish(quiz)
    with pytest.raises(DataError, match="key"):
        quiz.result()
