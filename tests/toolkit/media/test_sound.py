"""One reader of sound for videos and recordings: any format, damaged, mixed, inverted."""

import resource
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import (
    H264,
    Picture,
    draw_numbers,
    encode,
    list_encoders,
    make_tone,
    run_ffmpeg,
    write_wav,
)
from toolkit.errors import SourceError, StorageError, ToolkitError
from toolkit.media.audio import decode_audio, measure_loudness, read_samples, read_sound
from toolkit.media.encode import Sound, write_video
from toolkit.media.video import probe

Pcm = npt.NDArray[np.int16]
PICTURES: list[Picture] = draw_numbers(50)
TONE = make_tone(2, 48_000)


def read_video(path: Path) -> Pcm:
    _, streams = probe(path)
    sound = path.with_suffix(".s16")
    return read_samples(sound, 0, decode_audio(path, streams, sound).num_samples)


def listen(read: Callable[[Path], Pcm], path: Path) -> tuple[Pcm, str]:
    """Samples, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pcm = read(path)
    return pcm, "; ".join(str(warning.message) for warning in caught)


def find_pitch(pcm: Pcm) -> float:
    """Hz of the loudest tone."""
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    return float(np.argmax(spectrum) * 16_000 / len(pcm))


# --- formats ------------------------------------------------------------------------------------

FORMATS: dict[str, tuple[str, ...]] = {
    "a.aiff": (),
    "alaw.aiff": ("-c:a", "pcm_alaw"),
    "a.au": (),
    "a.caf": (),
    "alac.caf": ("-c:a", "alac"),
    "a.amr": ("-ar", "8000", "-ac", "1", "-c:a", "libopencore_amrnb"),
    "a.ac3": (),
    "a.eac3": (),
    "a.dts": ("-c:a", "dca", "-strict", "-2"),
    "a.w64": (),
    "a.wv": (),
    "a.tta": (),
    "a.voc": (),
    "a.wav": (),
    "a.mp3": (),
    "a.flac": (),
    "a.ogg": ("-c:a", "libvorbis"),
    "a.opus": (),
    "a.m4a": (),
    "a.aac": (),
    "a.mka": ("-c:a", "aac"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_in_any_format_is_read_and_muxed(name: str, tmp_path: Path) -> None:
    if "libopencore_amrnb" in FORMATS[name] and "libopencore_amrnb" not in list_encoders():
        pytest.skip("this ffmpeg cannot write AMR")
    wav = write_wav(tmp_path / "tone.wav", TONE, 48_000)
    run_ffmpeg("-i", wav, *FORMATS[name], tmp_path / name)
    pcm, said = listen(read_sound, tmp_path / name)
    assert not said
    assert len(pcm) / 16_000 == pytest.approx(2, abs=0.05)
    assert find_pitch(pcm) == pytest.approx(440, abs=2)
    write_video(tmp_path / "out.mp4", PICTURES, fps=25, sound=Sound(tmp_path / name, 2.0))
    assert find_pitch(read_video(tmp_path / "out.mp4")) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_videos_sound_that_begins_late_is_muxed_where_its_pictures_are(
    suffix: str, channels: int, tmp_path: Path
) -> None:
    """A second of tone from 1 s on, of two seconds; as a recording it is what there is."""
    wav = write_wav(tmp_path / "tone.wav", TONE[:48_000], 48_000)
    late = ("-itsoffset", "1", "-i", wav)
    audio = ("-c:a", "aac", "-ac", str(channels))
    path = encode(tmp_path / f"late.{suffix}", PICTURES, *H264, *audio, inputs=late)
    for streams, begins in ((probe(path)[1], 1.0), (None, 0.0)):
        write_video(tmp_path / "out.mp4", PICTURES, fps=25, sound=Sound(path, 2.0, streams))
        loud = np.flatnonzero(np.abs(read_video(tmp_path / "out.mp4")) > 1000) / 16_000
        assert (loud[0], loud[-1]) == pytest.approx((begins, begins + 1), abs=0.03)


@pytest.mark.parametrize("name", ["a.m3u8", "a.ffconcat", "a.mpd", "a.sdp"])
def test_a_list_of_other_files_is_no_recording(name: str, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "tone.wav", TONE, 48_000)
    text = (
        f"#EXTM3U\n#EXTINF:2,\n{wav}\n" if name == "a.m3u8" else f"ffconcat version 1.0\nfile {wav}"
    )
    (tmp_path / name).write_text(text)
    with pytest.raises(ToolkitError, match="no sound can be read"):
        read_sound(tmp_path / name)


@pytest.mark.parametrize("codec", ["aac", "libopus", "flac", "libmp3lame"])
def test_what_an_encoder_adds_to_fill_its_last_frame_is_no_sound(
    codec: str, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "tone.wav", TONE[:90_000], 48_000)
    path = encode(tmp_path / "t.mp4", PICTURES, *H264, "-c:a", codec, inputs=("-i", wav))
    assert len(read_video(path)) == pytest.approx(30_000, abs=1)
    assert len(read_sound(path)) == pytest.approx(30_000, abs=1)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [((44_100, 2), (44_100, 2)), ((44_100, 2), (22_050, 1)), ((48_000, 1), (8_000, 1))],
)
def test_mp3s_that_were_joined_are_read_to_the_end(
    first: tuple[int, int], second: tuple[int, int], tmp_path: Path
) -> None:
    parts = []
    for hertz, (rate, channels) in ((440, first), (880, second)):
        wav = write_wav(tmp_path / "tone.wav", make_tone(2, 48_000, hertz), 48_000)
        note = ("-metadata", "title=" + "long " * 400)  # an ID3 tag in the middle of the file
        run_ffmpeg("-i", wav, "-ar", str(rate), "-ac", str(channels), *note, tmp_path / "part.mp3")
        parts.append((tmp_path / "part.mp3").read_bytes())
    (tmp_path / "joined.mp3").write_bytes(b"".join(parts))
    pcm, said = listen(read_sound, tmp_path / "joined.mp3")
    assert len(pcm) / 16_000 == pytest.approx(4, abs=0.15)
    assert find_pitch(pcm[4_000:28_000]) == pytest.approx(440, abs=2)
    assert find_pitch(pcm[36_000:60_000]) == pytest.approx(880, abs=2)
    assert "1 packets do not decode" in said
    write_video(
        tmp_path / "out.mp4", PICTURES * 2, fps=25, sound=Sound(tmp_path / "joined.mp3", 4.0)
    )
    muxed = read_video(tmp_path / "out.mp4")
    assert find_pitch(muxed[4_000:28_000]) == pytest.approx(440, abs=2)
    assert find_pitch(muxed[36_000:60_000]) == pytest.approx(880, abs=2)


@pytest.mark.parametrize("suffix", ["mp3", "m4a", "aac"])
def test_a_bad_packet_is_skipped_and_told_of(suffix: str, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "tone.wav", TONE, 48_000)
    path = tmp_path / f"bad.{suffix}"
    run_ffmpeg("-i", wav, "-map_metadata", "-1", path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(0).bytes(300)
    path.write_bytes(bytes(data))
    pcm, said = listen(read_sound, path)
    assert 1.75 < len(pcm) / 16_000 < 2
    assert find_pitch(pcm[-8_000:]) == pytest.approx(440, abs=4)
    assert said.startswith(f"{path}: 0.0")
    assert "packets do not decode: Invalid data" in said


def test_a_bad_packet_of_a_video_is_silence_and_what_follows_keeps_its_time(tmp_path: Path) -> None:
    tones = np.concatenate([make_tone(1, 48_000), make_tone(1, 48_000, 880)])
    wav = write_wav(tmp_path / "tones.wav", tones, 48_000)
    path = encode(tmp_path / "t.mkv", PICTURES, *H264, "-c:a", "libmp3lame", inputs=("-i", wav))
    whole = read_video(path)
    data = path.read_bytes()
    sync = data.index(b"\xff\xfb", len(data) // 3)
    path.write_bytes(data[:sync] + bytes(4) + data[sync + 4 :])
    pcm, said = listen(read_video, path)
    assert "packets do not decode" in said
    assert len(pcm) == len(whole)
    np.testing.assert_array_equal(pcm[20_000:], whole[20_000:])


def test_lost_pages_of_ogg_are_told_of(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "tone.wav", make_tone(3, 48_000), 48_000)
    path = tmp_path / "lost.opus"
    run_ffmpeg("-i", wav, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))
    pcm, said = listen(read_sound, path)
    assert f"{3 - len(pcm) / 16_000:.2f} s of sound cannot be read (it is missing" in said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused_by_both(value: float, tmp_path: Path) -> None:
    from scipy.io import wavfile

    samples = TONE.astype(np.float32)
    samples[30_000:] = value
    wavfile.write(tmp_path / "nan.wav", 48_000, samples)
    path = encode(
        tmp_path / "nan.mkv", PICTURES, *H264, "-c:a", "copy", inputs=("-i", tmp_path / "nan.wav")
    )
    with pytest.raises(ToolkitError, match="samples that are no numbers"):
        read_sound(tmp_path / "nan.wav")
    with pytest.raises(SourceError, match="samples that are no numbers") as caught:
        read_video(path)
    assert caught.value.reason == "no_audio"


# --- channels -----------------------------------------------------------------------------------


def make_voice() -> npt.NDArray[np.float64]:
    """Harmonics of 120 Hz up to 3 kHz that swell three times a second."""
    times = np.arange(96_000) / 48_000
    buzz = np.sum([np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 26)], axis=0)
    return np.asarray(0.2 * buzz * (1 + np.sin(2 * np.pi * 3 * times)))


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "pcm_u8", "aac", "libopus", "flac"])
def test_stereo_in_inverted_phase_is_heard_by_its_louder_channel(
    codec: str, tmp_path: Path
) -> None:
    voice = make_voice()
    both = write_wav(tmp_path / "both.wav", np.stack([-0.9 * voice, voice], axis=1), 48_000)
    path = encode(tmp_path / "t.mkv", PICTURES, *H264, "-c:a", codec, inputs=("-i", both))
    alone = measure_loudness(read_sound(write_wav(tmp_path / "one.wav", voice, 48_000)))
    for read in (read_video, read_sound):
        pcm, said = listen(read, path)
        assert measure_loudness(pcm) == pytest.approx(alone, abs=0.5)
        assert "cancel each other out: the right one is heard alone" in said


@pytest.mark.parametrize(("left", "right"), [(1, 1), (1, 0), (0, 1), (1, 0.3), (1, -0.3)])
def test_stereo_that_does_not_cancel_out_is_averaged(
    left: float, right: float, tmp_path: Path
) -> None:
    voice = make_voice() * 0.5
    path = write_wav(tmp_path / "t.wav", np.stack([left * voice, right * voice], 1), 48_000)
    pcm, said = listen(read_sound, path)
    one = read_sound(write_wav(tmp_path / "one.wav", voice, 48_000))
    expected = measure_loudness(one) + 20 * np.log10(abs(left + right) / 2)
    assert measure_loudness(pcm) == pytest.approx(expected, abs=0.05)
    assert not said


# --- a full disk --------------------------------------------------------------------------------


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be larger than half of the two seconds at 16 kHz."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (32_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_by_the_folder_that_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The sound of a video lies in the folder asked for, that of a recording among temporary ones.

    The error is the storage's, also where closing the file fails again.
    """
    (tmp_path / "temporary").mkdir()
    (tmp_path / "asked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    tone = write_wav(tmp_path / "tone.wav", TONE, 48_000)
    path = encode(tmp_path / "v.mkv", PICTURES, *H264, "-c:a", "pcm_s16le", inputs=("-i", tone))
    _, streams = probe(path)
    request.getfixturevalue("small_files")
    with pytest.raises(StorageError, match="/asked: cannot be written: the file would be larger"):
        decode_audio(path, streams, tmp_path / "asked" / "sound")
    with pytest.raises(StorageError, match="/temporary: cannot be written"):
        read_sound(tone)
