"""The embedded backend of the coefficients keeps the extractors' contract."""

import numpy as np
import pytest

from tests.faces import MODEL, K, draw_colors, draw_mesh, draw_poses
from toolkit.facemodel.camera import project
from toolkit.features.coefficients import FaceModelCoefficients
from toolkit.schema import ARRAYS, ClipInput


def make_clip(n, colors=True, seed=0):
    rng = np.random.default_rng(seed)
    identity, texture = rng.normal(0, 1, 80), rng.normal(0, 1, 80)
    pose = draw_poses(rng, n)
    shape = MODEL.shape(identity, rng.normal(0, 1, (n, 64)))
    landmarks = draw_mesh(shape, pose)
    drawn = draw_colors(MODEL.shape(identity), pose, texture, rng.normal(0, 0.05, (n, 27)))
    clip = ClipInput(
        clip_id="c",
        path=None,
        fps=30,
        start_frame=0,
        num_frames=n,
        picture_size=(1280, 720),
        intrinsics=K,
        crop=(0.0, 0.0, 1.0, 1.0),
        valid=np.ones(n, bool),
        source_time=np.arange(n) / 30,
        source_index=np.arange(n),
        source_num_frames=n,
        load_landmarks=lambda: landmarks,
        load_pcm=lambda: np.zeros(0, np.int16),
        read_frames=lambda: iter(()),
        colors=np.clip(np.rint(drawn), 0, 255).astype(np.uint8) if colors else None,
    )
    return clip, shape


@pytest.mark.parametrize("n", [1, 31, 32, 33, 100])
def test_every_array_has_its_shape_and_is_finite(n):
    extractor = FaceModelCoefficients()
    found = extractor.extract(make_clip(n)[0])
    assert sorted(found) == sorted(extractor.arrays)
    for name, array in found.items():
        rows = (n,) if ARRAYS[name].axis == "N" else ()
        assert array.shape == (*rows, *ARRAYS[name].shape)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


def test_the_stored_pose_and_coefficients_draw_the_mesh_again():
    clip, _ = make_clip(60)
    found = FaceModelCoefficients().extract(clip)
    shape = MODEL.shape(found["clips/identity_coefficients"], found["face/expression"])
    again = project(shape, found["face/model_pose"], K)
    seen = clip.load_landmarks()[:, :468, :2]
    # 1 px is 0.6 mm here.
    assert np.sqrt(((again - seen) ** 2).sum(-1).mean()) < 2.0


def test_a_clip_without_colours_is_a_callers_mistake():
    with pytest.raises(ValueError, match="colours"):
        FaceModelCoefficients().extract(make_clip(5, colors=False)[0])


def test_the_result_is_the_same_every_time():
    clip, _ = make_clip(40)
    one, two = (FaceModelCoefficients().extract(clip) for _ in range(2))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_provenance_names_the_models_digest():
    assert len(FaceModelCoefficients().provenance().weights_sha256) == 64
