"""Which sound track of a source is heard, and what is told of the others."""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.numbered import H264, draw_numbers, encode, make_tone, run_ffmpeg, write_wav
from tests.runs import read_rows, run_ttk
from toolkit.errors import SourceError
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.sound import extract_sound, warn_of_recordings

TONES = {"silence": 0.0, "low": 300.0, "high": 3000.0}


def make_video(path: Path, tracks: Sequence[str], *more: str) -> Path:
    """Two seconds with these sound tracks, the first of them the default."""
    inputs: list[str | Path] = []
    for name in tracks:
        sound = make_tone(2, 16_000, TONES[name])
        inputs += ["-i", write_wav(path.with_name(f"{name}.wav"), sound, 16_000)]
    maps = [word for k in range(len(tracks) + 1) for word in ("-map", str(k))]
    sound_codec = ("-c:a", "pcm_s16le", "-disposition:a:0", "default")
    return encode(path, draw_numbers(50), *maps, *H264, *sound_codec, *more, inputs=inputs)


def hear(path: Path, track: int | None = None) -> tuple[float, str]:
    """Hz of the loudest tone of what is heard, and what is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, _, num_samples = extract_sound(path, path.with_suffix(".s16"), track)
    pcm = np.fromfile(path.with_suffix(".s16"), np.int16)
    assert len(pcm) == num_samples
    spectrum = np.abs(np.fft.rfft(pcm.astype(float)))
    pitch = float(np.argmax(spectrum) * 16_000 / len(pcm))
    return pitch, "; ".join(str(warning.message) for warning in caught)


def test_the_default_track_is_heard_where_it_is_not_silent(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", ["low", "high"])
    assert hear(path) == (pytest.approx(300, abs=2), "")


def test_a_silent_default_track_gives_way_to_the_first_that_is_not(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", ["silence", "silence", "high", "low"])
    pitch, said = hear(path)
    assert pitch == pytest.approx(3000, abs=2)
    assert "its default sound track is empty" in said
    assert "track 2 is heard, counted from 0; --audio-track takes another" in said


def test_the_start_of_the_track_that_is_heard_counts(tmp_path: Path) -> None:
    """Sound that starts later leaves the picture before it out of the clips."""
    low = write_wav(tmp_path / "low.wav", make_tone(1, 16_000, 300), 16_000)
    still = write_wav(tmp_path / "still.wav", np.zeros(32_000), 16_000)
    path = encode(
        tmp_path / "v.mkv", draw_numbers(50), "-map", "0", "-map", "1", "-map", "2", *H264,
        "-c:a", "pcm_s16le", inputs=("-i", still, "-itsoffset", "0.5", "-i", low),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="track 1 is heard"):
        info, _, num_samples = extract_sound(path, tmp_path / "s", None)
    assert info.audio_start == pytest.approx(0.5, abs=0.01)
    assert num_samples == pytest.approx(24_000, abs=20)


@pytest.mark.parametrize(("track", "hertz"), [(0, 300), (1, 3000)])
def test_the_track_that_is_asked_for_is_heard(track: int, hertz: float, tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", ["low", "high"])
    assert hear(path, track) == (pytest.approx(hertz, abs=2), "")


def test_a_track_that_is_asked_for_is_not_replaced_by_another(tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mkv", ["silence", "high"])
    with pytest.raises(SourceError, match="the peak is") as caught:
        hear(path, 0)
    assert caught.value.reason == "silent"
    with pytest.raises(SourceError, match="no such audio stream: it has 2") as caught:
        hear(path, 2)
    assert caught.value.reason == "no_audio"


def test_a_source_all_of_whose_tracks_are_silent_is_silent(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        hear(make_video(tmp_path / "v.mkv", ["silence", "silence"]))
    assert caught.value.reason == "silent"


def test_a_track_counts_from_0() -> None:
    with pytest.raises(ValueError, match="--audio-track -1: count from 0"):
        IngestOptions(audio_track=-1)


# --- recordings beside videos -------------------------------------------------------------------


def test_a_wav_of_the_same_name_is_told_of_once(tmp_path: Path) -> None:
    videos = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4", "b.c.mp4")]
    for name in ("a.wav", "b.WAV", "d.wav"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"2 videos have a recording") as caught:
        warn_of_recordings(videos)
    assert len(caught) == 1
    assert "-i a.mp4 -i a.wav -map 0:v -map 1:a" in str(caught[0].message)


def test_without_a_wav_nothing_is_told(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    warn_of_recordings([tmp_path / "a.mp4"])
    assert not recwarn


@pytest.mark.parametrize("names", [["a.wav"], ["a.WAV"], ["a.wav", "a.WAV"]])
def test_a_recording_given_itself_does_not_lie_beside_a_video(
    names: list[str], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.touch()
    warn_of_recordings(paths)
    assert not recwarn


@pytest.mark.parametrize("workers", [0, 1])
def test_warnings_of_sound_reach_the_user_from_every_runner(
    workers: int, videos: Path, dataset: Path, tmp_path: Path
) -> None:
    good = videos / "person00" / "clip00.mp4"
    still = write_wav(tmp_path / "still.wav", np.zeros(16_000), 16_000)
    folder = tmp_path / "two"
    folder.mkdir()
    run_ffmpeg(
        "-i", good, "-i", still, "-map", "0:v", "-map", "1:a", "-map", "0:a", "-c:v", "copy",
        "-disposition:a:0", "default", "-disposition:a:1", "0", folder / "v.mp4",
    )  # fmt: skip
    shutil.copy(still, folder / "v.wav")
    none = [f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients")]
    words = ("ingest", folder, "--out", dataset, "--workers", workers, "--min-frames", 27)
    result = run_ttk(*words, "--frame-size", 0, *none)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if "ttk: warning:" in line]
    assert sum("track 1 is heard" in line for line in said) == 1
    assert sum("1 videos have a recording of the same name" in line for line in said) == 1
    assert len(read_rows(dataset, "clips")) == 1
