"""The face model: what the file holds, how it is fitted, how it is built."""

import itertools

import numpy as np
import pytest

from tests.faces import MODEL, K, draw_clip, draw_colors, draw_mesh, draw_poses
from toolkit.errors import SetupError, ShardError
from toolkit.facemodel import topology
from toolkit.facemodel.albedo import fit_colors, turn_light
from toolkit.facemodel.bfm import Bfm
from toolkit.facemodel.camera import flip_axes, rotation_from_euler
from toolkit.facemodel.fit import DEPTH_WEIGHT, ShapeFitter, lift
from toolkit.facemodel.learning import build, learn, population
from toolkit.facemodel.light import evaluate_basis
from toolkit.facemodel.model import FaceModel, orient_outward, vertex_normals
from toolkit.mesh import LANDMARKS68

FITTER = ShapeFitter(MODEL)
RIGID = np.flatnonzero(MODEL.rigidity)
MIRROR = topology.find_mirror(MODEL.mean_shape)


# --- the file -----------------------------------------------------------------------------------


def test_the_face_has_a_faces_size_in_mm():
    width = np.ptp(MODEL.mean_shape[:, 0])
    height = np.ptp(MODEL.mean_shape[:, 1])
    assert 125 < width < 160
    assert 135 < height < 185
    assert 75 < MODEL.interocular < 100


def test_axes_are_right_down_and_away():
    nose, chin, forehead, left_eye = MODEL.mean_shape[[4, 152, 10, 263]]
    assert left_eye[0] > 20  # the subject's left eye is on the picture's right
    assert chin[1] > forehead[1] + 100
    assert nose[2] == MODEL.mean_shape[:, 2].min()


def test_the_mean_is_symmetric():
    other = topology.mirror_shape(MODEL.mean_shape, MIRROR)
    assert np.abs(other - MODEL.mean_shape).max() < 1e-4
    assert np.abs(MODEL.mean_texture[MIRROR] - MODEL.mean_texture).max() < 1e-2


def test_triangles_cover_the_face_once_like_a_disk():
    assert MODEL.triangles.shape == (898, 3)
    edges = [tuple(sorted(e)) for t in MODEL.triangles for e in itertools.combinations(t, 2)]
    uses = np.unique(edges, axis=0, return_counts=True)[1]
    assert set(uses) == {1, 2}
    assert 468 - len(uses) + 898 == 1  # Euler: one part without holes
    assert (uses == 1).sum() == 36  # the face's oval


def test_triangles_point_outwards_and_agree():
    directed = [(t[k], t[(k + 1) % 3]) for t in MODEL.triangles for k in range(3)]
    assert len(set(directed)) == len(directed)
    normals = vertex_normals(MODEL.mean_shape, MODEL.triangles)
    inside = np.array([0.0, 0.0, 80.0])
    assert ((normals * (MODEL.mean_shape - inside)).sum(axis=1) > 0).all()


def test_bases_are_orthogonal_and_fall_in_strength():
    for basis in (MODEL.identity, MODEL.expression):
        flat = (basis * np.sqrt([1, 1, DEPTH_WEIGHT])[:, None]).reshape(3 * 468, -1)
        gram = flat.T.astype(np.float64) @ flat
        energy = np.diag(gram)
        assert (energy > 0).all()
        assert (np.diff(energy) < 1e-2 * energy[:-1]).all()
        cosine = gram / np.sqrt(np.outer(energy, energy))
        assert np.abs(cosine - np.eye(len(cosine))).max() < 0.12


def test_expression_moves_no_lid_along_its_blink():
    along = (MODEL.expression * MODEL.blink[:, :, None]).sum(axis=1)
    assert np.abs(along).max() < 1e-4


def test_au45_five_closes_both_eyes_and_moves_little_else():
    open_, closed = MODEL.shape(), MODEL.shape(au45=5.0)
    for upper, lower in learn.lid_rows(MIRROR):
        middle = [upper[2:5], lower[2:5]]
        assert (open_[middle[1], 1] - open_[middle[0], 1] > 5).all()
        assert np.abs(closed[middle[1], 1] - closed[middle[0], 1]).max() < 1.0
    still = np.linalg.norm(MODEL.blink, axis=1) == 0
    assert still[[4, 13, 14, 61, 291, 152, 10, 33, 133, 263, 362]].all()
    assert still.mean() > 0.75
    assert np.abs(topology.mirror_shape(MODEL.blink, MIRROR) - MODEL.blink).max() < 1e-4


