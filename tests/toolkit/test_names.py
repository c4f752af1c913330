"""Names of people: one spelling, near-equal ones, words that name no person."""

import unicodedata

import pytest

from toolkit.names import find_similar, names_no_person, normalise_name, write_name


@pytest.mark.parametrize("name", ["José Müller", "Żółć", "가나", "Ann"])
def test_every_form_of_unicode_and_of_spacing_is_one_spelling(name: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, name)
        assert normalise_name(f"  {written.replace(' ', '  ')}\t") == name


@pytest.mark.parametrize(
    "name", ["video", "Videos", "level_1", "left_30", "my clips", "raw-data 2024", "MP4", "front"]
)
def test_words_that_say_what_a_folder_holds_name_nobody(name: str) -> None:
    assert names_no_person(name)


@pytest.mark.parametrize(
    "name", ["s1", "M003", "id00012", "ann", "ann video", "00017", "v", "21Uxsk56VDQ", "HDTF", ""]
)
def test_anything_else_may_be_a_person(name: str) -> None:
    assert not names_no_person(name)


def test_names_that_differ_in_more_than_case_accents_and_signs_are_not_similar() -> None:
    assert find_similar(["Ann", "Anna", "s1", "s11", "s1-1", "2.1", "21", "-", "_"]) == []
    for name in ("s1--1", "s1 - 1", "s1_-1", "s1. 1"):
        assert find_similar([name, "s11"]) == []
        assert find_similar([name, "s1-1", "s11"]) == [tuple(sorted([name, "s1-1"]))]
    groups = [("ANN", "A nn", "Ann"), ("Jose", "José"), ("s_1", "s1")]
    found = find_similar(name for group in groups for name in group)
    assert found == [("A nn", "ANN", "Ann"), ("Jose", "José"), ("s1", "s_1")]


def test_a_name_is_written_on_one_line_and_moves_nothing_but_itself() -> None:
    """Joiners within Persian and Indic words stay: they are part of the spelling."""
    assert write_name("a\nb\tc\x1b[1m\u202e\u2028") == r"a\nb\tc\x1b[1m\u202e\u2028"
    for name in ("می\u200cخواهم", "क्\u200dष", "Jörg", "李 雷", "\U0001f600"):
        assert write_name(name) == name
