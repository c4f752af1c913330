"""Pictures of a clip's frames, of any renderer, beside the stored ones, and to a face mesh.

Legend: n frames of a clip, m of them judged, H the side of a picture.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from toolkit.features.landmarks import FaceMesh
from zoo.data.frames import RenderClip
from zoo.metrics.landmark_distance import (
    align_meshes,
    find_landmarks,
    measure_landmark_distance,
)
from zoo.metrics.landmarks import measure_lmd_mouth
from zoo.metrics.pictures import Picture, measure_psnr, measure_ssim
from zoo.metrics.series import average_finite, average_known
from zoo.metrics.sharpness import measure_cpbd

Floats = npt.NDArray[np.float64]

MEASURES = {"PSNR": measure_psnr, "SSIM": measure_ssim}
"""Of a drawn picture beside the stored one."""

SHARPNESS = "CPBD"


@dataclass(frozen=True, eq=False)
class Shown:
    """One method's pictures of one clip.

    Attributes:
        meshes: (n, 478, 3) px, NaN where no face is found.
        part: which of them are judged.
        figures: name -> (m,) of the judged ones; PSNR in dB.
        error: (H, H) mean absolute difference to the stored frames, levels, over the judged ones.
    """

    meshes: Floats
    part: slice
    figures: Mapping[str, Floats]
    error: Floats

    @property
    def judged(self) -> Floats:
        """(m, 478, 3) meshes."""
        return self.meshes[self.part]


def look_at(pictures: Iterable[Picture], clip: RenderClip, part: slice) -> Shown:
    """Look at pictures of a clip's frames, in order; `part` of them beside the stored frames.

    What lies outside of the source's picture is black in both.
    """
    judged = range(clip.num_frames)[part]
    size = clip.camera.size
    error, figures = np.zeros((size, size)), list[dict[str, float]]()

    def compare() -> Iterator[Picture]:
        for t, picture in enumerate(hide_outside(picture, clip) for picture in pictures):
            if t in judged:
                real = hide_outside(clip.read_frame(t), clip)
                figures.append(compare_pictures(picture, real))
                error[:] += np.abs(picture.astype(np.float64) - real).mean(axis=2) / len(judged)
            yield picture

    meshes = find_landmarks(compare(), FaceMesh())
    return Shown(meshes, part, _gather(figures), error)


def hide_outside(picture: Picture, clip: RenderClip) -> Picture:
    """A picture (H, H, 3) of a clip's crop, black where the source's picture does not reach."""
    if clip.inside is None:
        return picture
    return np.where(clip.inside[..., None], picture, np.uint8(0))


def compare_pictures(picture: Picture, real: Picture) -> dict[str, float]:
    """Figures of a drawn picture (H, H, 3) beside the stored one."""
    figures = {name: measure(picture, real) for name, measure in MEASURES.items()}
    return figures | {SHARPNESS: measure_cpbd(picture)}


def _gather(figures: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    return {name: np.array([row[name] for row in figures]) for name in (*MEASURES, SHARPNESS)}


# --- figures over all clips ---------------------------------------------------------------------


def score_shown(pred: Sequence[Shown], target: Sequence[Shown]) -> dict[str, Any]:
    """Figures of one method's pictures over the judged frames of all clips.

    Args:
        pred: what the method's pictures show, a clip each.
        target: what the stored frames show, in the same order.

    Returns:
        Column -> value; PSNR in dB, landmarks in px.
    """
    figures = {name: np.concatenate([s.figures[name] for s in pred]) for name in pred[0].figures}
    distance = measure_landmark_distance(*(_join_judged(shown) for shown in (pred, target)))
    psnr = average_finite(figures["PSNR"])
    return {
        "frames": distance.num_frames,
        "PSNR, dB": psnr if math.isfinite(psnr) else math.nan,
        "SSIM": float(figures["SSIM"].mean()),
        SHARPNESS: average_known(figures[SHARPNESS]),
        "landmarks, px": distance.face,
        "mouth, px": distance.mouth,
        "mouth, % of eye distance": 100 * distance.mouth_share,
        "without a face": distance.num_missing,
    }


def score_landmarks(pred: Sequence[Shown], target: Sequence[Shown]) -> dict[str, Any]:
    """Landmark distances over the judged frames, px: as they are, and with the heads aligned."""
    points, reference = (_join_judged(shown) for shown in (pred, target))
    row: dict[str, Any] = {"frames": len(points)}
    for how, moved in (("", points), (", heads aligned", align_meshes(points, reference))):
        distance = measure_landmark_distance(moved, reference)
        row |= {f"landmarks, px{how}": distance.face, f"mouth, px{how}": distance.mouth}
    return row


def measure_lmd(pred: Sequence[Shown], target: Sequence[Shown]) -> float:
    """Mean LMD of the lips over the judged frames, px; see `measure_lmd_mouth`."""
    return average_known(measure_lmd_mouth(*(_join_judged(shown) for shown in (pred, target))))


def _join_judged(shown: Sequence[Shown]) -> Floats:
    return np.concatenate([s.judged for s in shown])


# --- what needs no network ----------------------------------------------------------------------


def show_nearest(
    clip: RenderClip, part: slice, trained: Sequence[RenderClip], meshes: Mapping[str, Floats]
) -> Shown:
    """Frames `part` of a clip as the training frames with the nearest pose and expression.

    Args:
        clip: whole.
        part: which of its frames.
        trained: parts of clips that may be shown.
        meshes: id of a clip of `trained` -> (n, 478, 3) px of all its stored frames.
    """
    judged = range(clip.num_frames)[part]
    points, figures = list[Floats](), list[dict[str, float]]()
    error = np.zeros((clip.camera.size, clip.camera.size))
    places = find_nearest(trained, clip.take(judged.start, judged.stop))
    for t, (index, frame) in zip(judged, places, strict=True):
        near, real = trained[index], clip.read_frame(t)
        picture = hide_outside(near.read_frame(frame), clip)
        real = hide_outside(real, clip)
        points.append(meshes[near.id][near.first + frame])
        figures.append(compare_pictures(picture, real))
        error += np.abs(picture.astype(np.float64) - real).mean(axis=2) / len(judged)
    return Shown(np.array(points), slice(None), _gather(figures), error)


def find_nearest(trained: Sequence[RenderClip], target: RenderClip) -> list[tuple[int, int]]:
    """For each frame of `target`, the measured training frame with the nearest pose and expression.

    Distance: root of the mean over the six numbers of the pose and of the mean over the 64 of the
    expression, each in standard deviations over the measured training frames.

    Returns:
        (index in `trained`, frame in it) of each.
    """
    places = [(k, t) for k, clip in enumerate(trained) for t in np.flatnonzero(clip.valid).tolist()]
    squares = sum(
        _measure_squares(
            getattr(target, name), np.concatenate([getattr(c, name)[c.valid] for c in trained])
        )
        for name in ("model_pose", "expression")
    )
    return [places[k] for k in np.asarray(squares).argmin(axis=1).tolist()]


def _measure_squares(values: npt.ArrayLike, known: npt.ArrayLike) -> Floats:
    """(n, k) mean squared differences of (n, K) and (k, K), in deviations of the latter."""
    values, known = np.asarray(values, np.float64), np.asarray(known, np.float64)
    scale = np.maximum(known.std(axis=0), 1e-9)
    squares = cdist(values / scale, known / scale, "sqeuclidean")
    return np.asarray(squares / known.shape[1])