def test_lips_lids_and_jaw_carry_no_pose():
    assert (MODEL.rigidity[[0, 13, 14, 61, 291, 152, 172, 159, 145, 386, 374]] == 0).all()
    assert (MODEL.rigidity[[4, 6, 168, 33, 263]] > 0).all()


def test_keypoints_are_the_68_point_view():
    assert tuple(MODEL.keypoints) == LANDMARKS68


def test_the_file_says_what_it_was_built_from():
    assert MODEL.record["people"] >= 20
    assert len(MODEL.record["clips"]) >= MODEL.record["people"]
    assert MODEL.record["licence"].startswith("Apache-2.0")
    assert not any("/" in name for name in MODEL.record["clips"])


def test_coefficients_are_standard_deviations_along_the_bases():
    one = np.zeros(80)
    one[3] = 2.0
    moved = MODEL.shape(identity=one) - MODEL.shape()
    assert moved == pytest.approx(2 * MODEL.identity[:, :, 3], abs=1e-3)
    assert MODEL.shape(identity=np.zeros((5, 1, 80)), expression=np.zeros(64)).shape == (
        5, 1, 468, 3,
    )  # fmt: skip
    with pytest.raises(ValueError, match="80"):
        MODEL.shape(identity=np.zeros(64))


def test_saving_is_exact_and_repeatable(tmp_path):
    MODEL.save(tmp_path / "a.npz")
    again = FaceModel.load(tmp_path / "a.npz")
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert np.array_equal(again.identity, MODEL.identity)
    assert again.record == MODEL.record
    assert (tmp_path / "a.npz").stat().st_size < 2_000_000


def test_arrays_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        MODEL.mean_shape[0] = 0


@pytest.mark.parametrize("content", [None, b"", b"no model", b"PK\x03\x04broken"])
def test_a_missing_or_broken_file_is_named(tmp_path, content):
    path = tmp_path / "model.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError, match=r"model\.npz"):
        FaceModel.load(path)


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="blink"):
        FaceModel(**{**vars(MODEL), "blink": np.zeros((10, 3))})


def test_the_basel_model_comes_in_our_axes_and_origin():
    rng = np.random.default_rng(0)
    shape = np.array([[-50, 0, 0], [50, 0, 0], [0, 80, 0], [0, 0, 60], [0, -80, 10.0]])
    keypoints = rng.integers(0, 5, 68)
    bfm = Bfm(
        mean_shape=shape.astype(np.float32),
        mean_texture=np.full((5, 3), 100, np.float32),
        identity_basis=rng.normal(size=(5, 3, 80)).astype(np.float32),
        expression_basis=rng.normal(size=(5, 3, 64)).astype(np.float32),
        texture_basis=rng.normal(size=(5, 3, 80)).astype(np.float32),
        triangles=np.array([[0, 3, 2], [1, 2, 3], [0, 4, 3], [1, 4, 3]]),
        keypoints=keypoints,
        head_origin=shape[keypoints].mean(axis=0),
    )
    model = FaceModel.from_bfm(bfm)
    identity = rng.normal(size=80)
    theirs = shape + bfm.identity_basis.astype(np.float64) @ identity
    assert model.shape(identity) == pytest.approx(flip_axes(theirs - bfm.head_origin), abs=1e-3)
    assert vertex_normals(model.mean_shape, model.triangles)[3, 2] < 0


# --- the mesh's topology ------------------------------------------------------------------------


def test_mixed_triangles_are_made_to_agree():
    rng = np.random.default_rng(0)
    mixed = np.stack([rng.permutation(t) for t in MODEL.triangles])
    found = orient_outward(MODEL.mean_shape, mixed)
    normals = vertex_normals(MODEL.mean_shape, found)
    assert normals == pytest.approx(vertex_normals(MODEL.mean_shape, MODEL.triangles), abs=1e-9)


def test_an_unsymmetric_mesh_has_no_mirror():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="mirror"):
        topology.find_mirror(rng.normal(0, 50, (60, 3)))


def test_harmonics_are_orthonormal_and_smooth_first():
    functions, values = topology.surface_harmonics(MODEL.triangles, 20)
    assert functions.T @ functions == pytest.approx(np.eye(20), abs=1e-9)
    assert np.ptp(functions[:, 0]) < 1e-9
    assert values[0] == pytest.approx(0, abs=1e-9)
    assert (np.diff(values) >= -1e-9).all()


