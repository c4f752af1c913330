"""What changes in mid-stream or is out of time: size and shape, interlacing, stamps, damage."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.numbered import (
    H264,
    HEIGHT,
    WIDTH,
    Picture,
    draw_number,
    draw_numbers,
    encode,
    encode_at,
    find_real,
    list_encoders,
    make_tone,
    read_all,
    read_number,
    write_wav,
)
from toolkit.media.audio import decode_audio
from toolkit.media.decode import Frame, read_frames
from toolkit.media.picture_store import plan_store
from toolkit.media.video import fit_size, probe, read_duration
from toolkit.schema import VideoInfo

MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2")


def join(path: Path, parts: Sequence[Path]) -> Path:
    """Transport streams one behind another, as recorders and cutters write them."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def read_parts(path: Path) -> list[Frame]:
    """All frames, each part at its own size."""
    info, streams = probe(path)
    return list(read_frames(path, info, streams, size=fit_size))


# --- size and shape -----------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "lost"), [(H264, []), (MPEG2, [19])], ids=["h264", "mpeg2"])
def test_each_part_has_its_own_size(
    codec: tuple[str, ...], lost: list[int], tmp_path: Path
) -> None:
    """The MPEG-2 decoder of ffmpeg drops the last frame before a change of size."""
    small = encode(tmp_path / "a.ts", draw_numbers(20), *codec)
    large = [draw_number(number, 2 * WIDTH, 3 * HEIGHT) for number in range(20, 40)]
    offset = "0.84" if lost else "0.8"  # where there may be B-frames, a file begins a frame late
    more = encode(tmp_path / "b.ts", large, *codec, "-output_ts_offset", offset)
    frames = read_parts(join(tmp_path / "both.ts", [small, more]))
    numbers = [read_number(frame.picture) for frame in frames]
    assert numbers == [number for number in range(40) if number not in lost]
    expected = [(WIDTH, HEIGHT) if k < 20 else (2 * WIDTH, 3 * HEIGHT) for k in numbers]
    assert [frame.size for frame in frames] == expected
    assert [frame.picture.shape[1::-1] for frame in frames] == expected
    times = [frame.time for frame in frames]
    np.testing.assert_allclose(times, np.array(numbers) / 25, atol=1e-3)


def test_each_part_has_pixels_of_its_own_shape(tmp_path: Path) -> None:
    """4:3, then 16:9, in pictures of as many samples: television does so."""
    old = encode(tmp_path / "a.ts", draw_numbers(20), *MPEG2, "-vf", "setdar=4/3")
    new = encode(
        tmp_path / "b.ts", draw_numbers(40)[20:], *MPEG2, "-vf", "setdar=16/9",
        "-output_ts_offset", "0.8",
    )  # fmt: skip
    frames = read_parts(join(tmp_path / "both.ts", [old, new]))
    assert [read_number(frame.picture) for frame in frames] == list(range(40))
    assert [frame.size for frame in frames] == [(85, HEIGHT)] * 20 + [(114, HEIGHT)] * 20


def join_sizes(folder: Path, later: range, size: tuple[int, int]) -> Path:
    """Twenty numbered pictures, then those of another size with the numbers given."""
    small = encode(folder / "a.ts", draw_numbers(20), *H264)
    large = [draw_number(number, *size) for number in later]
    more = encode(folder / "b.ts", large, *H264, "-output_ts_offset", "0.8")
    return join(folder / "both.ts", [small, more])


def test_a_crop_of_a_later_part_is_of_its_own_pixels(tmp_path: Path) -> None:
    path = join_sizes(tmp_path, range(20, 60), (2 * WIDTH, 3 * HEIGHT))
    _, streams = probe(path)
    info = VideoInfo(
        width=2 * WIDTH, height=3 * HEIGHT, fps=25, duration=None, audio_start=None
    )  # fmt: skip
    crop = (0, 0, 2 * WIDTH, 3 * HEIGHT)
    frames = read_frames(path, info, streams, size=(WIDTH, HEIGHT), crop=crop)
    assert [read_number(frame.picture) for frame in frames][20:] == list(range(20, 60))


def test_pictures_of_changing_size_are_not_kept(tmp_path: Path) -> None:
    path = join_sizes(tmp_path, range(20, 40), (2 * WIDTH, 2 * HEIGHT))
    info, streams = probe(path)
    store = plan_store(tmp_path / "kept", info, None)
    assert store.limit > 40
    for _ in read_frames(path, info, streams, size=fit_size, store=store):
        pass
    assert store.num_frames == 0
    assert not store.path.exists()


