"""Groups stand on one side; the numbers and the classes come out as well as whole groups allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medgan.data.decoding import decode
from medgan.data.groups import find_groups
from medgan.data.records import find_records
from medgan.data.split import PARTS, TEST, TRAIN, VALIDATION, Fractions, parse_split, split
from medgan.data.survey import thumbnail
from medgan.errors import DataError
from medgan.images import fit

quick = settings(deadline=None, max_examples=300, database=None, derandomize=True)
some = settings(quick, max_examples=150)


def apart(count: int) -> np.ndarray:
    return np.arange(count)


def held(labels: list[str], parts: list[str], part: str = TEST) -> Counter[str]:
    return Counter(label for label, p in zip(labels, parts, strict=True) if p == part)


@st.composite
def sets(draw: st.DrawFn) -> tuple[list[str], np.ndarray, Fractions, int]:
    """Groups of all sizes, of one class or of several, and numbers that leave two images to train on."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=25))
    classes = st.sampled_from("abcde"[: draw(st.integers(1, 5))])
    labels, groups = [], []
    for group, size in enumerate(sizes):
        mixed = draw(st.booleans())
        label = draw(classes)
        labels += [draw(classes) if mixed else label for _ in range(size)]
        groups += [group] * size
    count = len(labels)
    if count < 5:
        labels, groups = labels + ["a"] * 5, groups + list(range(100, 105))
        count += 5
    test = draw(st.integers(1, count - 2))
    validation = draw(st.integers(0, count - 2 - test))
    return labels, np.array(groups), Fractions(2, validation, test), draw(st.integers(0, 2**32 - 1))


def tried(labels: list[str], groups: np.ndarray, fractions: Fractions, seed: int) -> list[str] | None:
    """None where no group is small enough for test, the one reason to refuse."""
    try:
        return split(labels, groups, fractions, seed)
    except DataError:
        assert min(Counter(groups.tolist()).values()) > fractions.test
        return None


def groups_of(labels: list[str], groups: np.ndarray) -> dict[str, set[int]]:
    """The groups that each class has images in."""
    found: dict[str, set[int]] = defaultdict(set)
    for label, group in zip(labels, groups.tolist(), strict=True):
        found[label].add(group)
    return found


# what always holds


