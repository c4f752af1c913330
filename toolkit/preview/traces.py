"""Traces under the picture: AU45, head turn, sound level, speech symbols, and a playhead.

All of a clip's traces are drawn once, on a strip as long as the clip; a frame then costs one slice
of it, the playhead and the current values. Legend: n frames.
"""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.mesh import MAX_AU45
from toolkit.preview.clip import Floats, PreviewClip
from toolkit.preview.draw import (
    AXES,
    BACKGROUND,
    BLINK,
    GRID,
    INVALID,
    MUTED,
    PANEL,
    SPEECH,
    TEXT,
    Box,
    Color,
    Picture,
    draw_lines,
    draw_text,
    fill_box,
    format_number,
)
from toolkit.schema import DEEPSPEECH_SYMBOLS

WIDTH, HEIGHT = 768, 336
SECONDS = 6.0
"""Longest stretch seen at once; longer clips scroll under the playhead."""

_LEFT, _RIGHT = 84, 100
_PLOT = WIDTH - _LEFT - _RIGHT
_AU45, _POSE, _LEVEL, _LETTERS, _SYMBOLS, _TIME = (
    (8, 64), (74, 150), (160, 204), (214, 228), (228, 315), (318, 334),
)  # fmt: skip
"""Rows of the strip, top and bottom (px); three px for each of the 29 symbols."""

QUIET = -60.0
"""Lowest sound level drawn, dBFS."""

_LEVEL_SECONDS = 0.025
_POSE_RANGES = (10, 20, 30, 45, 60, 90, 180)
_DIM = 1e-3
"""Probability at which the heat map is darkest; its scale is logarithmic."""

_BLANK = len(DEEPSPEECH_SYMBOLS) - 1
_NAMED_SYMBOLS = "aeiou_"
_EMPTY = "not stored"


