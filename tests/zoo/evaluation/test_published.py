"""The papers' tables: their numbers, and our rows in their form."""

import json
import math
from importlib.resources import files

import pytest

from zoo.evaluation.published import NOT_COMPARABLE, TABLES, make_paper_table
from zoo.evaluation.summary import Mean
from zoo.metrics.table import METRICS

CONTENT = json.loads((files("zoo.evaluation") / "published.json").read_text("utf-8"))


def mean(value):
    return Mean(value, math.nan, math.nan, 1)


@pytest.mark.parametrize("name", TABLES)
def test_every_published_row_has_a_number_or_a_gap_in_each_column(name):
    table = CONTENT[name]
    assert {len(row) for row in table["rows"]} == {1 + len(table["columns"])}


@pytest.mark.parametrize("name", TABLES)
def test_a_column_names_a_metric_that_there_is_or_says_what_it_lacks(name):
    for column in CONTENT[name]["columns"]:
        assert set(column["metric"]) & set(METRICS) or column["lacks"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("facial-1", ["FACIAL", "3.57", "0.314", "−2", "5.216", "0.47", "0.26", "0.73", "0.85"]),
        ("das-1", ["Das, TCD-TIMIT", "30.7", "0.74", "0.61", "1.4", "0.98", "0.377", "1", "5.91",
                   "0.3", "0.33"]),
        ("das-2", ["SDA, GRID", "27.1", "0.81", "0.26", "1.56", "1.47", "0.802", "23.1", "1",
                   "7.4", "0.45", "0.36"]),
    ],
)  # fmt: skip
def test_the_papers_rows_are_as_printed(name, row):
    assert row in make_paper_table(name, {}, []).papers


def test_our_rows_stand_in_the_papers_columns_and_gaps_have_reasons():
    summary = {"lmd.mouth": {"a": mean(1.5)}, "cpbd": {"a": mean(0.25), "b": mean(0.5)}}
    table = make_paper_table("facial-1", summary, ["a", "b"])
    assert [row[:4] for row in table.measured] == [
        ["a", "1.5", "0.25", "–"],
        ["b", "–", "0.5", "–"],
    ]
    assert any(note.startswith("LMD is lmd.mouth: px of the measured") for note in table.notes)
    assert any(note.startswith("AV conf.: needs the published judge") for note in table.notes)
    assert table.notes[-1] == NOT_COMPARABLE


def test_lip_reading_is_filled_by_no_speech_recogniser():
    notes = make_paper_table("das-2", {}, []).notes
    assert "WER, %: the paper's is of lip reading, and there is no lip reader here." in notes


def test_columns_of_lip_sync_are_filled_by_the_published_judge_alone():
    """A stand-in's values are of another scale."""
    summary = {"sync.offset": {"a": mean(-2.0)}, "sync.lse_c": {"a": mean(5.5)}}
    for table, first in (("facial-1", 3), ("das-1", 7), ("das-2", 8)):
        (row,) = make_paper_table(table, summary, ["a"], is_judge_published=True).measured
        assert row[first : first + 2] == ["−2", "5.5"]
        (row,) = make_paper_table(table, summary, ["a"]).measured
        assert row[first : first + 2] == ["–", "–"]
