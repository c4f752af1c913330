"""Colours: matrix and range of every kind of picture, untagged ones, and HDR made SDR."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import Picture, encode, read_all, run_ffmpeg
from toolkit.media.colors import choose_matrix, convert_to_sdr
from toolkit.media.decode import read_frames, read_stored
from toolkit.media.encode import write_video
from toolkit.media.picture_store import plan_store
from toolkit.media.video import probe

BARS = np.array(
    [(235, 235, 235), (190, 190, 10), (10, 190, 190), (10, 190, 10), (190, 10, 190), (190, 10, 10),
     (10, 10, 190), (200, 140, 110)],
    np.uint8,
)  # fmt: skip
"""RGB of the bars; the last is skin."""

LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0")
MATRICES = {"bt709": 1, "smpte170m": 6}


def draw_bars(width: int = 320, height: int = 64) -> Picture:
    """All of the bars beside each other."""
    return np.repeat(BARS[None], height, 0).repeat(width // len(BARS), 1)


def measure_bars(picture: Picture) -> npt.NDArray[np.float64]:
    """(8, 3) mean RGB of the middle of each bar."""
    side = picture.shape[1] // len(BARS)
    bars = picture.reshape(len(picture), len(BARS), side, 3)
    return np.asarray(bars[:, :, side // 4 : -side // 4].mean((0, 2)))


def encode_bars(
    path: Path, pixels: str, matrix: str, scale: str, *, tags: bool = True, height: int = 64
) -> Path:
    picture = draw_bars(320 if height == 64 else 1280, height)
    tagged = ("-colorspace", matrix, "-color_range", scale) if tags else ()
    convert = f"scale=out_color_matrix={matrix}:out_range={scale}:flags=accurate_rnd"
    strip = "" if tags else ",setparams=colorspace=unknown:range=unknown"
    filters = ("-vf", f"{convert},format={pixels}{strip}")
    return encode(path, [picture, picture], *filters, *LOSSLESS, *tagged)


@pytest.mark.parametrize("scale", ["tv", "pc"])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colour_bars_keep_their_colours_whole_and_cropped(
    pixels: str, matrix: str, scale: str, tmp_path: Path
) -> None:
    path = encode_bars(tmp_path / "bars.mkv", pixels, matrix, scale)
    _, _, pictures = read_all(path)
    np.testing.assert_allclose(measure_bars(pictures[0]), BARS, atol=3)
    for crop in ((0, 0, 320, 64), (0, 0, 320, 63)):  # even, and by way of RGB
        _, _, pictures = read_all(path, size=(320, 64), crop=crop)
        np.testing.assert_allclose(measure_bars(pictures[0]), BARS, atol=3)


@pytest.mark.parametrize("matrix", MATRICES)
def test_colour_bars_keep_their_colours_in_the_store(matrix: str, tmp_path: Path) -> None:
    path = encode_bars(tmp_path / "bars.mkv", "yuv420p", matrix, "tv")
    info, streams = probe(path)
    store = plan_store(tmp_path / "kept", info, None)
    for _ in read_frames(path, info, streams, size=(320, 64), store=store):
        pass
    assert store.num_frames == 2
    frame = next(read_stored(store, 0, info, size=(320, 64), crop=(0, 0, 320, 64)))
    np.testing.assert_allclose(measure_bars(frame.picture), BARS, atol=3)


def test_a_picture_without_a_matrix_is_bt709_from_1280_columns_or_over_576_rows() -> None:
    sizes = [(720, 576), (1279, 576), (1280, 536), (700, 700), (720, 1280)]
    assert [choose_matrix(*size) for size in sizes] == ["smpte170m"] * 2 + ["bt709"] * 3


@pytest.mark.parametrize(("height", "matrix"), [(64, "smpte170m"), (720, "bt709")])
def test_untagged_bars_are_read_by_the_rule(height: int, matrix: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.mkv"
    encode_bars(path, "yuv420p", matrix, "tv", tags=False, height=height)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).colorspace == 2  # unspecified
    np.testing.assert_allclose(measure_bars(read_all(path)[2][0]), BARS, atol=3)


@pytest.mark.parametrize(("height", "matrix"), [(64, "smpte170m"), (720, "bt709")])
def test_what_is_written_has_the_rule_s_matrix_and_says_so(
    height: int, matrix: str, tmp_path: Path
) -> None:
    path = tmp_path / "out.mp4"
    write_video(path, [draw_bars(320 if height == 64 else 1280, height)] * 2, fps=25)
    np.testing.assert_allclose(measure_bars(read_all(path)[2][0]), BARS, atol=4)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (MATRICES[matrix], 1)


# --- high dynamic range -------------------------------------------------------------------------


def test_the_signals_of_the_standards_become_those_of_sdr() -> None:
    """By hand: 203 cd/m² is white, (light / 203) ** (1 / 2.4) below it, 0.98 at it."""
    grey = {
        "hlg": {0.0: 0.0, 0.5: (50.7 / 203) ** (1 / 2.4), 0.75: 0.98, 1.0: 1.0},
        "pq": {0.0: 0.0, 0.508: (100 / 203) ** (1 / 2.4), 0.5807: 0.98, 0.7518: 1.0, 1.0: 1.0},
        "wide": {0.0: 0.0, 0.5: 0.5, 0.9: 0.9},
    }
    for kind, values in grey.items():
        signal = np.repeat(np.array(list(values))[:, None], 3, 1)
        expected = np.repeat(np.array(list(values.values()))[:, None], 3, 1)
        np.testing.assert_allclose(convert_to_sdr(signal, kind), expected, atol=2e-3)


TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def encode_hdr(path: Path, picture: Picture, kind: str) -> Path:
    """The picture with white at 203 cd/m², in BT.2020 and 10 bits, by BT.2100's formulas."""
    light = 203 * (picture / 255.0) ** 2.4 @ TO_BT2020.T
    if kind == "hlg":
        scene = (light / 1000) ** (1 / 1.2)
        log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal, transfer = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log), "arib-std-b67"
    elif kind == "pq":
        power = (light / 10_000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
        transfer = "smpte2084"
    else:
        signal, transfer = (light / 203) ** (1 / 2.4), "bt2020-10"
    luma = signal @ np.array([0.2627, 0.6780, 0.0593])
    planes = (
        64 + 876 * luma,
        512 + 896 * (signal[..., 2] - luma) / 1.8814,
        512 + 896 * (signal[..., 0] - luma) / 1.4746,
    )
    height, width = luma.shape
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv444p10le", "-s", f"{width}x{height}", "-r", "25")
    tags = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", transfer)
    data = b"".join(np.round(plane).astype("<u2").tobytes() for plane in planes) * 2
    tagging = ("-vf", f"setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc={transfer}"
               ":range=tv,format=yuv420p10le")  # fmt: skip
    run_ffmpeg(*raw, "-i", "pipe:", *tagging, *LOSSLESS, *tags, f"file:{path}", data=data)
    return path


def measure_saturation(bars: npt.NDArray[np.float64]) -> float:
    return float(((bars.max(1) - bars.min(1)) / bars.max(1)).mean())


@pytest.mark.parametrize("kind", ["hlg", "pq", "wide"])
def test_hdr_is_within_five_levels_of_its_sdr_twin(kind: str, tmp_path: Path) -> None:
    """Bars half as pale: of a fully saturated one, the dark channels may be 27 levels off."""
    pale = np.asarray(draw_bars() // 2 + 60, np.uint8)
    path = encode_hdr(tmp_path / "bars.mkv", pale, kind)
    info, _, pictures = read_all(path)
    assert info.dynamic_range == kind
    _, _, crops = read_all(path, size=(320, 64), crop=(0, 0, 320, 64))
    for picture in (pictures[0], crops[0]):
        bars = measure_bars(picture)
        np.testing.assert_allclose(bars, measure_bars(pale), atol=5)
        expected = measure_saturation(measure_bars(pale))
        assert measure_saturation(bars) == pytest.approx(expected, rel=0.05)


def test_highlights_of_hdr_keep_their_order_and_their_hue() -> None:
    signal = np.array([[0.6, 0.5, 0.45], [0.8, 0.7, 0.65], [0.9, 0.8, 0.75]])
    red, green, blue = convert_to_sdr(signal, "hlg").T
    assert np.all(np.diff(red) > 0)
    assert np.all((red > green) & (green > blue))
    assert red.max() <= 1


def test_sdr_says_so(tmp_path: Path) -> None:
    info, _ = probe(encode_bars(tmp_path / "bars.mkv", "yuv420p", "bt709", "tv"))
    assert info.dynamic_range == "sdr"
