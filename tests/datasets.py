"""A small dataset of shards and manifest made from arrays: what ingest would leave behind."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import count_samples
from toolkit.dataset.shard import ShardWriter, publish
from toolkit.dataset.writer import ClipRow, DatasetWriter
from toolkit.features import OFF
from toolkit.schema import ARRAYS, CLIP_COLUMNS, SCHEMA_VERSION, Job, Provenance, Reason, Source
from toolkit.storage import digest_record

FPS = 30
OPTIONS: dict[str, object] = {"fps": FPS, "frame_size": 0, "au45": "embedded"}
PROVENANCE = {"au45": Provenance(backend="embedded", version="1")}
CROP, INTRINSICS = (1, 2, 101, 102), (500, 500, 320, 240)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = tuple(
    name
    for name, spec in ARRAYS.items()
    if (spec.axis == "N" or name.endswith("coefficients")) and spec.feature not in OFF
)  # fmt: skip


@dataclass(kw_only=True)
class FakeClip:
    """One clip to be: `row` overrides manifest columns, `arrays` the random stored arrays.

    `color` (RGB levels) is that of all its pictures, in place of a grey that changes; `jpegs` are
    the pictures themselves, whatever the size.
    """

    identity: str = "ann"
    source: str = "videos/ann.mp4"
    start_frame: int = 0
    num_frames: int = 12
    row: dict[str, object] = field(default_factory=dict)
    arrays: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    color: tuple[int, int, int] | None = None
    jpegs: list[bytes] | None = None

    @property
    def source_sha256(self) -> str:
        """Stands for the source's content: of its path."""
        return digest(self.source)

    @property
    def id(self) -> str:
        """From content and stretch, as ingest's."""
        return digest(f"{self.source_sha256}{self.start_frame}{self.num_frames}")[:16]


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_arrays(num_frames: int, seed: int = 0) -> dict[str, npt.NDArray[np.generic]]:
    """Random arrays of every name that extractors give by default, shapes and dtypes as stored."""
    generator = np.random.default_rng(seed)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name in NAMES:
        spec = ARRAYS[name]
        shape = spec.shape if spec.axis == "C" else (num_frames, *spec.shape)
        arrays[name] = generator.normal(size=shape).astype(spec.dtype)
    return arrays


def make_pcm(clip: FakeClip, seed: int = 0) -> npt.NDArray[np.int16]:
    """Noise of the length the clock gives the clip."""
    num_samples = count_samples(clip.start_frame, clip.num_frames, FPS)
    generator = np.random.default_rng(seed)
    return generator.integers(-2000, 2000, num_samples, dtype=np.int16)


def make_jpegs(
    num_frames: int, size: int, color: tuple[int, int, int] | None = None
) -> list[bytes]:
    """Squares of a colour; without one grey, frame t of brightness 10·t mod 250."""
    import simplejpeg

    levels = (10 * t % 250 if color is None else color for t in range(num_frames))
    pictures = (np.full((size, size, 3), level, np.uint8) for level in levels)
    return [simplejpeg.encode_jpeg(picture, quality=95) for picture in pictures]


def make_frames(clip: FakeClip, size: int) -> list[bytes]:
    """JPEGs of a clip's pictures; none where a dataset has no size of them."""
    if not size:
        return []
    return clip.jpegs or make_jpegs(clip.num_frames, size, clip.color)


