"""Eye aspect ratio, AU45 and blinks, on curves and eyelids worked out by hand."""

import functools
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import REAL_DATA
from toolkit.clock import show_frames
from toolkit.features import create_extractor
from toolkit.features.blink import (
    ON_INTENSITY,
    EyelidAU45,
    compute_au45,
    compute_ear,
    find_blinks,
    measure_apertures,
)
from toolkit.schema import Blink, ClipInput

Curve = npt.NDArray[np.float64]
LEFT = ((362, 385, 387, 263, 373, 380), (386, 374))
RIGHT = ((33, 160, 158, 133, 153, 144), (159, 145))
OPEN = 0.3
"""Aperture (lid distance over eye width) of the generated open eyes."""


# --- material -----------------------------------------------------------------------------------


def make_eyes(
    left: npt.ArrayLike, right: npt.ArrayLike, yaw: float = 0.0, pitch: float = 0.0, size: float = 1
) -> npt.NDArray[np.float32]:
    """Meshes (n, 478, 3) whose eyes, 30 px wide, are open by `left` and `right` of their width.

    Each eye is a flat strip that faces 25° outwards, as on a head; the head is then turned.
    """
    apertures = np.stack(np.broadcast_arrays(left, right), axis=-1)
    mesh = np.zeros((len(apertures), 478, 3))
    for side, aperture, (points, (up, low)) in zip(
        (1, -1), apertures.T, (LEFT, RIGHT), strict=True
    ):
        inner, outer = (0, 3) if side == 1 else (3, 0)
        along = np.array([np.cos(np.radians(25)), 0, np.sin(np.radians(25))])
        along[0] *= side
        start = np.array([side * 16.0, 0, 0])
        mesh[:, points[inner]] = start
        mesh[:, points[outer]] = start + 30 * along
        for share, top, bottom in ((1 / 3, 1, 5), (2 / 3, 2, 4)):
            mesh[:, points[top]] = mesh[:, points[bottom]] = start + 30 * share * along
            mesh[:, points[top], 1] = -15 * aperture
            mesh[:, points[bottom], 1] = 15 * aperture
        mesh[:, up] = mesh[:, low] = start + 15 * along
        mesh[:, up, 1], mesh[:, low, 1] = -15 * aperture, 15 * aperture
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    cos, sin = np.cos(pitch), np.sin(pitch)
    nod = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return np.asarray(size * mesh @ (nod @ turn).T + 200, dtype=np.float32)


def au45_of(left: npt.ArrayLike, right: npt.ArrayLike | None = None, fps: int = 30) -> Curve:
    right = left if right is None else right
    return compute_au45(make_eyes(left, right), fps, np.array([OPEN, OPEN])).astype(np.float64)


def open_with(num_frames: int, *changes: tuple[int, int, float]) -> Curve:
    """Aperture `OPEN`, but `share` of it in each (first, end, share)."""
    aperture = np.full(num_frames, OPEN)
    for first, end, share in changes:
        aperture[first:end] = share * OPEN
    return aperture