# --- statistics ---------------------------------------------------------------------------------


def test_a_basis_vector_is_one_standard_deviation_long():
    rng = np.random.default_rng(0)
    direction = learn.smooth_background(MODEL.triangles, 1.0)[:, :, 4]
    direction = direction + topology.mirror_shape(direction, MIRROR)
    direction /= np.linalg.norm(direction)
    drawn = rng.normal(0, 7.0, 4000)
    samples = learn.Samples(
        displacement=drawn[:, None, None] * direction, weights=np.full(4000, 1 / 4000)
    )
    background = learn.smooth_background(MODEL.triangles, 1e-3)
    basis = learn.make_basis(samples, background, 80, MIRROR, (1, 1, 1))
    assert np.linalg.norm(basis[:, :, 0]) == pytest.approx(7.0, rel=0.05)
    assert abs((basis[:, :, 0] * direction).sum()) == pytest.approx(7.0, rel=0.05)
    assert np.linalg.matrix_rank(basis.reshape(-1, 80), tol=1e-9) == 80


def test_the_background_has_the_variance_asked_for():
    factors = learn.smooth_background(MODEL.triangles, 12.0)
    assert (factors**2).sum() == pytest.approx(12.0)


def test_unseen_variance_is_what_the_others_do_not_span():
    a, b = np.zeros((2, 4, 3))
    a[0, 0], b[1, 1] = 3.0, 4.0
    samples = learn.Samples(displacement=np.stack([a, b]), weights=np.full(2, 0.5))
    assert learn.unseen_variance(samples, np.array([0, 1]), np.ones(3)) == pytest.approx(12.5)
    same = learn.Samples(displacement=np.stack([a, 2 * a]), weights=np.full(2, 0.5))
    assert learn.unseen_variance(same, np.array([0, 1]), np.ones(3)) == pytest.approx(0.0)


def test_every_person_weighs_the_same():
    weights = learn.weigh_by_person(np.array([0, 0, 0, 1]))
    assert weights == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_nobody_blinking_is_an_error():
    shapes = np.repeat(MODEL.shape()[None], 20, axis=0)
    with pytest.raises(ValueError, match="blink"):
        learn.learn_blink(MODEL.shape(), shapes, np.zeros(20, np.int64), MIRROR)


# --- fitting ------------------------------------------------------------------------------------


def test_lifting_gives_the_heads_own_points():
    rng = np.random.default_rng(1)
    pose = draw_poses(rng, 6)
    shape = MODEL.shape(rng.normal(0, 1, 80))
    mesh = draw_mesh(np.repeat(shape[None], 6, axis=0), pose).astype(np.float64)
    assert np.abs(lift(mesh, pose, K, shape, RIGID) - shape).max() < 0.01


def test_identity_and_expression_are_recovered():
    rng = np.random.default_rng(2)
    identity, expression = rng.normal(0, 1, 80), rng.normal(0, 1, (120, 64))
    expression -= expression.mean(axis=0)
    pose = draw_poses(rng, 120)
    found = FITTER.fit(draw_mesh(MODEL.shape(identity, expression), pose), K)
    assert np.corrcoef(found.identity[:20], identity[:20])[0, 1] > 0.9
    for k in range(7):
        assert np.corrcoef(found.expression[:, k], expression[:, k])[0, 1] > 0.9
    truth = MODEL.shape(identity, expression)
    fitted = MODEL.shape(found.identity, found.expression)
    error = np.sqrt(((fitted - truth) ** 2).sum(-1).mean())
    assert error < 0.35 * np.sqrt(((MODEL.mean_shape - truth) ** 2).sum(-1).mean())


def test_a_blink_does_not_become_expression():
    n = 60
    pose = draw_poses(np.random.default_rng(3), n)
    au45 = np.where(np.arange(n) % 10 == 5, 5.0, 0.0)
    found = FITTER.fit(draw_mesh(MODEL.shape(au45=au45), pose), K)
    change = found.expression[au45 > 0].mean(axis=0) - found.expression[au45 == 0].mean(axis=0)
    assert np.abs(change).max() < 0.3


def test_what_is_left_shrinks_at_every_stage():
    rng = np.random.default_rng(4)
    shape = MODEL.shape(rng.normal(0, 1, 80), rng.normal(0, 1, (50, 64)))
    mean, identity, full = FITTER.explain(draw_mesh(shape, draw_poses(rng, 50)), K).mean(axis=0)
    assert full < identity < mean
    assert full < 0.6


