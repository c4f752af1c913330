"""Files of the released FACIAL code (Zhang et al., ICCV 2021): what its training and renderer read.

For each clip, in folders that hold one kind of file, all with the clip's id for a name:

- `audio/ID.pkl`: pickled (n, 16, 29) float64, scores of the frames k − 8 … k + 7 around frame k.
- `params/ID.npz`: `face` (n, 258) as its pose fit leaves them: rx, ry, rz, s, tx, ty, tz = 1,
  expression 64, identity 80, texture 80, light 27.
- `motion/ID.npz`: `face` (n, 71), layout `OFFICIAL_LAYOUT`, as its generator leaves them.
- `openface/ID.csv`: see `toolkit.export.openface`, in px of the crop at 512 px.
- `wav/ID.wav`: 16 kHz mono.
- `datasets/ID/train_B/000001.jpg` and so on, where asked for: the crop at 512 × 512 px, number
  t + 1 for frame t, as its renderer takes real frames. What it draws from `params` is `train_A`.
"""

import pickle
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.export.clips import ExportClip, list_clips, open_clips
from toolkit.export.folder import ExportFile, ExportReport, Progress, write_files
from toolkit.export.openface import write_table
from toolkit.export.options import FacialOptions
from toolkit.facemodel.official import (
    OFFICIAL_AU45,
    OFFICIAL_EXPRESSION,
    OFFICIAL_FPS,
    OFFICIAL_POSE,
    OFFICIAL_SIDE,
    official_pose,
)

Floats = npt.NDArray[np.float64]

CONTEXT = (8, 7)
"""Frames before and after a frame in its window of 16; zeros beyond the clip's ends."""

_NEEDED = (
    "audio/deepspeech",
    "face/model_pose",
    "face/expression",
    "face/au45",
    "face/illumination",
    "clips/identity_coefficients",
    "clips/texture_coefficients",
)

QUALITY = 95
"""Of JPEG."""

_PICKLE = 4
"""Protocol: Python 3.4 and later read it."""


def export_facial(
    dataset: Path, out: Path, options: FacialOptions, progress: Progress | None = None
) -> ExportReport:
    """Write the five files of every clip, and its frames where asked for.

    Warns of what the released code would take for something else: scores, coefficients, rate.

    Raises:
        ShardError: a shard lacks scores, coefficients, AU45 or frames, or is damaged.
        ToolkitError: no such clips, or see `write_files`.
    """
    clips = list_clips(dataset, options)
    first = next(open_clips(dataset, clips[:1]))
    for name in (*_NEEDED, *(("video/jpeg",) if options.pictures else ())):
        first.reader.column(name)  # an error before any file, not after an hour
    warn_of_differences(first)
    open_clip = lru_cache(maxsize=1)(lambda k: next(open_clips(dataset, clips[k : k + 1])))
    files = [
        file
        for k, (clip_id, num_frames) in enumerate(
            zip(clips["clip_id"], clips["num_frames"], strict=True)
        )
        for file in (
            *(_list_pictures(open_clip, k, clip_id, num_frames) if options.pictures else ()),
            *_list_files(open_clip, k, clip_id),
        )
    ]
    return write_files(out, "facial", clips, options, files, progress)


def warn_of_differences(clip: ExportClip) -> None:
    """Warn where the released code and its weights would not mean the same by these numbers."""
    made, scale = clip.reader.provenance.get("coefficients"), clip.reader.scale
    if scale and scale != "logit":
        _warn(f"scores are {scale} of {clip.row['deepspeech_backend']}, not DeepSpeech's logits")
    if made is not None and made.backend != "deng":
        _warn(
            f"coefficients are of the model {made.backend!r}, not of Deng et al.'s basis, which "
            "its renderer draws"
        )
    if clip.reader.fps != OFFICIAL_FPS:
        _warn(f"clips have {clip.reader.fps} frames a second, where it takes {OFFICIAL_FPS}")


def _warn(what: str) -> None:
    text = f"the released code's weights do not fit: {what}; train with the exported files alone"
    warnings.warn(text, stacklevel=3)


