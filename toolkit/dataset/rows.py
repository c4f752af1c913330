"""The measured columns of a clip's row in the manifest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.features.blink import find_blinks
from toolkit.features.fingerprint import SMALL_SIZE, fingerprint_clip
from toolkit.features.voice_activity import measure_speech_share
from toolkit.media.audio import measure_agreement, measure_loudness
from toolkit.mesh import EYE_CORNERS, LIP_MIDDLES
from toolkit.schema import NOMINAL_SIZE, ClipInput, VideoInfo

SHARPNESS_EVERY = 5
"""Every so many frames of a clip count for its sharpness, from its first on."""


def describe_clip(
    clip: ClipInput,
    *,
    landmarks: npt.NDArray[np.float32],
    pcm: npt.NDArray[np.int16],
    sharpness: float,
    small: npt.NDArray[np.uint8],
    info: VideoInfo,
) -> dict[str, Any]:
    """The measured columns of a clip's row in the manifest: see `schema.CLIP_COLUMNS`.

    Args:
        clip: with its arrays filled in.
        landmarks: (n, 478, 3) source px.
        pcm: the clip's samples.
        sharpness: median variance of the Laplacian.
        small: (n, 64, 64) grey crops.
        info: of the source, with the size of the clip's picture.
    """
    x0, y0, x1, _ = clip.crop
    in_small = (landmarks[:, :, :2] - (x0, y0)) * (SMALL_SIZE / (x1 - x0))
    corr, lag = measure_agreement(measure_opening_ratio(landmarks), pcm, clip.fps)
    return {
        "width": info.width,
        "height": info.height,
        "dynamic_range": info.dynamic_range,
        "source_fps": info.fps,
        "face_size": float(np.median(np.ptp(landmarks[:, :, 1], axis=1))),
        "sharpness": sharpness,
        "outside_share": measure_outside_share(clip.crop, (info.width, info.height)),
        "valid_share": float(np.mean(np.asarray(clip.arrays["face/valid"], bool))),
        "num_pictures": clip.num_pictures,
        "speech_share": measure_speech_share(pcm),
        "loudness": measure_loudness(pcm),
        "mouth_audio_corr": corr,
        "mouth_audio_lag": lag,
        "fingerprint": fingerprint_clip(pcm, small, in_small, clip.fps).tolist(),
        **describe_blinks(clip.arrays.get("face/au45"), clip.fps),
        **describe_pose(clip.arrays.get("face/pose")),
    }


def measure_outside_share(crop: Sequence[float], size: tuple[float, float]) -> float:
    """Share of a crop (xyxy) that lies outside a picture (width, height): repeated border."""
    x0, y0, x1, y1 = crop
    across = max(0.0, min(x1, size[0]) - max(x0, 0))
    down = max(0.0, min(y1, size[1]) - max(y0, 0))
    return float(1 - across * down / ((x1 - x0) * (y1 - y0)))


def measure_opening_ratio(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(n,) distance of the inner lips over the distance of the eyes' centres; no unit."""
    eyes = [landmarks[:, pair, :2].mean(1) for pair in EYE_CORNERS]
    upper, lower = LIP_MIDDLES
    lips = landmarks[:, upper, :2] - landmarks[:, lower, :2]
    between = np.linalg.norm(eyes[0] - eyes[1], axis=-1)
    return np.asarray(np.linalg.norm(lips, axis=-1) / np.maximum(between, 1e-6), np.float64)


def measure_sharpness(picture: npt.NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a square RGB picture, in grey at 256 px."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if len(grey) != NOMINAL_SIZE:
        grey = cv2.resize(grey, (NOMINAL_SIZE, NOMINAL_SIZE), interpolation=cv2.INTER_AREA)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    return float(deviation[0, 0]) ** 2


def describe_blinks(au45: npt.NDArray[Any] | None, fps: int) -> dict[str, Any]:
    """Columns of blinks of (n,) AU45; nulls without it."""
    if au45 is None:
        return {"num_blinks": None, "blink_onsets": None, "blink_offsets": None}
    blinks = find_blinks(au45, fps)
    return {
        "num_blinks": len(blinks),
        "blink_onsets": [blink.onset / fps for blink in blinks],
        "blink_offsets": [(blink.offset + 1) / fps for blink in blinks],
    }


def describe_pose(pose: npt.NDArray[Any] | None) -> dict[str, Any]:
    """Columns of ranges of (n, 6) pose; nulls without it."""
    names = ("pitch", "yaw", "roll")
    if pose is None:
        return {f"{name}_{end}": None for name in names for end in ("min", "max")}
    low, high = np.percentile(np.asarray(pose, np.float64)[:, :3], (2, 98), axis=0)
    ends = {"min": low, "max": high}
    return {f"{name}_{end}": float(ends[end][k]) for k, name in enumerate(names) for end in ends}
