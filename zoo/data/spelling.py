"""Figures, signs and titles as they are read aloud, in American English.

Transcripts that are compared hold words alone, while recognisers that write for readers put "20"
for "twenty". What a figure was read as is not always to be seen (1500 may be a year): each has one
reading here, the commonest.
"""

import re

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {10**9: "billion", 10**6: "million", 1000: "thousand", 100: "hundred"}
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
"""Of the number words to which "th" is not merely added."""

UNITS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
SIGNS = {"%": " percent ", "&": " and ", "@": " at ", "+": " plus ", "=": " equals "}
TITLES = {"Mr": "mister", "Mrs": "missus", "Dr": "doctor", "St": "saint", "No": "number"}

_NUMBER = r"\d+(?:,\d{3}(?!\d))*"
_SCALE = r" (?:hundred|thousand|million|billion)\b"
_TITLE = re.compile(r"\b(?:(Mrs?|Dr)\b\.?|(St)\b\.?(?= [A-Z])|(No)\.(?= ?\d))")
_MONEY = re.compile(
    rf"([$£€]) ?({_NUMBER})(?:\.(\d\d)(?!\d|{_SCALE})|((?:\.\d+)?(?:{_SCALE})?))", re.IGNORECASE
)
_TIME = re.compile(r"\b(1?\d|2[0-3]):([0-5]\d)\b")
_HALF_DAY = re.compile(r"(?<=\d) ?([ap])m\b", re.IGNORECASE)
_FIGURES = re.compile(rf"({_NUMBER})(?:(st|nd|rd|th)\b|(s)\b|\.(\d+))?", re.IGNORECASE)


def spell_out(text: str) -> str:
    """A text with words for its figures, for signs that are read aloud and for some titles.

    Four digits without a comma are read in pairs up to 2099 (1963: nineteen sixty three; not 2000
    to 2009); more than six, or behind a zero, digit by digit.
    """
    text = _TITLE.sub(lambda m: TITLES[m[m.lastindex or 0]], text)
    text = _MONEY.sub(_spell_money, text)
    text = _HALF_DAY.sub(r" \1 m", text)
    text = _TIME.sub(_spell_time, text)
    text = _FIGURES.sub(_spell_figures, text)
    return "".join(SIGNS.get(character, character) for character in text)


def spell_number(number: int) -> str:
    """Words of a whole number from 0 to 10¹² − 1, without "and": 105 is "one hundred five"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return _add(TENS[number // 10 - 2], number % 10)
    scale = next(scale for scale in SCALES if number >= scale)
    return _add(f"{spell_number(number // scale)} {SCALES[scale]}", number % scale)


def _add(words: str, rest: int) -> str:
    return f"{words} {spell_number(rest)}" if rest else words


def _spell_whole(figures: str) -> str:
    """Words of digits, which may have commas."""
    digits = figures.replace(",", "")
    if len(digits) > 12 or (digits == figures and (len(digits) > 6 or digits[:-1].startswith("0"))):
        return " ".join(ONES[int(digit)] for digit in digits)
    number = int(digits)
    if digits == figures and 1010 <= number < 2100 and number // 10 != 200:
        return _spell_pair(*divmod(number, 100))
    return spell_number(number)


def _spell_pair(high: int, low: int) -> str:
    """Of a year or a time: 19 and 5 are "nineteen oh five"."""
    if low == 0:
        return f"{spell_number(high)} hundred"
    return f"{spell_number(high)} {'oh ' if low < 10 else ''}{spell_number(low)}"


def _spell_time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    return _spell_pair(hour, minute) if minute else f"{spell_number(hour)} o'clock"


def _spell_money(match: re.Match[str]) -> str:
    """The unit behind the amount, whose figures are left to be spelled."""
    sign, whole, cents, rest = match.groups()
    unit, units, part, parts = UNITS[sign]
    words = f"{whole}{rest or ''} {unit if whole == '1' and not rest else units}"
    if not cents or cents == "00":
        return words
    return f"{words} and {int(cents)} {part if cents == '01' else parts}"


def _spell_figures(match: re.Match[str]) -> str:
    figures, ordinal, plural, decimals = match.groups()
    words = _spell_whole(figures)
    first, _, last = words.rpartition(" ")
    if ordinal:
        words = f"{first} {_make_ordinal(last)}"
    elif plural:
        words = f"{first} {_make_plural(last)}"
    elif decimals:
        words += " point " + " ".join(ONES[int(digit)] for digit in decimals)
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return f"{' ' * before.isalpha()}{words.strip()}{' ' * after.isalpha()}"


def _make_ordinal(word: str) -> str:
    return ORDINALS.get(word) or (f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th")


def _make_plural(word: str) -> str:
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("x") else f"{word}s"