def test_a_turned_light_shades_the_turned_head_the_same():
    rng = np.random.default_rng(5)
    pose, light = draw_poses(rng, 4, yaw=1.0), rng.normal(0, 1, (4, 3, 9))
    normals = rng.normal(size=(30, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turned = normals @ np.swapaxes(rotation_from_euler(pose[:, :3]), 1, 2)
    in_head = np.einsum("vk,nck->nvc", evaluate_basis(flip_axes(normals)), light)
    in_camera = np.einsum(
        "nvk,nck->nvc", evaluate_basis(flip_axes(turned)), turn_light(light, pose).reshape(4, 3, 9)
    )
    assert in_camera == pytest.approx(in_head, abs=1e-9)


def test_texture_and_light_explain_the_colours():
    rng = np.random.default_rng(6)
    pose, texture = draw_poses(rng, 30), rng.normal(0, 1, 80)
    light = rng.normal(0, 0.15, (1, 27)) + rng.normal(0, 0.02, (30, 27))
    truth = draw_colors(MODEL.shape(), pose, texture, light)
    colors = np.clip(np.rint(truth), 0, 255).astype(np.uint8)
    found = fit_colors(MODEL, colors, MODEL.shape(), pose)
    again = draw_colors(MODEL.shape(), pose, found.texture, found.illumination)
    plain = draw_colors(MODEL.shape(), pose, np.zeros(80), found.illumination)
    inside = (truth > 5) & (truth < 250)
    assert np.sqrt(((again - truth)[inside] ** 2).mean()) < 6
    assert ((again - truth)[inside] ** 2).mean() < 0.25 * ((plain - truth)[inside] ** 2).mean()


def test_colours_and_meshes_of_another_size_are_refused():
    with pytest.raises(ValueError, match="colors"):
        fit_colors(MODEL, np.zeros((2, 468, 3), np.uint8), MODEL.shape(), np.zeros((3, 6)))
    with pytest.raises(ValueError, match="landmarks"):
        FITTER.fit(np.zeros((3, 468, 2)), K)


# --- building -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(7)
    return population.gather_faces([draw_clip(rng, f"p{k}") for k in range(8)])


def test_building_finds_the_mean_the_faces_were_drawn_about(faces):
    error = np.sqrt(((faces.found.mean_shape - MODEL.mean_shape) ** 2).sum(-1).mean())
    spread = np.sqrt((MODEL.identity.astype(np.float64) ** 2).sum(axis=2).sum(axis=1).mean())
    assert error < spread / np.sqrt(8) * 2


def test_building_gives_a_whole_model_of_the_people(faces):
    model = population.learn_model(faces, np.arange(8))
    assert model.record["people"] == 8
    assert np.abs((model.expression * model.blink[:, :, None]).sum(axis=1)).max() < 1e-3
    for basis in (model.identity, model.expression, model.texture):
        assert (
            np.linalg.matrix_rank(basis.reshape(3 * 468, -1).astype(np.float64)) == (basis.shape[2])
        )
    assert model.mean_texture.max() < 256
    lids = np.linalg.norm(MODEL.blink, axis=1) > 3
    cosine = (model.blink[lids] * MODEL.blink[lids]).sum() / (
        np.linalg.norm(model.blink[lids]) * np.linalg.norm(MODEL.blink[lids])
    )
    assert cosine > 0.95


def test_building_does_not_depend_on_the_order_of_clips():
    rng = np.random.default_rng(8)
    clips = [draw_clip(rng, f"p{k}", n=24) for k in range(3)]
    one, other = population.build_model(clips), population.build_model(clips[::-1])
    assert one.record["clips"] == other.record["clips"] == ["p0", "p1", "p2"]
    assert np.abs(other.mean_shape - one.mean_shape).max() < 1e-2


def test_one_person_is_no_statistic():
    with pytest.raises(ValueError, match="people"):
        population.build_model([draw_clip(np.random.default_rng(9), "alone", n=10)])


def test_a_folder_without_shards_is_named(tmp_path, capsys):
    with pytest.raises(ShardError, match="no shards"):
        list(build.read_clips(tmp_path))
    assert build.main([str(tmp_path), "--out", str(tmp_path / "m.npz")]) == 1
    assert "no shards" in capsys.readouterr().err
    assert not (tmp_path / "m.npz").exists()