def make_clip(
    aperture: Curve,
    valid: npt.NDArray[np.bool_] | None = None,
    on_load: Callable[[], object] = list,
) -> ClipInput:
    n = len(aperture)

    def load() -> npt.NDArray[np.float32]:
        on_load()
        return make_eyes(aperture, aperture)

    return ClipInput(
        clip_id="clip",
        path=Path("talk.mp4"),
        fps=30,
        start_frame=0,
        num_frames=n,
        picture_size=(640, 480),
        intrinsics=(500.0, 500.0, 320.0, 240.0),
        crop=(0.0, 0.0, 400.0, 400.0),
        valid=np.ones(n, bool) if valid is None else valid,
        source_time=np.arange(n) / 30,
        source_index=np.arange(n),
        source_num_frames=n,
        load_landmarks=load,
        load_pcm=lambda: np.zeros(n * 16000 // 30, np.int16),
        read_frames=lambda: iter(()),
    )


def pulse(length: int, num_frames: int = 60, first: int = 20, height: float = 4.0) -> Curve:
    values = np.zeros(num_frames)
    values[first : first + length] = height
    return values


# --- blinks of a curve --------------------------------------------------------------------------


def test_blink_reaches_over_the_frames_at_or_over_half_its_peak() -> None:
    values = [0, 0, 0.5, 2, 4, 3, 2, 1.9, 0.5, 0]
    assert find_blinks(values, 30) == [Blink(onset=3, apex=4, offset=6)]


def test_peak_under_the_lowest_intensity_is_no_blink() -> None:
    assert find_blinks(pulse(4, height=0.99), 30) == []
    assert find_blinks(pulse(4, height=1.0), 30) == [Blink(onset=20, apex=21, offset=23)]


def test_apex_is_the_middle_of_the_frames_near_the_peak() -> None:
    assert find_blinks([0, 2, 3.3, 3.1, 4, 3.2, 3.1, 2, 0], 30) == [
        Blink(onset=1, apex=4, offset=7)
    ]
    assert find_blinks([0, 3.2, 3.2, 3.2, 3.2, 4, 2, 0], 30) == [Blink(onset=1, apex=3, offset=6)]


@pytest.mark.parametrize(("fps", "shortest", "longest"), [(30, 2, 15), (25, 1, 13)])
def test_blinks_last_from_70_to_500_ms(fps: int, shortest: int, longest: int) -> None:
    found = [n for n in range(1, 40) if find_blinks(pulse(n), fps)]
    assert found == list(range(shortest, longest + 1))


def test_one_open_frame_within_a_blink_is_bridged_and_two_are_not() -> None:
    one = [0, 0, 4, 4, 0, 3, 3, 0, 0]
    two = [0, 0, 4, 4, 0, 0, 3, 3, 0]
    assert find_blinks(one, 30) == [Blink(onset=2, apex=2, offset=6)]
    assert find_blinks(two, 30) == [
        Blink(onset=2, apex=2, offset=3),
        Blink(onset=6, apex=6, offset=7),
    ]


def test_lids_that_do_not_reopen_make_one_blink_not_two() -> None:
    half_open = [0, 0, 2, 2, 2, 1, 1, 1, 3, 3.5, 3, 0, 0]
    reopened = [0, 0, 2, 2, 2, 0.5, 0.5, 0.5, 3, 3.5, 3, 0, 0]
    assert find_blinks(half_open, 30) == [Blink(onset=8, apex=9, offset=10)]
    assert [b.apex for b in find_blinks(reopened, 30)] == [3, 9]


@pytest.mark.parametrize("height", [1.5, 3.0, 5.0])
def test_long_closure_is_no_blink_even_when_it_flutters(height: float) -> None:
    closed = pulse(40, num_frames=80, height=height)
    assert find_blinks(closed, 30) == []
    closed[30:33] *= 0.45
    closed[45:48] *= 0.8
    assert find_blinks(closed, 30) == []


def test_blink_cut_by_the_first_or_last_frame_counts() -> None:
    assert find_blinks([4, 3, 0, 0, 0, 0], 30) == [Blink(onset=0, apex=0, offset=1)]
    assert find_blinks([0, 0, 0, 0, 0, 4], 30) == [Blink(onset=5, apex=5, offset=5)]
    assert find_blinks(np.r_[np.zeros(60), np.full(20, 4.0)], 30) == []


def test_nothing_to_search_gives_no_blinks() -> None:
    assert find_blinks([], 30) == []
    assert find_blinks(np.zeros(90), 25) == []
    assert find_blinks([np.nan, np.nan], 25) == []


def test_frame_not_measured_within_a_blink_is_interpolated() -> None:
    values = [0, 0, 3, np.nan, 4, 3, 0, 0]
    assert find_blinks(values, 30) == [Blink(onset=2, apex=4, offset=5)]


def test_blink_is_dated_by_its_measured_frames_and_none_is_made_between_them() -> None:
    values = pulse(6)
    values[20:24] = np.nan
    assert [b.apex for b in find_blinks(values, 30)] == [24]
    values[15:30] = np.nan
    assert find_blinks(values, 30) == []


@pytest.mark.parametrize(("values", "fps"), [(np.zeros((4, 2)), 30), (np.zeros(4), 0)])
def test_arrays_of_the_wrong_shape_are_the_callers_mistake(values: Curve, fps: int) -> None:
    with pytest.raises(ValueError, match="shape"):
        find_blinks(values, fps)


CURVES = arrays(np.float64, st.integers(0, 120), elements=st.integers(0, 20).map(lambda k: k / 4))


@given(CURVES)
def test_every_blink_is_what_its_definition_says(values: Curve) -> None:
    blinks = find_blinks(values, 30)
    assert all(a.offset < b.onset for a, b in itertools.pairwise(blinks))
    for b in blinks:
        inside = values[b.onset : b.offset + 1]
        half = inside.max() / 2
        assert inside.max() >= ON_INTENSITY
        assert values[b.apex] >= 0.8 * inside.max()
        assert min(inside[0], inside[-1]) >= half
        low = np.flatnonzero(inside < half)
        assert not np.any(np.diff(low) == 1), "two open frames in a row"
        assert b.onset == 0 or values[b.onset - 1] < half
        assert b.offset == len(values) - 1 or values[b.offset + 1] < half
        cut = b.onset == 0 or b.offset == len(values) - 1
        assert (1 if cut else 2) <= len(inside) <= 15


@given(CURVES, st.integers(1, 50))
def test_blinks_move_with_the_curve(values: Curve, shift: int) -> None:
    padded = np.r_[0, 0, values, 0, 0]
    moved = [
        Blink(onset=b.onset + shift, apex=b.apex + shift, offset=b.offset + shift)
        for b in find_blinks(padded, 30)
    ]
    assert find_blinks(np.r_[np.zeros(shift), padded], 30) == moved


@given(CURVES, st.sampled_from([2.0, 4.0]))
def test_stronger_curve_keeps_every_blink_as_it_is(values: Curve, factor: float) -> None:
    stronger = {(b.onset, b.apex, b.offset) for b in find_blinks(values * factor, 30)}
    assert {(b.onset, b.apex, b.offset) for b in find_blinks(values, 30)} <= stronger


# --- eye aspect ratio ---------------------------------------------------------------------------


def test_ear_is_the_sum_of_lid_distances_over_twice_the_width() -> None:
    mesh = np.zeros((1, 478, 3), np.float32)
    mesh[0, list(LEFT[0])] = [
        (0, 0, 9),
        (10, -4, 0),
        (20, -3, 0),
        (30, 0, 0),
        (20, 3, 0),
        (10, 5, 0),
    ]
    mesh[0, list(RIGHT[0])] = [(0, 0, 0), (9, 1, 0), (9, 2, 0), (0, 20, 5), (9, 4, 0), (9, 3, 0)]
    # Left: (9 + 6) / (2·30); right: (2 + 2) / (2·20).
    np.testing.assert_allclose(compute_ear(mesh), [[0.25, 0.1]], rtol=1e-6)
    assert compute_ear(mesh).dtype == np.float32


def test_wink_shows_in_the_ear_of_that_eye_alone() -> None:
    ear = compute_ear(make_eyes([OPEN, OPEN], [OPEN, 0.1 * OPEN]))
    assert ear[1, 0] == ear[0, 0]
    assert ear[1, 1] == pytest.approx(0.1 * ear[0, 1], rel=1e-4)


# --- AU45 ---------------------------------------------------------------------------------------


def test_au45_is_five_times_the_share_of_the_eye_that_is_covered() -> None:
    au45 = au45_of(open_with(90, (40, 44, 0.2), (60, 63, 0.6)))
    expected = np.zeros(90)
    expected[40:44], expected[60:63] = 4.0, 2.0
    np.testing.assert_allclose(au45, expected, atol=1e-4)


def test_au45_neither_delays_nor_blunts_a_closure_of_one_frame() -> None:
    au45 = au45_of(open_with(61, (30, 31, 0.2)))
    assert au45[30] == pytest.approx(4.0, abs=1e-4)
    assert np.abs(np.delete(au45, 30)).max() < 1e-4


def test_slow_blink_is_seen_in_full() -> None:
    au45 = au45_of(open_with(90, (40, 54, 0.6)))
    assert au45[40:54] == pytest.approx(2.0, abs=1e-3)


def test_noise_of_the_mesh_stays_well_under_a_blink() -> None:
    noise = 1 + 0.05 * np.random.default_rng(0).standard_normal((2, 3000))
    assert find_blinks(au45_of(*(OPEN * noise)), 30) == []
    # Somewhat narrow eyes with the same noise in both; taking its crests for open makes this 0.38.
    assert au45_of(0.9 * OPEN * noise[0]).mean() < 0.25


def test_looking_down_is_no_blink_and_a_blink_meanwhile_is() -> None:
    aperture = open_with(150, (40, 110, 0.55))
    aperture[37:40] = OPEN * np.array([0.9, 0.78, 0.66])
    aperture[110:113] = aperture[37:40][::-1]
    # 5·(1 − 0.55/0.75) where the source's open eye is the measure, and far less than a shut eye.
    assert au45_of(aperture).max() == pytest.approx(4 / 3, abs=0.01)
    assert find_blinks(au45_of(aperture), 30) == []
    aperture[70:75] = 0.1 * OPEN
    assert find_blinks(au45_of(aperture), 30) == [Blink(onset=70, apex=72, offset=74)]


def test_slight_looking_down_leaves_au45_at_zero() -> None:
    assert au45_of(open_with(150, (40, 110, 0.8))).max() < 1e-3


def test_looking_down_that_begins_with_a_closure_is_no_blink() -> None:
    aperture = open_with(150, (40, 110, 0.35))
    aperture[40:55] = OPEN * np.linspace(0.2, 0.35, 15)
    assert find_blinks(au45_of(aperture), 30) == []


def test_kept_shut_stays_high_and_is_no_blink() -> None:
    au45 = au45_of(open_with(200, (60, 140, 0.1)))
    assert au45[60:140].min() > 3.5
    assert find_blinks(au45, 30) == []


def test_eyes_opened_wide_do_not_make_a_blink_of_what_follows() -> None:
    aperture = open_with(200, (50, 80, 1.6), (90, 120, 1.6))
    assert au45_of(aperture).max() < 1e-3


@pytest.mark.parametrize("fps", [25, 30])
def test_wink_is_no_blink(fps: int) -> None:
    wink = open_with(90, (40, 45, 0.15))
    assert find_blinks(au45_of(wink, np.full(90, OPEN), fps), fps) == []
    assert find_blinks(au45_of(np.full(90, OPEN), wink, fps), fps) == []
    assert len(find_blinks(au45_of(wink, wink, fps), fps)) == 1


@pytest.mark.parametrize("yaw", [-1.0, 1.0])
def test_turned_head_is_judged_by_the_near_eye(yaw: float) -> None:
    blink, still = open_with(90, (40, 44, 0.2)), np.full(90, OPEN)
    eyes = [make_eyes(blink, still, yaw=yaw), make_eyes(still, blink, yaw=yaw)]
    near = int(measure_apertures(eyes[0])[1][0].argmax())
    peaks = [compute_au45(e, 30, np.array([OPEN, OPEN])).max() for e in eyes]
    assert peaks[near] > 3.5
    assert peaks[1 - near] < 0.5


@given(st.floats(-0.7, 0.7), st.floats(-0.6, 0.6), st.floats(0.2, 5))
def test_au45_does_not_depend_on_pose_or_size(yaw: float, pitch: float, size: float) -> None:
    blink = open_with(60, (30, 34, 0.2))
    au45 = compute_au45(make_eyes(blink, blink, yaw, pitch, size), 30, np.array([OPEN, OPEN]))
    np.testing.assert_allclose(au45, au45_of(blink), atol=0.02)


@pytest.mark.parametrize("source_fps", [12.0, 15.0, 25.0, 50.0])
@pytest.mark.parametrize("clock", [25, 30])
def test_blinks_do_not_depend_on_the_sources_rate(source_fps: float, clock: int) -> None:
    apexes = np.array([0.9, 2.0, 2.45, 4.3])
    times = np.arange(0, 6, 1 / source_fps)
    shut = np.exp(-(((times[:, None] - apexes) / 0.08) ** 2)).max(axis=1)
    shown = times[show_frames(times, 0, 6 * clock, clock)]
    aperture = OPEN * (1 - 0.85 * shut)[np.searchsorted(times, shown)]
    found = [shown[b.apex] for b in find_blinks(au45_of(aperture, fps=clock), clock)]
    np.testing.assert_allclose(found, apexes, atol=1 / min(source_fps, clock) + 1e-6)


# --- extractor ----------------------------------------------------------------------------------


def test_extractor_gives_one_finite_row_per_frame() -> None:
    extractor = create_extractor("au45", "eyelids")
    clip = make_clip(open_with(77, (20, 25, 0.1)))
    extractor.fit([clip])
    found = extractor.extract(clip)
    assert set(found) == set(extractor.arrays) == {"face/au45"}
    assert found["face/au45"].shape == (77,)
    assert found["face/au45"].dtype == np.float32
    assert np.isfinite(found["face/au45"]).all()
    assert extractor.provenance().backend == "eyelids"


def test_eyes_shut_through_a_clip_are_known_from_the_sources_other_clips() -> None:
    shut, awake = make_clip(np.full(90, 0.1 * OPEN)), make_clip(np.full(300, OPEN))
    extractor = EyelidAU45()
    extractor.fit(clip for clip in (shut, awake))
    assert extractor.extract(shut)["face/au45"].min() > 3.5
    extractor.fit([])
    assert extractor.extract(shut)["face/au45"].max() < 0.5, "the source before is forgotten"


def test_interpolated_frames_do_not_enter_the_calibration() -> None:
    extractor = EyelidAU45()
    extractor.fit([make_clip(open_with(100, (0, 80, 0.1)), valid=np.arange(100) >= 80)])
    blink = make_clip(open_with(90, (40, 44, 0.2)))
    assert extractor.extract(blink)["face/au45"].max() == pytest.approx(4.0, abs=0.02)


def test_calibration_reads_each_clip_once_and_in_turn() -> None:
    loaded: list[str] = []

    def clips() -> Iterator[ClipInput]:
        for name in "abc":
            yield make_clip(np.full(30, OPEN), on_load=functools.partial(loaded.append, name))
            assert loaded[-1] == name

    EyelidAU45().fit(clips())
    assert loaded == ["a", "b", "c"]


# --- a real clip --------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("name", ["_derived/vidtimit_fadg0/sa1.mp4"])
def test_blinks_of_a_real_clip_are_those_read_by_eye(name: str) -> None:
    if not (REAL_DATA / name).is_file():
        pytest.skip(f"no {REAL_DATA / name}")
    from toolkit.features.landmarks import FaceMesh
    from toolkit.media import decode, video

    info, streams = video.probe(REAL_DATA / name)
    mesh = FaceMesh(max_faces=1)
    meshes: list[npt.NDArray[np.float32]] = []
    times: list[float] = []
    for frame in decode.read_frames(REAL_DATA / name, info, streams, size=video.fit_size(info)):
        detect = mesh.detect if meshes else mesh.start
        meshes.append(detect(frame.picture)[0])
        times.append(frame.time)
    landmarks, seconds = np.stack(meshes), np.array(times)
    shown = show_frames(seconds, 0, len(seconds) * 30 // 25, 30)
    open_eyes = np.percentile(measure_apertures(landmarks)[0], 75, axis=0)
    found = find_blinks(compute_au45(landmarks[shown], 30, open_eyes), 30)
    truth = json.loads((REAL_DATA / "blinks.json").read_text())[name]["blinks"]
    np.testing.assert_allclose(seconds[shown][[b.apex for b in found]], seconds[truth], atol=0.1)
