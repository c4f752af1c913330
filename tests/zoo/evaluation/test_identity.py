"""Pictures to what a face recogniser makes of them: where faces are put, and in which order."""

import numpy as np
import pytest
import torch

from tests.numbered import find_real
from tests.zoo.evaluation.moved_faces import MOVES, draw_face, find_discs, move
from toolkit.features.landmarks import FaceMesh
from toolkit.media.decode import read_frames
from toolkit.media.video import fit_size, probe
from toolkit.mesh import EYE_CORNERS, NOSE_BASE, NUM_LANDMARKS
from toolkit.weights import Status, check_weights
from zoo.evaluation.identity import describe_face, describe_faces
from zoo.metrics.identity import measure_distance
from zoo.training.face_alignment import align_face
from zoo.training.face_network import NUM_FEATURES, SIDE, FaceNetwork
from zoo.training.face_weights import NAME

POINTS = [*EYE_CORNERS[0], *EYE_CORNERS[1], NOSE_BASE]

EXPECTED = [(37.06, 46.37), (58.41, 47.91), (110.96, 46.35), (89.61, 47.90), (74.01, 87.78)]
"""(25 + 100 x, 25 + 100 y) of dlib's mean places: a quarter of the side is margin, 150 px are 1.5
sides."""


def place_mesh(scale: float = 1.0, angle: float = 0.0, shift: complex = 0) -> np.ndarray:
    """(478, 3) mesh whose five points lie where they are expected, turned, scaled and moved."""
    mesh = np.full((NUM_LANDMARKS, 3), 60.0)
    mesh[POINTS, :2] = move(np.array(EXPECTED), scale, angle, shift)
    return mesh


@pytest.mark.parametrize(("scale", "angle", "shift"), MOVES)
def test_eyes_and_nose_come_where_the_network_expects_them(
    scale: float, angle: float, shift: complex
) -> None:
    """To half a pixel, wherever the face is, however large and turned."""
    mesh = place_mesh(scale, angle, shift)
    picture = draw_face(600, mesh[POINTS, :2], 5 * scale)
    face = align_face(picture, mesh)
    assert face.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(find_discs(face), sorted(EXPECTED), atol=0.5)


def test_a_large_face_is_averaged_before_it_is_made_small() -> None:
    """Lines of one pixel, white and black, become grey instead of white or black."""
    picture = np.zeros((900, 900, 3), np.uint8)
    picture[:, ::2] = 255
    face = align_face(picture, place_mesh(scale=4))
    np.testing.assert_allclose(face, 127.5, atol=8)


class Mean(torch.nn.Module):
    """Stands in for the network: the mean of red, for every feature and as the only map."""

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces[:, :1].mean(dim=(2, 3)).expand(-1, NUM_FEATURES)

    def leave(self, means: torch.Tensor) -> torch.Tensor:
        return means[:, :1].expand(-1, NUM_FEATURES)

    def features(self, faces: torch.Tensor) -> list[torch.Tensor]:
        return [faces[:, :2].mean(dim=(2, 3), keepdim=True) + 1]


def paint(levels: list[int]) -> list[np.ndarray]:
    return [np.full((160, 160, 3), level, np.uint8) for level in levels]


def test_every_picture_has_its_row_and_none_without_a_mesh() -> None:
    """Over more pictures than are computed at once."""
    levels = list(range(0, 250, 5))
    meshes = np.repeat(place_mesh()[None], len(levels), axis=0)
    meshes[[3, 20]] = np.nan
    features = describe_faces(Mean(), paint(levels), meshes)
    expected = np.array(levels) / 127.5 - 1
    expected[[3, 20]] = np.nan
    np.testing.assert_allclose(features[:, 0], expected, atol=1e-6)
    assert features.shape == (50, NUM_FEATURES)


def test_a_face_has_its_features_and_maps_of_one_pass() -> None:
    """Level 51 is −0.6 of −1 to 1; the only map is 1 more."""
    features, maps = describe_face(Mean(), *paint([51]), place_mesh())
    np.testing.assert_allclose(features, np.full(NUM_FEATURES, 0.4), atol=1e-6)
    assert [stage.shape for stage in maps] == [(2, 1, 1)]
    np.testing.assert_allclose(maps[0], 0.4, atol=1e-6)


@pytest.mark.real
@pytest.mark.skipif(check_weights(NAME) is not Status.INTACT, reason="needs the extra identity")
def test_a_man_is_nearer_to_himself_in_another_clip_than_to_a_woman() -> None:
    """The same person below 0.55, another above."""
    names = (
        "osalinasv_lipnet/grid_s1/bbaf2n.mkv",
        "osalinasv_lipnet/grid_s1/bbaf3s.mkv",
        "rizkiarm_LipNet/evaluation/samples/GRID/brbk7n.mpg",
    )
    paths = [find_real(name) for name in names]
    network, mesh, features = FaceNetwork.open(), FaceMesh(), []
    for path in paths:
        info, streams = probe(path)
        picture = next(read_frames(path, info, streams, size=fit_size(info))).picture
        (face,) = mesh.start(picture)
        features.append(describe_faces(network, [picture], face[None]))
    assert measure_distance(features[0], features[1])[0] < 0.55
    assert measure_distance(features[0], features[2])[0] > 0.55
