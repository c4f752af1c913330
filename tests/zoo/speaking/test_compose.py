"""Drawn heads in their place: soft borders by hand, backgrounds that never jump, sound, length."""

import itertools
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from tests.numbered import (
    TURNS,
    encode,
    make_clicks,
    read_all,
    run_ffmpeg,
    set_display_matrix,
    write_wav,
)
from toolkit.errors import ToolkitError
from toolkit.media.encode import Sound, write_video
from zoo.data import Holdout
from zoo.data.frames import load_render_clips
from zoo.speaking.compose import Pasting, ramp_border
from zoo.speaking.scene import Scene, choose_clip, swing_back

WIDTH, HEIGHT, NUM_FRAMES = 160, 120, 12
CROP = (1, 2, 101, 102)
"""Of every clip that `write_dataset` writes."""


def flat(level, width=WIDTH, height=HEIGHT):
    return np.full((height, width, 3), level, np.uint8)


# --- one picture --------------------------------------------------------------------------------


def test_a_soft_border_is_half_a_cosine():
    """Over 24 px it is 2 px wide, with centres at a quarter and three quarters: sin²(π/8)."""
    low = np.sin(np.pi / 8) ** 2
    expected = [low, 1 - low, *[1.0] * 20, 1 - low, low]
    np.testing.assert_allclose(ramp_border(24, (True, True)), expected, atol=1e-6)


def test_a_pasted_square_is_whole_inside_and_gone_at_its_border():
    """Of 60 px, the border is 5 wide; its outermost centre is 0.1 in: sin²(π/20) = 0.024."""
    pasted = Pasting((20, 30, 80, 90), (WIDTH, HEIGHT)).paste(flat(100), flat(200, 60, 60))
    assert (pasted[35:85, 25:75] == 200).all()
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[30:90, 20:80] = False
    assert (pasted[outside] == 100).all()
    assert pasted[60, 20, 0] == 102  # 100 + 100 · 0.0245
    steps = np.diff(pasted[60, 15:40, 0].astype(int))
    assert steps.max() <= 32  # no edge: 100 levels over 5 px, at most π/10 of them at once
    assert (steps >= 0).all()


def test_a_border_that_lies_at_the_pictures_own_or_outside_is_not_soft():
    pasted = Pasting((-20, -20, 60, 60), (WIDTH, HEIGHT)).paste(flat(100), flat(200, 80, 80))
    assert (pasted[:50, :50] == 200).all()
    assert pasted[30, 58, 0] < 200
    whole = Pasting((-20, -30, 180, 170), (WIDTH, HEIGHT)).paste(flat(100), flat(200, 50, 50))
    assert (whole == 200).all()


def test_a_square_is_scaled_to_its_crop_and_what_leaves_the_picture_is_cut():
    """Its right half is brighter; its middle stands at 120, its left 20 px are outside."""
    drawn = flat(50, 32, 32)
    drawn[:, 16:] = 250
    pasted = Pasting((-20, 10, 60, 90), (WIDTH, HEIGHT)).paste(flat(0), drawn)
    assert (pasted[40, :14] == 50).all()
    assert (pasted[40, 26:50] == 250).all()
    assert (pasted[40, 60:] == 0).all()


def test_what_is_pasted_on_stays_as_it_was():
    picture = flat(100)
    Pasting((20, 30, 80, 90), (WIDTH, HEIGHT)).paste(picture, flat(200, 60, 60))
    assert (picture == 100).all()


@pytest.mark.parametrize("crop", [(200, 0, 260, 60), (0, -60, 60, 0), (20, 20, 20, 20)])
def test_a_crop_that_shows_nothing_is_refused(crop):
    with pytest.raises(ValueError, match="shows nothing"):
        Pasting(crop, (WIDTH, HEIGHT))


# --- backgrounds --------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path):
    """Two clips of one person; the source of the longer one has brightness 20·t at frame t."""
    times = np.arange(NUM_FRAMES) / 30
    long = FakeClip(num_frames=NUM_FRAMES, arrays={"video/source_time": times})
    short = FakeClip(source="videos/short.mp4", num_frames=7)
    source = tmp_path / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    write_video(source, [flat(20 * t) for t in range(NUM_FRAMES)], fps=30)
    write_dataset(tmp_path / "data", {"j": [short, long]}, frame_size=32)
    return tmp_path / "data" / "shards"


