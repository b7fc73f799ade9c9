from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from medgan.errors import MetricError
from medgan.metrics.estimate import Subsets, counted, mean, plain, positive


def test_a_share_has_wilsons_interval_at_its_ends_too() -> None:
    for hits in (0, 3, 40):
        found = counted(np.arange(40) < hits)
        wilson = binomtest(hits, 40).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.02)
        assert found.low <= found.value <= found.high


def test_a_mean_has_students_interval_and_that_covers() -> None:
    inside = []
    for seed in range(400):
        found = mean(np.random.default_rng(seed).normal(size=12) + 3)
        inside.append(found.low <= 3 <= found.high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_a_positive_figure_never_reaches_below_zero() -> None:
    moves = np.array([5.0, -5.0, 3.0, -3.0])
    assert plain(1.0, moves, n=4).low < 0 < positive(1.0, moves, n=4).low
    assert positive(0.0, moves, n=4).high == 0


def test_influences_of_subsets_are_those_of_the_whole() -> None:
    """The mean over halves is the mean of all, and so is how it moves."""
    values = np.random.default_rng(0).normal(size=20)
    subsets = Subsets(20)
    for half in (np.arange(10), np.arange(10, 20)):
        subsets.add(values[half].mean(), [(half, values[half] - values[half].mean())])
    value, (moves,) = subsets.result(10)
    assert value == pytest.approx(values.mean())
    assert moves.var() == pytest.approx(values.var(), rel=0.2)


def test_what_has_no_interval_is_refused() -> None:
    with pytest.raises(MetricError, match="two values"):
        mean(np.ones(1))
    with pytest.raises(MetricError, match="at least one"):
        counted(np.empty(0))
    with pytest.raises(MetricError, match="two images or more"):
        plain(1.0, np.ones(1), n=1)
