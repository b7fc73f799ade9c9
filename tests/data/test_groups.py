"""Images that belong together share a group: patients, slices of a file, a pattern, look-alikes."""

from __future__ import annotations

import numpy as np
import pytest

from medgan.data.copies import Pair
from medgan.data.distances import blocks, squared_distances
from medgan.data.groups import find_groups, preview_pattern
from medgan.data.settings import Settings
from medgan.errors import DataError


def squares(count: int, seed: int = 0, low: int = 0, high: int = 256) -> np.ndarray:
    """Independent coarse thumbnails, uint8 `(count, 32, 32, 3)`."""
    values = np.random.default_rng(seed).integers(low, high, (count, 8, 8, 3), dtype=np.uint8)
    return values.repeat(4, axis=1).repeat(4, axis=2)


def by_likeness(thumbs: np.ndarray) -> np.ndarray:
    return find_groups("auto", [f"{k}.png" for k in range(len(thumbs))], [None] * len(thumbs), thumbs).numbers


# likeness


def test_near_copies_share_a_group_and_others_do_not() -> None:
    images = squares(20)
    noisy = np.clip(images[:5] + np.random.default_rng(1).integers(-9, 10, images[:5].shape), 0, 255)
    groups = by_likeness(np.concatenate([images, noisy.astype(np.uint8)]))
    assert groups.tolist() == [*range(20), *range(5)]


def test_neighbours_of_neighbours_share_a_group() -> None:
    a, b = squares(2, seed=3).astype(float)
    path = [np.round(a + (b - a) * t) for t in np.linspace(0, 1, 12)]  # adjacent slices of one body
    groups = by_likeness(np.concatenate([np.stack(path).astype(np.uint8), squares(30, seed=4)]))
    assert set(groups[:12].tolist()) == {0}
    assert len(set(groups.tolist())) == 31


def test_neighbours_are_found_across_the_blocks_that_memory_is_saved_with() -> None:
    images = squares(1500)
    images[[3, 1100, 1499]] = images[3]
    groups = by_likeness(images)
    assert groups[[3, 1100, 1499]].tolist() == [3, 3, 3]
    assert len(set(groups.tolist())) == 1498


def test_a_bright_set_of_low_contrast_is_not_taken_for_one_image() -> None:
    assert len(set(by_likeness(squares(60, low=230, high=243)).tolist())) == 60


def test_images_that_are_all_the_same_are_one_group() -> None:
    assert by_likeness(np.full((1300, 32, 32, 3), 130, np.uint8)).tolist() == [0] * 1300


def test_a_single_image_is_a_group() -> None:
    assert by_likeness(squares(1)).tolist() == [0]


# distances


def test_distances_are_exact_whole_numbers_for_the_most_extreme_images() -> None:
    thumbs = np.stack([np.zeros((32, 32, 3)), np.full((32, 32, 3), 255), squares(1)[0]]).astype(np.uint8)
    thumbs[2, ..., 0] ^= 255
    flat = thumbs.reshape(3, -1).astype(np.int64)
    expected = ((flat[:, None] - flat[None]) ** 2).sum(axis=2)
    assert squared_distances(thumbs, thumbs).tolist() == expected.tolist()
    grey = thumbs[:2]  # one plane stands for three
    assert squared_distances(grey, thumbs).tolist() == expected[:2].tolist()


def test_blocks_cover_every_pair_once() -> None:
    thumbs = squares(2100)
    seen = np.zeros((2100, 2100), int)
    for row, column, distances in blocks(thumbs):
        height, width = distances.shape
        seen[row : row + height, column : column + width] += 1
    assert (np.maximum(seen, seen.T) == 1).all() and seen.max() == 1


# patients, files, patterns


def test_images_of_one_patient_share_a_group_and_likeness_joins_no_patients() -> None:
    images = squares(6)
    images[3] = images[0]
    patients = [b"p", b"p", b"q", b"q", b"r", b"p"]
    groups = find_groups("auto", ["x"] * 6, patients, images)
    assert groups.numbers.tolist() == [0, 0, 1, 1, 2, 0]
    assert (groups.words, groups.count) == ("3 patients", 3)


def test_copies_of_one_picture_join_patients() -> None:
    groups = find_groups("patient", ["x"] * 4, [b"p", b"q", b"r", b"p"], squares(4), [Pair(0, 1)])
    assert groups.numbers.tolist() == [0, 0, 1, 0]


def test_an_image_without_a_patient_goes_to_what_it_looks_like() -> None:
    images = squares(12)
    images[4] = images[1]
    groups = find_groups("patient", ["x"] * 12, [b"p", b"q", *[None] * 10], images)
    assert groups.numbers[4] == groups.numbers[1] == 1
    assert groups.words == "2 patients; 10 other images grouped by likeness"


def test_slices_of_a_file_share_a_group_and_files_that_look_alike_do_not() -> None:
    images = squares(12)
    images[1] = images[0]
    names = ["a.nii.gz#0000", "b.nii.gz#0000", "a.nii.gz#0001", "b.nii.gz#0001", *"cdefghij"]
    groups = find_groups("auto", names, [None] * 12, images[np.arange(12)])
    assert groups.numbers[:4].tolist() == [0, 1, 0, 1]
    assert groups.words == "2 files of several images; 8 other images grouped by likeness"


def test_one_name_for_all_patients_divides_nothing_and_likeness_is_used() -> None:
    groups = find_groups("auto", ["x"] * 9, [b"ANON"] * 9, squares(9))
    assert groups.count == 9
    assert "one and the same patient" in groups.words


