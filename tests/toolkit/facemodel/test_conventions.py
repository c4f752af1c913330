"""Rotations, cameras, light and the BFM layout against hand calculation and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from toolkit.errors import SetupError
from toolkit.facemodel import bfm, camera, light

angle = st.floats(-1.4, 1.4)
angles = st.tuples(angle, angle, angle)
shift = st.floats(-1.5, 1.5)
shifts = st.tuples(shift, shift, shift)
scales = st.floats(0.2, 5.0)
offsets = st.tuples(st.floats(-800, 300), st.floats(-800, 300))
INTRINSICS = (900.0, 900.0, 640.0, 360.0)


@given(angles)
def test_rotation_is_pitch_times_yaw_times_roll_as_scipy_has_it(euler):
    expected = Rotation.from_euler("XYZ", euler).as_matrix()
    assert camera.rotation_from_euler(euler) == pytest.approx(expected, abs=1e-12)


@given(angles)
def test_euler_angles_come_back_from_their_rotation(euler):
    back = camera.euler_from_rotation(camera.rotation_from_euler(euler))
    assert back == pytest.approx(np.array(euler), abs=1e-9)


@given(st.floats(-3.1, 3.1), st.sampled_from([-1, 1]), st.floats(-3.1, 3.1), st.floats(0, 1e-7))
def test_near_gimbal_lock_the_angles_still_rebuild_the_rotation(pitch, sign, roll, away):
    rotation = camera.rotation_from_euler((pitch, sign * (np.pi / 2 - away), roll))
    back = camera.rotation_from_euler(camera.euler_from_rotation(rotation))
    assert back == pytest.approx(rotation, abs=1e-12)


@given(angles)
def test_dengs_rotation_is_z_times_y_times_x_and_comes_back(euler):
    expected = Rotation.from_euler("xyz", euler).as_matrix()
    assert camera.rotation_from_deng(euler) == pytest.approx(expected, abs=1e-12)
    assert camera.deng_from_rotation(expected) == pytest.approx(np.array(euler), abs=1e-9)


@pytest.mark.parametrize(
    ("axis", "meaning"),
    [(0, "nose goes down"), (1, "nose goes to the picture's left"), (2, "crown goes right")],
)
def test_positive_angles_turn_the_head_as_the_convention_says(axis, meaning):
    euler = np.zeros(3)
    euler[axis] = 0.3
    nose, crown = np.array([0, 0, -1.0]), np.array([0, -1.0, 0])
    nose = camera.rotation_from_euler(euler) @ nose
    crown = camera.rotation_from_euler(euler) @ crown
    assert {0: nose[1] > 0.2, 1: nose[0] < -0.2, 2: crown[0] > 0.2}[axis], meaning


def test_projection_of_a_point_calculated_by_hand():
    pose = (0, 0, np.pi / 2, 10, 20, 500)  # roll 90°: x goes to y
    pixels = camera.project([[100.0, 0, 0]], pose, (1000, 800, 320, 240))
    assert pixels == pytest.approx(np.array([[320 + 1000 * 10 / 500, 240 + 800 * 120 / 500]]))


def test_projection_is_batched_over_poses_and_cameras():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 3)) * 50
    poses = rng.normal(size=(4, 6)) * 0.2 + (0, 0, 0, 0, 0, 600)
    cameras = rng.uniform(500, 900, size=(4, 4))
    batched = camera.project(points, poses, cameras)
    single = [camera.project(points, p, k) for p, k in zip(poses, cameras, strict=True)]
    assert batched.shape == (4, 7, 2)
    assert batched == pytest.approx(np.array(single), abs=1e-9)


def test_openface_rule_for_an_unknown_camera():
    assert camera.default_intrinsics(640, 480) == (500, 500, 320, 240)
    # (500·1920/640 + 500·1080/480) / 2 = (1500 + 1125) / 2
    assert camera.default_intrinsics(1920, 1080) == (1312.5, 1312.5, 960, 540)
    assert camera.default_intrinsics(100, 100, focal=77) == (77, 77, 50, 50)
    with pytest.raises(ValueError, match="no camera"):
        camera.default_intrinsics(0, 10)


def deng_pixels(vertices_dm, euler, translation):
    """Deng et al.'s own projection, written out: 224 crop, picture's y down."""
    rx, ry, rz = (Rotation.from_euler(n, a).as_matrix() for n, a in zip("xyz", euler, strict=True))
    seen = vertices_dm @ (rz @ ry @ rx).T + np.array(translation)
    depth = 10 - seen[:, 2]
    u = 1015 * seen[:, 0] / depth + 112
    v = 1015 * seen[:, 1] / depth + 112
    return np.stack([u, 223 - v], axis=1)


@given(angles, shifts, scales, offsets)
def test_our_pose_of_dengs_numbers_gives_the_same_pixels_through_the_crop(e, t, scale, offset):
    vertices = np.random.default_rng(1).normal(size=(20, 3)) * 0.7
    expected = (deng_pixels(vertices, e, t) - offset) / scale
    intrinsics = camera.deng_intrinsics(scale, offset)
    pose = camera.pose_from_deng(e, t, scale=scale, offset=offset, intrinsics=intrinsics)
    found = camera.project(camera.flip_axes(vertices * 100), pose, intrinsics)
    assert found * scale == pytest.approx(expected * scale, abs=1e-6)


@given(angles, shifts, scales, offsets)
def test_dengs_numbers_of_our_pose_give_the_same_pixels_through_the_crop(e, t, scale, offset):
    pose = np.array([*e, *(np.array(t) * 100 + (0, 0, 1000))])
    intrinsics = camera.deng_intrinsics(scale, offset)
    points = np.random.default_rng(2).normal(size=(20, 3)) * 70
    theirs = camera.deng_from_pose(pose, scale=scale, offset=offset, intrinsics=intrinsics)
    expected = camera.project(points, pose, intrinsics) * scale + offset
    assert deng_pixels(camera.flip_axes(points) / 100, *theirs) == pytest.approx(expected, abs=1e-6)


@given(angles, shifts, scales, offsets)
def test_conversion_to_another_camera_and_back_changes_nothing(e, t, scale, offset):
    pose = camera.pose_from_deng(e, t, scale=scale, offset=offset, intrinsics=INTRINSICS)
    back = camera.deng_from_pose(pose, scale=scale, offset=offset, intrinsics=INTRINSICS)
    assert camera.rotation_from_deng(back[0]) == pytest.approx(
        camera.rotation_from_deng(e), abs=1e-9
    )
    assert back[1] == pytest.approx(np.array(t), abs=1e-8)


@settings(max_examples=50)
@given(
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.6, 0.6), st.floats(-0.4, 0.4)),
    st.floats(200, 1000),
    st.floats(150, 600),
    st.floats(0.6, 1.6),
)
def test_under_another_camera_the_origin_is_exact_and_the_face_nearly(e, u, v, zoom):
    face = np.random.default_rng(3).uniform((-70, -90, -40), (70, 90, 40), size=(200, 3))
    crop_camera = np.array([900 * zoom, 900 * zoom, u, v])  # looks straight at the head
    pose = np.array([*e, 0, 0, 700 * zoom])
    moved = camera.change_intrinsics(pose, crop_camera, INTRINSICS)
    assert camera.project(np.zeros((1, 3)), moved, INTRINSICS)[0] == pytest.approx(
        np.array([u, v]), abs=1e-9
    )
    expected = camera.project(face, pose, crop_camera)
    error = camera.project(face, moved, INTRINSICS) - expected
    size = np.ptp(expected, axis=0).max()
    rms = np.sqrt((error**2).sum(axis=1).mean())
    assert rms < 0.04 * size
    # Better than only sliding the head aside, whenever it is well off the axis.
    slid = np.array([*e, *((u, v) - np.array(INTRINSICS[2:])) / 900 * 700, 700])
    if np.hypot(u - 640, v - 360) > 250 and abs(zoom - 1) < 0.1:
        by_sliding = camera.project(face, slid, INTRINSICS) - expected
        assert rms < np.sqrt((by_sliding**2).sum(axis=1).mean())


def test_under_another_camera_a_small_thing_covers_as_many_pixels():
    ball = np.random.default_rng(7).normal(size=(500, 3))
    straight, pose = (600.0, 600.0, 200.0, 150.0), np.array([0.2, -0.3, 0.1, 0, 0, 700])
    moved = camera.change_intrinsics(pose, straight, INTRINSICS)
    before = np.cov(camera.project(ball, pose, straight).T)
    after = np.cov(camera.project(ball, moved, INTRINSICS).T)
    assert np.linalg.det(after) == pytest.approx(np.linalg.det(before), rel=0.01)


def test_moving_the_origin_leaves_the_head_where_it_is():
    pose, shift_mm = np.array([0.1, -0.4, 0.2, 5, 6, 700]), np.array([3.0, -20, 8])
    points = np.random.default_rng(4).normal(size=(5, 3)) * 50
    moved = camera.move_origin(pose, shift_mm)
    assert camera.transform(points - shift_mm, moved) == pytest.approx(
        camera.transform(points, pose)
    )


def test_harmonics_of_three_normals_calculated_by_hand():
    # a·c of orders 0, 1, 2: π/√(4π) = 0.886227; (2π/√3)(√3/√(4π)) = 1.772454;
    # (2π/√8)(3√5/√(12π)) = 2.427032
    basis = light.evaluate_basis([[0, 0, 1.0], [1, 0, 0], [0, -1, 0]])
    a, b, c = 0.8862269, 1.7724539, 2.4270320
    by_z, by_x = c / (2 * np.sqrt(3)), c / 2
    expected = [
        [a, 0, b, 0, 0, 0, 2 * by_z, 0, 0],
        [a, 0, 0, -b, 0, 0, -by_z, 0, by_x],
        [a, b, 0, 0, 0, 0, -by_z, 0, -by_x],
    ]
    assert basis == pytest.approx(np.array(expected), abs=1e-6)


def test_harmonics_of_one_order_are_orthogonal_over_the_sphere():
    normals = np.random.default_rng(5).normal(size=(200_000, 3))
    basis = light.evaluate_basis(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    gram = basis.T @ basis / len(basis)
    assert gram - np.diag(np.diag(gram)) == pytest.approx(0, abs=0.03)
    assert np.diag(gram)[1:4] == pytest.approx(1.7724539**2 / 3, rel=0.02)


def test_no_coefficients_are_white_light_from_everywhere():
    colors = light.apply_light(np.full((2, 3), 100.0), [[0, 0, 1.0], [0, 1, 0]], np.zeros(27))
    assert colors == pytest.approx(100 * 0.8 * 0.8862269, rel=1e-6)


def test_bands_belong_to_red_green_blue_in_turn_and_batch():
    illumination = np.zeros((2, 27))
    illumination[1, 9 + 2] = 1.0  # green, band z
    shading = light.shade(np.broadcast_to([0, 0, 1.0], (2, 4, 3)), illumination)
    assert shading.shape == (2, 4, 3)
    assert shading[1, 0] - shading[0, 0] == pytest.approx([0, 1.7724539, 0], abs=1e-6)
    with pytest.raises(ValueError, match="27"):
        light.shade([[0, 0, 1.0]], np.zeros(26))


@given(st.integers(0, 2**32 - 1))
def test_the_vector_of_257_comes_apart_and_together(seed):
    vector = np.random.default_rng(seed).normal(size=(3, 257))
    assert np.array_equal(bfm.pack_coefficients(**bfm.unpack_coefficients(vector)), vector)


def test_one_identity_serves_many_frames_in_the_vector():
    names = ("identity", "expression", "texture", "angles", "illumination", "translation")
    sizes = (80, 64, 80, 3, 27, 3)
    parts = {name: np.full((5, sizes[i]), i) for i, name in enumerate(names)}
    parts["identity"] = np.full(80, 9)
    vector = bfm.pack_coefficients(**parts)
    assert vector.shape == (5, 257)
    edges = [0, 80, 144, 224, 227, 254]
    assert vector[4, edges].tolist() == [9, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="expression"):
        bfm.pack_coefficients(**{**parts, "expression": np.zeros(63)})
    with pytest.raises(ValueError, match="257"):
        bfm.unpack_coefficients(np.zeros(256))


def bfm_arrays(num_vertices=90):
    rng = np.random.default_rng(6)
    arrays = {
        "meanshape": rng.normal(size=(1, 3 * num_vertices)),
        "meantex": rng.uniform(0, 255, size=(1, 3 * num_vertices)),
        "idBase": rng.normal(size=(3 * num_vertices, 80)),
        "exBase": rng.normal(size=(3 * num_vertices, 64)),
        "texBase": rng.normal(size=(3 * num_vertices, 80)),
        "tri": np.array([[1, 2, 3], [2, 3, num_vertices]]),
        "keypoints": np.arange(1, 69)[None],
    }
    return arrays


def test_bfm_is_read_in_millimetres_from_zero_and_vertex_by_vertex(tmp_path):
    raw = bfm_arrays()
    savemat(tmp_path / "model.mat", raw)
    model = bfm.read_bfm(tmp_path / "model.mat")
    mean = raw["meanshape"].reshape(-1, 3)
    assert model.mean_shape == pytest.approx((mean - mean.mean(axis=0)) * 100, abs=1e-3)
    assert model.identity_basis[5, 2, 7] == pytest.approx(100 * raw["idBase"][17, 7], rel=1e-5)
    assert model.expression_basis.shape == (90, 3, 64)
    assert model.texture_basis[5, 2, 7] == pytest.approx(raw["texBase"][17, 7], rel=1e-5)
    assert model.triangles.tolist() == [[0, 1, 2], [1, 2, 89]]
    assert model.keypoints.tolist() == list(range(68))
    assert model.head_origin == pytest.approx(model.mean_shape[:68].mean(axis=0), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exBase": None}, "lacks exBase"),
        ({"keypoints": np.array([[0, 1]])}, "outside 1 to 90"),
        ({"keypoints": np.array([[1, 2]])}, "not 68"),
        ({"texBase": np.zeros((270, 79))}, "texBase has shape"),
    ],
)
def test_a_model_that_is_not_dengs_is_named_with_what_is_wrong(tmp_path, change, words):
    arrays = {**bfm_arrays(), **change}
    path = tmp_path / "model.mat"
    savemat(path, {name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(SetupError, match=words) as raised:
        bfm.read_bfm(path)
    assert str(path) in str(raised.value)
    assert "faces.dmi.unibas.ch" in str(raised.value)


def test_a_missing_or_foreign_file_says_where_the_model_is_to_be_had(tmp_path):
    with pytest.raises(SetupError, match=r"no face model at .*faces\.dmi\.unibas\.ch"):
        bfm.read_bfm(tmp_path / "none.mat")
    (tmp_path / "text.mat").write_text("version https://git-lfs")
    with pytest.raises(SetupError, match="not a MATLAB file"):
        bfm.read_bfm(tmp_path / "text.mat")