def write_shard(
    path: Path, clips: list[FakeClip], *, frame_size: int = 0, au45_version: str = "1"
) -> None:
    """Write a shard of random arrays, clip c with seed c."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with ShardWriter(
        temporary,
        fps=FPS,
        frame_size=frame_size,
        provenance={"au45": Provenance(backend="embedded", version=au45_version)},
        options=OPTIONS,
        spool=path.parent / ".spool",
    ) as writer:
        for seed, clip in enumerate(clips):
            writer.add_clip(
                clip_id=clip.id,
                identity=clip.identity,
                source=clip.source,
                start_frame=clip.start_frame,
                num_frames=clip.num_frames,
                crop=CROP,
                intrinsics=INTRINSICS,
                arrays=make_arrays(clip.num_frames, seed) | clip.arrays,
                pcm=make_pcm(clip, seed),
                frames=make_frames(clip, frame_size),
            )
        writer.finish()
    publish(temporary, path)


def make_row(
    clip: FakeClip, job: str = "j", index: int = 0, shard_sha256: str = ""
) -> dict[str, object]:
    """A row of `clips/` with plausible numbers."""
    row: dict[str, object] = {
        column.name: "none" if column.type == "string" else 0.0 for column in CLIP_COLUMNS
    }
    row |= {
        "clip_id": clip.id,
        "identity": clip.identity,
        "source": clip.source,
        "source_sha256": clip.source_sha256,
        "start_frame": clip.start_frame,
        "num_frames": clip.num_frames,
        "source_start": clip.start_frame / FPS,
        "duration": clip.num_frames / FPS,
        "fps": FPS,
        "shard": f"shards/{job}.h5",
        "shard_sha256": shard_sha256,
        "index": index,
        "width": 640,
        "height": 480,
        "source_fps": 29.97,
        "face_size": 150.0,
        "sharpness": 80.0,
        "valid_share": 1.0,
        "num_pictures": clip.num_frames,
        "num_blinks": 0,
        "blink_onsets": [],
        "blink_offsets": [],
        "speech_share": 0.8,
        "loudness": -25.0,
        "mouth_audio_corr": 0.4,
        "fingerprint": None,
        "au45_backend": "embedded 1",
        "options_digest": digest_record(OPTIONS),
        "schema_version": SCHEMA_VERSION,
        "job": job,
        "ingested_at": WHEN,
    }
    return row | clip.row


def make_source_row(clips: list[FakeClip], job: str = "j") -> dict[str, object]:
    """A row of `sources/` for clips of one source."""
    first = clips[0]
    return {
        "source": first.source,
        "size": 1000,
        "mtime_ns": 1,
        "sha256": first.source_sha256,
        "identity": first.identity,
        "duration": max(clip.start_frame + clip.num_frames for clip in clips) / FPS,
        "num_clips": len(clips),
        "job": job,
        "ingested_at": WHEN,
        "moved_at": None,
    }


def make_rejected_row(source: str, reason: Reason, seconds: float, job: str) -> dict[str, object]:
    """A row of `rejected/`."""
    return {
        "source": source,
        "source_sha256": digest(source),
        "start": 0.0,
        "duration": seconds,
        "reason": str(reason),
        "message": "made up",
        "job": job,
        "ingested_at": WHEN,
    }


def write_dataset(
    dataset: Path, jobs: dict[str, list[FakeClip]], *, shards: bool = True, frame_size: int = 0
) -> Path:
    """Write a dataset: job id -> its clips, clip c with seed c. Without `shards`, the manifest."""
    for job, clips in jobs.items():
        with DatasetWriter(
            dataset,
            job,
            options=OPTIONS,
            fps=FPS,
            frame_size=frame_size,
            provenance=PROVENANCE,
            ingested_at=WHEN,
        ) as writer:
            for seed, clip in enumerate(clips):
                writer.add_clip(make_clip(clip, seed, frame_size, with_arrays=shards))
            for source in make_job(job, group_by_source(clips)).sources:
                path = dataset / source.path  # most are not there
                state = path.stat() if path.is_file() else None
                now = {"size": state.st_size, "mtime_ns": state.st_mtime_ns} if state else {}
                writer.add_source(replace(source, **now))
        if not shards:
            (dataset / "shards" / f"{job}.h5").unlink(missing_ok=True)
    return dataset


def make_clip(clip: FakeClip, seed: int, frame_size: int, *, with_arrays: bool = True) -> ClipRow:
    """What a `DatasetWriter` takes of it."""
    row = make_row(clip)
    return ClipRow(
        clip_id=clip.id,
        identity=clip.identity,
        source=clip.source,
        source_sha256=str(row["source_sha256"]),
        start_frame=clip.start_frame,
        num_frames=clip.num_frames,
        crop=CROP,
        intrinsics=INTRINSICS,
        arrays=make_arrays(clip.num_frames, seed) | clip.arrays if with_arrays else {},
        pcm=make_pcm(clip, seed),
        frames=make_frames(clip, frame_size),
        measured=row,
    )


def group_by_source(clips: list[FakeClip]) -> dict[str, list[FakeClip]]:
    """Source -> its clips."""
    groups: dict[str, list[FakeClip]] = {}
    for clip in clips:
        groups.setdefault(clip.source, []).append(clip)
    return groups


def make_job(job: str, by_source: dict[str, list[FakeClip]]) -> Job:
    """The record of a job that gave these clips."""
    sources = tuple(
        Source(
            path=path,
            size=1000,
            mtime_ns=0,  # there never was a file
            sha256=clips[0].source_sha256,
            identity=clips[0].identity,
            duration=max(clip.start_frame + clip.num_frames for clip in clips) / FPS,
        )
        for path, clips in by_source.items()
    )
    return Job(id=job, sources=sources, options=OPTIONS)
