"""The advice names what is wrong with a set and stays quiet about what is not."""

from __future__ import annotations

import pytest

from medgan.data.assessment import Advice, assess
from medgan.data.split import Fractions


def row(train: int, validation: int = 20, test: int = 60) -> dict[str, int]:
    return {"train": train, "validation": validation, "test": test}


def warnings(advice: list[Advice]) -> str:
    return " ".join(entry.text for entry in advice if entry.level == "warning")


def test_a_good_set_gets_no_warning() -> None:
    advice = assess({"a": row(400), "b": row(300)}, groups=800, largest_group=5)
    assert not warnings(advice)
    assert "700 images to train on: a good size" in advice[0].text


@pytest.mark.parametrize(
    "images, level, words",
    [
        (1, "warning", "1 image to train on: below 50 the model will copy rather than learn"),
        (49, "warning", "copy rather than learn. Expect pictures that repeat single"),
        (50, "warning", "a small set, as in the paper (120 and 160)"),
        (160, "info", "right at a glance"),
        (500, "info", "a good size"),
    ],
)
def test_expectations_follow_the_number_of_training_images(images: int, level: str, words: str) -> None:
    advice = assess({"a": row(images)})
    assert any(entry.level == level and words in entry.text for entry in advice)


def test_small_classes_are_named_with_their_numbers() -> None:
    text = warnings(assess({"rare": row(12), "common": row(300)}))
    assert "Fewer than 50 images to train on in rare (12)" in text
    assert "common has 25 times the images of rare (300 and 12)" in text
    assert "4 % of its training" in text


def test_classes_of_like_size_are_not_called_unequal() -> None:
    assert "times" not in warnings(assess({"a": row(100), "b": row(299)}))


def test_many_small_classes_are_counted_rather_than_listed() -> None:
    text = warnings(assess({f"c{k}": row(5) for k in range(40)}))
    assert "c4 (5) and 35 more" in text


def test_a_class_that_is_missing_from_a_part_is_named() -> None:
    text = warnings(assess({"a": row(300), "b": row(0), "c": row(300, test=0)}))
    assert "No image of b is in train, so the model cannot learn it" in text
    assert "No image of c is in test, so no figure speaks of it" in text


@pytest.mark.parametrize("test, level, margin", [(315, "info", "5 points"), (12, "warning", "27 points")])
def test_the_margin_of_figures_follows_the_number_of_test_images(test: int, level: str, margin: str) -> None:
    advice = assess({"a": row(500, test=test)})
    assert any(entry.level == level and margin in entry.text for entry in advice)


def test_a_part_that_came_out_smaller_than_asked_is_told() -> None:
    text = warnings(assess({"a": row(300, 0, 45)}, wanted=Fractions().counts(345)))
    assert "Validation has 0 images where 52 were asked for" in text
    assert "Test has" not in text


def test_a_part_that_came_out_short_is_blamed_on_the_groups() -> None:
    classes = {"ct": row(160, 0, 0), "xray": row(21, 4, 5)}
    text = warnings(assess(classes, wanted=Fractions().counts(190)))
    assert "Test has 5 images where 28 were asked for. That comes from the grouping" in text
    assert "nothing is wrong with the images" in text


def test_a_class_that_hardly_trains_is_told_with_its_numbers() -> None:
    classes = {"few groups": row(40, 40, 40), "even": row(140, 30, 30)}
    text = warnings(assess(classes, wanted=Fractions().counts(320)))
    assert (
        "Training has many fewer images than the 70 % that were asked for in few groups (40 of 120)" in text
    )
    assert "comes from the grouping" in text and "even (" not in text


def test_a_class_that_hardly_is_judged_is_told_with_its_numbers() -> None:
    classes = {"few groups": row(115, 0, 5), "even": row(140, 30, 30)}
    advice = assess(classes, wanted=Fractions().counts(320))
    assert any("many more images than the 70 %" in entry.text for entry in advice)
    assert not any("even (" in entry.text for entry in advice)


def test_rounding_in_small_classes_is_no_fault_of_the_division() -> None:
    classes = {"small": row(2, 1, 1), "single": row(3, 0, 0), "even": row(140, 30, 30)}
    assert "asked for" not in " ".join(
        entry.text for entry in assess(classes, wanted=Fractions().counts(207))
    )


def test_groups_of_the_users_own_pattern_are_not_blamed_on_the_patients() -> None:
    text = warnings(assess({"a": row(300)}, groups=3, largest_group=250, pattern="^(P)"))
    assert "Only 3 groups (by the pattern ^(P))" in text and "the pattern ^(P) puts them there" in text
    assert "Add images of other patients" not in text


def test_few_and_large_groups_are_told() -> None:
    text = warnings(assess({"a": row(300)}, groups=3, largest_group=250))
    assert "Only 3 groups" in text and "250 of 380 images are in one group" in text


def test_warnings_come_first() -> None:
    levels = [entry.level for entry in assess({"a": row(600, test=10), "b": row(10)})]
    assert levels == sorted(levels, key=lambda level: level != "warning") and "info" in levels


def test_a_set_that_is_not_split_is_judged_by_all_its_images() -> None:
    advice = assess({"a": {"all": 30}, "b": {"all": 3}})
    assert "33 images to train on" in advice[0].text
    assert "is in train" not in warnings(advice)


@pytest.mark.parametrize("classes", [{}, {"a": {"train": 0, "validation": 0, "test": 0}}])
def test_an_empty_set_gets_no_advice(classes: dict[str, dict[str, int]]) -> None:
    assert assess(classes) == []
