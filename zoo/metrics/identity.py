"""How much a face looks like one person's, from the numbers that a face recogniser makes of it.

Features of one recogniser have nothing to do with another's: a result carries the recogniser's
name, and a stand-in for a published one is never set beside it in one column.

Legend: n frames, K features of a frame (NaN in frames without a face), C channels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Floats = npt.NDArray[np.float64]
Maps = Sequence[npt.NDArray[np.floating[Any]]]
"""Of one picture: an array (C, ·, ·) for each depth."""

_ROWS = 512
"""Frames whose distances to all others are computed at once."""


def measure_cosine(
    identity_features: npt.ArrayLike, real_identity_features: npt.ArrayLike
) -> Floats:
    """(n,) cosine of (n, K) features and those of the real frames, as CSIM is defined.

    Published CSIM is that of ArcFace. A recogniser that was trained by distances, as dlib's, gives
    two people a cosine over 0.8.
    """
    pred, target = _read_pair(identity_features, real_identity_features)
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(pred, axis=1) * np.linalg.norm(target, axis=1)
        return np.asarray((pred * target).sum(axis=1) / lengths)


def measure_csim(arcface_features: npt.ArrayLike, real_arcface_features: npt.ArrayLike) -> Floats:
    """(n,) `measure_cosine` of ArcFace's features (n, 512): CSIM."""
    return measure_cosine(arcface_features, real_arcface_features)


def measure_distance(
    identity_features: npt.ArrayLike, real_identity_features: npt.ArrayLike
) -> Floats:
    """(n,) Euclidean distance of (n, K) features to those of the real frames."""
    pred, target = _read_pair(identity_features, real_identity_features)
    return np.asarray(np.linalg.norm(pred - target, axis=1))


def measure_facenet_distance(
    facenet_features: npt.ArrayLike, real_facenet_features: npt.ArrayLike
) -> Floats:
    """(n,) `measure_distance` of FaceNet's features (n, 512) of length 1: 0 to 2."""
    return measure_distance(facenet_features, real_facenet_features)


def measure_facenet_reference(
    facenet_features: npt.ArrayLike, real_facenet_features: npt.ArrayLike
) -> Floats:
    """(n,) `measure_acd_reference` of FaceNet's features (n, 512) of length 1.

    As Das et al. describe their column "FaceNet": of the predicted frames and the first frame of
    the ground truth. They call it a similarity; lower values are better, as of a distance.
    """
    return measure_acd_reference(facenet_features, real_facenet_features)


def measure_acd_pairwise(identity_features: npt.ArrayLike) -> float:
    """Average content distance of Tulyakov et al. (CVPR 2018): how little a clip keeps to one face.

    Mean Euclidean distance over all pairs of (n, K) features of a clip; NaN below two faces. It
    says nothing about whose face it is.
    """
    known = _drop_unknown(identity_features)
    if len(known) < 2:
        return float("nan")
    blocks = (known[k : k + _ROWS] for k in range(0, len(known), _ROWS))
    total = sum(float(cdist(block, known).sum()) for block in blocks)
    return total / (len(known) * (len(known) - 1))


def measure_acd_reference(
    identity_features: npt.ArrayLike, real_identity_features: npt.ArrayLike
) -> Floats:
    """Average content distance of Vougioukas et al. (IJCV 2020), which Das et al. print.

    (n,) Euclidean distances of (n, K) features to those of one picture of the person: the first
    real frame with a face. The real clip beside itself has no 0: its other frames differ too.

    Raises:
        ValueError: no real frame shows a face.
    """
    reference = _drop_unknown(real_identity_features)
    if not len(reference):
        raise ValueError("no real frame shows a face")
    return np.asarray(np.linalg.norm(_read(identity_features) - reference[0], axis=1))


def measure_map_distance(identity_maps: Maps, real_identity_maps: Maps) -> float:
    """How differently a recogniser sees two pictures: a distance of its own, and not LPIPS.

    At each depth and place the C numbers are divided by their length; the squared differences are
    summed over C and averaged over places, then over depths. 0: the same; at most 2 where no number
    is negative, as behind a ReLU.
    """
    terms = [
        float(((_divide_by_length(a) - _divide_by_length(b)) ** 2).sum(axis=0).mean())
        for a, b in zip(identity_maps, real_identity_maps, strict=True)
    ]
    return float(np.mean(terms))


def _divide_by_length(values: npt.ArrayLike) -> Floats:
    values = np.asarray(values, np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=0), 1e-10))


def _read(features: npt.ArrayLike) -> Floats:
    values = np.asarray(features, np.float64)
    if values.ndim != 2:
        raise ValueError(f"features {values.shape}, not (n, K)")
    return values


def _read_pair(pred: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Floats, Floats]:
    a, b = _read(pred), _read(target)
    if a.shape != b.shape:
        raise ValueError(f"features {a.shape} and {b.shape} cannot be compared")
    return a, b


def _drop_unknown(features: npt.ArrayLike) -> Floats:
    values = _read(features)
    return np.asarray(values[np.isfinite(values).all(axis=1)])
