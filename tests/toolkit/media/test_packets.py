"""The digest of packets: one for the same streams in any container, another for other streams."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.numbered import (
    H264_B,
    H265,
    draw_numbers,
    encode,
    find_real,
    list_encoders,
    make_tone,
    run_ffmpeg,
    write_wav,
)
from toolkit.media.audio import is_heard
from toolkit.media.packets import hash_packets, is_current, name_streams, same_packets

CODECS = {
    "h264": ("mp4", (*H264_B, "-c:a", "aac")),
    "hevc": ("mp4", (*H265, "-pix_fmt", "yuv420p", "-c:a", "aac")),
    "mpeg4": ("mp4", ("-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame")),
    "mpeg2": ("mpg", ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2")),
    "mjpeg": ("avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus")),
}
COPIES = {
    "h264": ("mkv", "ts", "mov", "flv", "avi"),
    "hevc": ("mkv", "ts", "mov", "avi"),
    "mpeg4": ("mkv", "mov", "avi"),
    "mpeg2": ("ts", "mp4", "vob"),
    "mjpeg": ("mkv", "mov"),
    "vp9": ("mkv", "mp4"),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of two seconds with sound for each codec that this ffmpeg encodes."""
    folder = tmp_path_factory.mktemp("packets")
    sound = write_wav(folder / "tone.wav", make_tone(2, 44_100), 44_100)
    made = {}
    for name, (suffix, words) in CODECS.items():
        if {word for word in words if word.startswith("lib")} <= list_encoders():
            path = folder / f"{name}.{suffix}"
            made[name] = encode(path, draw_numbers(50), *words, inputs=("-i", sound))
    return made


def copy(path: Path, target: Path, *more: str) -> Path:
    """The same packets in another container."""
    run_ffmpeg("-i", path, "-c", "copy", *more, target)
    return target


