"""Statistics of shape: how faces blink, move and differ, as bases of one standard deviation.

Bases are the leading eigenvectors of a covariance that has two parts: what was observed (mirrored
too: faces have no handedness), and a smooth background of surface harmonics for what so few
people cannot show, as in Gaussian process morphable models (Lüthi et al., TPAMI 2018). Depth is
read off the picture less surely than the rest and counts `fit.DEPTH_WEIGHT` in every inner product.

Legend: m samples, V vertices, K basis vectors.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.topology import mirror_shape, surface_harmonics
from toolkit.mesh import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS

Floats = npt.NDArray[np.float64]

NUM_HARMONICS = 120
DECAY = 2.0
"""Variance of a harmonic falls with this power of its eigenvalue: displacements are smooth."""

EXPRESSION_BACKGROUND = 1e-3
"""Background of the expression basis, as a share of its observed variance: for full rank only."""

BLINKING = 0.35
"""Closure from which a frame counts for how lids move."""

LID_REACH = 0.06
"""Vertices that a blink moves by less than this share of its largest motion stay still."""


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Displacements with weights.

    Attributes:
        displacement: (m, V, 3) mm (or RGB).
        weights: (m,) with sum 1.
    """

    displacement: Floats
    weights: Floats


def weigh_by_person(person: npt.NDArray[np.int64]) -> Floats:
    """Weights (m,) with sum 1 that give every person the same."""
    _, index, counts = np.unique(person, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts[index] * len(counts)))


def smooth_background(triangles: npt.NDArray[np.int64], variance: float) -> Floats:
    """Factors (V, 3, 3·J) of a smooth covariance whose trace is `variance` (mm² over all axes)."""
    harmonics, values = surface_harmonics(triangles, NUM_HARMONICS + 1)
    spectrum = values[1:] ** (-DECAY / 2)
    spectrum *= np.sqrt(variance / 3 / np.sum(spectrum**2))
    V, J = harmonics.shape[0], NUM_HARMONICS
    factors = np.zeros((V, 3, 3 * J))
    for axis in range(3):
        factors[:, axis, axis::3] = harmonics[:, 1:] * spectrum
    return factors


def make_basis(
    samples: Samples,
    background: Floats,
    count: int,
    mirror: npt.NDArray[np.int64],
    axis_weights: tuple[float, float, float],
    flip: bool = True,
) -> Floats:
    """The `count` leading directions of samples and background, each of one standard deviation.

    Args:
        samples: displacements about zero; their mirror images are added.
        background: (V, 3, J) factors of a covariance.
        count: K.
        mirror: (V,) partner of each vertex.
        axis_weights: inner product's weight of each of the three columns.
        flip: whether the first column changes sign in the mirror (displacements: yes, RGB: no).

    Returns:
        (V, 3, K), orthogonal in the weighted inner product, strongest first.
    """
    root = np.sqrt(np.asarray(axis_weights))
    rows = samples.displacement * np.sqrt(samples.weights / 2)[:, None, None]
    other = mirror_shape(rows, mirror) if flip else rows[:, mirror]
    V = rows.shape[1]
    factor = np.concatenate(
        [
            (rows * root).reshape(-1, 3 * V).T,
            (other * root).reshape(-1, 3 * V).T,
            (background * root[:, None]).reshape(3 * V, -1),
        ],
        axis=1,
    )
    values, vectors = np.linalg.eigh(factor @ factor.T)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    sign = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(count)])
    basis = vectors * sign * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(basis.reshape(V, 3, count) / root[:, None])


def unseen_variance(samples: Samples, person: npt.NDArray[np.int64], weights: Floats) -> float:
    """Variance (mean squared length) of a person's displacement that the others do not span.

    Args:
        samples: displacements.
        person: (m,) index of the person of each.
        weights: (3,) of the columns.
    """
    rows = (samples.displacement * np.sqrt(weights)).reshape(len(person), -1)
    found = []
    for k in np.unique(person):
        others, mine = rows[person != k], rows[person == k]
        if len(others):
            _, S, Vt = np.linalg.svd(others, full_matrices=False)
            span = Vt[S[0] * 1e-6 < S]
            mine = mine - mine @ span.T @ span
        found.append(np.mean(np.sum(mine**2, axis=1)))
    return float(np.mean(found))


