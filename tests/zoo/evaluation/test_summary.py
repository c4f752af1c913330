"""Means over videos, the best system, the worst clips, numbers as tables show them."""

import math
from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from zoo.evaluation.measure import Measured
from zoo.evaluation.summary import (
    Mean,
    average,
    find_best,
    rank_worst,
    summarise,
    write_mean,
    write_value,
)
from zoo.evaluation.systems import (
    VideoRow,
    check_some,
    count_measured,
    find_missing,
    group_missing,
)
from zoo.metrics.table import find_metric


def make_row(system, video, error="", missing=None, **values):
    named = {name.replace("_", "."): value for name, value in values.items()}
    measured = Measured(values=named, missing=missing or {})
    return VideoRow(system=system, video=video, path=Path(video), error=error, measured=measured)


def make_means(**values):
    return {name: Mean(value, math.nan, math.nan, 1) for name, value in values.items()}


def test_infinite_values_count_only_where_all_are():
    found = average([math.inf, 20.0, 30.0])
    assert (found.value, found.num_videos) == (25.0, 2)
    assert 20 <= found.low <= 25 <= found.high <= 30
    assert average([math.inf, math.inf]).value == math.inf
    assert math.isnan(average([math.inf, 20.0]).low)


def test_an_interval_needs_two_videos_and_holds_no_more_than_their_values():
    assert math.isnan(average([3.0]).low)
    assert (average([1.0, 1.0]).low, average([1.0, 1.0]).high) == (1.0, 1.0)


def test_means_are_of_the_videos_that_have_a_value():
    rows = [make_row("a", "1", cpbd=0.2), make_row("a", "2", cpbd=0.4), make_row("a", "3")]
    summary = summarise(rows, [find_metric("cpbd"), find_metric("psnr.mean")])
    assert summary == {"cpbd": {"a": summary["cpbd"]["a"]}}
    assert summary["cpbd"]["a"].value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("metric", "best"), [("cpbd", {"b"}), ("lmd.mouth", {"a"}), ("pose.range", {"a"})]
)
def test_the_best_is_the_highest_the_lowest_or_the_nearest_to_the_real_one(metric, best):
    means = make_means(a=2.0, b=6.0, real=3.0) | {"still picture": Mean(0, 0, 0, 1)}
    assert find_best(metric, means) == best


def test_none_is_best_of_one_system_or_of_equal_ones():
    assert find_best("cpbd", make_means(a=1.0, real=2.0)) == set()
    assert find_best("cpbd", make_means(a=1.0, b=1.0)) == set()
    assert find_best("pose.range", make_means(a=1.0, b=2.0)) == set()


def test_the_worst_clip_comes_first_and_references_are_none():
    rows = [
        make_row("a", "good", cpbd=0.9, lmd_mouth=1),
        make_row("a", "bad", cpbd=0.1, lmd_mouth=5),
        make_row("real", "bad", cpbd=0.0),
        make_row("a", "none", error="x"),
    ]
    assert [row.video for row in rank_worst(rows, 5)] == ["bad", "good"]


def test_a_metric_is_missing_where_no_system_has_it():
    rows = [
        make_row("a", "1", missing={"cpbd": "too small", "lmd.mouth": "no face"}),
        make_row("b", "1", cpbd=0.5, missing={"lmd.mouth": "no face"}),
    ]
    assert find_missing(rows) == {"lmd.mouth": "no face"}


def test_metrics_that_are_missing_for_one_reason_stand_together():
    reasons = {"cpbd": "too small", "lmd.mouth": "no face", "lmd.face": "no face"}
    assert group_missing([make_row("a", "1", missing=reasons)]) == {
        "too small": ["cpbd"], "no face": ["lmd.mouth", "lmd.face"],
    }  # fmt: skip


def test_a_run_fails_where_nothing_was_measured():
    bad = make_row("a", "1", error="a text file")
    check_some([bad, make_row("a", "2")])
    assert count_measured([bad, make_row("a", "2"), make_row("real", "2")]) == {"a": (1, 2)}
    with pytest.raises(ToolkitError, match="no video could be measured"):
        check_some([bad])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12345.6, "12346"), (-0.5, "−0.5"), (1e-12, "0"), (math.inf, "∞"),
     (0.00001234, "1.2e−05"), (-math.inf, "−∞")],
)  # fmt: skip
def test_numbers_have_four_digits(value, text):
    assert write_value(value) == text


def test_a_mean_is_written_with_its_interval():
    assert write_mean(Mean(0.5, 0.25, 0.75, 3)) == "0.5 (0.25–0.75)"
    assert write_mean(Mean(0.5, -0.25, 0.75, 3)) == "0.5 (−0.25 to 0.75)"
    assert write_mean(Mean(0.5, math.nan, math.nan, 1)) == "0.5"