@pytest.mark.parametrize(("name", "suffix"), [(n, s) for n, all_ in COPIES.items() for s in all_])
def test_the_same_packets_in_another_container_have_one_digest(
    name: str, suffix: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    if name not in originals:
        pytest.skip("this ffmpeg lacks the encoder")
    path = originals[name]
    digest = hash_packets(path)
    assert is_current(digest)
    assert same_packets(hash_packets(copy(path, tmp_path / f"copy.{suffix}")), digest)


@pytest.mark.parametrize("name", ["h264", "hevc"])
def test_a_chain_of_containers_and_other_metadata_change_no_digest(
    name: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    """Parameter sets go from beside the packets into them, and stay there."""
    path = originals[name]
    for number, suffix in enumerate(("mkv", "ts", "mp4", "mkv")):
        path = copy(path, tmp_path / f"{number}.{suffix}", "-metadata", f"title={number}")
        assert same_packets(hash_packets(path), hash_packets(originals[name]))
    fragments = copy(path, tmp_path / "f.mp4", "-movflags", "frag_keyframe+empty_moov")
    assert same_packets(hash_packets(fragments), hash_packets(originals[name]))


def test_other_pictures_or_another_sound_are_another_digest(
    originals: dict[str, Path], tmp_path: Path
) -> None:
    """Dubbed, without sound, a second shorter, encoded anew."""
    path = originals["h264"]
    tone = write_wav(tmp_path / "tone.wav", make_tone(2, 16_000, hertz=300), 16_000)
    dubbed = tmp_path / "dubbed.mp4"
    run_ffmpeg("-i", path, "-i", tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", dubbed)
    again = tmp_path / "again.mp4"
    run_ffmpeg("-i", path, *H264_B, "-crf", "30", "-c:a", "copy", again)
    found = {
        hash_packets(other)
        for other in (
            path,
            dubbed,
            again,
            copy(path, tmp_path / "mute.mp4", "-an"),
            copy(path, tmp_path / "short.mp4", "-t", "1"),
        )
    }
    assert len(found) == 5
    assert "" not in found


def shift(path: Path, target: Path, seconds: float, stream: str = "a") -> Path:
    """The same packets, those of one stream so much later."""
    maps = ["-map", "0:v", "-map", "1:a"] if stream == "a" else ["-map", "1:v", "-map", "0:a"]
    inputs = ["-i", path, "-itsoffset", str(seconds), "-i", path]
    run_ffmpeg(*inputs, *maps, "-c", "copy", target)
    return target


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(
    ("seconds", "is_same"),
    [(0.0, True), (0.01, True), (0.05, False), (-0.05, False), (0.2, False), (10.0, False)],
)
@pytest.mark.parametrize("stream", ["a", "v"])
def test_a_shift_of_sound_against_picture_counts_from_about_a_fortieth_of_a_second(
    stream: str, seconds: float, is_same: bool, suffix: str, originals: dict[str, Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    path = originals["h264"]
    other = shift(path, tmp_path / f"shifted.{suffix}", seconds, stream)
    assert is_current(hash_packets(other))
    assert same_packets(hash_packets(other), hash_packets(path)) == is_same
    assert same_packets(hash_packets(path), hash_packets(other)) == is_same


FULL_RANGE = "h264_metadata=video_full_range_flag=1:matrix_coefficients=1"

LOOKS = {
    "turned": (["-display_rotation", "90"], []),
    "upside down": (["-display_rotation", "180"], []),
    "mirrored": (["-display_rotation", "0", "-display_hflip"], []),
    "wide pixels": ([], ["-aspect", "3:1"]),
    "full range": ([], ["-bsf:v", FULL_RANGE]),
    "slower": (["-itsscale", "1.1"], []),
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_same_packets_shown_otherwise_are_another_source(
    name: str, originals: dict[str, Path], tmp_path: Path
) -> None:
    before, after = LOOKS[name]
    other = tmp_path / "other.mp4"
    run_ffmpeg(*before, "-i", originals["h264"], "-c", "copy", *after, other)
    assert is_current(hash_packets(other))
    assert not same_packets(hash_packets(other), hash_packets(originals["h264"]))


def test_a_turned_picture_is_the_same_in_containers_that_keep_the_turn(
    originals: dict[str, Path], tmp_path: Path
) -> None:
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", "90", "-i", originals["h264"], "-c", "copy", turned)
    digests = {s: hash_packets(copy(turned, tmp_path / f"c.{s}")) for s in ("mov", "mkv", "ts")}
    found = {s: same_packets(digest, hash_packets(turned)) for s, digest in digests.items()}
    assert found["mov"]
    assert not found["ts"]  # it has no place for the turn
    assert same_packets(digests["ts"], hash_packets(originals["h264"]))


def make_tracks(path: Path, *hertz: float) -> Path:
    """A picture with a sound track for each tone; 0 is silence."""
    inputs: list[str | Path] = []
    for tone in hertz:
        sound = make_tone(2, 48_000, tone, level=0.5 if tone else 0.0)
        inputs += ["-i", write_wav(path.with_name(f"{tone}.wav"), sound, 48_000)]
    maps = [word for k in range(len(hertz) + 1) for word in ("-map", str(k))]
    codec = ("-c:a", "pcm_s16le", "-disposition:a:0", "default")
    return encode(path, draw_numbers(20), *maps, *H264_B, *codec, inputs=inputs)


@pytest.mark.parametrize(
    ("one", "other", "track", "is_same"),
    [
        ((300, 400), (300, 500), None, True),  # the default one is heard
        ((300, 400), (300, 500), 0, True),
        ((300, 400), (300, 500), 1, False),
        ((300, 400), (200, 400), 1, True),
        ((0, 400), (0, 500), None, False),  # the default one is silent
        ((0, 0, 400), (0, 0, 400, 500), None, True),
        ((300, 400), (300,), None, True),
        ((0, 0), (0, 0), None, True),
    ],
)
def test_the_track_that_is_heard_counts_alone(
    one: tuple[int, ...], other: tuple[int, ...], track: int | None, is_same: bool, tmp_path: Path
) -> None:
    first = hash_packets(make_tracks(tmp_path / "one.mkv", *one), track)
    second = hash_packets(make_tracks(tmp_path / "other.mkv", *other), track)
    assert is_current(first)
    assert is_current(second)
    assert same_packets(first, second) == is_same


def test_inverted_stereo_is_no_silence(tmp_path: Path) -> None:
    """Mixed it cancels out: ingest hears one channel of it, and not the next track."""
    tone = make_tone(1, 16_000)
    stereo = write_wav(tmp_path / "stereo.wav", np.stack([tone, -tone], 1), 16_000)
    assert is_heard(stereo, 0)
    assert not is_heard(write_wav(tmp_path / "still.wav", 0 * tone, 16_000), 0)
    assert not is_heard(tmp_path / "gone.wav", 0)


def test_digests_of_before_and_unknown_ones_are_the_same_as_none() -> None:
    old, new = "0" * 64, f"2:{'0' * 64}:980,0,1960"
    assert not is_current(old)
    assert not same_packets(old, new)
    assert not same_packets("", "")
    assert name_streams(new) == f"2:{'0' * 64}"


def test_what_cannot_be_read_or_has_no_picture_has_no_digest(
    originals: dict[str, Path], tmp_path: Path
) -> None:
    """Such files are never taken for copies of one another."""
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    sound = tmp_path / "sound.m4a"
    run_ffmpeg("-i", originals["h264"], "-vn", "-c", "copy", sound)
    whole = originals["h264"].read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])  # the index lies at the end
    assert [hash_packets(path) for path in (text, sound, cut, tmp_path / "gone.mp4")] == [""] * 4


@pytest.mark.real
def test_real_videos_keep_their_digest_in_other_containers(tmp_path: Path) -> None:
    """H.264 with AAC, as cameras and services write it."""
    names = ("deerajnagothu_face2face-demo/obama.mp4",
             "OpenTalker_video-retalking/examples/face/4.mp4")  # fmt: skip
    for name in names:
        path = tmp_path / Path(name).name
        shutil.copy(find_real(name), path)
        for suffix in (".mkv", ".ts", ".mov"):
            other = copy(path, path.with_suffix(suffix))
            assert same_packets(hash_packets(other), hash_packets(path))
