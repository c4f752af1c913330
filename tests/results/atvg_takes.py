"""Stretches of held-out clips as VG-net sees them, and what drawn frames of them are like.

Legend: n frames of a stretch behind the picture, H the side of a picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.accuracy.real import choose_evenly
from tests.results.cascaded_speech import SECONDS
from toolkit.facemodel.camera import rotation_from_euler
from toolkit.features.landmarks import FaceMesh
from zoo.evaluation.still import find_still_skin
from zoo.evaluation.videos import compare_pictures
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.metrics.landmark_distance import find_landmarks
from zoo.metrics.landmarks import measure_lmd_mouth
from zoo.metrics.pictures import Picture
from zoo.metrics.series import average_finite
from zoo.metrics.stillness import Region, measure_flicker
from zoo.models.vg_net.clips import FaceClip
from zoo.models.vg_net.model import TrainedVGNet

Floats = npt.NDArray[np.float64]

PSNR, SSIM, CPBD, LMD = "PSNR, dB", "SSIM", "CPBD", "LMD, px"

FOUND, JITTER = "faces found", "jitter, levels"

Draw = Callable[["Take"], Sequence[Picture] | Iterator[Picture]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Take:
    """Consecutive measured frames of a clip, the first of which is the picture.

    Attributes:
        clip: the clip's id.
        fps: frames a second.
        picture: (H, H, 3) what is drawn from.
        identity: (68, 2) its landmarks, px of it.
        landmarks: (n, 68, 2) those of the frames behind it, in the same.
        frames: (n, H, H, 3) these frames.
        meshes: (n, 478, 3) px found in them.
        still: (H, W) the skin that changes least in them.
        turned: (n,) degrees between the head's pose and that in the picture.
    """

    clip: str
    fps: int
    picture: Picture
    identity: Floats
    landmarks: Floats
    frames: Picture
    meshes: Floats
    still: Region
    turned: Floats

    def __len__(self) -> int:
        """How many frames are drawn, n."""
        return len(self.frames)

    @property
    def away(self) -> Floats:
        """(n,) px, mean distance of the frames' 68 landmarks from the picture's."""
        return np.asarray(np.linalg.norm(self.landmarks - self.identity, axis=2).mean(axis=1))


def cut_takes(
    clips: Sequence[FaceClip], model: TrainedVGNet, seconds: float, most: int
) -> list[Take]:
    """Of at most so many clips, evenly spaced, the first stretch, at most so long each."""
    return [cut_take(clip, model, seconds) for clip in choose_evenly(list(clips), most)]


def cut_take(clip: FaceClip, model: TrainedVGNet, seconds: float) -> Take:
    """The beginning of a clip's first stretch of measured frames."""
    fps = clip.part.reader.fps
    first, last = clip.stretches[0]
    last = min(last, first + 1 + round(seconds * fps))
    framing = model.frame(clip.landmarks[first])
    placed = framing.place.apply(clip.landmarks[first:last])
    frames = np.stack([framing.cut(clip.read(t)) for t in range(first, last)])
    meshes = find_landmarks(frames[1:], FaceMesh())
    return Take(
        clip=clip.id,
        fps=fps,
        picture=frames[0],
        identity=placed[0],
        landmarks=placed[1:],
        frames=frames[1:],
        meshes=meshes,
        still=find_still_skin(frames[1:], meshes),
        turned=measure_turned(clip.part.read("face/pose")[first:last]),
    )


def measure_turned(pose: npt.ArrayLike) -> Floats:
    """Degrees (n,) by which the heads of poses (1 + n, 6) are turned from the first."""
    turns = rotation_from_euler(np.asarray(pose, np.float64)[:, :3])
    trace = np.einsum("nij,ij->n", turns[1:], turns[0])
    return np.asarray(np.degrees(np.arccos(((trace - 1) / 2).clip(-1, 1))))


def draw_with(model: TrainedVGNet) -> Draw:
    """A network's frames."""
    return lambda take: [
        each.frame for each in model.draw(take.picture, take.identity, take.landmarks)
    ]


def draw_still(take: Take) -> list[Picture]:
    """The picture, left as it is."""
    return [take.picture] * len(take)


def draw_real(take: Take) -> list[Picture]:
    """The frames themselves."""
    return list(take.frames)


# --- figures ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Figures:
    """What one method's frames of all takes are like, the takes end to end.

    Attributes:
        frames: name -> a value of each frame; NaN where it is not known.
        takes: name -> a value of each take.
        lengths: frames of each take.
        block: frames of a block of the bootstrap.
    """

    frames: Mapping[str, Floats]
    takes: Mapping[str, Floats]
    lengths: Sequence[int]
    block: int

    def average(self, name: str) -> Interval:
        """Mean of a figure, with its interval: over blocks of 3 s, or over takes."""
        if name in self.takes:
            return average_values(self.takes[name], [1] * len(self.lengths), 1)
        return average_values(self.frames[name], self.lengths, self.block)

    def subtract(self, other: "Figures", name: str) -> Interval:
        """By how much a figure is above another method's, by the same resamples of both."""
        if name in self.takes:
            away = self.takes[name] - other.takes[name]
            return average_values(away, [1] * len(self.lengths), 1)
        return average_values(self.frames[name] - other.frames[name], self.lengths, self.block)


def average_values(values: Floats, lengths: Sequence[int], block: int) -> Interval:
    """Mean of what is finite, and its interval; of nothing no number."""
    if not np.isfinite(values).any():
        return Interval(average_finite(values), None, None)
    return bootstrap_interval(lambda rows: average_finite(values[rows]), lengths, block=block)


def score_takes(draw: Draw, takes: Sequence[Take]) -> Figures:
    """Of a method's frames beside the real ones."""
    rows = [score_take(list(draw(take)), take) for take in takes]
    jitter = [row.pop(JITTER) for row in rows]
    return Figures(
        frames={name: np.concatenate([row[name] for row in rows]) for name in rows[0]},
        takes={JITTER: np.concatenate(jitter)},
        lengths=[len(take) for take in takes],
        block=round(SECONDS * takes[0].fps),
    )


def score_take(frames: Sequence[Picture], take: Take) -> dict[str, Floats]:
    """Figures of each of one take's frames; of the take alone `JITTER`, (1,).

    PSNR, SSIM and CPBD as `zoo evaluate video` has them, of frames that no codec went over; LMD of
    the lips where a face is found in both. Jitter is the change from frame to frame, levels of 255,
    where the real face's skin changes least.
    """
    pairs = [compare_pictures(a, b) for a, b in zip(frames, take.frames, strict=True)]
    found = measure_lmd_mouth(find_landmarks(frames, FaceMesh()), take.meshes)
    changes = [measure_flicker(frames, take.still)] if take.still.any() else [np.nan]
    return {
        PSNR: np.array([row["PSNR"] for row in pairs]),
        SSIM: np.array([row["SSIM"] for row in pairs]),
        CPBD: np.array([row["CPBD"] for row in pairs]),
        LMD: found,
        FOUND: np.isfinite(found).astype(np.float64),
        JITTER: np.array(changes),
    }


def write_row(figures: Mapping[str, Interval], write: Callable[[Interval], str]) -> dict[str, Any]:
    """Cells; a dash for what is not known."""
    return {
        name: write(interval) if np.isfinite(interval.value) else "–"
        for name, interval in figures.items()
    }
