"""Sound at 16 kHz mono on the picture's clock, and what is measured of it, by hand calculation."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import (
    FORMATS,
    H264,
    VP9,
    draw_numbers,
    encode,
    find_clicks,
    make_clicks,
    make_tone,
    move_packets,
    read_all,
    run_ffmpeg,
    write_wav,
)
from toolkit.errors import SourceError
from toolkit.ingest.sound import extract_sound
from toolkit.media.audio import (
    decode_audio,
    measure_agreement,
    measure_loudness,
    measure_peak,
    read_samples,
)
from toolkit.media.video import probe
from toolkit.schema import VideoInfo

PCM = ("-c:a", "pcm_s16le")
BLACK = np.zeros((48, 64, 3), np.uint8)
WHITE = np.full((48, 64, 3), 255, np.uint8)


def decode(path: Path) -> tuple[VideoInfo, npt.NDArray[np.int16]]:
    info, streams = probe(path)
    sound = path.with_suffix(".s16")
    count = decode_audio(path, streams, sound).num_samples
    samples = read_samples(sound, 0, count)
    assert len(samples) == count == sound.stat().st_size // 2
    return info, samples


# --- picture and sound together -----------------------------------------------------------------

CLAPS = (8, 33, 60)
CLAP_FORMATS = {
    "mp4": (*H264, "-c:a", "aac"),
    "mov": (*H264, *PCM),
    "mkv": (*H264, "-c:a", "aac"),
    "webm": (*VP9, "-c:a", "libopus"),
    "ts": (*H264, "-c:a", "aac"),
    "mpg": (*FORMATS["mpeg1_b.mpg"], "-c:a", "mp2"),
    "avi": (*FORMATS["mpeg4.avi"], "-c:a", "libmp3lame"),
    "wmv": (*FORMATS["wmv2.wmv"], "-c:a", "wmav2"),
    "flv": (*H264, "-c:a", "aac"),
}


@pytest.mark.parametrize(
    ("rate", "sample_rate", "late"),
    [(25.0, 48_000, ""), (30_000 / 1001, 44_100, ""), (25.0, 48_000, "picture"),
     (25.0, 48_000, "sound")],
    ids=["plain", "29.97", "picture-late", "sound-late"],
)  # fmt: skip
@pytest.mark.parametrize("suffix", CLAP_FORMATS)
def test_a_clap_is_heard_when_it_is_seen(
    suffix: str, rate: float, sample_rate: int, late: str, tmp_path: Path
) -> None:
    if suffix == "mpg" and rate != 25:
        pytest.skip("MPEG-1 knows 29.97 only as a fraction that raw input does not give")
    if suffix == "avi" and late == "sound":
        pytest.skip("ffmpeg's AVI muxer drops the delay")
    delay = 0.52
    pictures = [WHITE if k in CLAPS else BLACK for k in range(75)]
    claps = [k / rate for k in CLAPS]
    clicks = make_clicks(75 / rate, sample_rate, claps)
    sound = write_wav(tmp_path / "claps.wav", clicks, sample_rate)
    inputs = ("-itsoffset", str(delay), "-i", sound) if late == "sound" else ("-i", sound)
    shift = ("-vf", f"setpts=PTS+{delay}/TB") if late == "picture" else ()
    path = encode(
        tmp_path / f"clap.{suffix}", pictures, "-map", "0:v", "-map", "1:a", *shift,
        *CLAP_FORMATS[suffix], rate=rate, inputs=inputs,
    )  # fmt: skip
    _, times, shown = read_all(path)
    seen = [t for t, picture in zip(times, shown, strict=True) if picture.mean() > 128]
    _, samples = decode(path)
    heard = find_clicks(samples)
    truth = {"picture": delay, "sound": -delay}.get(late, 0.0)
    assert len(seen) == len(heard) == 3
    np.testing.assert_allclose(np.array(seen) - heard, truth, atol=0.02)


def test_a_clap_in_a_stream_whose_clock_wraps(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "c.wav", make_clicks(3, 48_000, [0.5, 2.5]), 48_000)
    path = encode(tmp_path / "c.ts", [BLACK] * 75, *H264, "-c:a", "aac", inputs=("-i", sound))
    run_ffmpeg("-i", path, "-c", "copy", "-output_ts_offset", "95441", tmp_path / "wrapped.ts")
    assert find_clicks(decode(tmp_path / "wrapped.ts")[1]) == find_clicks(decode(path)[1])


@pytest.mark.parametrize("gap", [0.02, 0.05, 0.09, 0.5])
def test_a_gap_in_the_sound_does_not_move_what_follows(gap: float, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "c.wav", make_clicks(3, 48_000, [0.5, 2.0]), 48_000)
    cut = f"asetnsamples=480,aselect='not(between(t,1,{1 + gap - 0.001}))'"
    path = encode(tmp_path / "gap.mkv", [BLACK] * 75, *H264, "-af", cut, *PCM, inputs=("-i", sound))
    _, samples = decode(path)
    np.testing.assert_allclose(find_clicks(samples), [0.5, 2.0], atol=0.021)
    assert len(samples) == pytest.approx(48_000, abs=330)


def test_a_change_of_channels_within_a_stream_does_not_move_what_follows(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "c.wav", make_clicks(2, 48_000, [0.5]), 48_000)
    parts = [
        encode(
            tmp_path / f"{channels}.ts", [BLACK] * 50, *H264, "-c:a", "aac", "-ac", str(channels),
            "-output_ts_offset", str(offset), inputs=("-i", sound),
        ).read_bytes()
        for channels, offset in ((1, 0), (2, 2))
    ]  # fmt: skip
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    _, samples = decode(path)
    np.testing.assert_allclose(find_clicks(samples), [0.52, 2.52], atol=0.03)
    assert len(samples) / 16_000 == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("far", [100.0, 20_000.0])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_stamped_far_behind_the_picture_is_left_out(
    far: float, suffix: str, tmp_path: Path
) -> None:
    """One packet, with which silence would be written up to its time."""
    tone = write_wav(tmp_path / "tone.wav", make_tone(3, 48_000), 48_000)
    codecs = (*H264, "-c:a", "aac")
    whole = encode(tmp_path / f"a.{suffix}", [BLACK] * 75, *codecs, inputs=("-i", tone))
    path = tmp_path / f"far.{suffix}"
    move_packets(
        whole, path, lambda kind, n, total: far if kind == "audio" and n == total - 1 else 0
    )
    with pytest.warns(UserWarning, match="1 packets of sound are stamped far behind the picture"):
        info, samples = decode(path)
    assert len(samples) / 16_000 == pytest.approx(3, abs=0.1)
    with pytest.warns(UserWarning, match="far behind"):
        info, _, count = extract_sound(path, tmp_path / "s", None)
    assert info.duration is None
    assert count == len(samples)


@pytest.mark.parametrize("late", [70, 0])
def test_sound_that_comes_back_while_there_is_a_picture_is_heard(late: int, tmp_path: Path) -> None:
    """A picture a second for 90 s; sound for the first two seconds and the last ten, or these."""
    clicks = make_clicks(90, 8_000, [1, 85.0])
    sound = write_wav(tmp_path / "c.wav", clicks, 8_000)
    keep = "aselect='gt(t,80)+lt(t,2)*gt(70,0)'".replace("70", str(70 - late))
    path = encode(
        tmp_path / "gap.mkv", [BLACK] * 90, *H264, "-af", f"asetnsamples=80,{keep}", *PCM,
        rate=1, inputs=("-i", sound),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, samples = decode(path)
    expected = [1.0, 85.0] if late == 0 else [85.0]
    np.testing.assert_allclose(find_clicks(samples), expected, atol=0.021)


def test_picture_and_sound_stamped_years_later_make_a_source_unreadable(tmp_path: Path) -> None:
    tone = write_wav(tmp_path / "tone.wav", make_tone(3, 48_000), 48_000)
    whole = encode(tmp_path / "a.mkv", [BLACK] * 75, *H264, *PCM, inputs=("-i", tone))
    path = tmp_path / "far.mkv"
    move_packets(whole, path, lambda _, number, total: 1e8 if number == total - 1 else 0)
    with pytest.raises(SourceError, match="a picture stands at 27,778 h") as caught:
        decode(path)
    assert caught.value.reason == "unreadable"


# --- channels, rates, choice --------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_and_channels_become_16_khz_mono_at_the_same_level(
    rate: int, channels: int, tmp_path: Path
) -> None:
    tone = np.stack([make_tone(0.5, rate)] * channels, axis=1)
    sound = write_wav(tmp_path / "tone.wav", tone, rate)
    path = encode(tmp_path / "t.mkv", [BLACK] * 12, *H264, *PCM, inputs=("-i", sound))
    _, samples = decode(path)
    assert len(samples) == pytest.approx(8_000, abs=2)
    middle = samples[800:-800]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)[800:7_200]
    np.testing.assert_allclose(middle[:6_000] / 32_768, expected[:6_000], atol=0.02)


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left = np.stack([make_tone(0.5, 16_000), np.zeros(8_000)], axis=1)
    sound = write_wav(tmp_path / "left.wav", left, 16_000)
    path = encode(tmp_path / "t.mkv", [BLACK] * 12, *H264, *PCM, inputs=("-i", sound))
    level = 20 * np.log10(0.5 * 0.5 / np.sqrt(2))
    assert measure_loudness(decode(path)[1]) == pytest.approx(level, abs=0.05)


def test_the_default_track_is_heard(tmp_path: Path) -> None:
    low = write_wav(tmp_path / "low.wav", make_tone(0.5, 16_000, 300), 16_000)
    high = write_wav(tmp_path / "high.wav", make_tone(0.5, 16_000, 3000), 16_000)
    path = encode(
        tmp_path / "two.mkv", [BLACK] * 12, "-map", "0", "-map", "1", "-map", "2", *H264, *PCM,
        "-disposition:a:0", "0", "-disposition:a:1", "default", inputs=("-i", low, "-i", high),
    )  # fmt: skip
    spectrum = np.abs(np.fft.rfft(decode(path)[1].astype(float)))
    assert np.argmax(spectrum) * 2 == pytest.approx(3000, abs=4)


def test_sound_that_ends_early_ends_there(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "t.wav", make_tone(0.5, 16_000), 16_000)
    path = encode(tmp_path / "t.mkv", draw_numbers(50), *H264, *PCM, inputs=("-i", sound))
    assert len(decode(path)[1]) == 8_000


def test_no_sound_is_a_reason(tmp_path: Path) -> None:
    path = encode(tmp_path / "mute.mp4", [BLACK] * 5, *H264)
    with pytest.raises(SourceError, match="no audio stream") as caught:
        decode(path)
    assert caught.value.reason == "no_audio"


def test_sound_that_does_not_decode_is_a_reason(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "t.wav", make_tone(1, 16_000), 16_000)
    path = encode(tmp_path / "t.mkv", [BLACK] * 25, *H264, "-c:a", "flac", inputs=("-i", sound))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\xff\xf8", b"\x00\x00"))
    with pytest.raises(SourceError) as caught:
        decode(path)
    assert caught.value.reason == "no_audio"


# --- measures -----------------------------------------------------------------------------------


def test_loudness_and_peak_by_hand(tmp_path: Path) -> None:
    square = np.tile(np.array([8192, -8192], np.int16), 4_000)
    assert measure_loudness(square) == pytest.approx(20 * np.log10(0.25))
    assert measure_loudness(np.zeros(100, np.int16)) == -120
    (tmp_path / "s").write_bytes(square.tobytes())
    assert measure_peak(tmp_path / "s") == pytest.approx(-12.041, abs=1e-3)
    loudest = square.copy()
    loudest[5_000] = -32_768
    (tmp_path / "s").write_bytes(loudest.tobytes())
    assert measure_peak(tmp_path / "s") == 0.0
    assert measure_peak(tmp_path / "s", 5_001) == pytest.approx(-12.041, abs=1e-3)
    (tmp_path / "s").write_bytes(bytes(2_000))
    assert measure_peak(tmp_path / "s") == -np.inf


def test_the_peak_of_a_long_track_is_found_wherever_it_lies(tmp_path: Path) -> None:
    samples = np.zeros(2_200_000, np.int16)
    for place in (0, 1_048_575, 1_048_576, 2_199_999):
        samples[:] = 0
        samples[place] = 16_384
        (tmp_path / "s").write_bytes(samples.tobytes())
        assert measure_peak(tmp_path / "s") == pytest.approx(-6.0206, abs=1e-3)


@pytest.mark.parametrize("fps", [25, 30])
@pytest.mark.parametrize("lag", [-7, -3, 0, 2, 6])
def test_a_known_lag_is_found_and_is_positive_where_the_picture_is_late(lag: int, fps: int) -> None:
    count = 8 * fps
    rng = np.random.default_rng(lag + 100)
    level = np.convolve(rng.uniform(0, 1, count + 40), np.ones(4) / 4, "same")
    opening = level[20 - lag : 20 - lag + count]  # frame t shows what is heard at t − lag
    heard = level[20 : 20 + count]
    place = np.arange(count * 16_000 // fps) * fps / 16_000
    envelope = 10 ** (2 * np.interp(place, np.arange(count) + 0.5, heard) - 2)
    pcm = (envelope * rng.normal(0, 8_000, len(envelope))).clip(-32_768, 32_767).astype(np.int16)
    corr, found = measure_agreement(opening, pcm, fps)
    assert abs(found * fps - lag) <= 1
    assert corr > 0.8


@pytest.mark.parametrize(("seconds", "is_sure"), [(3, False), (60, True)])
def test_a_weak_agreement_has_a_lag_only_where_there_are_frames_enough(
    seconds: int, is_sure: bool
) -> None:
    """Even a correlation of 0.63 times √90 is under 6; of 0.2 times √1800 it is over 8."""
    rng = np.random.default_rng(2)
    heard = np.convolve(rng.uniform(0, 1, seconds * 30), np.ones(4) / 4, "same")
    other = np.convolve(rng.uniform(0, 1, seconds * 30), np.ones(4) / 4, "same")
    envelope = np.repeat(10 ** (2 * heard - 2), 16_000 // 30)
    pcm = (envelope * rng.normal(0, 8_000, len(envelope))).clip(-32_768, 32_767).astype(np.int16)
    corr, lag = measure_agreement(0.35 * heard + 0.9 * other, pcm, 30)
    assert 0.2 < corr < 0.63
    assert lag == (0.0 if is_sure else None)


def test_what_does_not_move_agrees_with_nothing() -> None:
    noise = np.random.default_rng(0).normal(0, 3_000, 160_000).astype(np.int16)
    assert measure_agreement(np.ones(300), noise, 30) == (0.0, None)
    assert measure_agreement(np.arange(300.0) % 7, np.zeros(160_000, np.int16), 30) == (0.0, None)


def test_a_mouth_that_moves_by_itself_agrees_little() -> None:
    rng = np.random.default_rng(5)
    opening = np.convolve(rng.uniform(0, 1, 600), np.ones(4) / 4, "same")
    envelope = np.repeat(rng.uniform(0.01, 1, 600), 533)
    pcm = (envelope * rng.normal(0, 5_000, len(envelope))).astype(np.int16)
    assert measure_agreement(opening, pcm, 30)[0] < 0.3
