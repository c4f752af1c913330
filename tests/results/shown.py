"""What drawn pictures of a clip show: beside the stored frames, and to a face mesh.

Legend: n frames of a clip, m of them judged, H the side of a picture.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.distance import cdist

from tests.results.people import Subject
from toolkit.facemodel.model import load_default
from toolkit.features.blink import OPEN_PERCENTILE, compute_au45, measure_apertures
from toolkit.features.landmarks import FaceMesh
from toolkit.mesh import NUM_VERTICES
from zoo.data.frames import Picture, RenderClip, Stretches, load_render_clips
from zoo.metrics.landmark_distance import find_landmarks
from zoo.metrics.pictures import measure_cpbd, measure_psnr, measure_ssim
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.training.loop import BEST

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
    """Look at pictures of a clip's frames, in order; `part` of them beside the stored frames."""
    judged = range(clip.num_frames)[part]
    size = clip.camera.size
    error, figures = np.zeros((size, size)), list[dict[str, float]]()

    def compare() -> Iterator[Picture]:
        for t, picture in enumerate(pictures):
            if t in judged:
                real = clip.read_frame(t)
                figures.append(compare_pictures(picture, real))
                error[:] += np.abs(picture.astype(np.float64) - real).mean(axis=2) / len(judged)
            yield picture

    meshes = find_landmarks(compare(), FaceMesh())
    return Shown(meshes, part, _gather(figures), error)


def compare_pictures(picture: Picture, real: Picture) -> dict[str, float]:
    """Figures of a drawn picture (H, H, 3) beside the stored one."""
    found = {name: measure(picture, real) for name, measure in MEASURES.items()}
    return found | {SHARPNESS: measure_cpbd(picture)}


