"""Cutting a source into clips: the rules of the docs, on tracks made by hand and by hypothesis."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.clock import SAMPLE_RATE, frame_to_sample, show_frames
from toolkit.ingest.clips import choose_crop, choose_square, cut_clips
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.timeline import count_picture_frames
from toolkit.ingest.track import Track, widen
from toolkit.schema import Reason

HOUR = (0, 3600 * SAMPLE_RATE)


def make_track(
    states: Sequence[str], cuts: Sequence[int] = (), times: Sequence[float] | None = None
) -> Track:
    """A track at 30 a second.

    "f" one face, "." none, "2" a second one, "s" a small second one, "x" damaged.
    """
    count = len(states)
    has_face = np.array([state not in ".x" for state in states])
    boxes = np.tile(np.array([100, 50, 200, 150], np.float32), (count, 1))
    boxes[~has_face] = np.nan
    second = {"f": 0.0, ".": 0.0, "x": 0.0, "2": 51.0, "s": 50.0}
    starts = np.zeros(count, bool)
    starts[list(cuts)] = True
    return Track(
        times=np.arange(count) / 30 if times is None else np.asarray(times, np.float64),
        has_face=has_face,
        boxes=boxes,
        second_height=np.array([second[state] for state in states], np.float32),
        starts=starts,
        changes=np.full(count, 50, np.float32),
        too_small=np.zeros(count, np.float32),
        turns=np.full(count, -1, np.int8),
        sizes=np.tile(np.array([640, 480], np.int32), (count, 1)),
        damaged=np.array([state == "x" for state in states]),
        spool=Path("unused"),
    )


def cut(
    states: str, *, cuts: Sequence[int] = (), low: int = 1, high: int = 10**6, sound: object = HOUR
) -> list[tuple[int, int, str]]:
    """(start, length, reason or "clip") of each stretch, on a clock of 30."""
    stretches = cut_clips(
        make_track(states, cuts), fps=30, audio_span=sound,  # type: ignore[arg-type]
        min_frames=low, max_frames=high,
    )  # fmt: skip
    return [(s.start, s.num, str(s.reason or "clip")) for s in stretches]


@pytest.mark.parametrize("gap", [".", "....."])
def test_a_gap_of_up_to_five_frames_is_bridged(gap: str) -> None:
    states = "f" * 20 + gap + "f" * 20
    assert cut(states) == [(0, len(states), "clip")]


def test_a_gap_of_six_frames_ends_the_clip() -> None:
    assert cut("f" * 20 + "." * 6 + "f" * 20) == [
        (0, 20, "clip"), (20, 6, "no_face"), (26, 20, "clip")
    ]  # fmt: skip


def test_a_gap_at_a_cut_or_at_an_end_is_not_bridged() -> None:
    assert cut("." * 3 + "f" * 20 + "." * 2) == [
        (0, 3, "no_face"), (3, 20, "clip"), (23, 2, "no_face")
    ]  # fmt: skip
    assert cut("f" * 20 + "." * 3 + "f" * 20, cuts=[23]) == [
        (0, 20, "clip"), (20, 3, "no_face"), (23, 20, "clip")
    ]  # fmt: skip


def test_a_second_face_counts_from_over_half_the_height() -> None:
    assert cut("f" * 20 + "s" * 9 + "f" * 20) == [(0, 49, "clip")]
    assert cut("f" * 20 + "2" * 5 + "f" * 20) == [(0, 45, "clip")]
    assert cut("f" * 20 + "2" * 9 + "f" * 20) == [
        (0, 20, "clip"), (20, 9, "several_faces"), (29, 20, "clip")
    ]  # fmt: skip


def test_a_gap_made_of_both_kinds_counts_as_one() -> None:
    assert cut("f" * 20 + "..222" + "f" * 20) == [(0, 45, "clip")]
    assert cut("f" * 20 + "...222" + "f" * 20) == [
        (0, 20, "clip"), (20, 3, "no_face"), (23, 3, "several_faces"), (26, 20, "clip")
    ]  # fmt: skip


def test_damage_of_six_frames_ends_the_clip_and_less_is_bridged() -> None:
    assert cut("f" * 20 + "x" * 5 + "f" * 20) == [(0, 45, "clip")]
    assert cut("f" * 20 + "x" * 6 + "f" * 20 + "x" * 2) == [
        (0, 20, "clip"), (20, 6, "damaged"), (26, 20, "clip"), (46, 2, "damaged")
    ]  # fmt: skip


def test_a_cut_parts_clips() -> None:
    assert cut("f" * 50, cuts=[17]) == [(0, 17, "clip"), (17, 33, "clip")]


def test_shorter_than_the_shortest_is_turned_down() -> None:
    assert cut("f" * 74, low=75) == [(0, 74, "too_short")]
    assert cut("f" * 75, low=75) == [(0, 75, "clip")]


def test_long_takes_are_divided_evenly() -> None:
    assert cut("f" * 100, low=10, high=33) == [
        (0, 25, "clip"), (25, 25, "clip"), (50, 25, "clip"), (75, 25, "clip")
    ]  # fmt: skip


def test_pieces_that_would_be_too_short_give_one_longest_clip_and_a_rest() -> None:
    assert cut("f" * 91, low=75, high=90) == [(0, 90, "clip"), (90, 1, "too_short")]


def test_stretches_without_sound_are_turned_down() -> None:
    assert cut("f" * 60, sound=(5333, 26_667)) == [
        (0, 10, "no_audio"), (10, 40, "clip"), (50, 10, "no_audio")
    ]  # fmt: skip
    assert cut("f" * 60, sound=(5334, 26_665))[1] == (11, 38, "clip")


@pytest.mark.parametrize("sound", [(0, 0), (0, 10), (10**6, 10**6 + 5), (16_000, 16_100)])
def test_sound_that_never_meets_the_picture_leaves_no_clip(sound: tuple[int, int]) -> None:
    stretches = cut("f" * 60, sound=sound)
    assert {reason for *_, reason in stretches} == {"no_audio"}
    assert sum(num for _, num, _ in stretches) == 60


def test_the_last_frame_lasts_as_long_as_most() -> None:
    def count(times: object, fps: int = 30) -> int:
        moments = np.asarray(times, np.float64)
        return count_picture_frames(make_track("f" * len(moments), times=moments.tolist()), fps)

    assert count(np.arange(25) / 25) == 30
    assert count(np.arange(30) / 30) == 30
    assert count(np.arange(300) * 1001 / 30_000) == 301
    assert count(np.arange(10) / 5) == 60
    assert count([0.0, 0.1, 0.2, 1.0]) == 33  # the median step is 0.1 s
    assert count([0.0]) == 2  # nothing to go by: 1/25 s
    assert count([0.0], 25) == 1


def test_a_picture_that_ends_between_two_frames_of_the_clock_is_one_frame() -> None:
    track = make_track("ff", times=(0.005, 0.010))
    stretches = cut_clips(track, fps=30, audio_span=HOUR, min_frames=75, max_frames=1800)
    assert [(s.start, s.num, s.reason) for s in stretches] == [(1, 1, "too_short")]


STATES = st.lists(
    st.tuples(st.sampled_from("fff.2s"), st.integers(1, 25)), min_size=1, max_size=12
).map(lambda runs: "".join(state * count for state, count in runs))


@settings(max_examples=300, deadline=None)
@given(STATES, st.data())
def test_whatever_the_track_the_stretches_obey_the_rules(states: str, data: st.DataObject) -> None:
    fps = data.draw(st.sampled_from([25, 30]))
    source_fps = data.draw(st.sampled_from([12.0, 24.0, 25.0, 29.97, 30.0, 60.0]))
    offset = data.draw(st.sampled_from([0.0, 0.033, 0.4]))
    cuts = data.draw(st.lists(st.integers(1, max(1, len(states) - 1)), max_size=3))
    cuts = [place for place in cuts if place < len(states)]
    low = data.draw(st.integers(1, 40))
    high = data.draw(st.integers(low, 80))
    seconds = len(states) / source_fps
    begin = data.draw(st.integers(0, int(seconds * SAMPLE_RATE)))
    span = (begin, begin + data.draw(st.integers(0, int(1.2 * seconds * SAMPLE_RATE))))
    times = offset + np.arange(len(states)) / source_fps
    track = make_track(states, cuts, times.tolist())

    stretches = cut_clips(track, fps=fps, audio_span=span, min_frames=low, max_frames=high)

    end = count_picture_frames(track, fps)
    shown = show_frames(times, 0, end, fps)
    first = int((shown < 0).sum())
    assert tiles(stretches, first, end)
    for stretch in stretches:
        if stretch.reason is None:
            assert low <= stretch.num <= high
            assert span[0] <= frame_to_sample(stretch.start, fps)
            assert frame_to_sample(stretch.start + stretch.num, fps) <= span[1]
            seen = shown[stretch.start : stretch.start + stretch.num]
            assert not track.starts[seen[0] + 1 : seen[-1] + 1].any()
            assert longest_gap("".join(states[i] for i in seen)) <= 5
        else:
            assert stretch.message


def tiles(stretches: Sequence[Stretch], first: int, end: int) -> bool:
    edges = [first, *(stretch.start + stretch.num for stretch in stretches)]
    starts = [stretch.start for stretch in stretches]
    return edges == [*starts, end] and all(stretch.num > 0 for stretch in stretches)


def longest_gap(seen: str) -> int:
    bad = "".join("x" if state in ".2" else " " for state in seen)
    return max(map(len, bad.split()), default=0)


@given(st.integers(1, 3000), st.integers(1, 200), st.data())
def test_pieces_of_one_take_differ_by_at_most_a_frame(
    num: int, high: int, data: st.DataObject
) -> None:
    low = data.draw(st.integers(1, high))
    stretches = [s for s in cut("f" * num, low=low, high=high) if s[2] == "clip"]
    lengths = [length for _, length, _ in stretches]
    assert not lengths or max(lengths) - min(lengths) <= 1
    lost = num - sum(lengths)
    assert lost < max(low, 1)


BOX = st.tuples(*[st.floats(-200, 2000, width=32)] * 2, *[st.floats(5, 900, width=32)] * 2)


@given(st.lists(BOX, min_size=1, max_size=6))
def test_the_crop_is_an_even_square_of_1_8_times_the_union_raised_by_a_tenth(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    array = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32) + 4000
    gap = np.full((1, 4), np.nan, np.float32)
    x0, y0, x1, y1 = choose_crop(np.concatenate([array, gap]), (12_000, 12_000))
    union = np.array([array[:, 0].min(), array[:, 1].min(), array[:, 2].max(), array[:, 3].max()])
    side = 1.8 * max(union[2] - union[0], union[3] - union[1])
    assert x1 - x0 == y1 - y0
    assert not any(value % 2 for value in (x0, y0, x1, y1))
    assert max(side, 8) - 0.01 <= x1 - x0 <= max(side, 8) + 4.01
    assert abs((x0 + x1) / 2 - (union[0] + union[2]) / 2) <= 1.01
    assert abs((y0 + y1) / 2 - ((union[1] + union[3]) / 2 - 0.1 * (x1 - x0))) <= 1.01


@given(BOX, st.integers(40, 2000), st.integers(40, 2000), st.floats(0, 1))
def test_the_crop_holds_the_face_and_leaves_the_picture_only_with_it(
    box: tuple[float, float, float, float], width: int, height: int, margin: float
) -> None:
    x, y, w, h = box
    array = np.array([[x, y, x + w, y + h]], np.float32)
    x0, y0, x1, y1 = choose_crop(array, (width, height), margin)
    assert x1 - x0 == y1 - y0
    assert not any(value % 2 for value in (x0, y0, x1, y1))
    (left, top, right, bottom) = array[0]
    assert x0 <= left and y0 <= top and x1 >= right and y1 >= bottom
    is_inside = min(left, top) >= 2 and right <= width - 2 and bottom <= height - 2
    if is_inside and max(w, h) + 6 <= min(width, height):
        assert x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height


@pytest.mark.parametrize(
    ("box", "size", "margin", "crop"),
    [
        ((40, 30, 216, 226), (256, 256), 0.4, (0, 0, 256, 256)),  # 1.8 · 196 = 353 > 256
        ((150, 100, 400, 400), (512, 512), 0.4, (0, 0, 512, 512)),  # 540 > 512
        ((900, 20, 1100, 270), (1920, 1080), 0.4, (774, 0, 1226, 452)),  # moved down
        ((900, 20, 1100, 270), (1920, 1080), 0.1, (850, 0, 1150, 300)),  # 1.2 · 250
        ((-20, 100, 180, 300), (640, 480), 0.4, (-20, 0, 340, 360)),  # as far out as the mesh
        ((10, 10, 310, 310), (320, 240), 0.4, (8, 6, 312, 310)),  # larger than the picture
    ],
)
def test_where_the_picture_ends_the_margin_is_smaller(
    box: tuple[int, ...], size: tuple[int, int], margin: float, crop: tuple[int, ...]
) -> None:
    assert choose_crop(np.array([box], np.float32), size, margin) == crop


HD = (1920, 1080)


@pytest.mark.parametrize(
    ("own", "every", "size", "square"),
    [
        ((150, 100, 250, 230), (150, 100, 250, 230), (512, 512), (0, 0, 512, 512)),
        ((900, 200, 1100, 460), (900, 200, 1100, 460), HD, (460, 0, 1540, 1080)),
        ((840, 200, 1040, 460), (900, 200, 1100, 460), HD, (460, 0, 1540, 1080)),  # the source's
        ((1400, 200, 1600, 460), (900, 200, 1100, 460), HD, (840, 0, 1920, 1080)),  # the clip's own
        ((10, 200, 210, 460), (10, 200, 210, 460), HD, (0, 0, 1080, 1080)),  # inside the picture
        ((400, 300, 700, 700), (400, 300, 700, 700), (1080, 1920), (0, 0, 1080, 1080)),
        ((400, 900, 700, 1300), (400, 900, 700, 1300), (1081, 1921), (0, 560, 1080, 1640)),
        ((-20, 30, 200, 250), (-20, 30, 200, 250), (256, 256), (0, 0, 256, 256)),  # no border
        ((200, 100, 230, 130), (200, 100, 230, 130), (1920, 1080), (0, 0, 1080, 1080)),  # small
        ((100, 20, 500, 220), (100, 20, 500, 220), (640, 240), (98, -122, 502, 282)),  # wanders
    ],
)  # fmt: skip
def test_the_largest_square_is_one_for_all_clips_that_lie_in_it(
    own: tuple[int, ...],
    every: tuple[int, ...],
    size: tuple[int, int],
    square: tuple[int, ...],
) -> None:
    boxes, all_boxes = (np.array([box], np.float32) for box in (own, every))
    assert choose_square(boxes, all_boxes, size) == square


def test_reasons_of_stretches_are_codes_of_the_schema() -> None:
    reasons = {reason for *_, reason in cut("f" * 20 + "." * 9 + "2" * 9, low=75)}
    assert reasons == {Reason.TOO_SHORT, Reason.NO_FACE, Reason.SEVERAL_FACES}


def test_three_frames_before_damage_may_be_predicted_from_it() -> None:
    damaged = np.array([character == "x" for character in "x......xx..x"])
    wide = "".join("x" if value else "." for value in widen(damaged))
    assert wide == "x...xxxxxxxx"
    assert widen(np.array([False, True])).all()
