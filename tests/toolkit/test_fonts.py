"""Text in pictures: every script at hand is drawn as it is written, and what is not is said."""

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from toolkit import fonts
from toolkit.fonts import (
    is_plain,
    list_fonts,
    render_text,
    use_fonts,
    write_label,
    write_plot_label,
)
from toolkit.preview.draw import draw_text, fit_text

NAMES = {
    "Chinese": "李雷", "Japanese": "さくら", "Korean": "김철수", "Arabic": "محمد",
    "Devanagari": "प्रिया", "Bengali": "শ্রী", "Tamil": "தமிழ்", "Telugu": "తెలుగు", "Thai": "ไทย",
    "Hebrew": "שלום",
}  # fmt: skip
needs_fonts = pytest.mark.skipif(
    importlib.util.find_spec(fonts.PACKAGE) is None, reason="needs ttk's extra `fonts`"
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the extra: DejaVu Sans alone."""
    monkeypatch.setattr(fonts, "PACKAGE", "no_such_package_of_fonts")
    list_fonts.cache_clear()
    yield
    list_fonts.cache_clear()


def measure(text: str) -> int:
    """Columns with ink."""
    return int((render_text(text, 40)[0].max(axis=0) > 0).sum())


def count_strokes(text: str) -> int:
    """Runs of columns with ink."""
    ink = np.pad(render_text(text, 40)[0].max(axis=0) > 127, 1)
    return int(np.diff(ink.astype(int)).clip(0).sum())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("text", ["Jörg", "Łukasz", "Дмитрий", "Ωmega", "−3° · 4…5"])
def test_latin_greek_and_cyrillic_need_no_package(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_label(text) == text
    assert is_plain(text)


@pytest.mark.usefixtures("bare")
def test_letters_without_a_font_stand_as_codes_and_the_package_is_named() -> None:
    """Two people stay two: a box for every letter would make them one."""
    with pytest.warns(UserWarning, match=r"pip install 'ttk\[fonts\]'"):
        assert write_label("李 b") == r"\u674e b"
    with pytest.warns(UserWarning, match="codes"):
        assert write_label("雷 b") != write_label("李 b")


@pytest.mark.usefixtures("bare")
def test_pictures_are_drawn_without_the_package() -> None:
    picture = np.zeros((40, 400, 3), np.uint8)
    with pytest.warns(UserWarning, match="codes"):
        draw_text(picture, fit_text("李雷", 380), (4, 20))
    assert picture.any()


@needs_fonts
@pytest.mark.parametrize("script", NAMES)
def test_each_script_has_a_font(script: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_label(NAMES[script]) == NAMES[script]
        picture, above = render_text(NAMES[script], 40)
    assert 0 < above <= len(picture)
    assert (picture > 127).sum() > 100


def test_arabic_letters_are_joined_and_written_from_the_right() -> None:
    """Three of b are one stroke of the pen; alef, an upright stroke, begins a word on the right."""
    assert [count_strokes(text) for text in ("ببب", "ب ب ب", "bbb")] == [1, 3, 3]
    for text, is_right in (("ا ببب", True), ("ببب ا", False)):
        ink = (render_text(text, 40)[0] > 127).sum(axis=0)
        assert (ink.argmax() > len(ink) / 2) == is_right


@needs_fonts
def test_indic_letters_are_placed_and_joined_as_they_are_read() -> None:
    """The vowel i stands left of its consonant; a cluster is narrower than its parts."""
    consonant, syllable = render_text("क", 40)[0] > 127, render_text("कि", 40)[0] > 127
    width = consonant.shape[1]
    right, left = syllable[:, -width:], syllable[:, :width]
    rows = min(len(consonant), len(syllable))
    agreement = [(side[-rows:] == consonant[-rows:]).mean() for side in (right, left)]
    assert agreement[0] > agreement[1]
    assert measure("क्ष") < measure("क") + measure("ष")


def test_latin_text_looks_as_it_did() -> None:
    """Drawn by Pillow, at the same place as ever; other scripts stand on the same baseline."""
    plain, mixed = (np.zeros((40, 200, 3), np.uint8) for _ in range(2))
    draw_text(plain, "HHH", (4, 20), size=16)
    draw_text(mixed, "HHHا", (4, 20), size=16)
    rows = [np.flatnonzero(p[:, 4:30].max(axis=(1, 2)) > 127) for p in (plain, mixed)]
    assert abs(rows[0][-1] - rows[1][-1]) <= 1


@needs_fonts
def test_matplotlib_writes_every_script_without_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings(), use_fonts():
        warnings.simplefilter("error")
        figure = Figure()
        axes = figure.subplots()
        axes.set_yticks(range(len(NAMES)), list(map(write_plot_label, NAMES.values())))
        axes.set_title(f"{write_plot_label(NAMES['Arabic'])}: 4 clips")
        figure.savefig(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size


def test_names_for_matplotlib_are_no_formulas_and_are_not_hidden() -> None:
    assert write_plot_label("$x$") == r"\$x\$"
    assert not write_plot_label("_x").startswith("_")
    assert write_plot_label("Jörg") == "Jörg"


def test_a_long_name_in_another_script_is_shortened_to_its_room() -> None:
    short = fit_text("محمد " * 40, 120)
    assert "…" in short
    assert render_text(short, 12)[0].shape[1] <= 120
