"""Results as rows and as Markdown."""

import math

import pytest

from zoo.evaluation.tables import judge, replace_table, write_interval, write_table
from zoo.metrics.intervals import Interval


def test_numbers_have_three_digits_and_columns_stand_in_the_order_they_come_in():
    rows = [{"what": "a", "mm": 0.12345}, {"what": "b", "mm": 12.345, "n": 3}, {"mm": math.nan}]
    assert write_table(rows).splitlines() == [
        "| what | mm | n |", "| --- | --- | --- |", "| a | 0.123 |  |", "| b | 12.3 | 3 |",
        "|  | – |  |",
    ]  # fmt: skip


def test_a_table_is_put_between_its_markers_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("A\n<!-- one -->\nold\n<!-- end -->\nB\n<!-- two -->\nold\n<!-- end -->\n")
    replace_table(page, "one", "| new \\1 |")
    assert page.read_text() == (
        "A\n<!-- one -->\n\n| new \\1 |\n\n<!-- end -->\nB\n<!-- two -->\nold\n<!-- end -->\n"
    )
    with pytest.raises(ValueError, match="no markers for three"):
        replace_table(page, "three", "")


def test_a_figure_is_judged_by_the_most_or_the_least_that_is_asked():
    assert judge("error", 0.2, 0.2)["met"] == judge("share", 0.8, 0.9, most=False)["met"] == "yes"
    assert judge("share", 0.8, 0.7, most=False) == {
        "what": "share", "asked": "at least 0.800", "measured": 0.7, "met": "no",
    }  # fmt: skip
    assert judge("error", 0.2, math.nan)["met"] == "no"


def test_an_interval_stands_behind_its_figure():
    assert write_interval(Interval(value=1.5, low=1.25, high=2)) == "1.500 (1.250–2.000)"
    assert write_interval(Interval(value=1.5, low=None, high=None)) == "1.500 (–)"
    assert write_interval(Interval(value=float("nan"), low=None, high=None)) == "–"
