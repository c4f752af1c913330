"""A video of a face and copies of it that are worse by a known amount, or not worse at all.

All are of 256 px around the face, at the rate of the first video's clock, without loss, each with
the same sound. Legend: n frames, H = 256.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tests.numbered import run_ffmpeg
from toolkit.features.landmarks import FaceMesh
from toolkit.mesh import LANDMARKS68
from zoo.evaluation.tracked import LaidOutVideo, resize, track_video

Pictures = npt.NDArray[np.uint8]

SIDE = 256
SECONDS = 4.0

STRENGTHS: dict[str, tuple[float, float, float]] = {
    "blur": (0.7, 1.5, 3.0),
    "noise": (4, 10, 25),
    "late": (2, 4, 8),
    "frozen mouth": (1 / 3, 2 / 3, 1),
    "frozen eyes": (1 / 3, 2 / 3, 1),
    "jitter": (0.5, 1.0, 2.0),
    "other face": (1 / 3, 2 / 3, 1),
}
"""σ px; σ levels; frames; share of the frames (three times); σ px, and half as many degrees."""

KEPT = ("re-muxed", "H.265", "resized", "other rate", "1 px cropped")
"""Copies that are no worse: Matroska; at CRF 12; to 192 px; 25 frames a second at 30 or the other
way round; one pixel less on each side."""

_X264 = ("-c:v", "libx264rgb", "-qp", "0", "-preset", "ultrafast")
_H264 = ("-c:v", "libx264", "-crf", "12", "-preset", "veryfast", "-pix_fmt", "yuv420p")
_EYES, _MOUTH = (*range(36, 48),), (*range(48, 68),)
_RIGID = (*range(27, 36), 36, 39, 42, 45)
"""Of the 68 points: nose and corners of the eyes, which neither mouth nor lids move."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Face:
    """Pictures of one face.

    Attributes:
        pictures: (n, H, H, 3) uint8.
        points: (n, 68, 2) px of them.
        ear: (n,) eye aspect ratio.
        fps: frames a second.
        sound: file that its sound is in.
    """

    pictures: Pictures
    points: npt.NDArray[np.float32]
    ear: npt.NDArray[np.float32]
    fps: int
    sound: Path


def read_face(path: Path, folder: Path) -> Face:
    """The first `SECONDS` of a video, cut around its face."""
    folder.mkdir(parents=True)
    video = track_video(path, folder, FaceMesh())
    laid = LaidOutVideo(video, video.fps)
    first, last = laid.first, min(laid.last, laid.first + round(SECONDS * video.fps))
    laid.calibrate(first, last)
    arrays = laid.read_arrays(first, last)
    x0, y0, x1, y1 = video.find_crop()
    scale = SIDE / (x1 - x0)
    points = (arrays["landmarks"][:, LANDMARKS68, :2] - np.float32([x0, y0])) * np.float32(scale)
    move = np.float32([[1, 0, -x0], [0, 1, -y0]])
    pictures = [
        resize(cv2.warpAffine(p, move, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE),
               (SIDE, SIDE))
        for p in laid.read_pictures(first, last)
    ]  # fmt: skip
    sound = folder / "sound.wav"
    raw = ("-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "-")
    run_ffmpeg(*raw, sound, data=arrays["pcm"].tobytes())
    ear = arrays["ear"].mean(axis=1)
    return Face(pictures=np.stack(pictures), points=points, ear=ear, fps=video.fps, sound=sound)


def write_changed(
    face: Face,
    other: Face,
    out: Path,
    *,
    changes: Sequence[str] = tuple(STRENGTHS),
    same: Sequence[str] = KEPT,
) -> dict[str, Path]:
    """Name of each copy -> its file; "real" is the video itself, H.264 at CRF 12.

    Copies that are worse are named by what was done and its strength's number: `blur 0`, …

    Args:
        face: to copy.
        other: whom the copies of the other face show.
        out: folder, made here.
        changes: names of `STRENGTHS`, what is done.
        same: names of `KEPT`, copies that are no worse.
    """
    out.mkdir(parents=True)
    real = _write(face, face.pictures, out / "real.mp4", _H264)
    given = ("-i", real)
    rate = 30 if face.fps == 25 else 25
    kept = {
        "re-muxed": ("-c", "copy"),
        "H.265": ("-c:a", "copy", "-c:v", "libx265", "-crf", "12", "-preset", "fast",
                  "-x265-params", "log-level=none"),
        "resized": ("-c:a", "copy", *_H264, "-vf", "scale=192:192:flags=bicubic"),
        "other rate": ("-c:a", "copy", *_H264, "-r", str(rate)),
        "1 px cropped": ("-c:a", "copy", *_H264, "-vf", f"crop={SIDE - 2}:{SIDE - 2}:1:1"),
    }  # fmt: skip
    files = {"real": real}
    for name in same:
        files[name] = out / f"{name}.mkv"
        run_ffmpeg(*given, *kept[name], files[name])
    for name in changes:
        for k, strength in enumerate(STRENGTHS[name]):
            path = out / f"{name} {k}.mkv"
            files[f"{name} {k}"] = _write(face, CHANGES[name](face, other, strength), path, _X264)
    return files


def _write(face: Face, pictures: Pictures, path: Path, codec: Sequence[str]) -> Path:
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIDE}x{SIDE}", "-r", str(face.fps))
    sound = ("-c:a", "flac", "-strict", "-2")
    run_ffmpeg(*raw, "-i", "-", "-i", face.sound, *codec, *sound, path, data=pictures.tobytes())
    return path


