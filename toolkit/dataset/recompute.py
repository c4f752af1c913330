"""Columns of `clips` that follow from the shard, computed once more and compared."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.dataset.rows import (
    SHARPNESS_EVERY,
    describe_blinks,
    describe_pose,
    measure_opening_ratio,
    measure_outside_share,
    measure_sharpness,
)
from toolkit.dataset.shard import ShardReader
from toolkit.features.voice_activity import measure_speech_share
from toolkit.media.audio import measure_agreement, measure_loudness
from toolkit.schema import CLIP_COLUMNS, NOMINAL_SIZE
from toolkit.storage import digest_record

RELATIVE = {"face_size": 1e-4, "sharpness": 0.2}
"""Column -> share by which it may differ: landmarks are rounded, JPEGs are lossy."""

ABSOLUTE = {"mouth_audio_corr": 1e-3, "speech_share": 0.02, "sharpness": 5}
"""The same, in the column's unit: processors round differently."""

_ROUNDING = 1e-5


def find_differing(reader: ShardReader, index: int, row: Mapping[str, object]) -> dict[str, object]:
    """Columns of a clip's row that are not what its shard gives -> what it gives.

    Columns that are null are passed over, and those that need the source: `source_fps`,
    `num_pictures`, `dynamic_range`.
    """
    given = recompute_columns(reader, index)
    if _is_number(row["width"]) and _is_number(row["height"]):
        size = (float(str(row["width"])), float(str(row["height"])))
        given["outside_share"] = measure_outside_share(reader.clips[index].crop, size)
    return {
        name: value
        for name, value in given.items()
        if _is_there(row[name]) and not _is_close(name, row[name], value)
    }


def recompute_columns(reader: ShardReader, index: int) -> dict[str, Any]:
    """Column -> value, for those that follow from one clip's arrays, pictures and provenance."""
    pcm = reader.read("audio/pcm", index)
    columns = _describe_backends(reader) | {
        "options_digest": digest_record(reader.options),
        "speech_share": measure_speech_share(pcm),
        "loudness": measure_loudness(pcm),
    }
    if "face/au45" in reader.names:
        columns |= describe_blinks(reader.read("face/au45", index), reader.fps)
    if "face/pose" in reader.names:
        columns |= describe_pose(reader.read("face/pose", index))
    if "face/landmarks" in reader.names:
        columns |= _describe_mesh(reader, index, pcm)
    if reader.frame_size:
        frames = range(0, reader.clips[index].num_frames, SHARPNESS_EVERY)
        sharpness = [measure_sharpness(reader.frame(index, t)) for t in frames]
        columns["sharpness"] = float(np.median(sharpness))
    return columns


def _describe_backends(reader: ShardReader) -> dict[str, Any]:
    made = {name: f"{by.backend} {by.version}".strip() for name, by in reader.provenance.items()}
    names = [c.name for c in CLIP_COLUMNS if c.name.endswith("_backend")]
    return {name: made.get(name.removesuffix("_backend"), "none") for name in names}


def _describe_mesh(reader: ShardReader, index: int, pcm: Any) -> dict[str, Any]:
    landmarks, crop = reader.read("face/landmarks", index), reader.clips[index].crop
    scale = (crop[2] - crop[0]) / (reader.frame_size or NOMINAL_SIZE)
    corr, lag = measure_agreement(measure_opening_ratio(landmarks), pcm, reader.fps)
    return {
        "face_size": float(np.median(np.ptp(landmarks[:, :, 1], axis=1))) * scale,
        "mouth_audio_corr": corr,
        "mouth_audio_lag": lag,
    }


def _is_there(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_close(name: str, found: Any, given: Any) -> bool:
    if isinstance(given, str) or given is None:
        return bool(found == given)
    if isinstance(given, Sequence):
        return len(found) == len(given) and np.allclose(found, given, rtol=0, atol=_ROUNDING)
    allowed = ABSOLUTE.get(name, _ROUNDING) + RELATIVE.get(name, 0) * abs(given)
    return bool(abs(float(found) - float(given)) <= allowed)
