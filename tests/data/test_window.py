"""Windows: what their names mean, what is refused, and the levels that they give."""

from __future__ import annotations

import numpy as np
import pytest

from medgan.data.window import (
    AUTO,
    SAMPLE,
    WINDOWS,
    Scale,
    choose_scale,
    parse_window,
    percentile_scale,
    sample,
)
from medgan.errors import DataError

OWN = Scale(0, 9, "file 5/10")


def never() -> np.ndarray:
    raise AssertionError("the pixels were looked at without need")


@pytest.mark.parametrize("text", ["auto", "file", "percentiles", "-1350,150", "1%,99%", *WINDOWS])
def test_a_window_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_window(text)) == text
    assert parse_window(str(parse_window(text))) == parse_window(text)


def test_spaces_and_capitals_do_not_matter() -> None:
    assert parse_window(" Lung ") == parse_window("lung")
    assert parse_window("-1350, 150") == parse_window("-1350,150")


@pytest.mark.parametrize("text", ["", "lng", "1", "1,2,3", "1%,2", "a,b", "nan,3", "1,inf", "1e999,2", ","])
def test_what_is_no_window_is_refused_with_all_there_are(text: str) -> None:
    with pytest.raises(DataError, match="choose auto, file, lung, mediastinum, bone, brain, abdomen, perc"):
        parse_window(text)


@pytest.mark.parametrize("text, reason", [("5,5", "is empty"), ("9,1", "is empty"), ("-1%,5%", "outside 0%")])
def test_a_window_that_shows_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_window(text)


def test_levels_run_evenly_from_low_to_high_and_stop_there() -> None:
    values = np.array([-2000, -1350, -600, 150, 3000, np.nan, np.inf, -np.inf])
    assert Scale(-1350, 150, "").levels(values).tolist() == [0, 0, 128, 255, 255, 0, 255, 0]


def test_a_sigmoid_window_is_dicoms() -> None:
    values = np.array([-1e9, 0.0, 50.0, 100.0, 1e9])
    centre, width = 50.0, 100.0
    expected = 255 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    got = Scale(centre - width / 2, centre + width / 2, "", "sigmoid").levels(values)
    assert got.tolist() == np.rint(expected).tolist()


def test_percentiles_cut_the_ends_off() -> None:
    scale = percentile_scale(parse_window("10%,90%"), np.arange(101.0))
    assert (scale.low, scale.high, scale.words) == (10, 90, "percentiles 10%,90%")


def test_percentiles_do_not_count_what_is_no_number() -> None:
    scale = percentile_scale(parse_window("0%,100%"), np.array([np.nan, 1, 5, np.inf, -np.inf]))
    assert (scale.low, scale.high) == (1, 5)


def test_a_small_object_on_a_flat_ground_is_still_seen() -> None:
    values = np.zeros(10_000)
    values[:3] = 700
    scale = percentile_scale(AUTO, values)
    assert (scale.low, scale.high) == (0, 700)


@pytest.mark.parametrize("values", [np.full(9, 7.0), np.full(9, np.nan), np.zeros(0)])
def test_values_that_are_all_the_same_are_blank(values: np.ndarray) -> None:
    with pytest.raises(DataError, match="is blank"):
        percentile_scale(AUTO, values)


def test_a_sample_is_bounded_and_sees_all_parts() -> None:
    values = np.zeros((5, 2000, 1000), np.int16)
    values[:, :, ::2] = np.arange(5)[:, None, None] + 1
    few = sample(values)
    assert SAMPLE / 3 < len(few) <= SAMPLE
    assert set(few) == {0, 1, 2, 3, 4, 5}
    assert abs((few == 0).mean() - 0.5) < 0.01  # not always the same columns


def test_auto_takes_the_files_own_window_and_else_percentiles() -> None:
    assert choose_scale(AUTO, OWN, True, never) is OWN
    assert choose_scale(AUTO, None, True, lambda: np.arange(9.0)).words == "percentiles 0.5%,99.5%"


def test_the_files_own_window_is_needed_where_it_is_asked_for() -> None:
    assert choose_scale(parse_window("file"), OWN, False, never) is OWN
    with pytest.raises(DataError, match="has no window of its own; choose auto"):
        choose_scale(parse_window("file"), None, True, never)


@pytest.mark.parametrize("name", list(WINDOWS))
def test_a_preset_needs_hounsfield_units(name: str) -> None:
    scale = choose_scale(parse_window(name), OWN, True, never)
    assert (scale.low, scale.high) == (WINDOWS[name].low, WINDOWS[name].high)
    assert scale.words == f"{name} {WINDOWS[name].low:g},{WINDOWS[name].high:g}"
    with pytest.raises(DataError, match=f"no Hounsfield units, so the {name} window does not apply"):
        choose_scale(parse_window(name), OWN, False, never)


def test_numbers_and_percentiles_overrule_the_files_own_window() -> None:
    assert choose_scale(parse_window("1,2"), OWN, False, never) == Scale(1, 2, "1,2")
    assert choose_scale(parse_window("0%,50%"), OWN, False, lambda: np.arange(101.0)).high == 50


def test_values_too_far_apart_to_be_shown_say_so() -> None:
    with pytest.raises(DataError, match="too far apart to be shown; choose LOW,HIGH"):
        percentile_scale(parse_window("0%,100%"), np.array([-1.7e308, 0, 1.7e308]))