class Traces:
    """The traces of one clip.

    Attributes:
        pose_range: degrees at the top of the pose row; its bottom is the negative of it.
    """

    def __init__(self, clip: PreviewClip) -> None:
        self._clip = clip
        self._scale = _PLOT / min(max(clip.duration, 0.5), SECONDS) / clip.fps
        self._turns = None if clip.pose is None else np.degrees(clip.pose[:, :3])
        self.pose_range = _choose_range(self._turns)
        self._level = measure_level(clip.pcm, (np.arange(clip.num_frames) + 0.5) / clip.fps)
        self._strip = self._draw_strip()
        self._frame = self._draw_frame()

    def draw(self, picture: Picture, t: int) -> None:
        """Draw the traces at frame t over a picture (HEIGHT, WIDTH, 3)."""
        x = self._x(t + 0.5)
        first = round(min(max(0.0, x - _PLOT / 2), self._strip.shape[1] - _PLOT))
        picture[:] = self._frame
        picture[:, _LEFT : _LEFT + _PLOT] = self._strip[:, first : first + _PLOT]
        here = _LEFT + round(x) - first
        fill_box(picture, (here, _AU45[0], here + 1, _SYMBOLS[1]), TEXT, 0.85)
        self._draw_values(picture, t, here)

    def _x(self, frame: float) -> float:
        return frame * self._scale

    # --- drawn once -----------------------------------------------------------------------------

    def _draw_strip(self) -> Picture:
        width = max(_PLOT, int(np.ceil(self._x(self._clip.num_frames))))
        strip = np.full((HEIGHT, width, 3), BACKGROUND, np.uint8)
        for top, bottom in (_AU45, _POSE, _LEVEL, (_LETTERS[0], _SYMBOLS[1])):
            fill_box(strip, (0, top, width, bottom), PANEL)
        self._draw_symbols(strip)
        self._draw_clock(strip)
        self._draw_level(strip)
        self._shade(strip)
        self._draw_au45(strip)
        self._draw_pose(strip)
        return strip

    def _shade(self, strip: Picture) -> None:
        for blink in self._clip.blinks:
            fill_box(strip, self._span(blink.onset, blink.offset + 1, _AU45), BLINK, 0.3)
        for first, last in find_runs(~self._clip.valid):
            for row in (_AU45, _POSE, _LEVEL, (_LETTERS[0], _SYMBOLS[1])):
                fill_box(strip, self._span(first, last, row), INVALID, 0.3)

    def _span(self, first: int, last: int, row: tuple[int, int]) -> Box:
        x0 = round(self._x(first))
        return x0, row[0], max(x0 + 1, round(self._x(last))), row[1]

    def _draw_clock(self, strip: Picture) -> None:
        step = 1 if self._scale * self._clip.fps > 40 else 2
        for second in range(0, int(self._clip.duration) + 1, step):
            x = round(self._x(second * self._clip.fps))
            for top, bottom in (_AU45, _POSE, _LEVEL):
                fill_box(strip, (x, top, x + 1, bottom), GRID)
            text = f"{second} s"
            place = min(max(x, 10), strip.shape[1] - 12), sum(_TIME) // 2
            draw_text(strip, text, place, size=11, color=MUTED, anchor="middle")

    def _draw_line(self, strip: Picture, y: Floats, color: Color) -> None:
        x = self._x(1.0) * (np.arange(len(y)) + 0.5)
        draw_lines(strip, np.stack([x, y], axis=-1)[None], color, thickness=2)

    def _draw_au45(self, strip: Picture) -> None:
        _draw_grid(strip, _AU45, (0.0, 0.5, 1.0))
        if self._clip.au45 is not None:
            y = _place(self._clip.au45, (0.0, MAX_AU45), _AU45)
            self._draw_line(strip, y, BLINK)

    def _draw_pose(self, strip: Picture) -> None:
        _draw_grid(strip, _POSE, (0.0, 0.5, 1.0))
        if self._turns is not None:
            limits = -self.pose_range, self.pose_range
            for turn, color in zip(self._turns.T, AXES, strict=True):
                self._draw_line(strip, _place(turn, limits, _POSE), color)

    def _draw_level(self, strip: Picture) -> None:
        columns = int(self._x(self._clip.num_frames))
        times = (np.arange(columns) + 0.5) / (self._scale * self._clip.fps)
        y = _place(measure_level(self._clip.pcm, times), (QUIET, 0.0), _LEVEL)
        rows = np.arange(*_LEVEL)[:, None]
        area = strip[slice(*_LEVEL), :columns]
        area[rows >= y] = SPEECH

    def _draw_symbols(self, strip: Picture) -> None:
        if self._clip.symbols is None:
            return
        columns = int(self._x(self._clip.num_frames))
        frames = ((np.arange(columns) + 0.5) / self._scale).astype(np.intp)
        heat = draw_heat(self._clip.symbols).repeat(3, axis=0)
        strip[slice(*_SYMBOLS), :columns] = heat[:, frames.clip(0, self._clip.num_frames - 1)]
        for letter, first, last in read_letters(self._clip.symbols):
            place = round(self._x((first + last) / 2)), sum(_LETTERS) // 2
            draw_text(strip, letter, place, size=11, anchor="middle")

    def _draw_frame(self) -> Picture:
        """The margins: names, units, ticks."""
        frame = np.full((HEIGHT, WIDTH, 3), BACKGROUND, np.uint8)
        _name_row(frame, _AU45, "AU45", "0 to 5", {"5": 0.0, "0": 1.0}, BLINK)
        limit = f"{self.pose_range:g}°"
        _name_row(frame, _POSE, "head", "turn", {f"+{limit}": 0.0, "0°": 0.5, f"−{limit}": 1.0})
        _name_row(frame, _LEVEL, "sound", "dBFS", {"0": 0.0, f"−{-QUIET:g}": 1.0}, SPEECH)
        ticks = {
            name_symbol(k).strip("“”"): (k + 0.5) / len(DEEPSPEECH_SYMBOLS)
            for k in map(DEEPSPEECH_SYMBOLS.index, _NAMED_SYMBOLS)
        }
        _name_row(frame, _SYMBOLS, "speech", "symbols", ticks, SPEECH)
        return frame

    # --- drawn at every frame -------------------------------------------------------------------

    def _draw_values(self, picture: Picture, t: int, x: int) -> None:
        for row, values in ((_AU45, self._au45_values(t)), (_POSE, self._pose_values(t))):
            for y, _, color in values:
                cv2.circle(picture, (x, round(y)), 3, color, -1, cv2.LINE_AA)
            _list_values(picture, row, [(text, color) for _, text, color in values])
        level = self._level[t]
        text = f"{format_number(level)} dBFS" if level > QUIET else f"< −{-QUIET:g} dBFS"
        _list_values(picture, _LEVEL, [(text, SPEECH)])
        symbols = self._clip.symbols
        if symbols is not None:
            best = int(symbols[t].argmax())
            lines = [(name_symbol(best), TEXT), (f"p = {symbols[t, best]:.2f}", MUTED)]
            _list_values(picture, _SYMBOLS, lines)
        for row, part in ((_AU45, self._clip.au45), (_POSE, self._turns), (_SYMBOLS, symbols)):
            if part is None:
                middle = _LEFT + _PLOT // 2, sum(row) // 2
                draw_text(picture, _EMPTY, middle, color=MUTED, anchor="middle")

    def _au45_values(self, t: int) -> list[tuple[float, str, Color]]:
        if self._clip.au45 is None:
            return []
        value = self._clip.au45[t]
        return [(float(_place(value, (0.0, MAX_AU45), _AU45)), f"{value:.2f}", BLINK)]

    def _pose_values(self, t: int) -> list[tuple[float, str, Color]]:
        if self._turns is None:
            return []
        y = _place(self._turns[t], (-self.pose_range, self.pose_range), _POSE)
        names = ("pitch", "yaw", "roll")
        return [
            (float(y[k]), f"{names[k]} {format_number(turn, 1, sign=True)}°", AXES[k])
            for k, turn in enumerate(self._turns[t].tolist())
        ]