def find_clip(shards):
    return choose_clip(load_render_clips(shards, identity="ann"), {})


def test_the_longest_clip_gives_the_scene(shards):
    assert find_clip(shards).num_frames == NUM_FRAMES


def test_a_scene_is_of_frames_that_the_renderer_was_trained_on(shards):
    """The shorter clip's 7 frames are more than the 5 that a holdout left of the longer one."""
    short, long = sorted(load_render_clips(shards, identity="ann"), key=lambda c: c.num_frames)
    chosen = choose_clip([short, long], {short.id: (0, 7), long.id: (0, 5)})
    assert (chosen.id, chosen.num_frames) == (short.id, 7)
    chosen = choose_clip([short, long], {long.id: (2, 9)})
    assert (chosen.id, chosen.first, chosen.num_frames) == (long.id, 2, 7)
    np.testing.assert_array_equal(chosen.pose, long.pose[2:9])
    np.testing.assert_array_equal(chosen.read_frame(0), long.read_frame(2))
    part = chosen.take(1, 4)
    assert (part.first, part.num_frames) == (3, 3)
    np.testing.assert_array_equal(part.read_frame(2), long.read_frame(5))
    frames = list(Scene(chosen, shards, "source").show((flat(255, 32, 32) for _ in range(7)), 7))
    found = [float(frame[:, 110:].mean()) for frame in frames]
    np.testing.assert_allclose(found, [20 * t for t in range(2, 9)], atol=3)
    with pytest.raises(ValueError, match="no frames 3 to 13 of 12"):
        long.take(3, 13)


def test_swinging_back_meets_every_frame_and_never_jumps():
    swung = [*range(4), *itertools.islice(swing_back(4), 9)]
    assert swung == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert list(itertools.islice(swing_back(1), 3)) == [0, 0, 0]
    assert list(itertools.islice(swing_back(2), 4)) == [0, 1, 0, 1]


@pytest.mark.parametrize("num_frames", [5, 12, 40])
def test_the_source_runs_forwards_and_backwards_behind_the_head(shards, num_frames):
    drawn = (flat(255, 32, 32) for _ in range(num_frames))
    frames = list(Scene(find_clip(shards), shards, "source").show(drawn, num_frames))
    assert len(frames) == num_frames
    swing = [*range(NUM_FRAMES), *range(NUM_FRAMES - 2, 0, -1)]
    expected = [20 * swing[t % len(swing)] for t in range(num_frames)]
    found = [float(frame[:, 110:].mean()) for frame in frames]
    np.testing.assert_allclose(found, expected, atol=3)
    assert all(frame[30:80, 30:80].min() == 255 for frame in frames)


def test_a_long_video_needs_no_more_memory_than_a_short_one(shards):
    """600 pictures of 58 kB are made of 12; only a few are in memory at once."""
    drawn = (flat(255, 32, 32) for _ in range(600))
    tracemalloc.start()
    try:
        count = sum(1 for _ in Scene(find_clip(shards), shards, "source").show(drawn, 600))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 600
    assert peak < 3_000_000


def test_a_clips_later_part_is_shown_in_its_own_pictures(shards):
    """A holdout of 10 of 19 frames leaves the last 3 of the longer clip, whose source is first."""
    cut = Holdout(share=0.5, identity="ann", gap=0)
    held = load_render_clips(shards, identity="ann", holdout=cut, held=True)[0]
    assert (held.source, held.first, held.num_frames) == ("videos/ann.mp4", 9, 3)
    frame = next(Scene(held, shards, "source").show(iter([flat(0, 32, 32)]), 1))
    assert frame[:, 110:].mean() == pytest.approx(20 * 9, abs=3)


