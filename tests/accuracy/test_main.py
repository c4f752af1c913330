"""Which tables `python -m tests.accuracy` measures."""

import pytest

from tests.accuracy.__main__ import choose_tables

NAMES = ("claps", "metrics-moves", "metrics-kept", "speech")


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], list(NAMES)),
        (["metrics-"], ["metrics-moves", "metrics-kept"]),
        (["speech", "metrics-k"], ["metrics-kept", "speech"]),
    ],
)
def test_tables_are_chosen_by_the_beginnings_of_their_names(words: list[str], chosen: list[str]):
    assert choose_tables(NAMES, words) == chosen


@pytest.mark.parametrize(("words", "code"), [(["metric-"], 2), (["claps", "x"], 2), (["-h"], 0)])
def test_a_name_that_begins_no_table_and_help_list_those_there_are(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as left:
        choose_tables(NAMES, words)
    assert left.value.code == code
    assert "metrics-kept" in "".join(capsys.readouterr())
