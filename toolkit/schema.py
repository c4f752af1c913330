"""Records passed between stages, and every stored array and column: name, shape, dtype, unit, once.

Axes of stored arrays: C clips, N frames of all clips, S audio samples, B image bytes.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command imports this module: `ttk --help` must not wait for numpy
    import numpy as np
    import numpy.typing as npt

SCHEMA_VERSION = 1
DEEPSPEECH_SYMBOLS = " abcdefghijklmnopqrstuvwxyz'_"
"""Stored order of the 29 scores: space, a to z, apostrophe, CTC blank (written `_`)."""

SPEECH_FEATURES = ("deepspeech", "whisper")
"""Features of speech, stored as `audio/NAME`: a model reads one of them."""

NOMINAL_SIZE = 256
"""Side (px) of the crop that landmarks refer to where no frames are stored."""


class Reason(enum.StrEnum):
    """Why a source, or a stretch of it, did not become a clip."""

    UNREADABLE = "unreadable"
    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    SILENT = "silent"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    STILL = "still"
    TURNED = "turned"
    TOO_SHORT = "too_short"
    DUPLICATE = "duplicate"
    DAMAGED = "damaged"
    FAILED = "failed"


# --- records ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Source:
    r"""A file the user gave, as the plan knows it.

    `path` is relative to the dataset's folder, with `/` between parts; bytes that are not UTF-8
    stand in it as `\xNN`. `duplicate_of` is the path of the source that holds the same content.
    `packets_sha256` says what is coded in it and when it is shown, whatever its container: see
    `toolkit.media.packets.hash_packets`; "" if unknown.
    `problem` says why it cannot be read: then size, time, digest and duration are 0 or "".
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    identity: str
    duration: float
    duplicate_of: str | None = None
    packets_sha256: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one run makes one shard of: recorded before it starts, a pure function's input."""

    id: str
    sources: tuple[Source, ...]
    options: dict[str, object]
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the probe says of a source. The picture is upright with square pixels.

    Times are seconds from the container's start, as it claims them; None where it does not say.
    `dynamic_range` is `sdr`, `hlg`, `pq` or `wide`; width and height may change in mid-stream.
    """

    width: int
    height: int
    fps: float
    duration: float | None
    audio_start: float | None
    focal: float | None = None
    dynamic_range: str = "sdr"


@dataclass(frozen=True, kw_only=True)
class Blink:
    """One blink: first frame at or over half its intensity, middle of its peak, last such frame.

    Frames count from the start of the array searched; `offset` is inclusive.
    """

    onset: int
    apex: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made a feature: stored in every shard. `weights_sha256` is "" where none are used."""

    backend: str
    version: str
    weights_sha256: str = ""
    note: str = ""


@dataclass(kw_only=True)
class ClipInput:
    """One clip as extractors see it: n frames on the clip's clock.

    Attributes:
        clip_id: depends on the source's content and the stretch alone.
        path: the source's file.
        fps: clock rate.
        start_frame: first frame on the source's clock.
        num_frames: n.
        picture_size: (width, height) of the upright square-pixel picture.
        intrinsics: (fx, fy, cx, cy) in source pixels.
        crop: (x0, y0, x1, y1) of the fixed square crop, source pixels.
        valid: (n,) bool; False where landmarks were interpolated over a gap, and where a picture
            is shown again though the next one was due.
        num_pictures: distinct pictures among the n.
        source_time: (n,) float64 presentation time, s, of the source frame shown.
        source_index: (n,) int64 which decoded frame of the source that is, from 0.
        source_num_frames: decoded frames of the whole source.
        load_landmarks: (n, 478, 3) float32 in source pixels, from the spool: call it once.
        load_pcm: (samples,) int16 at 16 kHz.
        read_frames: yields n RGB pictures (height, width, 3) uint8 of the upright picture,
            the same object again where a frame repeats; decodes the stretch once more.
        colors: (n, 468, 3) uint8 RGB of the picture at the mesh vertices, once pass 2 has run.
        arrays: stored arrays made so far, by their name in `ARRAYS`.
    """

    clip_id: str
    path: Path
    fps: int
    start_frame: int
    num_frames: int
    picture_size: tuple[int, int]
    intrinsics: tuple[float, float, float, float]
    crop: tuple[float, float, float, float]
    valid: "npt.NDArray[np.bool_]"
    source_time: "npt.NDArray[np.float64]"
    source_index: "npt.NDArray[np.int64]"
    source_num_frames: int
    num_pictures: int = 0
    load_landmarks: "Callable[[], npt.NDArray[np.float32]]"
    load_pcm: "Callable[[], npt.NDArray[np.int16]]"
    read_frames: "Callable[[], Iterator[npt.NDArray[np.uint8]]]"
    colors: "npt.NDArray[np.uint8] | None" = None
    arrays: "dict[str, npt.NDArray[np.generic]]" = field(default_factory=dict)


# --- stored arrays ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArraySpec:
    """One dataset of a shard: leading axis, trailing shape, dtype, what a reader must know."""

    name: str
    axis: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    text: str
    feature: str = ""