@pytest.mark.parametrize(("width", "height"), [(WIDTH, HEIGHT), (161, 121)])
@pytest.mark.parametrize("degrees", [0, 90])
def test_pictures_stand_upright_whatever_their_size_and_are_written_whole(
    tmp_path, width, height, degrees
):
    """A phone's portrait is a landscape with a note; an odd border is no black line."""
    source = tmp_path / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    picture = flat(90, width, height)
    picture[:20, :20] = (250, 20, 20)
    encode(source, [picture] * 8, "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", rate=30)
    if degrees:
        set_display_matrix(source, TURNS[degrees])
    times = np.arange(8) / 30
    clip = FakeClip(num_frames=8, arrays={"video/source_time": times})
    shards = write_dataset(tmp_path / "data", {"j": [clip]}, frame_size=32) / "shards"
    drawn = (flat(255, 32, 32) for _ in range(8))
    frames = list(Scene(find_clip(shards), shards, "source").show(drawn, 8))
    upright = (height, width) if degrees else (width, height)
    assert [frame.shape[1::-1] for frame in frames] == [upright] * 8
    corner = np.s_[0:4, -4:] if degrees else np.s_[0:2, 0:1]  # beside the crop, which is pasted
    assert np.abs(frames[0][corner].mean(axis=(0, 1)) - (250, 20, 20)).max() < 6
    write_video(tmp_path / "out.mp4", frames, fps=30)
    info, times, pictures = read_all(tmp_path / "out.mp4")
    assert (info.width, info.height) == tuple(side + side % 2 for side in upright)
    assert len(times) == 8
    right, bottom = pictures[4][40:, -1].mean(), pictures[4][-1, 40:].mean()
    assert (right, bottom) == (pytest.approx(90, abs=4), pytest.approx(90, abs=4))


def test_the_head_alone_needs_no_source(shards):
    (shards.parent / "videos" / "ann.mp4").unlink()
    drawn = [flat(7, 32, 32), flat(8, 32, 32)]
    frames = list(Scene(find_clip(shards), shards, "crop").show(iter(drawn), 2))
    assert [frame.shape for frame in frames] == [(32, 32, 3)] * 2
    assert [int(frame[0, 0, 0]) for frame in frames] == [7, 8]


@pytest.mark.parametrize("content", [None, b"no video at all"])
def test_a_source_that_is_gone_or_broken_names_the_other_background(shards, content):
    source = shards.parent / "videos" / "ann.mp4"
    source.unlink()
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ToolkitError, match="--background crop"):
        Scene(find_clip(shards), shards, "source")


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rate", "arguments"),
    [
        ("speech.wav", 44_100, ()),
        ("speech.mp3", 8_000, ()),
        ("speech.mp4", 48_000, ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2")),
        ("surround.flac", 96_000, ("-ac", "6")),
    ],
)
def test_sound_of_any_kind_is_muxed_where_it_was(tmp_path, name, rate, arguments):
    """A click at 0.8 s of 2 s; the video is 50 frames at 30, 1.667 s, and the sound as long."""
    wav = write_wav(tmp_path / "clicks.wav", make_clicks(2, rate, [0.8]), rate)
    run_ffmpeg("-i", wav, *arguments, tmp_path / name)
    out = tmp_path / "out.mp4"
    sound = Sound(tmp_path / name, 50 / 30)
    write_video(out, [flat(90)] * 50, fps=30, sound=sound, comment="synthetic: a test")
    info, times, _ = read_all(out)
    assert len(times) == 50
    assert info.duration == pytest.approx(50 / 30, abs=0.03)
    with av.open(str(out)) as container:
        assert container.metadata["comment"] == "synthetic: a test"
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec.name, video.pix_fmt, audio.codec.name) == ("h264", "yuv420p", "aac")
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio)]
    samples = np.abs(np.concatenate(blocks))
    assert np.argmax(samples) / 48_000 == pytest.approx(0.8, abs=0.05)
    assert len(samples) / 48_000 == pytest.approx(50 / 30, abs=0.03)


def test_sound_that_ends_early_is_followed_by_silence(tmp_path):
    wav = write_wav(tmp_path / "short.wav", make_clicks(0.1, 16_000, [0.05]), 16_000)
    write_video(tmp_path / "out.mp4", [flat(90)] * 30, fps=30, sound=Sound(wav, 1.0))
    info, times, _ = read_all(tmp_path / "out.mp4")
    assert len(times) == 30
    assert info.duration == pytest.approx(1, abs=0.03)


def test_a_file_begins_with_its_index_so_that_it_plays_while_it_loads(tmp_path):
    write_video(tmp_path / "out.mp4", [flat(90)] * 3, fps=30)
    content = Path(tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