# --- blinks -------------------------------------------------------------------------------------


def lid_rows(mirror: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
    """Upper and lower lid rows (2, 7) of the subject's right, then left eye, outer end first."""
    right = np.array([UPPER_LIDS[0], LOWER_LIDS[0]])
    return right, mirror[right]


def measure_gaps(shapes: Floats, mirror: npt.NDArray[np.int64]) -> Floats:
    """Opening (m, 2) of the right and left eye: mean distance of the rows' middle three, mm."""
    rows = lid_rows(mirror)
    gaps = [
        np.linalg.norm(shapes[:, upper[2:5]] - shapes[:, lower[2:5]], axis=-1).mean(axis=1)
        for upper, lower in rows
    ]
    return np.stack(gaps, axis=1)


def learn_blink(
    mean_shape: Floats,
    shapes: Floats,
    person: npt.NDArray[np.int64],
    mirror: npt.NDArray[np.int64],
) -> Floats:
    """How the eyes' surroundings move from open to closed: (V, 3) mm, symmetric, local.

    Each vertex's displacement is regressed on its eye's closure over all people's frames, about
    each person's open frames; both sides are pooled in the mirror. The field is stretched to what
    closes the mean shape's eyes, and is exactly zero beyond the lids' reach.
    """
    gaps = measure_gaps(shapes, mirror)
    top, bottom = np.zeros_like(mean_shape), 0.0
    for k in np.unique(person):
        mine = person == k
        for eye, images in enumerate((shapes[mine], mirror_shape(shapes[mine], mirror))):
            gap = gaps[mine, eye]
            closure = 1.0 - gap / np.percentile(gap, 70)
            closed, open_ = closure > BLINKING, np.abs(closure) < 0.15
            if closed.any() and open_.any():
                moved = images[closed] - images[open_].mean(axis=0)
                top += np.einsum("m,mvk->vk", closure[closed], moved)
                bottom += float(closure[closed] @ closure[closed])
    if bottom == 0:
        raise ValueError("no blink among the faces: the model needs videos with blinks")
    field = _localise(top / bottom, mean_shape)
    return _close_eyes(field + mirror_shape(field, mirror), mean_shape, mirror)


def _localise(field: Floats, mean_shape: Floats) -> Floats:
    """Only what lies around the subject's right eye, fading out, less the head's own motion."""
    corners = mean_shape[list(EYE_CORNERS[0])]
    half = np.linalg.norm(corners[0] - corners[1]) / 2
    away = np.linalg.norm((mean_shape - corners.mean(axis=0))[:, :2] / (half, half), axis=1)
    share = np.clip((1.5 - away) / 0.4, 0.0, 1.0)
    field = field * share[:, None]
    length = np.linalg.norm(field, axis=1)
    keep = np.clip((length / length.max() - LID_REACH) / LID_REACH, 0.0, 1.0)
    keep[list(EYE_CORNERS[0])] = 0.0
    return np.asarray(field * keep[:, None])


def _close_eyes(field: Floats, mean_shape: Floats, mirror: npt.NDArray[np.int64]) -> Floats:
    """The field, stretched until the middle of the mean shape's lids meet."""
    (upper, lower), _ = lid_rows(mirror)
    middle = slice(2, 5)
    gap = (mean_shape[lower[middle], 1] - mean_shape[upper[middle], 1]).mean()
    closing = (field[upper[middle], 1] - field[lower[middle], 1]).mean()
    if closing <= 0:
        raise ValueError("the lids do not close in what was taken for blinks")
    return np.asarray(field * gap / closing)
