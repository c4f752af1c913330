"""Turns of the head that a renderer never saw: limited softly, inside its range not at all."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zoo.speaking.test_commands import (  # noqa: F401 (fixtures are imported)
    data,
    load_clip,
    make_stand_in,
    reenact,
    renderer,
    synthesize,
    write_speech,
)
from zoo.data.crop_camera import CropCamera
from zoo.models.renderer.person import Person, fit_person
from zoo.motion.pose_range import ROOM, PoseRange, measure_turns, soften
from zoo.speaking.movement import Movement

CAMERA = CropCamera(intrinsics=(500.0, 500.0, 16.0, 16.0), size=32)
AHEAD = (0.0, 0.0, 600.0)
"""mm: on the camera's axis, where the line of sight is that axis."""


def make_poses(*degrees, at=AHEAD):
    """(n, 6) of (pitch, yaw, roll) in degrees."""
    turns = np.deg2rad(np.array(degrees, np.float64))
    return np.concatenate([turns, np.tile(at, (len(turns), 1))], axis=1)


LEARNT = make_poses((-10, -20, -5), (12, 25, 8), (0, 0, 0))


def limit_turn(*degrees):
    return np.rad2deg(PoseRange.fit(LEARNT).limit(make_poses(degrees))[0, :3])


# --- the rule -----------------------------------------------------------------------------------


def test_an_angle_beyond_the_greatest_is_taken_back_by_a_tanh_of_5_degrees():
    """25 + 5·tanh(1) and 25 + 5·tanh(4); below, −10 − 5·tanh(2)."""
    np.testing.assert_allclose(limit_turn(0, 30, 0), [0, 25 + 5 * 0.7615942, 0], atol=1e-3)
    np.testing.assert_allclose(limit_turn(0, 45, 0), [0, 25 + 5 * 0.9993293, 0], atol=1e-3)
    np.testing.assert_allclose(limit_turn(-20, 0, 0), [-10 - 5 * 0.9640276, 0, 0], atol=1e-3)


def test_what_is_within_stays_to_the_bit_and_so_does_every_place():
    poses = np.random.default_rng(0).uniform(-0.3, 0.3, (500, 6))
    poses[:, 3:] = poses[:, 3:] * 500 + AHEAD
    reach = PoseRange.fit(poses)
    np.testing.assert_array_equal(reach.limit(poses), poses)
    np.testing.assert_array_equal(reach.limit(poses[7:8]), poses[7:8])
    wild = poses * (4, 4, 4, 1, 1, 1)
    np.testing.assert_array_equal(reach.limit(wild)[:, 3:], poses[:, 3:])


ANGLES = st.floats(-2.0, 2.0, allow_nan=False)


@given(a=ANGLES, b=ANGLES, low=ANGLES, width=st.floats(0, 2))
def test_angles_keep_their_order_go_no_further_than_5_degrees_and_never_jump(a, b, low, width):
    low, high = np.array([low]), np.array([low + width])
    (x,), (y,) = soften(np.array([[a], [b]]), low, high)
    if low <= a <= high:
        assert x == a
    assert low - ROOM <= x <= high + ROOM
    assert abs(x - y) <= abs(a - b) + 1e-12
    assert (a - b) * (x - y) >= -1e-12


def test_a_head_at_the_side_of_the_picture_is_judged_as_it_is_seen():
    """Learnt ahead within ±10°; 300 mm to the right at 520 mm it faces the camera at yaw −30°.

    The line of sight goes 30° to the right there: turned with it by 30° the head looks the same.
    """
    reach = PoseRange.fit(make_poses((0, -10, 0), (0, 10, 0)))
    side = (600 * np.sin(np.pi / 6), 0.0, 600 * np.cos(np.pi / 6))
    same = make_poses((0, 30, 0), (0, 39, 0), (0, 21, 0), at=side)
    np.testing.assert_array_equal(reach.limit(same), same)
    away = make_poses((0, 0, 0), at=side)  # seen 30° from one side
    expected = 30 - 10 - 5 * np.tanh((30 - 10) / 5)
    np.testing.assert_allclose(np.rad2deg(reach.limit(away)[0, 1]), expected, atol=1e-3)