# --- measures -----------------------------------------------------------------------------------


def measure_level(pcm: npt.NDArray[np.int16], times: Floats) -> Floats:
    """Sound level (k,) in dBFS, root mean square over 25 ms around times (k,) in s."""
    power = np.concatenate([[0.0], np.cumsum(np.square(pcm / 32768.0))])
    half = _LEVEL_SECONDS / 2
    first, last = (
        np.clip(np.round((times + side) * SAMPLE_RATE), 0, len(pcm)).astype(np.intp)
        for side in (-half, half)
    )
    mean = (power[last] - power[first]) / np.maximum(last - first, 1)
    return np.asarray(10 * np.log10(np.maximum(mean, 1e-12)))


def find_runs(flags: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches [first, last) of (n,) flags that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def read_letters(symbols: Floats) -> Iterator[tuple[str, int, int]]:
    """Symbols and the stretch [first, last) over which each is the likeliest; no space, no blank.

    Greedy reading of a CTC network's scores (Graves et al., ICML 2006, §3.2).

    Args:
        symbols: (n, 29) probabilities in stored order.
    """
    best = symbols.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best)) + 1
    bounds = [0, *edges.tolist(), len(best)]
    for first, last in itertools.pairwise(bounds):
        letter = DEEPSPEECH_SYMBOLS[best[first]]
        if letter not in " _":
            yield letter, first, last


def draw_heat(symbols: Floats) -> Picture:
    """Heat map (29, n, 3) uint8 RGB of probabilities (n, 29), logarithmic from 0.001 to 1."""
    share = 1 - np.log(np.clip(symbols.T, _DIM, 1)) / np.log(_DIM)
    heat = cv2.applyColorMap(np.round(share * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    return np.ascontiguousarray(heat[..., ::-1])


def name_symbol(symbol: int) -> str:
    """A symbol's name for people."""
    return {0: "space", _BLANK: "blank"}.get(symbol, f"“{DEEPSPEECH_SYMBOLS[symbol]}”")


def _choose_range(turns: Floats | None) -> float:
    largest = 0.0 if turns is None else float(np.abs(turns).max())
    return next((limit for limit in _POSE_RANGES if limit >= largest), _POSE_RANGES[-1])


def _place(values: npt.ArrayLike, limits: tuple[float, float], row: tuple[int, int]) -> Floats:
    """The y (px) of values in a row whose bottom and top stand for the limits."""
    share = (np.asarray(values, np.float64) - limits[0]) / (limits[1] - limits[0])
    return np.asarray(row[1] - 1 - share.clip(0, 1) * (row[1] - row[0] - 2))


# --- margins ------------------------------------------------------------------------------------


def _draw_grid(strip: Picture, row: tuple[int, int], shares: tuple[float, ...]) -> None:
    for share in shares:
        y = round(row[0] + share * (row[1] - row[0] - 1))
        fill_box(strip, (0, y, strip.shape[1], y + 1), GRID)


def _name_row(
    picture: Picture,
    row: tuple[int, int],
    name: str,
    unit: str,
    ticks: dict[str, float],
    color: Color = TEXT,
) -> None:
    middle = sum(row) // 2
    draw_text(picture, name, (8, middle - 8), size=12, color=color, bold=True)
    draw_text(picture, unit, (8, middle + 8), size=11, color=MUTED)
    for text, share in ticks.items():
        y = round(row[0] + share * (row[1] - row[0]))
        y = min(max(y, row[0] + 5), row[1] - 5)
        draw_text(picture, text, (_LEFT - 4, y), size=10, color=MUTED, anchor="right")


def _list_values(picture: Picture, row: tuple[int, int], lines: list[tuple[str, Color]]) -> None:
    y = sum(row) / 2 - 9 * (len(lines) - 1)
    for number, (text, color) in enumerate(lines):
        place = WIDTH - _RIGHT + 8, round(y + 18 * number)
        draw_text(picture, text, place, size=12, color=color, bold=True)