def _gather(figures: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    return {name: np.array([row[name] for row in figures]) for name in (*MEASURES, SHARPNESS)}


# --- what is seen in meshes ---------------------------------------------------------------------


def find_open_eyes(meshes: npt.ArrayLike) -> Floats:
    """(2,) aperture of open eyes, as the toolkit calibrates it, of meshes (n, 478, 3)."""
    meshes = np.asarray(meshes)
    apertures, _ = measure_apertures(meshes[~np.isnan(meshes[:, 0, 0])])
    return np.asarray(np.percentile(apertures, OPEN_PERCENTILE, axis=0))


def measure_au45(meshes: Floats, fps: int, open_eyes: Floats) -> Floats:
    """AU45 (n,) of meshes (n, 478, 3), by the toolkit's own measurement; NaN without a face."""
    known = np.flatnonzero(~np.isnan(meshes[:, 0, 0]))
    au45 = np.full(len(meshes), np.nan)
    if len(known):
        nearest = np.abs(np.arange(len(meshes))[:, None] - known).argmin(axis=1)
        filled = meshes[known[nearest]]
        au45[known] = compute_au45(filled, fps, open_eyes)[
            known
        ]  # gaps bridged: its level needs it
    return au45


def align_meshes(found: npt.ArrayLike, wanted: npt.ArrayLike) -> Floats:
    """Meshes (n, 478, 2) put on others in the picture plane: moved, turned and scaled.

    By least squares over the 468 vertices, each weighing as much as it moves with the skull, so
    that what is left is the face and not where the head is.
    """
    points, target = (np.asarray(values, np.float64)[..., :2] for values in (found, wanted))
    z, w = (values[..., 0] + 1j * values[..., 1] for values in (points, target))
    weight = load_default().rigidity / load_default().rigidity.sum()
    z_mean, w_mean = ((v[:, :NUM_VERTICES] @ weight)[:, None] for v in (z, w))
    z, w = z - z_mean, w - w_mean
    top = (z.conj() * w)[:, :NUM_VERTICES] @ weight
    with np.errstate(invalid="ignore"):  # where there is no face, there is none afterwards
        turn = top / (np.abs(z[:, :NUM_VERTICES]) ** 2 @ weight)
        moved = turn[:, None] * z + w_mean
    return np.stack([moved.real, moved.imag], axis=-1)


# --- a person's clips ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """A person's clips, what is stored of them, and who draws them.

    Attributes:
        subject: who.
        renderer: theirs.
        clips: all of theirs, whole.
        stored: clip id -> what its stored frames show; the held-out ones are judged.
        open_eyes: (2,) aperture of their open eyes in the stored frames.
    """

    subject: Subject
    renderer: TrainedRenderer
    clips: Sequence[RenderClip]
    stored: Mapping[str, Shown]
    open_eyes: Floats

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """Open the renderer and look at the stored frames."""
        renderer = open_renderer(subject.renderer / BEST, torch.device("cpu"))
        clips = load_render_clips(subject.shards, identity=subject.identity)
        stored = {
            clip.id: look_at(read_frames(clip), clip, find_part(renderer.held_out, clip))
            for clip in clips
        }
        meshes = np.concatenate([shown.meshes for shown in stored.values()])
        return cls(
            subject=subject,
            renderer=renderer,
            clips=clips,
            stored=stored,
            open_eyes=find_open_eyes(meshes),
        )

    @property
    def fps(self) -> int:
        """Frames a second."""
        return self.renderer.fps

    @property
    def held(self) -> list[RenderClip]:
        """Clips with held-out frames, whole."""
        return [clip for clip in self.clips if clip.id in self.renderer.held_out]

    @property
    def trained(self) -> list[RenderClip]:
        """What the renderer was trained on."""
        known = self.renderer.trained_on
        return [clip.take(*known[clip.id]) for clip in self.clips if clip.id in known]

    def find_part(self, clip: RenderClip) -> slice:
        """Held-out frames of a clip."""
        return find_part(self.renderer.held_out, clip)

    def measure_lids(self, meshes: Floats) -> Floats:
        """AU45 (n,) of meshes (n, 478, 3) of the person; NaN where there is none."""
        return measure_au45(meshes, self.fps, self.open_eyes)


def find_part(stretches: Stretches, clip: RenderClip) -> slice:
    """A stretch of a clip; none of it where it has none."""
    return slice(*stretches.get(clip.id, (0, 0)))


def read_frames(clip: RenderClip) -> Iterator[Picture]:
    """All stored frames."""
    return (clip.read_frame(t) for t in range(clip.num_frames))


# --- what needs no network ----------------------------------------------------------------------


def show_nearest(judged: Judged, clip: RenderClip) -> Shown:
    """Held-out frames of a clip as the training frames with the nearest pose and expression."""
    part, trained = judged.find_part(clip), judged.trained
    wanted = range(clip.num_frames)[part]
    meshes, figures = list[Floats](), list[dict[str, float]]()
    error = np.zeros((clip.camera.size, clip.camera.size))
    places = find_nearest(trained, clip.take(wanted.start, wanted.stop))
    for t, (index, frame) in zip(wanted, places, strict=True):
        near, real = trained[index], clip.read_frame(t)
        picture = near.read_frame(frame)
        meshes.append(judged.stored[near.id].meshes[near.first + frame])
        figures.append(compare_pictures(picture, real))
        error += np.abs(picture.astype(np.float64) - real).mean(axis=2) / len(wanted)
    return Shown(np.array(meshes), slice(None), _gather(figures), error)


def find_nearest(trained: Sequence[RenderClip], wanted: RenderClip) -> list[tuple[int, int]]:
    """For each frame of `wanted`, the measured training frame with the nearest pose and expression.

    Distance: root of the mean over the six numbers of the pose and of the mean over the 64 of the
    expression, each in standard deviations over the measured training frames.

    Returns:
        (index in `trained`, frame in it) of each.
    """
    places = [(k, t) for k, clip in enumerate(trained) for t in np.flatnonzero(clip.valid).tolist()]
    squares = sum(
        _measure_squares(
            getattr(wanted, name), np.concatenate([getattr(c, name)[c.valid] for c in trained])
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