# --- interlacing --------------------------------------------------------------------------------


def draw_bar(t: float) -> Picture:
    picture = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    picture[:, round(3 * t) : round(3 * t) + 12] = 220
    return picture


def find_comb(picture: Picture) -> int:
    """Largest step between neighbouring lines: none in a picture of one instant."""
    return int(np.abs(np.diff(picture[:, :, 1].astype(int), axis=0)).max())


def test_frames_flagged_interlaced_are_deinterlaced_after_a_progressive_beginning(
    tmp_path: Path,
) -> None:
    """One for one; what is progressive stays as it is."""
    first = encode(tmp_path / "a.ts", [draw_bar(t) for t in range(10)], *MPEG2)
    woven = [draw_bar(t) for t in range(24)]
    for t, picture in enumerate(woven):
        picture[1::2] = draw_bar(t + 0.5)[1::2]
    assert find_comb(woven[6]) == 180
    flags = ("-vf", "setfield=tff", "-flags", "+ildct+ilme", "-output_ts_offset", "0.44")
    second = encode(tmp_path / "b.ts", woven, *flags, *MPEG2)
    third = encode(
        tmp_path / "c.ts", [draw_bar(t) for t in range(10)], *MPEG2, "-output_ts_offset", "1.4"
    )  # fmt: skip
    alone = [read_all(path)[2] for path in (first, third)]
    _, times, pictures = read_all(join(tmp_path / "all.ts", [first, second, third]))
    assert len(pictures) == 10 + 24 + 10
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)
    assert max(map(find_comb, pictures)) < 40
    np.testing.assert_array_equal(pictures[:10], alone[0])
    np.testing.assert_array_equal(pictures[34:], alone[1])


# --- time ---------------------------------------------------------------------------------------

B_FRAMES = {
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2"),
    "h264.avi": ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p"),
    "plain.avi": ("-c:v", "mpeg4", "-q:v", "3"),
}


@pytest.mark.parametrize("name", B_FRAMES)
def test_pictures_of_an_avi_with_b_frames_are_in_time_with_its_sound(
    name: str, tmp_path: Path
) -> None:
    """AVI stamps a frame when it is decoded: two of x264's B-frames made it 80 ms late."""
    tone = write_wav(tmp_path / "tone.wav", make_tone(4, 16_000), 16_000)
    options = (*B_FRAMES[name], "-g", "20", "-c:a", "pcm_s16le")
    path = encode(tmp_path / name, draw_numbers(100), *options, inputs=("-i", tone))
    info, times, pictures = read_all(path)
    assert [read_number(picture) for picture in pictures] == list(range(100))
    np.testing.assert_allclose(times, np.arange(100) / 25, atol=1e-6)
    assert info.audio_start == 0
    _, later, pictures = read_all(path, start=2.0)
    numbers = [read_number(picture) for picture in pictures]
    np.testing.assert_allclose(later, np.array(numbers) / 25, atol=1e-6)
    assert 0 < numbers[0] <= 50


STARTS_LATE = {
    "a.mkv": H264,
    "a.mp4": H264,
    "a.ts": H264,
    "a.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M"),
    "a.wmv": ("-c:v", "wmv2", "-q:v", "3"),
}


