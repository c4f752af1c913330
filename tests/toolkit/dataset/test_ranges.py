"""What a row may hold: found row by row and for all rows at once."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import FakeClip, make_rejected_row, make_row, make_source_row
from toolkit.dataset.ranges import RANGES, find_outside, find_rows_outside
from toolkit.schema import Reason

NUMBERS = st.one_of(
    st.floats(-200, 200), st.sampled_from([0.0, 1.0, -1.0, math.inf, -math.inf, math.nan])
)
TIMES = st.lists(st.floats(-0.2, 1.5), max_size=3)
COLUMNS = [name for name in RANGES if name in make_row(FakeClip())]
CHANGES = st.one_of(
    st.fixed_dictionaries({}),
    st.tuples(st.sampled_from(COLUMNS), NUMBERS).map(lambda pair: {pair[0]: pair[1]}),
    st.fixed_dictionaries({"blink_onsets": TIMES, "blink_offsets": TIMES}),
    st.fixed_dictionaries({"blink_onsets": TIMES, "blink_offsets": st.none()}),
    st.fixed_dictionaries({"pitch_min": NUMBERS, "pitch_max": NUMBERS}),
    st.sampled_from(
        [
            {"blink_onsets": [0.1, 0.5], "blink_offsets": [0.2, 0.6]},
            {"blink_onsets": [0.1, 0.2], "blink_offsets": [0.3, 0.4]},
            {"blink_onsets": [0.2], "blink_offsets": [math.nan]},
        ]
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(CHANGES, max_size=5))
def test_all_rows_at_once_give_the_rows_that_are_wrong_by_themselves(
    changes: list[dict[str, Any]],
) -> None:
    rows = [make_row(FakeClip(num_frames=30)) | {"num_frames": 30.0} | each for each in changes]
    rows = [row for row in rows if not math.isnan(float(str(row["num_frames"])))]
    wrong = [index for index, row in enumerate(rows) if find_outside(row)]
    frame = pd.DataFrame(rows, columns=list(make_row(FakeClip())))
    assert find_rows_outside(frame).index.tolist() == wrong


@pytest.mark.parametrize(
    ("change", "is_wrong"),
    [({}, False), ({"reason": "whim"}, True), ({"start": -1.0}, True), ({"duration": -0.5}, True)],
)
def test_rejections_are_checked_too(change: dict[str, object], is_wrong: bool) -> None:
    row = make_rejected_row("a.mp4", Reason.NO_FACE, 2, "j") | change
    assert len(find_rows_outside(pd.DataFrame([row]))) == is_wrong
    assert bool(find_outside(row)) == is_wrong


def test_sources_are_checked_too() -> None:
    row = make_source_row([FakeClip()])
    assert len(find_rows_outside(pd.DataFrame([row, row | {"size": -1}]))) == 1