ARRAYS: dict[str, ArraySpec] = {
    spec.name: spec
    for spec in (
        ArraySpec("clips/id", "C", (), "utf-8", "", "clip id"),
        ArraySpec("clips/identity", "C", (), "utf-8", "", "person"),
        ArraySpec("clips/source", "C", (), "utf-8", "", "source path, from the dataset's folder"),
        ArraySpec("clips/start_frame", "C", (), "int64", "frame", "first frame, source's clock"),
        ArraySpec("clips/frame_offset", "C+1", (), "int64", "frame", "clip c is [o[c], o[c+1])"),
        ArraySpec("clips/sample_offset", "C+1", (), "int64", "sample", "the same, audio axis"),
        ArraySpec("clips/crop", "C", (4,), "float32", "source px", "xyxy of the fixed crop"),
        ArraySpec("clips/intrinsics", "C", (4,), "float32", "source px", "fx, fy, cx, cy"),
        ArraySpec(
            "clips/identity_coefficients", "C", (80,), "float32", "sd", "3DMM identity",
            "coefficients",
        ),
        ArraySpec(
            "clips/texture_coefficients", "C", (80,), "float32", "sd", "3DMM texture",
            "coefficients",
        ),
        ArraySpec("audio/pcm", "S", (), "int16", "1/32768", "16 kHz mono"),
        ArraySpec(
            "audio/deepspeech", "N", (29,), "float32", "see `scale`",
            "symbol scores, attributes `symbols` and `scale`", "deepspeech",
        ),
        ArraySpec(
            "audio/whisper", "N", (384,), "float16", "", "states of Whisper tiny.en's encoder",
            "whisper",
        ),
        ArraySpec(
            "face/landmarks", "N", (478, 3), "float32", "crop px",
            "MediaPipe mesh; z in the same unit, smaller is nearer", "landmarks",
        ),
        ArraySpec(
            "face/confidence", "N", (), "float32", "0 to 1", "backend's score, NaN where none",
            "landmarks",
        ),
        ArraySpec(
            "face/valid", "N", (), "bool", "", "measured by every backend used, no stale repeat",
            "landmarks",
        ),
        ArraySpec(
            "face/pose", "N", (6,), "float32", "rad, mm",
            "pitch, yaw, roll, tx, ty, tz; x right, y down, z forward; R = Rx·Ry·Rz", "pose",
        ),
        ArraySpec(
            "face/model_pose", "N", (6,), "float32", "rad, mm",
            "pose of the model the coefficients belong to", "coefficients",
        ),
        ArraySpec(
            "face/ear", "N", (2,), "float32", "ratio", "eye aspect ratio, subject's left, right",
            "landmarks",
        ),
        ArraySpec("face/au45", "N", (), "float32", "0 to 5", "blink intensity", "au45"),
        ArraySpec(
            "face/expression", "N", (64,), "float32", "sd", "3DMM expression", "coefficients"
        ),
        ArraySpec(
            "face/illumination", "N", (27,), "float32", "",
            "spherical-harmonics light, 3 channels × 9 bands", "coefficients",
        ),
        ArraySpec(
            "video/source_time", "N", (), "float64", "s", "presentation time of the frame shown"
        ),
        ArraySpec("video/jpeg", "B", (), "uint8", "byte", "the crop, one JPEG a frame", "frames"),
        ArraySpec(
            "video/jpeg_offset", "N+1", (), "int64", "byte", "frame t is [o[t], o[t+1])", "frames"
        ),
    )
}  # fmt: skip


# --- manifest columns ---------------------------------------------------------------------------


@dataclass(frozen=True)
class ColumnSpec:
    """One column of a manifest table; `type` is pyarrow's name for it.

    Manifests made before a column was `added` lack it; it is null there.
    """

    name: str
    type: str
    unit: str
    text: str
    added: bool = False