def test_turns_are_measured_between_whole_rotations():
    a, b = make_poses((10, 0, 0), (0, 0, 0)), make_poses((0, 0, 0), (0, 90, 0))
    np.testing.assert_allclose(np.rad2deg(measure_turns(a, b)), [10, 90])


# --- renderers ----------------------------------------------------------------------------------


def test_a_person_knows_how_far_they_turned_and_so_do_their_checkpoints(data):  # noqa: F811
    person = fit_person([load_clip(data)])
    again = Person.from_state(person.to_state())
    np.testing.assert_array_equal(again.pose_range.low, person.pose_range.low)
    np.testing.assert_array_equal(again.pose_range.high, person.pose_range.high)
    older = person.to_state()
    older.pop("pose_range")
    assert Person.from_state(older).pose_range is None


@pytest.fixture
def movement():
    """Three frames, of which the second and third turn 10° and 40° beyond what was learnt."""
    pose = make_poses((0, 0, 0), (0, 35, 0), (0, 65, 0))
    return Movement(expression=np.zeros((3, 64)), pose=pose, au45=np.zeros(3))


def make_limited(data, reach):  # noqa: F811
    clip = load_clip(data)
    person = fit_person([clip])
    state = person.to_state() | {"pose_range": reach and reach.to_state()}
    return make_stand_in(clip, person=Person.from_state(state))


def test_frames_that_turn_too_far_are_drawn_less_turned_and_counted_once(data, movement):  # noqa: F811
    """Taken back by 10 − 5·tanh 2 = 5.2° and 40 − 5 = 35.0°."""
    stand_in = make_limited(data, PoseRange.fit(LEARNT))
    with pytest.warns(UserWarning) as said:
        list(movement.draw(stand_in, CAMERA))
    (warning,) = said
    assert str(warning.message) == (
        "in 2 of 3 frames the head would turn further than renderer.pt learnt: turned back by "
        "35.0° at most"
    )
    yaw = np.rad2deg(stand_in.asked[0]["pose"][:, 1])
    np.testing.assert_allclose(yaw, [0, 25 + 5 * np.tanh(2), 30], atol=1e-3)


@pytest.mark.parametrize("reach", [None, PoseRange.fit(LEARNT)])
def test_checkpoints_of_before_and_plain_draw_what_they_are_asked(data, movement, reach):  # noqa: F811
    stand_in = make_limited(data, reach)
    asked = movement if reach is None else Movement(**(vars(movement) | {"limit": False}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(asked.draw(stand_in, CAMERA))
    np.testing.assert_array_equal(stand_in.asked[0]["pose"], movement.pose)


def make_narrow(data):  # noqa: F811
    """Draws ann, and learnt of no turn but none."""
    return make_limited(data, PoseRange.fit(make_poses((0, 0, 0))))


@pytest.mark.parametrize(
    ("words", "limited"), [((), True), (("--no-pose-limit",), False), (("--plain",), False)]
)
def test_synthesis_limits_turns_unless_it_is_asked_not_to(data, renderer, words, limited):  # noqa: F811
    renderer["now"] = narrow = make_narrow(data)
    audio = write_speech(data / "a.wav", 0.5)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert synthesize(data, audio, "--background", "crop", *words).exit_code == 0
    (asked,) = narrow.asked
    again = narrow.pose_range.limit(asked["pose"])
    assert (measure_turns(again, asked["pose"]).max() > 0.3) is not limited
    assert sum("turned back" in str(warning.message) for warning in said) == limited


@pytest.mark.parametrize(("words", "limited"), [((), True), (("--no-pose-limit",), False)])
def test_reenactment_limits_turns_unless_it_is_asked_not_to(data, renderer, words, limited):  # noqa: F811
    renderer["now"] = narrow = make_narrow(data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert reenact(data, "--background", "crop", *words).exit_code == 0
    (asked,) = narrow.asked
    assert np.array_equal(asked["pose"], load_clip(data).model_pose) is not limited
    assert sum("turned back" in str(warning.message) for warning in said) == limited
