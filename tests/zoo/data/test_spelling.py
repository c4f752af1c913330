"""What recognisers write in figures, as transcripts spell it."""

import pytest

from zoo.data.spelling import spell_number, spell_out
from zoo.data.transcripts import find_doubt, normalise_text

NUMBERS = {
    0: "zero",
    9: "nine",
    10: "ten",
    19: "nineteen",
    20: "twenty",
    21: "twenty one",
    99: "ninety nine",
    100: "one hundred",
    110: "one hundred ten",
    999: "nine hundred ninety nine",
    1000: "one thousand",
    9999: "nine thousand nine hundred ninety nine",
    90_000: "ninety thousand",
    1_000_001: "one million one",
    2_000_300_000: "two billion three hundred thousand",
    10**12 - 1: "nine hundred ninety nine billion nine hundred ninety nine million nine hundred "
    "ninety nine thousand nine hundred ninety nine",
}

TEXTS = {
    "I am 20.": "i am twenty",
    "5,719 writs": "five thousand seven hundred nineteen writs",
    "1,000,000 people": "one million people",
    "1, 2, 3": "one two three",
    "6, 0, 4, 5": "six zero four five",
    "3.14 and 0.5": "three point one four and zero point five",
    "room 007, call 5551234": "room zero zero seven call five five five one two three four",
    "100000 men": "one hundred thousand men",
    "1234567890123": "one two three four five six seven eight nine zero one two three",
    # years
    "in 1963, 1905, 1900 and 1066": "in nineteen sixty three nineteen oh five nineteen hundred and "
    "ten sixty six",
    "1000, 2000, 2009, 2010": "one thousand two thousand two thousand nine twenty ten",
    "1,963 men": "one thousand nine hundred sixty three men",
    "1963's war": "nineteen sixty three's war",
    "1815-16": "eighteen fifteen sixteen",
    "the 1480s and 60s": "the fourteen eighties and sixties",
    "two 6s, three 5s": "two sixes three fives",
    # ordinals
    "the 1st, 2nd, 3rd and 4th": "the first second third and fourth",
    "5th 8th 9th 12th": "fifth eighth ninth twelfth",
    "17th-century": "seventeenth century",
    "20th, 21st, 42nd, 100th": "twentieth twenty first forty second one hundredth",
    # money
    "£10 and £1": "ten pounds and one pound",
    "$3.50, $1.01, $5.00": "three dollars and fifty cents one dollar and one cent five dollars",
    "£2.05 or € 7": "two pounds and five pence or seven euros",
    "$1 million, $2.5 billion": "one million dollars two point five billion dollars",
    "$3.25 million": "three point two five million dollars",
    "$1,200": "one thousand two hundred dollars",
    # signs
    "50% of A & B": "fifty percent of a and b",
    "a@b + c = d": "a at b plus c equals d",
    # times
    "at 10:30, 9:05 or 7:00": "at ten thirty nine oh five or seven o'clock",
    "9am, 9 p.m., 11 PM": "nine a m nine p m eleven p m",
    # titles
    "Mr. Neal, Mrs Day and Dr. No": "mister neal missus day and doctor no",
    "St. Paul's": "saint paul's",
    "No. 5? No. I said no.": "number five no i said no",
    # letters
    "B12 in 3D": "b twelve in three d",
    "Nothing to spell, isn't there?": "nothing to spell isn't there",
    "": "",
}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_spelled_as_in_american_english(number: int) -> None:
    assert spell_number(number) == NUMBERS[number]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_spelled_as_it_is_read(text: str) -> None:
    assert normalise_text(spell_out(text)) == TEXTS[text]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_spelled_is_spelled_already(text: str) -> None:
    once = spell_out(text)
    assert normalise_text(spell_out(once)) == normalise_text(once)


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_nothing_is_left_that_transcripts_do_not_hold(text: str) -> None:
    assert find_doubt(spell_out(text)) == ""
