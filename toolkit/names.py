"""Names of people: how they are written, which are nearly the same, which say no person."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

_NO_PERSON = (
    "aligned archive audio avi back batch camera cam clip clips corpus crop cropped crops data "
    "database dataset datasets demo desktop dev down download downloads eval example examples "
    "face faces file files film films folder footage frame frames front hd images input inputs "
    "left level media mkv mov movie movies mp4 mpeg mpg my new old original originals output part "
    "raw recording recordings right sample samples scene scenes sd session sessions source sources "
    "split take takes temp test testing tmp top train training trainval up upload uploads val "
    "valid validation vid video videos view webm"
)
"""Words that say what a folder holds, or from where it was seen, and not who."""


def normalise_name(text: str) -> str:
    """One spelling of a name: composed letters (NFC), single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def write_name(text: str) -> str:
    r"""A name on one line of a terminal: characters that control it stand as `\n` or `\u202e`.

    Line ends, terminal codes and marks that turn the direction of what follows would break the
    line, or the table, that the name stands in.
    """
    return "".join(c if _is_plain(c) else c.encode("unicode_escape").decode() for c in text)


def _is_plain(character: str) -> bool:
    """Whether a character moves nothing but itself; joiners inside words are letters' business."""
    kind = unicodedata.category(character)
    return kind not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in _JOINERS


_JOINERS = "\u200c\u200d"
"""Between letters of Persian and Indic words: they join or part these."""


def names_no_person(name: str) -> bool:
    """Whether every word of a name says what a folder holds: `video`, `level_1`, `raw clips`."""
    words = re.findall(r"mp4|[^\W\d_]+", name.lower())
    return bool(words) and set(words) <= set(_NO_PERSON.split())


def find_similar(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ in case, accents, spaces or hyphens alone, grouped; sorted."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[_fold(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _fold(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    # between two digits signs count, as one: s1-1 is not s11, and s1--1 is s1-1
    bare = re.sub(r"(?<=\d)[\s_.\-]+(?=\d)", "-", bare)
    return re.sub(r"(?<!\d)[\s_.\-]+|[\s_.\-]+(?!\d)", "", bare) or name