# --- what is done to the pictures ---------------------------------------------------------------


def _blur(face: Face, other: Face, sigma: float) -> Pictures:
    return np.stack([cv2.GaussianBlur(p, (0, 0), sigma) for p in face.pictures])


def _add_noise(face: Face, other: Face, sigma: float) -> Pictures:
    rng = np.random.default_rng(0)
    noisy = (p + sigma * rng.standard_normal(p.shape) for p in face.pictures)
    return np.stack([np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in noisy])


def _delay(face: Face, other: Face, frames: float) -> Pictures:
    late = np.arange(len(face.pictures)) - int(frames)
    return np.asarray(face.pictures[np.maximum(late, 0)])


def _jitter(face: Face, other: Face, sigma: float) -> Pictures:
    rng = np.random.default_rng(1)
    shaken = []
    for picture in face.pictures:
        turn, *step = sigma * rng.standard_normal(3)
        matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn / 2, 1)
        matrix[:, 2] += step
        shaken.append(_warp(picture, matrix))
    return np.stack(shaken)


def _change_face(face: Face, other: Face, share: float) -> Pictures:
    num = round(share * len(face.pictures))
    shown = other.pictures[np.arange(num) % len(other.pictures)]
    return np.concatenate([shown, face.pictures[num:]])


def _freeze_mouth(face: Face, other: Face, share: float) -> Pictures:
    return _freeze(face, _MOUTH, 0, share)


def _freeze_eyes(face: Face, other: Face, share: float) -> Pictures:
    """Open ones: those of the frame with the largest eye aspect ratio."""
    return _freeze(face, _EYES, int(np.nanargmax(face.ear)), share)


CHANGES: dict[str, Callable[[Face, Face, float], Pictures]] = {
    "blur": _blur,
    "noise": _add_noise,
    "late": _delay,
    "frozen mouth": _freeze_mouth,
    "frozen eyes": _freeze_eyes,
    "jitter": _jitter,
    "other face": _change_face,
}


def _freeze(face: Face, part: Sequence[int], source: int, share: float) -> Pictures:
    """Paste a part of one frame over that of the first frames, moved as nose and eye corners do."""
    frozen = face.pictures.copy()
    for t in range(round(share * len(frozen))):
        here, there = face.points[source], face.points[t]
        matrix, _ = cv2.estimateAffinePartial2D(here[list(_RIGID)], there[list(_RIGID)])
        mask = np.zeros((SIDE, SIDE), np.float32)
        for points in _list_areas(here, part):
            cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1.0)
        mask = cv2.GaussianBlur(cv2.dilate(mask, np.ones((25, 25))), (0, 0), 3)
        weight = _warp(mask, matrix)[..., None]
        mixed = weight * _warp(face.pictures[source], matrix) + (1 - weight) * frozen[t]
        frozen[t] = np.rint(mixed)
    return frozen


def _list_areas(points: npt.NDArray[np.float32], part: Sequence[int]) -> list[Any]:
    halves = [part] if part is _MOUTH else [part[:6], part[6:]]
    return [points[list(half)] for half in halves]


def _warp(picture: Any, matrix: Any) -> Any:
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
