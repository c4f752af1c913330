"""Head pose from the mesh: known poses come back, signs are OpenFace's, scale is the iris's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import REAL_DATA
from tests.faces import MODEL, K, draw_mesh
from toolkit.facemodel.align import Depths, solve_pose
from toolkit.facemodel.camera import project
from toolkit.features.pose import (
    MeshPose,
    choose_scale,
    fit_pose,
    measure_irises,
)
from toolkit.mesh import IRIS_MM
from toolkit.schema import ClipInput


def make_mesh(pose, size=1.0):
    """Landmarks (n, 478, 3) of the mean face, `size` times as large, with irises of 11.7 mm."""
    pose = np.atleast_2d(pose)
    return draw_mesh(np.repeat(MODEL.mean_shape[None] * size, len(pose), axis=0), pose)


def make_clip(landmarks, **changes):
    n = len(landmarks)
    settings = {
        "clip_id": "c",
        "path": None,
        "fps": 30,
        "start_frame": 0,
        "num_frames": n,
        "picture_size": (1280, 720),
        "intrinsics": K,
        "crop": (0.0, 0.0, 1.0, 1.0),
        "valid": np.ones(n, bool),
        "source_time": np.arange(n) / 30,
        "source_index": np.arange(n),
        "source_num_frames": n,
        "load_landmarks": lambda: landmarks,
        "load_pcm": lambda: np.zeros(0, np.int16),
        "read_frames": lambda: iter(()),
    }
    return ClipInput(**{**settings, **changes})


angles = st.floats(-1.0, 1.0)
poses = st.tuples(
    st.floats(-0.7, 0.7), angles, angles, st.floats(-300, 300), st.floats(-200, 200),
    st.floats(350, 3000),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(poses)
def test_a_projected_pose_is_recovered(pose):
    found = fit_pose(make_mesh(pose).astype(np.float64), K)[0]
    assert np.abs(found[:3] - pose[:3]).max() < 1e-3
    assert np.abs(found[3:] - pose[3:]).max() < 1e-3 * pose[5]


def test_exact_pixels_give_the_pose_to_rounding():
    pose = np.array([[0.2, -0.5, 0.1, 40.0, -20.0, 600.0]])
    points = MODEL.mean_shape.astype(np.float64)
    assert np.abs(solve_pose(points, project(points, pose, K), K) - pose).max() < 1e-8


def test_image_points_alone_give_a_pose_too():
    pose = [0.2, -0.5, 0.1, 40.0, -20.0, 600.0]
    assert fit_pose(make_mesh(pose)[:, :, :2], K)[0] == pytest.approx(pose, abs=0.5)


def test_depths_count_up_to_a_constant():
    pose = np.array([[0.2, -0.5, 0.1, 40.0, -20.0, 600.0]])
    points = MODEL.mean_shape.astype(np.float64)
    mesh = make_mesh(pose).astype(np.float64)
    values = mesh[:, :468, 2] + 123.0
    depths = Depths(points=points, values=values, weight=5.0)
    assert np.abs(solve_pose(points, mesh[:, :468, :2], K, depths=depths) - pose).max() < 1e-2


def test_depths_settle_what_a_longer_face_would_make_a_nod():
    longer = MODEL.mean_shape * (1.0, 1.0, 1.15)  # a nose further out looks like a head bent
    mesh = draw_mesh(longer[None], np.array([[0.3, 0.0, 0.0, 0.0, 0.0, 600.0]]))
    with_depth = fit_pose(mesh, K)[0, 0]
    without = fit_pose(mesh[:, :, :2], K)[0, 0]
    assert abs(with_depth - 0.3) < 0.7 * abs(without - 0.3)


def test_a_profile_is_recovered():
    pose = np.array([[0.1, 1.4, 0.0, 0.0, 0.0, 600.0]])
    points = MODEL.mean_shape.astype(np.float64)
    assert np.abs(solve_pose(points, project(points, pose, K), K) - pose).max() < 1e-6


@pytest.mark.parametrize(
    ("axis", "move"),
    [
        (0, lambda mesh: mesh[4, 1] - mesh[[33, 263], 1].mean()),  # looks down: the tip sinks
        (1, lambda mesh: mesh[[33, 263], 0].mean() - mesh[4, 0]),  # to the subject's right
        (2, lambda mesh: mesh[263, 1] - mesh[33, 1]),  # the subject's left eye sinks
    ],
)
def test_signs_are_openfaces(axis, move):
    pose = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 700.0])
    turned = pose.copy()
    turned[axis] = 0.3
    straight, moved = make_mesh(pose)[0], make_mesh(turned)[0]
    assert move(moved) > move(straight) + 5
    assert fit_pose(moved[None], K)[0, axis] == pytest.approx(0.3, abs=1e-3)


def test_translation_is_right_down_and_away():
    x, y, z = fit_pose(make_mesh([0, 0, 0, 50.0, 30.0, 800.0]), K)[0, 3:]
    assert (x, y, z) == pytest.approx((50, 30, 800), abs=0.5)


def test_the_origin_is_the_centroid_of_the_68_points():
    assert np.abs(MODEL.mean_shape[MODEL.keypoints].mean(axis=0)).max() < 1e-3


def test_moving_lips_lids_and_jaw_changes_no_pose():
    mesh = make_mesh([0.1, 0.2, 0.0, 0.0, 0.0, 600.0])
    moved = mesh.copy()
    moved[:, [0, 13, 14, 17, 61, 291, 152, 172, 397, 159, 145, 386, 374], :2] += 15
    moved[:, [0, 13, 14, 17, 61, 291, 159, 145, 386, 374], 2] += 15
    assert np.array_equal(fit_pose(mesh, K), fit_pose(moved, K))


def test_a_frames_pose_does_not_depend_on_its_batch():
    rng = np.random.default_rng(0)
    mesh = make_mesh(rng.normal(0, 0.2, (150, 6)) * [1, 1, 1, 100, 100, 100] + [0, 0, 0, 0, 0, 700])
    mesh += rng.normal(0, 1, mesh.shape).astype(np.float32)
    whole = fit_pose(mesh, K)
    assert np.abs(fit_pose(mesh[70:71], K) - whole[70]).max() < 1e-9


def test_intrinsics_may_differ_by_frame():
    points = MODEL.mean_shape.astype(np.float64)
    pose = np.array([[0.1, 0.2, 0.3, 10.0, 20.0, 500.0]] * 2)
    cameras = np.array([K, (1500.0, 1400.0, 300.0, 200.0)])
    assert np.abs(solve_pose(points, project(points, pose, cameras), cameras) - pose).max() < 1e-6


def test_irises_measure_in_mm_whatever_the_turn():
    poses = [[0, yaw, 0, 20.0, -10.0, 600.0] for yaw in (-0.4, 0.0, 0.4)]
    found = measure_irises(make_mesh(poses), K)
    assert found[:, 0] == pytest.approx(IRIS_MM, rel=0.03)


def test_a_large_head_is_further_away_than_a_small_one_that_looks_the_same():
    pose = [0.0, 0.1, 0.0, 0.0, 0.0, 500.0]
    scales = [choose_scale(measure_irises(make_mesh(pose, size), K)) for size in (0.9, 1.0, 1.1)]
    assert scales[1] == pytest.approx(1.0, abs=0.01)
    assert scales[0] < 0.97
    assert scales[2] > 1.03


def test_an_iris_of_few_pixels_hardly_changes_the_scale():
    sharp, coarse = choose_scale([[13.0, 40.0]]), choose_scale([[13.0, 3.0]])
    assert sharp < coarse < 1.0
    assert coarse > 0.98


def test_scale_multiplies_translation_only():
    mesh = make_mesh([0.1, 0.2, 0.3, 10.0, 20.0, 600.0])
    one, two = fit_pose(mesh, K)[0], fit_pose(mesh, K, scale=1.1)[0]
    assert np.array_equal(one[:3], two[:3])
    assert two[3:] == pytest.approx(one[3:] * 1.1)


def test_interocular_distance_sets_the_scale():
    extractor = MeshPose(interocular_mm=1.1 * MODEL.interocular)
    pose = extractor.extract(make_clip(make_mesh([0, 0, 0, 0, 0, 600.0])))["face/pose"]
    assert pose[0, 5] == pytest.approx(660, rel=1e-3)


@pytest.mark.parametrize("wrong", [0.0, -60.0, 6.3, 630.0])
def test_an_interocular_distance_no_face_has_is_refused(wrong):
    with pytest.raises(ValueError, match="interocular"):
        MeshPose(interocular_mm=wrong)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_one_row_per_frame(n):
    clip = make_clip(make_mesh(np.tile([0, 0, 0, 0, 0, 600.0], (n, 1))))
    extractor = MeshPose()
    extractor.fit([clip])
    pose = extractor.extract(clip)["face/pose"]
    assert pose.shape == (n, 6)
    assert pose.dtype == np.float32
    assert np.isfinite(pose).all()


def test_clips_of_one_source_share_their_scale():
    large = make_clip(make_mesh([[0, 0, 0, 0, 0, 500.0]] * 40, size=1.1))
    small = make_clip(make_mesh([[0, 0, 0, 0, 0, 500.0]] * 40, size=0.9))
    extractor = MeshPose()
    extractor.fit([large, small])
    far, near = (extractor.extract(clip)["face/pose"][0, 5] for clip in (large, small))
    # In units of the mean head the two stand at 500/1.1 and 500/0.9; one scale multiplies both.
    assert near / far == pytest.approx(1.1 / 0.9, rel=1e-3)


def test_landmarks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="landmarks"):
        fit_pose(np.zeros((5, 68, 2)), K)


def test_provenance_names_the_models_digest():
    assert len(MeshPose().provenance().weights_sha256) == 64


@pytest.mark.real
def test_a_real_head_turns_as_openface_says():
    name = "zliang7_OpenFace/samples/default.wmv"
    if not (REAL_DATA / name).is_file():
        pytest.skip(f"no {REAL_DATA / name}")
    from toolkit.facemodel.camera import default_intrinsics
    from toolkit.features.landmarks import FaceMesh
    from toolkit.features.openface import find_csv, read_openface
    from toolkit.media import decode, video

    info, streams = video.probe(REAL_DATA / name)
    mesh = FaceMesh(max_faces=1)
    pictures = decode.read_frames(REAL_DATA / name, info, streams, size=video.fit_size(info))
    found = [
        (mesh.detect(f.picture) if k else mesh.start(f.picture)) for k, f in enumerate(pictures)
    ]
    seen = np.array([bool(f) for f in found])
    pose = fit_pose(
        np.stack([f[0] for f in found if f]), default_intrinsics(info.width, info.height)
    )
    theirs = read_openface(find_csv(REAL_DATA / "reference" / "openface", REAL_DATA / name)).pose[
        seen
    ]
    assert seen.mean() > 0.95
    for axis, least in ((0, 0.9), (1, 0.97), (2, 0.95)):
        assert np.corrcoef(pose[:, axis], theirs[:, axis])[0, 1] > least
    assert np.abs(np.median(pose[:, :3] - theirs[:, :3], axis=0)).max() < np.deg2rad(5)