@pytest.mark.parametrize("name", STARTS_LATE)
def test_a_recording_that_begins_at_an_hour_lasts_as_long_as_it_is(
    name: str, tmp_path: Path
) -> None:
    if STARTS_LATE[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {STARTS_LATE[name][1]}")
    offset = ("-output_ts_offset", "3600")
    path = encode(tmp_path / name, draw_numbers(50), *STARTS_LATE[name], *offset)
    info, times, _ = read_all(path)
    assert info.duration == pytest.approx(2.0, abs=0.05)
    assert read_duration(path) == info.duration
    assert times[0] == pytest.approx(0, abs=1e-3)
    assert times[-1] == pytest.approx(49 / 25, abs=1e-3)


def test_a_duration_shorter_than_the_start_is_taken_as_it_stands(tmp_path: Path) -> None:
    """Some write the length of a Matroska file, not where it ends."""
    offset = ("-output_ts_offset", "10")
    path = encode(tmp_path / "a.mkv", draw_numbers(50), *H264, *offset)
    data = path.read_bytes()
    place = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes, ms
    path.write_bytes(data[:place] + np.array(2000.0, ">f8").tobytes() + data[place + 8 :])
    assert probe(path)[0].duration == pytest.approx(2.0, abs=1e-6)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", (*H264, "-bf", "0")),
        ("b.mp4", ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3")),
        ("a.ts", (*H264, "-bf", "0")),
        ("m.mp4", ("-c:v", "mpeg4", "-q:v", "3")),
    ],
)
def test_frames_from_a_failure_to_the_next_key_frame_are_marked(
    name: str, codec: tuple[str, ...], tmp_path: Path
) -> None:
    """Noise in a fifth of the file; key frames every 20 pictures, of 100."""
    rng = np.random.default_rng(5)
    pictures = [
        np.asarray(np.clip(picture + rng.normal(0, 9, picture.shape), 0, 255), np.uint8)
        for picture in draw_numbers(100)
    ]
    whole = encode(tmp_path / name, pictures, *codec, "-g", "20", "-sc_threshold", "0")
    before = read_parts(whole)
    assert not any(frame.damaged for frame in before)
    data = bytearray(whole.read_bytes())
    low, high = len(data) * 2 // 5, len(data) * 3 // 5
    data[low:high] = rng.bytes(high - low)
    whole.write_bytes(bytes(data))
    good = {round(frame.time * 25): frame.picture.astype(int) for frame in before}
    after = {round(frame.time * 25): frame for frame in read_parts(whole)}
    spoilt = {k for k, f in after.items() if np.abs(f.picture - good[k]).mean() > 3}
    marked = {k for k, frame in after.items() if frame.damaged}
    assert spoilt | ({*good} - {*after})  # the noise did harm
    assert spoilt <= marked | {k - step for k in marked for step in (1, 2, 3)}
    assert marked <= set(range(20, 80))
    assert {*range(20), *range(80, 100)} <= {*after} - marked


def test_a_damaged_start_ends_at_the_first_key_frame(tmp_path: Path) -> None:
    data = encode(tmp_path / "whole.ts", draw_numbers(60), *H264, "-g", "20").read_bytes()
    path = tmp_path / "tail.ts"
    path.write_bytes(data[len(data) // 6 + 77 :])
    frames = read_parts(path)
    assert [read_number(frame.picture) for frame in frames] == list(range(20, 60))
    assert not any(frame.damaged for frame in frames)


def test_variable_frame_rate_is_no_damage(tmp_path: Path) -> None:
    path = encode_at(tmp_path / "variable.mkv", [0, 33, 70, 170, 171, 905, 3000])
    assert not any(frame.damaged for frame in read_parts(path))


def test_recordings_joined_at_a_key_frame_are_no_damage(tmp_path: Path) -> None:
    """The demuxer says of the last packet before the join that a part of it may be missing."""
    first = encode(tmp_path / "a.ts", draw_numbers(20), *H264)
    second = encode(
        tmp_path / "b.ts", draw_numbers(40)[20:], *H264, "-output_ts_offset", "0.8"
    )  # fmt: skip
    frames = read_parts(join(tmp_path / "both.ts", [first, second]))
    assert [read_number(frame.picture) for frame in frames] == list(range(40))
    assert not any(frame.damaged for frame in frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_sound_ends_where_an_mp4_says_and_not_with_what_fills_its_last_frame(
    name: str, tmp_path: Path
) -> None:
    """A second at 48 kHz is 46.9 frames of AAC: 47 are 16,043 samples at 16 kHz."""
    tone = write_wav(tmp_path / "tone.wav", make_tone(1, 48_000), 48_000)
    path = encode(tmp_path / name, draw_numbers(40), *H264, "-c:a", "aac", inputs=("-i", tone))
    assert decode_audio(path, probe(path)[1], tmp_path / "sound").num_samples == 16_000


@pytest.mark.real
def test_no_spoilt_frame_of_a_damaged_real_video_goes_unmarked(tmp_path: Path) -> None:
    """80 KB of noise in its middle, and no key frame behind that."""
    source = find_real("OpenTalker_video-retalking/examples/face/4.mp4")

    def read_small(path: Path) -> list[Frame]:
        return list(read_frames(path, *probe(path), size=(175, 175)))

    good = {round(frame.time * 30): frame.picture.astype(int) for frame in read_small(source)}
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 80_000] = np.random.default_rng(1).bytes(80_000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(data))
    after = {round(frame.time * 30): frame for frame in read_small(path)}
    marked = {k for k, frame in after.items() if frame.damaged}
    before = {k - step for k in marked for step in (1, 2, 3)}
    spoilt = {k for k, f in after.items() if np.abs(f.picture - good[k]).mean() > 3}
    assert len(spoilt) > 50
    assert spoilt <= marked | before
    assert {*range(90)} <= {*after} - marked
