"""How the 468 vertices of MediaPipe's face mesh hang together: triangles, mirror, harmonics.

Legend: V vertices, F triangles, E edges.
"""

import itertools

import numpy as np
import numpy.typing as npt

from toolkit.mesh import (
    EYE_CORNERS,
    INNER_LIP_CORNERS,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LOWER_LIDS,
    NUM_VERTICES,
    UPPER_LIDS,
)

Floats = npt.NDArray[np.float64]

FAR = 0.1
"""Distance of a vertex from its partner's mirror image, over the face's width, that is too far."""


def list_triangles(mirror: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The mesh's 898 triangles (F, 3), eye and mouth openings closed; not yet oriented.

    MediaPipe publishes the edges of its tesselation. Its faces are the triples of mutual
    neighbours, less the two (beside the nostrils) that ring a vertex instead of spanning a face.
    """
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    edges = sorted({(min(e), max(e)) for e in FACEMESH_TESSELATION})
    neighbours: dict[int, set[int]] = {v: set() for v in range(NUM_VERTICES)}
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    cliques = sorted(
        {
            (min(a, b, c), a + b + c - min(a, b, c) - max(a, b, c), max(a, b, c))
            for a, b in edges
            for c in neighbours[a] & neighbours[b]
        }
    )
    uses: dict[tuple[int, int], int] = {}
    for clique in cliques:
        for edge in itertools.combinations(clique, 2):
            uses[edge] = uses.get(edge, 0) + 1
    faces = [c for c in cliques if any(uses[e] < 3 for e in itertools.combinations(c, 2))]
    eye = np.array(_span(EYE_CORNERS[0], UPPER_LIDS[0], LOWER_LIDS[0]))
    mouth = np.array(_span(INNER_LIP_CORNERS, INNER_UPPER_LIP, INNER_LOWER_LIP))
    every = np.concatenate([np.array(faces), eye, mirror[eye], mouth])
    return np.asarray(every, np.int64)


def _span(
    corners: tuple[int, int], upper: tuple[int, ...], lower: tuple[int, ...]
) -> list[tuple[int, int, int]]:
    """Triangles over an opening between two rows of vertices that share their ends."""
    first, last = corners
    strip = [(first, upper[0], lower[0])]
    for k in range(len(upper) - 1):
        strip += [(upper[k], lower[k], upper[k + 1]), (upper[k + 1], lower[k], lower[k + 1])]
    return [*strip, (upper[-1], lower[-1], last)]


def find_mirror(shape: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Index (V,) of each vertex's partner on the other side, in a nearly symmetric mesh.

    Args:
        shape: (V, 3) with x = 0 near its plane of symmetry.

    Raises:
        ValueError: partners lie far from each other's mirror images, or are not mutual.
    """
    from scipy.optimize import linear_sum_assignment

    shape = np.asarray(shape, np.float64)
    other = shape * (-1.0, 1.0, 1.0)
    cost = ((shape[:, None] - other[None]) ** 2).sum(axis=-1)
    mirror = np.asarray(linear_sum_assignment(cost)[1], np.int64)
    far = np.sqrt(cost[np.arange(len(shape)), mirror].max()) > FAR * np.ptp(shape[:, 0])
    if far or (mirror[mirror] != np.arange(len(shape))).any():
        raise ValueError("the mesh has no mirror symmetry about x = 0")
    return mirror


def mirror_shape(shape: npt.ArrayLike, mirror: npt.NDArray[np.int64]) -> Floats:
    """A mesh (…, V, 3), or a displacement of one, seen in the mirror x = 0."""
    shape = np.asarray(shape, np.float64)
    return np.asarray(shape[..., mirror, :] * (-1.0, 1.0, 1.0))


def surface_harmonics(triangles: npt.NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """Smoothest functions on the mesh: `count` eigenvectors of its graph Laplacian.

    Returns:
        (V, count) orthonormal functions, the constant first, and (count,) their eigenvalues,
        rising (Taubin, SIGGRAPH 1995: they are the mesh's Fourier basis). Signs are fixed.
    """
    V = int(triangles.max()) + 1
    laplacian = np.zeros((V, V))
    for a, b in ((0, 1), (1, 2), (2, 0)):
        laplacian[triangles[:, a], triangles[:, b]] = -1.0
        laplacian[triangles[:, b], triangles[:, a]] = -1.0
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    values, vectors = np.linalg.eigh(laplacian)
    return fix_signs(vectors[:, :count]), values[:count]


def fix_signs(vectors: Floats) -> Floats:
    """Columns (…, count) whose largest entry is positive: eigenvectors without their free sign."""
    flat = vectors.reshape(-1, vectors.shape[-1])
    largest = np.abs(flat).argmax(axis=0)
    sign = np.sign(flat[largest, np.arange(flat.shape[1])])
    return np.asarray(vectors * np.where(sign == 0, 1.0, sign))
