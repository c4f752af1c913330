"""What the numbers of a picture mean as colour: matrix, range, and what is no SDR made SDR.

HLG and PQ (BT.2100) are mapped so that their reference white, 203 cd/m² (BT.2408), becomes SDR's
white: what is no brighter keeps its colour, highlights are rolled off above 96 % of the signal.
Wide colour is converted to BT.709 and clipped. This is one table per kind of picture, which
libavfilter's `lut3d` applies: PyAV's build has no zscale, and its swscale converts transfers only
from ffmpeg 8 on, and other colours with other scaling flags.
"""

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange

Step = tuple[str, str]
"""A filter's name and its arguments."""

HD = 1280, 576
"""A picture without a matrix is BT.709 from so many columns or over so many rows, else BT.601."""

_BT709, _UNSPECIFIED, _BT601, _BT2020 = 1, 2, 6, 9
_PQ, _HLG = 16, 18
_WHITE, _PEAK = 203.0, 1000.0
_KNEE = 0.96
_GAMMA = 2.4
_GRID = 65
_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ]
)
"""Linear BT.2020 to linear BT.709 (BT.2087)."""

_MATRICES = {
    1: "bt709",
    4: "fcc",
    5: "bt470",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
"""H.273's number of a matrix -> its name in ffmpeg's scale filter."""

Values = npt.NDArray[np.float64]


def choose_matrix(width: int, height: int) -> str:
    """Matrix of a picture that names none, in and out: as players take it, by its size."""
    return "bt709" if width >= HD[0] or height > HD[1] else "smpte170m"


def tag_colors(frame: av.VideoFrame) -> None:
    """Give a frame the matrix and range that it is taken to have, where it names none."""
    if int(frame.colorspace) == _UNSPECIFIED:
        matrix = choose_matrix(frame.width, frame.height)
        wide = read_dynamic_range(frame) != "sdr"
        frame.colorspace = _BT2020 if wide else _BT709 if matrix == "bt709" else _BT601
    if frame.color_range == ColorRange.UNSPECIFIED:
        is_full = frame.format.name.startswith("yuvj") or frame.format.is_rgb
        frame.color_range = ColorRange.JPEG if is_full else ColorRange.MPEG


def read_dynamic_range(frame: av.VideoFrame) -> str:
    """`hlg`, `pq`, `wide` (BT.2020 colours, no more light than others) or `sdr`."""
    named = {_PQ: "pq", _HLG: "hlg"}.get(int(frame.color_trc))
    return named or ("wide" if int(frame.color_primaries) == _BT2020 else "sdr")


def name_colors(frame: av.VideoFrame, *, keep: bool = False) -> str:
    """A tagged frame's matrix and range as arguments of a scale filter.

    Args:
        frame: what goes into the filter.
        keep: what comes out has the same, else it is RGB.
    """
    matrix = _MATRICES.get(int(frame.colorspace))
    if frame.format.is_rgb or matrix is None:
        return ""
    scale = "pc" if frame.color_range == ColorRange.JPEG else "tv"
    named = f":in_color_matrix={matrix}:in_range={scale}"
    return named + (f":out_color_matrix={matrix}:out_range={scale}" if keep else "")


def make_sdr(frame: av.VideoFrame) -> list[Step]:
    """Steps from a tagged frame to BT.709 in 8 bits; none where it is SDR."""
    kind = read_dynamic_range(frame)
    if kind == "sdr":
        return []
    return [
        ("scale", f"flags=bilinear+accurate_rnd+full_chroma_int{name_colors(frame)}"),
        ("format", "pix_fmts=gbrp12"),
        ("lut3d", f"file={_escape(write_table(kind))}:interp=tetrahedral"),
        ("scale", "flags=area+accurate_rnd:out_color_matrix=bt709:in_range=pc:out_range=tv"),
        ("format", "pix_fmts=yuv420p"),
        ("setparams", "colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"),
    ]


def _escape(path: Path) -> str:
    text = str(path)
    for letter in "\\':[],;":
        text = text.replace(letter, "\\" + letter)
    return text


@functools.cache
def _open_table(kind: str) -> Any:
    """A file that is there as long as this process."""
    signal = np.linspace(0, 1, _GRID)
    grid = np.array([rgb[::-1] for rgb in itertools.product(signal, repeat=3)])  # red is fastest
    rows = convert_to_sdr(grid, kind)
    file = tempfile.NamedTemporaryFile("w", prefix="ttk-", suffix=".cube")  # noqa: SIM115 (stays)
    file.write(f"LUT_3D_SIZE {_GRID}\n")
    file.writelines(f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in rows)
    file.flush()
    return file


def write_table(kind: str) -> Path:
    """File (Adobe's .cube) of the table for `hlg`, `pq` or `wide`."""
    return Path(_open_table(kind).name)


def convert_to_sdr(signal: Values, kind: str) -> Values:
    """(n, 3) signals R'G'B' in BT.2020, 0 to 1, as signals in BT.709, 0 to 1.

    Args:
        signal: of the source.
        kind: `hlg` (BT.2100, seen at 1,000 cd/m² at most), `pq` or `wide` (BT.1886).
    """
    light = {"hlg": _decode_hlg, "pq": _decode_pq, "wide": _decode_gamma}[kind](signal)
    linear = np.maximum(light / _WHITE @ _TO_BT709.T, 0)
    encoded = np.asarray(linear ** (1 / _GAMMA))
    top = encoded.max(1, keepdims=True)
    rolled: Values = encoded * np.divide(_roll_off(top), top, out=np.ones_like(top), where=top > 0)
    return rolled


def _roll_off(top: Values) -> Values:
    """Signals above the knee pressed into what is left of 1, by Reinhard's curve with a white."""
    room = 1 - _KNEE
    white = ((_PEAK / _WHITE) ** (1 / _GAMMA) - _KNEE) / room
    over = np.maximum(top - _KNEE, 0) / room
    pressed = _KNEE + room * over * (1 + over / white**2) / (1 + over)
    return np.minimum(np.where(top > _KNEE, pressed, top), 1)


def _decode_hlg(signal: Values) -> Values:
    """Light (cd/m²) on a display of 1,000 cd/m² (BT.2100, table 5).

    The system gamma is applied to each channel, as zimg does by default, so that what zscale made
    of SDR comes back; applied to the luminance it would leave faces a tenth paler.
    """
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray(_PEAK * scene**1.2)


def _decode_pq(signal: Values) -> Values:
    """Light (cd/m²), by BT.2100, table 4."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _decode_gamma(signal: Values) -> Values:
    """Light (cd/m²) where white is the reference white (BT.1886)."""
    return np.asarray(_WHITE * signal**_GAMMA)