def test_patients_are_refused_where_no_image_names_one() -> None:
    with pytest.raises(DataError, match="No image names its patient"):
        find_groups("patient", ["x"] * 3, [None] * 3, squares(3))


def test_none_joins_nothing_but_the_pictures_of_one_file() -> None:
    names = ["a.nii#0000", "b.png", "a.nii#0001", "c.tif#0000"]
    groups = find_groups("none", names, [None] * 4, np.repeat(squares(1), 4, axis=0))
    assert groups.numbers.tolist() == [0, 1, 0, 2]
    assert groups.words == (
        "each file stands alone, as was chosen, with all its pictures; 2 files of several images"
    )


def test_a_pattern_does_not_divide_the_pictures_of_one_file() -> None:
    names = ["p1/a.nii#0000", "p2/b.nii#0000", "p1/a.nii#0001", "p2/b.nii#0001"]
    for pattern in (r"([ab])\.nii", r"(\d)/", r"(a)\.nii"):
        assert find_groups(pattern, names, [None] * 4, squares(4)).numbers.tolist() == [0, 1, 0, 1]
    with pytest.raises(DataError, match="matches none"):  # the number of a slice is no part of a name
        find_groups(r"#(\d+)", names, [None] * 4, squares(4))


def test_none_joins_no_copies_and_no_patients() -> None:
    images = np.repeat(squares(1), 3, axis=0)
    groups = find_groups("none", ["x"] * 3, [b"p"] * 3, images, [Pair(0, 1)])
    assert groups.numbers.tolist() == [0, 1, 2]


def test_the_first_bracket_of_a_pattern_names_the_group() -> None:
    names = ["P1_a.png", "P2_a.png", "P1_b.png", "other.png"]
    groups = find_groups(r"(P\d+)_", names, [None] * 4, squares(4))
    assert groups.numbers.tolist() == [0, 1, 0, 2]
    assert groups.words == (
        "2 groups by the pattern, which 1 name does not match; 1 other image grouped by likeness"
    )


def test_the_files_own_name_is_matched_in_the_folders_of_classes() -> None:
    names = ["melanoma/P0_0.jpg", "nevus/P1_0.jpg", "nevus/P0_1.jpg", "nevus/P1_1.nii.gz#0007"]
    assert [group for _, group in preview_pattern(r"^(P\d+)_", names)] == ["P0", "P1", "P0", "P1"]
    groups = find_groups(r"^(P\d+)_", names, [None] * 4, squares(4))
    assert (groups.numbers.tolist(), groups.words) == ([0, 1, 0, 1], "2 groups by the pattern")


def test_a_pattern_with_a_slash_is_matched_with_the_whole_path() -> None:
    names = ["nevus/P1/a.jpg", "nevus/P2/P9.jpg"]
    assert [group for _, group in preview_pattern(r"^[^/]+/(P\d+)/", names)] == ["P1", "P2"]


def test_a_pattern_that_no_files_own_name_has_is_looked_for_in_the_folders() -> None:
    assert preview_pattern(r"P\d", ["P1/a.png", "P2/b.png"]) == [("P1/a.png", "P1"), ("P2/b.png", "P2")]
    assert preview_pattern(r"P\d", ["P1/a.png", "P2/P3.png"]) == [("P1/a.png", None), ("P2/P3.png", "P3")]


def test_a_number_that_a_person_wrote_makes_no_slice() -> None:
    groups = find_groups("none", ["IM#1", "IM#2", "IM#3"], [None] * 3, squares(3))
    assert groups.count == 3


def test_a_pattern_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medgan.data.groups.SECONDS", 1)
    with pytest.raises(DataError, match="takes longer than 1 s on the names"):
        find_groups(r"(a+)+$", ["a" * 60 + "b"] * 4, [None] * 4, squares(4))


def test_a_pattern_that_puts_all_into_one_group_is_to_blame() -> None:
    with pytest.raises(DataError, match=r"pattern '\^\(P\)' puts all 4 images into one group \(P\)"):
        find_groups("^(P)", ["P1", "P2", "P3", "P4"], [None] * 4, squares(4))


def test_without_a_bracket_the_whole_match_names_the_group() -> None:
    assert preview_pattern(r"P\d", ["P1_a", "xP2", "no"]) == [("P1_a", "P1"), ("xP2", "P2"), ("no", None)]


def test_an_empty_match_and_a_bracket_that_took_no_part_name_no_group() -> None:
    assert preview_pattern(r"\d*", ["abc"]) == [("abc", None)]
    assert preview_pattern(r"(P\d)?x", ["x"]) == [("x", None)]


def test_names_in_any_script_are_matched() -> None:
    assert preview_pattern(r"^(患者\d+)", ["患者12/断面.png"]) == [("患者12/断面.png", "患者12")]


@pytest.mark.parametrize("pattern", ["(", "*", "(?P<x", "[z-a]", r"(?<=a+)b", "x{99999999999}"])
def test_a_pattern_that_is_none_is_refused_with_an_example(pattern: str) -> None:
    for refuse in (lambda: preview_pattern(pattern, ["a"]), Settings(group=pattern).check):
        with pytest.raises(DataError, match=r"is not a pattern .*An example"):
            refuse()


@pytest.mark.parametrize("pattern", ["", "a" * 501])
def test_a_pattern_of_no_or_too_many_characters_is_refused(pattern: str) -> None:
    with pytest.raises(DataError, match=f"1 to 500 characters, not {len(pattern)}"):
        Settings(group=pattern).check()


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"matches none of the 2 names \(the first is a.png\)"):
        find_groups("zzz", ["a.png", "b.png"], [None] * 2, squares(2))
