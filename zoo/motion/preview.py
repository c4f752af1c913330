"""Motion as a video: the mesh of the mean face, moved and turned, with traces and its sound.

Legend: n frames.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.facemodel.camera import default_intrinsics, project, transform
from toolkit.facemodel.model import load_default
from toolkit.features.blink import find_blinks
from toolkit.media.audio import read_sound
from toolkit.media.encode import find_container
from toolkit.mesh import CHEEKS, CHIN, EYES68, FOREHEAD, IRIS_MM, NOSE_TIP
from toolkit.preview.clip import PreviewClip
from toolkit.preview.draw import NEAREST, Picture
from toolkit.preview.render import draw_preview, write_preview
from toolkit.schema import Provenance
from toolkit.storage import check_place
from zoo.data import AU45, EXPRESSION, POSE
from zoo.motion.generate import Motion
from zoo.motion.motion_file import load_motion

Floats = npt.NDArray[np.float64]
Pcm = npt.NDArray[np.int16]

SEEN = (FOREHEAD, CHIN, *CHEEKS, NOSE_TIP)
"""Vertices that show how far the head reaches."""

MARGIN = 1.3
"""Side of the square that is shown, over what the head reaches in the whole of the motion."""

CAMERA = default_intrinsics(512, 512)

Watch = Callable[[Iterable[Picture], int], Iterator[Picture]]
"""Hands frames on, of so many, and may show how far it is."""


@dataclass(frozen=True, kw_only=True)
class MotionPreview(PreviewClip):
    """Motion without pictures, as previews show a clip.

    Attributes:
        motion: (n, 71) float32 in stored units.
    """

    motion: Motion

    def scale_landmarks(self, t: int, side: int) -> Floats:
        """Mesh (478, 2) of the mean face in frame t, in px of a picture (side, side)."""
        return self.place(project(shape_mesh(self.motion[t]), self.motion[t, POSE], CAMERA), side)


def show_motion(
    path: Path,
    out: Path,
    *,
    audio: Path | None = None,
    watch: Watch = lambda frames, total: iter(frames),
) -> int:
    """Write a `motion.npz` as a video; returns its number of frames.

    Warns where the recording is not as long as the motion.

    Args:
        path: the motion.
        out: the video.
        audio: the recording that it was made for; None: no sound.
        watch: see `Watch`.

    Raises:
        ToolkitError: no motion, a head that is not before the camera, no sound in the recording,
            or `out` cannot be written.
        ValueError: no video can be written under the name of `out`.
    """
    find_container(out)
    check_place(out)
    found = load_motion(path)
    pcm = np.zeros(0, np.int16) if audio is None else fit_sound(audio, len(found.motion), found.fps)
    clip = make_preview(found.motion, found.fps, pcm, path)
    write_preview(clip, watch(draw_preview(clip), clip.num_frames), out)
    return clip.num_frames


def make_preview(motion: Motion, fps: int, pcm: Pcm, path: Path) -> MotionPreview:
    """Motion (n, 71) as a clip seen by a camera that holds all of it.

    Raises:
        ToolkitError: no frames, or the head is not before the camera in all of them.
    """
    points = load_default().mean_shape[list(SEEN)]
    if not len(motion) or not (transform(points, motion[:, POSE])[..., 2] > NEAREST).all():
        raise ToolkitError(f"{path}: nothing to show: the head is not before the camera")
    seen = project(points, motion[:, POSE], CAMERA)
    low, high = seen.min(axis=(0, 1)), seen.max(axis=(0, 1))
    (x, y), half = (low + high) / 2, MARGIN * (high - low).max() / 2
    au45 = motion[:, AU45.start].astype(np.float64)
    mean, made = (Provenance(backend=name, version="") for name in ("mean face", path.name))
    return MotionPreview(
        motion=motion,
        shard=None,
        index=0,
        name="the mean face",
        identity="generated motion",
        source=path.name,
        fps=fps,
        num_frames=len(motion),
        start=0,
        size=1,
        crop=(float(x - half), float(y - half), float(x + half), float(y + half)),
        intrinsics=CAMERA,
        provenance={"landmarks": mean, "pose": made, "au45": made},
        pcm=pcm,
        valid=np.ones(len(motion), bool),
        landmarks=None,
        pose=motion[:, POSE].astype(np.float64),
        au45=au45,
        ear=None,
        symbols=None,
        blinks=find_blinks(au45, fps),
    )


def shape_mesh(motion: npt.NDArray[np.float32]) -> Floats:
    """(478, 3) mm: the mean face with the expression and lids of a frame (71,), and its irises."""
    model = load_default()
    shape = model.shape(expression=motion[EXPRESSION], au45=motion[AU45.start])
    rim = IRIS_MM / 2 * np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]])
    irises = [shape[model.keypoints[eye]].mean(axis=0) + rim for eye in EYES68]
    return np.concatenate([shape, *irises])


def fit_sound(audio: Path, num_frames: int, fps: int) -> Pcm:
    """(S,) int16, 16 kHz: a recording as long as n frames, cut or with silence behind it."""
    pcm, needed = read_sound(audio), num_frames * SAMPLE_RATE // fps
    if abs(len(pcm) - needed) > SAMPLE_RATE // fps:
        warnings.warn(
            f"{audio} has {len(pcm) / SAMPLE_RATE:.2f} s, the motion {num_frames / fps:.2f} s: "
            "is it another recording?",
            stacklevel=2,
        )
    return np.pad(pcm[:needed], (0, max(0, needed - len(pcm))))
