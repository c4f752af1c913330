"""Fonts that pictures are written with, so that a name in any script can be read.

matplotlib brings DejaVu Sans, for Latin, Greek and Cyrillic letters. The package weblate-fonts
(ttk's extra `fonts`) brings Kurinto Sans, under the SIL Open Font License, for most others: Arabic,
Indic scripts, Thai, Hebrew, Chinese, Japanese, Korean. Without it such letters stand as codes.
matplotlib joins, orders and places letters as their script needs it, from 3.11 on.
"""

import contextlib
import functools
import importlib.util
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.names import write_name

PACKAGE = "weblate_fonts"
FALLBACKS = ("KurintoSans", "KurintoSansSC", "KurintoSansTC", "KurintoSansJP", "KurintoSansKR")
"""Asked in this order for what DejaVu Sans lacks; Chinese characters are the simplified ones'."""

_FROM_RIGHT = ("R", "AL", "AN")
"""Classes of direction of letters that are written from the right."""

_LEFT_TO_RIGHT = "\u200e"
"""A mark without width."""


@functools.cache
def list_fonts(bold: bool = False) -> tuple[Path, ...]:
    """Files of the fonts at hand, DejaVu Sans first."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    fonts = [Path(matplotlib.get_data_path(), "fonts", "ttf", name)]
    package = importlib.util.find_spec(PACKAGE)
    for folder in (package.submodule_search_locations or ()) if package else ():
        for family in FALLBACKS:
            fonts += Path(folder).rglob(f"{family}-{'Bd' if bold else 'Rg'}.ttf")
    return tuple(fonts)


def is_plain(text: str) -> bool:
    """Whether DejaVu Sans draws a text, letter by letter from left to right."""
    letters = _list_letters(list_fonts()[0])
    return all(ord(c) in letters and unicodedata.bidirectional(c) not in _FROM_RIGHT for c in text)


def write_label(text: str) -> str:
    r"""A name as pictures have it: on one line, characters that no font has as `\u674e`.

    Warns of those, and says what to install.
    """
    text = write_name(text)
    known = [_list_letters(font) for font in list_fonts()]
    lacking = {c for c in text if c not in "\u200c\u200d" and not any(ord(c) in k for k in known)}
    if lacking:
        has_more = len(known) > 1
        advice = "no font here has them" if has_more else "pip install 'ttk[fonts]' for their fonts"
        warnings.warn(f"some letters of names stand as codes in pictures: {advice}", stacklevel=2)
    return "".join(c.encode("unicode_escape").decode() if c in lacking else c for c in text)


def write_plot_label(text: str) -> str:
    """A name for matplotlib to begin a line with: no formula between two $, no `_` that hides it.

    What follows it stands to its right, though the name be written from right to left.
    """
    label = write_label(text).replace("$", r"\$")
    if not is_plain(label):
        return f"{_LEFT_TO_RIGHT}{label}{_LEFT_TO_RIGHT}"
    return f" {label}" if label.startswith("_") else label


@contextlib.contextmanager
def use_fonts() -> Iterator[None]:
    """Let matplotlib write with all fonts at hand: make the figure and save it inside the block."""
    import matplotlib
    from matplotlib import font_manager

    families = []
    for font in list_fonts():
        font_manager.fontManager.addfont(font)
        families.append(font_manager.get_font(font).family_name)
    with matplotlib.rc_context({"font.family": families}):
        yield


def render_text(text: str, size: int, bold: bool = False) -> tuple[npt.NDArray[np.uint8], int]:
    """A line of text in any script, and where it stands.

    Args:
        text: without line ends.
        size: of the font, px.
        bold: or regular.

    Returns:
        (height, width) coverage, 0 to 255, and how many of its rows lie above the baseline.
    """
    font = _open_fonts(size, bold)
    font.set_text(text, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    picture = np.array(font.get_image(), np.uint8)
    return picture, len(picture) - round(font.get_descent() / 64)


def _open_fonts(size: int, bold: bool) -> Any:
    from matplotlib import font_manager

    fonts: Sequence[Path] = list_fonts(bold)
    font = font_manager.get_font([str(font) for font in fonts])
    font.set_size(size, 72)
    return font


@functools.cache
def _list_letters(font: Path) -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(str(font)).get_charmap())