def make_windows(scores: npt.ArrayLike) -> Floats:
    """(n, 16, 29) float64 from (n, 29): row 8 of window k is frame k."""
    padded = np.pad(np.asarray(scores, np.float64), (CONTEXT, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, sum(CONTEXT) + 1, axis=0)
    return np.ascontiguousarray(windows.transpose(0, 2, 1))


def make_motion(clip: ExportClip) -> Floats:
    """(n, 71) float64 of `OFFICIAL_LAYOUT`."""
    motion = np.empty((clip.num_frames, OFFICIAL_EXPRESSION.stop))
    motion[:, OFFICIAL_POSE] = official_pose(
        clip.read("face/model_pose"), clip.crop_intrinsics(OFFICIAL_SIDE)
    )
    motion[:, OFFICIAL_AU45] = clip.read("face/au45")[:, None]
    motion[:, OFFICIAL_EXPRESSION] = clip.read("face/expression")
    return motion


def make_parameters(clip: ExportClip) -> Floats:
    """(n, 258) float64: `make_motion` with 1 for AU45, then identity, texture and light."""
    motion = make_motion(clip)
    motion[:, OFFICIAL_AU45] = 1.0
    of_clip = [clip.read(f"clips/{name}_coefficients") for name in ("identity", "texture")]
    parts = [np.broadcast_to(row, (clip.num_frames, len(row))) for row in of_clip]
    return np.concatenate([motion, *parts, clip.read("face/illumination")], axis=1)


# --- files --------------------------------------------------------------------------------------

_Open = Callable[[int], ExportClip]
"""Number of a clip -> the clip with its shard open; the last one stays so."""


def _list_files(open_clip: _Open, k: int, clip_id: str) -> Iterator[ExportFile]:
    for folder, ending, write in _FILES:
        yield ExportFile(
            name=f"{folder}/{clip_id}{ending}",
            num_clips=int(folder == "wav"),  # the last of a clip
            write=partial(_write, open_clip, k, write),
        )


def _list_pictures(open_clip: _Open, k: int, clip_id: str, num: int) -> Iterator[ExportFile]:
    for t in range(num):
        yield ExportFile(
            name=f"datasets/{clip_id}/train_B/{t + 1:06d}.jpg",
            num_clips=0,
            write=partial(_write, open_clip, k, partial(_write_picture, t)),
        )


def _write(open_clip: _Open, k: int, write: Callable[[Path, ExportClip], None], path: Path) -> None:
    write(path, open_clip(k))


def _write_picture(t: int, path: Path, clip: ExportClip) -> None:
    import cv2
    import simplejpeg

    picture = clip.reader.frame(clip.index, t)
    if len(picture) != OFFICIAL_SIDE:
        method = cv2.INTER_CUBIC if len(picture) < OFFICIAL_SIDE else cv2.INTER_AREA
        picture = np.asarray(
            cv2.resize(picture, (OFFICIAL_SIDE, OFFICIAL_SIDE), interpolation=method), np.uint8
        )
    path.write_bytes(simplejpeg.encode_jpeg(picture, quality=QUALITY))


def _write_audio(path: Path, clip: ExportClip) -> None:
    with path.open("wb") as file:
        pickle.dump(make_windows(clip.read("audio/deepspeech")), file, protocol=_PICKLE)


def _write_face(path: Path, face: Floats) -> None:
    with path.open("wb") as file:  # a name would get the ending .npz
        np.savez(file, face=face)


def _write_parameters(path: Path, clip: ExportClip) -> None:
    _write_face(path, make_parameters(clip))


def _write_motion(path: Path, clip: ExportClip) -> None:
    _write_face(path, make_motion(clip))


def _write_openface(path: Path, clip: ExportClip) -> None:
    write_table(path, clip, OFFICIAL_SIDE)


def _write_wav(path: Path, clip: ExportClip) -> None:
    path.write_bytes(clip.make_wav())


_FILES = (
    ("audio", ".pkl", _write_audio),
    ("params", ".npz", _write_parameters),
    ("motion", ".npz", _write_motion),
    ("openface", ".csv", _write_openface),
    ("wav", ".wav", _write_wav),
)
