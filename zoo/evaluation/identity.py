"""Pictures to what a face recogniser makes of them: features of a person, and maps.

Legend: n pictures of one size, K features.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from zoo.training.face_alignment import Floats, Picture, align_face
from zoo.training.face_network import NUM_FEATURES, FaceNetwork

_BATCH = 16
"""Faces that the network sees at once."""


def describe_faces(
    network: FaceNetwork, pictures: Iterable[Picture], meshes: npt.ArrayLike
) -> Floats:
    """(n, 128) features of pictures with meshes (n, 478, 2 or 3) px; NaN where there is no mesh."""
    meshes = np.asarray(meshes)
    features = np.full((len(meshes), NUM_FEATURES), np.nan)
    for places, faces in _group(pictures, meshes):
        with torch.inference_mode():
            features[places] = network(faces).numpy()
    return features


def describe_face(
    network: FaceNetwork, picture: Picture, mesh: npt.ArrayLike
) -> tuple[Floats, list[npt.NDArray[np.float32]]]:
    """(128,) features of a face with a mesh (478, 2 or 3) px, and its maps (C, ·, ·) at each depth.

    Both of one pass through the network.
    """
    with torch.inference_mode():
        maps = network.features(_stack([align_face(picture, mesh)]))
        features = network.leave(maps[-1].mean(dim=(2, 3)))
    return features[0].double().numpy(), [stage[0].numpy() for stage in maps]


def _group(
    pictures: Iterable[Picture], meshes: npt.ArrayLike
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Numbers of pictures with a face, and the faces (B, 3, 150, 150), −1 to 1."""
    places, faces = list[int](), list[Picture]()
    for place, (picture, mesh) in enumerate(zip(pictures, np.asarray(meshes), strict=True)):
        if np.isfinite(mesh[0, 0]):
            places.append(place)
            faces.append(align_face(picture, mesh))
        if len(faces) == _BATCH:
            yield places, _stack(faces)
            places, faces = [], []
    if faces:
        yield places, _stack(faces)


def _stack(faces: list[Picture]) -> torch.Tensor:
    return torch.from_numpy(np.array(faces)).permute(0, 3, 1, 2).float() / 127.5 - 1