CLIP_COLUMNS: tuple[ColumnSpec, ...] = (
    ColumnSpec("clip_id", "string", "", "from the source's content and the stretch alone"),
    ColumnSpec("identity", "string", "", "person"),
    ColumnSpec("source", "string", "", "path from the dataset's folder"),
    ColumnSpec("source_sha256", "string", "", "digest of the source file"),
    ColumnSpec("start_frame", "int64", "frame", "first frame, on the source's clock"),
    ColumnSpec("num_frames", "int64", "frame", "length"),
    ColumnSpec("source_start", "double", "s", "start_frame / fps"),
    ColumnSpec("duration", "double", "s", "num_frames / fps"),
    ColumnSpec("fps", "int64", "1/s", "clock rate"),
    ColumnSpec("shard", "string", "", "path of the shard from the dataset's folder"),
    ColumnSpec("shard_sha256", "string", "", "digest of the shard file"),
    ColumnSpec("index", "int64", "", "position in the shard"),
    ColumnSpec("width", "int64", "px", "of the upright square-pixel picture"),
    ColumnSpec("height", "int64", "px", "of the upright square-pixel picture"),
    ColumnSpec(
        "dynamic_range", "string", "", "sdr; hlg, pq or wide, which were made SDR", added=True
    ),
    ColumnSpec(
        "source_fps",
        "double",
        "1/s",
        "mean rate of the source's frames, by their times, holes aside",
    ),
    ColumnSpec("face_size", "double", "px", "median height of the mesh's box, source pixels"),
    ColumnSpec("sharpness", "double", "", "median variance of the Laplacian, 256 px grey crop"),
    ColumnSpec(
        "outside_share", "double", "0 to 1", "share of the crop outside the picture", added=True
    ),
    ColumnSpec("valid_share", "double", "0 to 1", "share of frames with face/valid"),
    ColumnSpec("num_pictures", "int64", "", "distinct pictures among the frames", added=True),
    ColumnSpec("num_blinks", "int64", "", "blinks found; null without AU45"),
    ColumnSpec("blink_onsets", "list<double>", "s", "from the clip's start"),
    ColumnSpec("blink_offsets", "list<double>", "s", "from the clip's start, end of last frame"),
    ColumnSpec("pitch_min", "double", "rad", "2nd percentile"),
    ColumnSpec("pitch_max", "double", "rad", "98th percentile"),
    ColumnSpec("yaw_min", "double", "rad", "2nd percentile"),
    ColumnSpec("yaw_max", "double", "rad", "98th percentile"),
    ColumnSpec("roll_min", "double", "rad", "2nd percentile"),
    ColumnSpec("roll_max", "double", "rad", "98th percentile"),
    ColumnSpec("speech_share", "double", "0 to 1", "share of time with speech"),
    ColumnSpec("loudness", "double", "dBFS", "root mean square"),
    ColumnSpec("mouth_audio_corr", "double", "-1 to 1", "mouth opening against loudness, at lag"),
    ColumnSpec("mouth_audio_lag", "double", "s", "> 0: the picture is late; null: not sure"),
    ColumnSpec(
        "fingerprint",
        "list<int64>",
        "",
        "of sound and picture, each 0.1 s: finds copies",
        added=True,
    ),
    ColumnSpec("landmarks_backend", "string", "", "name and version"),
    ColumnSpec("pose_backend", "string", "", "name and version, or none"),
    ColumnSpec("au45_backend", "string", "", "name and version, or none"),
    ColumnSpec("deepspeech_backend", "string", "", "name and version, or none"),
    ColumnSpec("whisper_backend", "string", "", "name and version, or none", added=True),
    ColumnSpec("coefficients_backend", "string", "", "name and version, or none"),
    ColumnSpec("options_digest", "string", "", "digest of the dataset's options"),
    ColumnSpec("schema_version", "int64", "", "of the shard"),
    ColumnSpec("job", "string", "", "id of the job that made the row"),
    ColumnSpec("ingested_at", "timestamp[us, tz=UTC]", "", "when"),
)

REJECTED_COLUMNS: tuple[ColumnSpec, ...] = (
    ColumnSpec("source", "string", "", "path from the dataset's folder"),
    ColumnSpec("source_sha256", "string", "", "digest of the source file"),
    ColumnSpec("start", "double", "s", "start of the stretch, from the source's start"),
    ColumnSpec("duration", "double", "s", "length of the stretch"),
    ColumnSpec("reason", "string", "", "a code of `Reason`"),
    ColumnSpec("message", "string", "", "what happened"),
    ColumnSpec("job", "string", "", "id of the job that made the row"),
    ColumnSpec("ingested_at", "timestamp[us, tz=UTC]", "", "when"),
)

SOURCE_COLUMNS: tuple[ColumnSpec, ...] = (
    ColumnSpec("source", "string", "", "path from the dataset's folder"),
    ColumnSpec("size", "int64", "byte", "of the file"),
    ColumnSpec("mtime_ns", "int64", "ns", "of the file"),
    ColumnSpec("sha256", "string", "", "digest of the file, as its clips name it"),
    ColumnSpec("identity", "string", "", "person"),
    ColumnSpec(
        "duration", "double", "s", "of the picture, or as claimed where it was turned down whole"
    ),
    ColumnSpec("num_clips", "int64", "", "clips it gave"),
    ColumnSpec("job", "string", "", "id of the job that made the row"),
    ColumnSpec("ingested_at", "timestamp[us, tz=UTC]", "", "when"),
    ColumnSpec(
        "moved_at", "timestamp[us, tz=UTC]", "", "when it was met here, if it was moved", added=True
    ),
)

SPLIT_COLUMNS: tuple[ColumnSpec, ...] = (
    ColumnSpec("clip_id", "string", "", "as in clips/"),
    ColumnSpec("split", "string", "", "train, val or test"),
    ColumnSpec("by", "string", "", "what is never parted: source, identity or clip"),
    ColumnSpec("ratio", "string", "", "as asked for, 5-1-4"),
    ColumnSpec("seed", "int64", "", "as asked for"),
)

TABLES: dict[str, tuple[ColumnSpec, ...]] = {
    "clips": CLIP_COLUMNS,
    "rejected": REJECTED_COLUMNS,
    "sources": SOURCE_COLUMNS,
    "split": SPLIT_COLUMNS,
}