@quick
@given(sets())
def test_no_group_is_in_two_parts_and_no_number_is_exceeded(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    _, groups, fractions, _ = case
    parts = tried(*case)
    if parts is not None:
        assert len(set(zip(groups.tolist(), parts, strict=True))) == len(set(groups.tolist()))
        assert 0 < parts.count(TEST) <= fractions.test
        assert parts.count(VALIDATION) <= fractions.validation
        assert set(parts) <= set(PARTS)


@quick
@given(sets())
def test_a_class_of_two_groups_or_more_always_trains(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    labels, groups, _, _ = case
    parts = tried(*case)
    if parts is not None:
        trained = set(held(labels, parts, TRAIN))
        assert trained >= {label for label, its in groups_of(labels, groups).items() if len(its) > 1}


@quick
@given(sets())
def test_what_is_missing_is_smaller_than_every_group_that_no_class_needs_or_has_enough_of(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """Numbers are met as well as groups allow: a group that would still fit is one of the last of a class,
    which needs a group to train on (and of test, if it has three, one for validation), or would take a
    class further beyond its share than it is short of it now."""
    labels, groups, fractions, _ = case
    parts = tried(*case)
    if parts is None:
        return
    part_of = dict(zip(groups.tolist(), parts, strict=True))
    sizes, of_class = Counter(groups.tolist()), groups_of(labels, groups)

    def needed(group: int, rest: set[str], later: int) -> bool:
        for its in of_class.values():
            left = sum(part_of[other] in rest for other in its)
            keep = max(1, min(1 + later, len(its) - 1))
            if group in its and len(its) > 1 and left <= keep:
                return True
        return False

    members = {g: Counter(la for la, k in zip(labels, groups.tolist(), strict=True) if k == g) for g in sizes}

    def beyond(group: int, part: str, wanted: float, others: set[str]) -> bool:
        pool = [label for label, p in zip(labels, parts, strict=True) if p in others]
        got = held(labels, parts, part)
        short = {label: wanted * n / len(pool) - got[label] for label, n in Counter(pool).items()}
        alone = {label for label, its in of_class.items() if len(its) == 1}
        shared = sum(value for label, value in short.items() if label in alone)
        mine = members[group]
        return any(n > 2 * short[label] + 1 for label, n in mine.items() if label not in alone) or (
            0 < sum(n for label, n in mine.items() if label in alone) > round(shared)
        )

    later = int(fractions.validation > 0)
    for group, size in sizes.items():
        if part_of[group] != TEST and size <= fractions.test - parts.count(TEST):
            assert needed(group, {TRAIN, VALIDATION}, later) or beyond(
                group, TEST, fractions.test, set(PARTS)
            )
        if part_of[group] == TRAIN and size <= fractions.validation - parts.count(VALIDATION):
            assert needed(group, {TRAIN}, 0) or beyond(
                group, VALIDATION, fractions.validation, {TRAIN, VALIDATION}
            )


@st.composite
def plain_classes(draw: st.DrawFn) -> tuple[list[str], np.ndarray, Fractions, int]:
    """Classes of groups that are all of one class, some of few large groups, some of single images."""
    labels, groups = [], []
    for label in "abcd"[: draw(st.integers(1, 4))]:
        largest = draw(st.sampled_from([1, 4, 40]))
        for size in draw(
            st.lists(st.integers(1, largest), min_size=2, max_size=draw(st.sampled_from([4, 30])))
        ):
            groups += [len(set(groups))] * size
            labels += [label] * size
    if len(labels) < 12:
        labels, groups = labels + ["e"] * 12, groups + list(range(100, 112))
    shares = draw(st.sampled_from([(0.7, 0.15, 0.15), (0.75, 0.0, 0.25), (0.5, 0.25, 0.25)]))
    return labels, np.array(groups), Fractions(*shares), draw(st.integers(0, 2**32 - 1))


@quick
@given(plain_classes())
def test_of_numbers_no_class_gives_more_than_its_share_to_make_up_for_others(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """Beyond it is at most an image, or half of a group, or the one group that stands for the class."""
    labels, groups, shares, seed = case
    wanted = shares.counts(len(labels))
    parts = tried(labels, groups, Fractions(*wanted.values()), seed)
    if parts is None:
        return
    sizes = Counter(groups.tolist())
    pool = set(PARTS)
    for part in (TEST, VALIDATION):
        there = [label for label, p in zip(labels, parts, strict=True) if p in pool]
        for label, its in groups_of(labels, groups).items():
            share = wanted[part] / len(there) * there.count(label)
            got, largest = held(labels, parts, part)[label], max(sizes[group] for group in its)
            one = got in {sizes[group] for group in its}
            assert got <= share + (largest + 1) / 2 or one
            assert largest > 1 or got <= max(1, share + 1)
        pool.discard(TEST)


# shares, which a part may exceed


def largest(groups: np.ndarray, of: set[int]) -> int:
    sizes = Counter(groups.tolist())
    return max(sizes[group] for group in of)


@some
@given(plain_classes())
def test_of_shares_no_group_is_divided_and_every_class_of_three_is_everywhere(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """A class of two groups trains, and one of three is in every part that has an image for each of them."""
    labels, groups, fractions, _ = case
    parts = split(*case)
    assert len(set(zip(groups.tolist(), parts, strict=True))) == len(set(groups.tolist()))
    assert TEST in parts and parts.count(TRAIN) > 1
    of_class = groups_of(labels, groups)
    threes = {label for label, its in of_class.items() if len(its) > 2}
    for part, count in fractions.counts(len(labels)).items():
        there = set(held(labels, parts, part))
        assert there >= threes or 0 <= count < max(1, len(threes))
        assert count or not there
    assert set(held(labels, parts, TRAIN)) >= {label for label, its in of_class.items() if len(its) > 1}


@some
@given(plain_classes())
def test_of_shares_each_class_is_less_than_a_group_from_its_number(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """Of test and validation; training has the rest. Rounding may cost an image more, and classes of two
    groups, of which one is judged, what they have."""
    labels, groups, fractions, _ = case
    parts, wanted = split(*case), fractions.counts(len(labels))
    of_class, images = groups_of(labels, groups), Counter(labels)
    for part in (VALIDATION, TEST):
        got = held(labels, parts, part)
        pairs = sum(got[label] for label, its in of_class.items() if len(its) < 3)
        for label, its in of_class.items():
            off = abs(got[label] - wanted[part] * images[label] / len(labels))
            assert len(its) < 3 or off < largest(groups, its) + 1 + pairs


@some
@given(plain_classes())
def test_of_shares_a_part_is_less_than_a_group_from_its_number_but_for_its_classes(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """More than that it has only where each class needs its one group to be there at all."""
    labels, groups, fractions, _ = case
    parts, wanted = split(*case), fractions.counts(len(labels))
    part_of = dict(zip(groups.tolist(), parts, strict=True))
    for part in (VALIDATION, TEST):
        off = parts.count(part) - wanted[part]
        its = [{g for g in its if part_of[g] == part} for its in groups_of(labels, groups).values()]
        assert abs(off) < largest(groups, set(groups.tolist())) or (
            off > 0 and all(len(there) < 2 for there in its)
        )


@some
@given(plain_classes())
def test_of_shares_no_single_group_would_bring_the_division_nearer(
    case: tuple[list[str], np.ndarray, Fractions, int],
) -> None:
    """Each group of a class that has another one in the same part stands where it fits best."""
    labels, groups, fractions, _ = case
    parts, wanted = split(*case), fractions.counts(len(labels))
    part_of, of_class = dict(zip(groups.tolist(), parts, strict=True)), groups_of(labels, groups)
    if any(len(its) == 1 for its in of_class.values()) or max(Counter(groups.tolist()).values()) == 1:
        return

    def off(where: dict[int, str]) -> float:
        there = [where[group] for group in groups.tolist()]
        total = 0.0
        for part, count in wanted.items():
            total += abs(there.count(part) - count)
            got, images = held(labels, there, part), Counter(labels)
            for label, number in images.items():
                total += max(0.0, abs(got[label] - count * number / len(labels)) - 1)
        return total

    now = off(part_of)
    for its in of_class.values():
        for group in its:
            beside = sum(part_of[other] == part_of[group] for other in its)
            if beside > 1 and parts.count(TRAIN) - list(groups).count(group) > 1:
                for part in (part for part in PARTS if wanted[part]):
                    assert off(part_of | {group: part}) > now - 1e-6


@pytest.mark.parametrize(
    "patients, images, expected",
    [
        ((6, 6), 3, {TRAIN: 12, VALIDATION: 3, TEST: 3}),
        ((4, 4, 4), 30, {TRAIN: 60, VALIDATION: 30, TEST: 30}),
        ((5, 5, 5), 20, {TRAIN: 60, VALIDATION: 20, TEST: 20}),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_patients_of_like_size_are_shared_out_in_every_class(
    patients: tuple[int, ...], images: int, expected: dict[str, int], seed: int
) -> None:
    """The class whose name comes first once had all the room in test."""
    labels = [f"class {c}" for c, n in enumerate(patients) for _ in range(n * images)]
    parts = split(labels, np.repeat(apart(sum(patients)), images), Fractions(), seed)
    for part, count in expected.items():
        assert held(labels, parts, part) == dict.fromkeys(labels, count)


def test_other_seeds_hold_out_other_patients() -> None:
    labels, groups = ["a"] * 60 + ["b"] * 60, np.repeat(apart(12), 10)
    held_out = {
        tuple(k for k, part in enumerate(split(labels, groups, Fractions(), seed)[::10]) if part == TEST)
        for seed in range(10)
    }
    assert len(held_out) > 5


@pytest.mark.parametrize("seed", range(5))
def test_of_single_images_shares_are_the_numbers_that_they_round_to(seed: int) -> None:
    labels = ["a"] * 61 + ["b"] * 23 + ["c"] * 3
    by_number = Fractions(*Fractions().counts(87).values())
    assert split(labels, apart(87), Fractions(), seed) == split(labels, apart(87), by_number, seed)


@some
@given(plain_classes(), st.randoms())
def test_of_shares_the_order_of_images_makes_no_difference(
    case: tuple[list[str], np.ndarray, Fractions, int], chance: object
) -> None:
    labels, groups, fractions, seed = case
    order = list(range(len(labels)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    shuffled = split([labels[k] for k in order], groups[order], fractions, seed)
    parts = split(*case)
    assert shuffled == [parts[k] for k in order]


@quick
@given(st.lists(st.integers(3, 12), min_size=1, max_size=6), st.integers(1, 8), st.data())
def test_a_class_of_three_groups_is_in_every_part_that_has_room_for_each(
    per_class: list[int], size: int, data: st.DataObject
) -> None:
    labels = [f"class {c}" for c, n in enumerate(per_class) for _ in range(n * size)]
    groups = np.repeat(apart(sum(per_class)), size)
    room = len(per_class) * size
    validation = data.draw(st.integers(room, len(labels) - 2 - room)) if len(labels) - 2 >= 2 * room else 0
    test = data.draw(st.integers(room, len(labels) - 2 - validation))
    parts = split(labels, groups, Fractions(1, validation, test), data.draw(st.integers(0, 999)))
    for part in PARTS if validation else (TRAIN, TEST):
        assert set(held(labels, parts, part)) == set(labels)


@quick
@given(sets(), st.randoms())
def test_the_order_of_images_makes_no_difference(
    case: tuple[list[str], np.ndarray, Fractions, int], chance: object
) -> None:
    labels, groups, fractions, seed = case
    order = list(range(len(labels)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    parts = tried(*case)
    shuffled = tried([labels[k] for k in order], groups[order], fractions, seed)
    assert parts == tried(*case)
    assert (parts is None) == (shuffled is None)
    if parts is not None:
        assert shuffled == [parts[k] for k in order]


# numbers and classes


@pytest.mark.parametrize("volumes, slices, singles", [(4, 40, 30), (5, 30, 40)])
@pytest.mark.parametrize("seed", range(5))
def test_single_images_do_not_make_up_for_volumes_that_fit_nowhere(
    volumes: int, slices: int, singles: int, seed: int
) -> None:
    labels = ["ct"] * (volumes * slices) + ["xray"] * singles
    groups = np.array([*np.repeat(apart(volumes), slices), *range(100, 100 + singles)])
    shares = Fractions().counts(len(labels))
    parts = split(labels, groups, Fractions(*shares.values()), seed)
    assert held(labels, parts, TRAIN)["ct"] == volumes * slices
    assert held(labels, parts, TRAIN)["xray"] == pytest.approx(0.7 * singles, abs=2)
    for part in (VALIDATION, TEST):
        assert held(labels, parts, part)["xray"] == pytest.approx(0.15 * singles, abs=1)


@pytest.mark.parametrize("volumes, slices, singles", [(4, 40, 30), (5, 30, 40)])
@pytest.mark.parametrize("seed", range(5))
def test_of_shares_a_volume_is_in_each_part_and_single_images_do_not_pay_for_it(
    volumes: int, slices: int, singles: int, seed: int
) -> None:
    labels = ["ct"] * (volumes * slices) + ["xray"] * singles
    groups = np.array([*np.repeat(apart(volumes), slices), *range(100, 100 + singles)])
    parts = split(labels, groups, Fractions(), seed)
    for part in (VALIDATION, TEST):
        assert held(labels, parts, part)["ct"] == slices
        assert held(labels, parts, part)["xray"] == pytest.approx(0.15 * singles, abs=2)


def test_a_volume_stays_in_training_though_other_classes_leave_test_short() -> None:
    """A class of one group is not sent away to fill the number up."""
    labels = ["one"] * 5 + ["volumes"] * 60 + ["single"] * 20
    groups = np.array([0] * 5 + [1 + k // 20 for k in range(60)] + list(range(10, 30)))
    for seed in range(10):
        assert held(labels, split(labels, groups, Fractions(), seed), TRAIN)["one"] == 5


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0.75/0.25", (90, 0, 30)),
        ("0.7/0.15/0.15", (84, 18, 18)),
        ("80/0/40", (80, 0, 40)),
        ("1/1/118", None),
        ("2/1/117", (2, 1, 117)),
        ("40/30/20", (70, 30, 20)),  # what is left over trains too
    ],
)
def test_numbers_are_exact_where_images_stand_alone(text: str, expected: tuple[int, int, int] | None) -> None:
    labels = ["a"] * 120
    if expected is None:
        with pytest.raises(DataError, match="leaves too few for train"):
            split(labels, apart(120), parse_split(text), seed=3)
        return
    parts = split(labels, apart(120), parse_split(text), seed=3)
    assert tuple(parts.count(part) for part in PARTS) == expected


def test_numbers_are_exact_around_groups() -> None:
    groups = np.array([0] * 30 + [1] * 20 + list(range(2, 52)))
    parts = split(["a"] * 100, groups, Fractions(50, 15, 25), seed=0)
    assert Counter(parts) == {TRAIN: 60, VALIDATION: 15, TEST: 25}


def test_each_class_gives_its_share_to_both_parts() -> None:
    labels = ["a"] * 100 + ["b"] * 40 + ["c"] * 20
    parts = split(labels, apart(160), parse_split("0.5/0.25/0.25"), seed=1)
    for part in (VALIDATION, TEST):
        assert held(labels, parts, part) == {"a": 25, "b": 10, "c": 5}


@pytest.mark.parametrize("seed", range(10))
def test_few_large_groups_do_not_cost_training_a_class(seed: int) -> None:
    """Three patients with 30 slices each of one class, three with 3 each of the other."""
    labels = ["a"] * 90 + ["b"] * 9
    groups = np.array([k // 30 if k < 90 else k // 3 for k in range(99)])
    parts = split(labels, groups, Fractions(), seed)
    assert all(held(labels, parts, part) == {"a": 30, "b": 3} for part in PARTS)


def test_a_class_of_one_group_stays_in_training_while_others_can_give() -> None:
    labels = ["common"] * 30 + ["single"] * 5
    groups = np.array([*range(30), *[99] * 5])
    for seed in range(10):
        assert held(labels, split(labels, groups, Fractions(), seed), TRAIN)["single"] == 5


def test_a_class_of_two_groups_is_judged_rather_than_watched() -> None:
    labels = ["common"] * 30 + ["two"] * 2
    for seed in range(10):
        parts = split(labels, apart(32), Fractions(), seed)
        assert (parts[30:].count(TRAIN), parts[30:].count(TEST)) == (1, 1)


def test_a_folder_for_each_patient_can_still_be_split() -> None:
    labels = [f"patient-{k}" for k in range(40)]
    parts = split(labels, apart(40), Fractions(), seed=0)
    assert Counter(parts) == {TRAIN: 28, VALIDATION: 6, TEST: 6}


def test_validation_comes_out_empty_where_no_group_fits() -> None:
    parts = split(["a"] * 20, np.array([0] * 9 + [1] * 9 + [2] * 2), Fractions(16, 2, 2), seed=0)
    assert Counter(parts) == {TRAIN: 18, TEST: 2}


def test_another_seed_splits_in_another_way() -> None:
    labels = ["a", "b"] * 50
    assert split(labels, apart(100), Fractions(), seed=7) != split(labels, apart(100), Fractions(), seed=8)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="All images are in one group"):
        split(["a"] * 6, np.zeros(6, int), Fractions(), seed=0)


def test_groups_that_are_too_large_for_test_are_refused_with_their_size() -> None:
    with pytest.raises(DataError, match="The smallest of 3 groups has 10 images, more than the 3 for test"):
        split(["a"] * 30, np.repeat(apart(3), 10), Fractions(24, 3, 3), seed=0)


@pytest.mark.parametrize("shares, test", [((0.7, 0.15, 0.15), 8), ((0.8, 0, 0.2), 8)])
def test_of_two_groups_one_is_for_test(shares: tuple[float, float, float], test: int) -> None:
    parts = split(["a"] * 20, np.array([0] * 12 + [1] * 8), Fractions(*shares), seed=0)
    assert Counter(parts) == {TRAIN: 20 - test, TEST: test}


# what was chosen before there was validation

EARLIER = [
    (0, "0.75/0.25", [6, 7, 8, 12, 19, 24, 26, 27, 29, 37, 41, 46, 48, 52, 58]),
    (0, "48/12", [6, 7, 8, 12, 26, 27, 29, 37, 41, 46, 48, 58]),
    (1, "0.75/0.25", [9, 10, 11, 15, 17, 24, 27, 28, 37, 38, 43, 44, 45, 48, 58]),
    (1, "48/12", [9, 10, 11, 17, 24, 27, 37, 38, 43, 45, 48, 58]),
    (7, "0.75/0.25", [0, 1, 2, 14, 18, 20, 27, 28, 38, 41, 47, 49, 53, 54, 58]),
    (7, "48/12", [0, 1, 2, 18, 20, 27, 41, 47, 49, 53, 54, 58]),
    (42, "0.75/0.25", [12, 13, 14, 15, 18, 24, 28, 37, 38, 39, 42, 43, 49, 54, 59]),
    (42, "48/12", [12, 13, 15, 18, 24, 28, 37, 39, 42, 43, 54, 59]),
]  # fmt: skip


@pytest.mark.parametrize("seed, text, test", EARLIER)
def test_without_validation_the_test_part_is_what_earlier_versions_held_out(
    seed: int, text: str, test: list[int]
) -> None:
    labels = ["melanoma"] * 20 + ["nevus"] * 36 + ["other"] * 4
    groups = np.array([k // 3 if k < 12 else k for k in range(60)])
    groups[30:37], groups[55:58] = 30, 55
    parts = split(labels, groups, parse_split(text), seed)
    assert [k for k, part in enumerate(parts) if part == TEST] == test


# what can be asked for


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0.7/0.15/0.15", Fractions(0.7, 0.15, 0.15)),
        ("0.8/0.2", Fractions(0.8, 0, 0.2)),
        ("160/0/200", Fractions(160, 0, 200)),
        (" .5 / .25 / .25 ", Fractions(0.5, 0.25, 0.25)),
        ("0.333333/0.333333/0.333334", Fractions(0.333333, 0.333333, 0.333334)),
    ],
)
def test_shares_and_numbers_are_understood(text: str, expected: Fractions) -> None:
    assert parse_split(text) == expected


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "not understood"),
        ("0.7", "not understood"),
        ("a/b/c", "not understood"),
        ("0.1/0.2/0.3/0.4", "not understood"),
        ("0.7/0.15/0.2", "sums to 1.05, not to 1"),
        ("0.5/0.2", "sums to 0.7, not to 1"),
        ("160.5/20/20", "sums to 200.5"),
        ("-0.2/0.6/0.6", "not possible"),
        ("nan/0.5/0.5", "not possible"),
        ("inf/1/1", "not possible"),
        ("1/0/0", "leaves no images for test"),
        ("0.9/0.1/0", "leaves no images for test"),
        ("0/0/1", "leaves no images for train"),
        ("70/15/15", "could mean percent or images; for percent write 0.7/0.15/0.15"),
        ("80/20", "could mean percent or images; for percent write 0.8/0/0.2"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_split(text)


def test_more_images_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(DataError, match=r"--split 160/0/200 needs more images than there are \(350\)"):
        Fractions(160, 0, 200).counts(350)


@pytest.mark.parametrize("images, part", [(3, "validation"), (5, "validation"), (2, "train")])
def test_sets_that_are_too_small_for_their_parts_are_refused(images: int, part: str) -> None:
    with pytest.raises(DataError, match=f"leaves too few for {part}"):
        Fractions(0.8, 0.1, 0.1).counts(images) if part != "train" else Fractions(1, 0, 1).counts(images)


# real images


@pytest.mark.parametrize("folder, text", [("isic", "160/0/200"), ("chest_ct/adenocarcinoma", "120/0/84")])
def test_the_papers_numbers_come_out_on_real_images(real_data: Path, folder: str, text: str) -> None:
    labels, groups = _real(real_data / folder)
    parts = split(labels, groups, parse_split(text), seed=0)
    train, _, test = (int(number) for number in text.split("/"))
    assert Counter(parts) == {TRAIN: train, TEST: test}
    assert len(set(groups.tolist())) < len(groups)  # real sets hold images that look alike


def test_every_real_class_is_in_every_part(real_data: Path) -> None:
    labels, groups = _real(real_data / "chest_ct")
    parts = split(labels, groups, Fractions(), seed=0)
    assert all(set(held(labels, parts, part)) == set(labels) for part in PARTS)
    assert len(set(zip(groups.tolist(), parts, strict=True))) == len(set(groups.tolist()))


def _real(folder: Path) -> tuple[list[str], np.ndarray]:
    records = find_records([folder]).records
    images = [next(iter(decode(record.read(), record.name).pictures)).image for record in records]
    thumbs = np.stack([thumbnail(fit(image, 64, 3)) for image in images])
    names = [record.name for record in records]
    return [r.label for r in records], find_groups("auto", names, [None] * len(names), thumbs).numbers
