"""Eq. 7 of Das et al. (2020): canonical motion on a person's face, and the way back.

    ℓ_t = ℓ_p + δℓ_t;  δℓ_t = δℓ'_t · S(ℓ_p) / S(T(ℓ_t^M));  δℓ'_t = T(ℓ_t^M) − T(ℓ_p^m)

ℓ_t^M is a canonical frame, ℓ_p^m the canonical face at rest, ℓ_p the person's; S is (width,
height) of the points' box, and quotients are taken axis by axis. The paper prints S(ℓ_t), which
would need the result; here it is S(ℓ_p). T is the similarity (turn, scale, shift) that brings ℓ_p^m
nearest to ℓ_p, found once: found for every frame it would take the jaw's motion away. T's scale
stands in δℓ' and in S(T(ℓ^M)) and cancels, so a rigid T gives the same.

The way back: let q = T(ℓ_p^m) and a = δℓ / S(ℓ_p), along one axis. Then T(ℓ^M) = q + a·k, where k
is its own extent: f(k) = max(q + a·k) − min(q + a·k) = k. f is convex and piecewise linear, with
f(0) > 0. Where a's extent is below 1, that is, where the displacements spread over less than the
face itself, f(k) − k falls to −∞ in the end and so is zero exactly once. What `retarget` makes is
such whenever the displacements δℓ' spread over less than the frame they lead to. Newton's steps
from k = 0 stay at or below the solution, and end when they reach the linear piece that holds it:
exactly, after finitely many.

Legend: n frames.
"""

import numpy as np
import numpy.typing as npt

from zoo.landmarks.align import Similarity, fit_similarity

Floats = npt.NDArray[np.float64]

_MOST_STEPS = 200
"""Of Newton's, each to another of the at most 135 pieces of f."""


def retarget(
    canonical: npt.ArrayLike, canonical_neutral: npt.ArrayLike, neutral: npt.ArrayLike
) -> Floats:
    """Eq. 7: points (n, 68, 2) of a person's face, in the unit and at the place of `neutral`.

    Args:
        canonical: (n, 68, 2), ℓ^M.
        canonical_neutral: (68, 2), ℓ_p^m.
        neutral: (68, 2), ℓ_p, for example px.
    """
    rest = np.asarray(neutral, np.float64)
    move = fit_transform(canonical_neutral, rest)
    moved = move.apply(canonical)
    displacement = moved - move.apply(canonical_neutral)
    return np.asarray(rest + displacement * measure_extent(rest) / measure_extent(moved))


def canonicalise(
    points: npt.ArrayLike, canonical_neutral: npt.ArrayLike, neutral: npt.ArrayLike
) -> Floats:
    """The inverse of `retarget`: canonical points (n, 68, 2).

    Args:
        points: (n, 68, 2) of a person, as `neutral`.
        canonical_neutral: (68, 2).
        neutral: (68, 2) the person's face at rest.

    Raises:
        ValueError: displacements that spread as far as the face itself, of which eq. 7 has no
            inverse or several.
    """
    rest = np.asarray(neutral, np.float64)
    move = fit_transform(canonical_neutral, rest)
    base = move.apply(canonical_neutral)
    if not has_inverse(points, rest).all():
        raise ValueError("displacements that spread as far as the face cannot be retargeted back")
    share = (np.asarray(points, np.float64) - rest) / measure_extent(rest)
    return move.invert().apply(base + share * _solve_extent(base, share))


def has_inverse(points: npt.ArrayLike, neutral: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """In which frames (n,) of points (n, 68, 2) displacements spread over less than the face."""
    rest = np.asarray(neutral, np.float64)
    spread = measure_extent(np.asarray(points, np.float64) - rest)
    return np.asarray((spread < measure_extent(rest)).all(axis=(1, 2)))


def fit_transform(canonical_neutral: npt.ArrayLike, neutral: npt.ArrayLike) -> Similarity:
    """T: from canonical space onto a person's face at rest (68, 2)."""
    return fit_similarity(canonical_neutral, neutral)


def measure_extent(points: npt.ArrayLike) -> Floats:
    """S: width and height (…, 1, 2) of the box of points (…, P, 2)."""
    return np.asarray(np.ptp(np.asarray(points, np.float64), axis=-2, keepdims=True))


def _solve_extent(base: Floats, share: Floats) -> Floats:
    """The k (n, 1, 2) with k = extent of `base` (P, 2) + `share` (n, P, 2) · k, along each axis."""
    extent, spread = np.zeros((len(share), 1, 2)), np.broadcast_to(base, share.shape)
    for _ in range(_MOST_STEPS):
        placed = base + share * extent
        ends = [f(placed, axis=1, keepdims=True) for f in (np.argmax, np.argmin)]
        high, low = (np.take_along_axis(share, end, axis=1) for end in ends)
        top, bottom = (np.take_along_axis(spread, end, axis=1) for end in ends)
        found = (top - bottom) / (1 - (high - low))
        if (found <= extent).all():
            return extent
        extent = np.maximum(found, extent)
    return extent
