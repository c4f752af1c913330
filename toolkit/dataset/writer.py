"""Writing a part of a dataset: clips go in one by one, a shard and rows of every table come out.

with DatasetWriter(dataset, "mine-0", options=…, fps=30, frame_size=0, provenance=…) as writer:
    for source in sources:
        for clip in read_clips(source):
            writer.add_clip(ClipRow(…))
        writer.add_source(source)
"""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from toolkit.dataset.job_records import has_job, write_job
from toolkit.dataset.manifest import write_part
from toolkit.dataset.paths import check_id, check_inside
from toolkit.dataset.shard_writer import ShardWriter
from toolkit.schema import CLIP_COLUMNS, SCHEMA_VERSION, Job, Provenance, Reason, Source
from toolkit.storage import digest_record, guard_storage, hash_file, publish

Row = dict[str, Any]

_BACKENDS = [c.name for c in CLIP_COLUMNS if c.name.endswith("_backend")]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipRow:
    """One clip of n frames: what its shard and its row of `clips/` hold.

    Attributes:
        clip_id: unique in the dataset: see the function `clip_id`.
        identity: person.
        source: path from the dataset's folder.
        source_sha256: digest of the source file.
        start_frame: first frame on the source's clock.
        num_frames: n, at least 1.
        crop: xyxy of the fixed crop, source px.
        intrinsics: fx, fy, cx, cy in source px.
        arrays: name in `ARRAYS` -> (n, ...) array or (80,) coefficients; the same names for every
            clip of a shard.
        pcm: (samples,) int16 at 16 kHz; as many as the clock gives these frames.
        frames: n JPEGs, read as the clip is added; none where the shard stores none.
        measured: column of `CLIP_COLUMNS` -> value, for those that only a measurement gives, such
            as `face_size`; what is missing is null.
    """

    clip_id: str
    identity: str
    source: str
    source_sha256: str
    start_frame: int
    num_frames: int
    crop: Sequence[float]
    intrinsics: Sequence[float]
    arrays: Mapping[str, npt.NDArray[Any]]
    pcm: npt.NDArray[np.int16]
    frames: Iterable[bytes] = ()
    measured: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejection:
    """Seconds [start, start + duration) of a source that became no clip, and why."""

    start: float
    duration: float
    reason: Reason
    message: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a writer made of one job; `publish_written` makes it part of the dataset.

    Attributes:
        job: the record of what was to be done.
        shard: the finished file, under a temporary name; None where there is no clip.
        rows: table -> the rows of its part.
    """

    job: Job
    shard: Path | None
    rows: Mapping[str, Sequence[Row]]


def publish_written(dataset: Path, written: Written) -> None:
    """Give every file of a job its final name: the last one says that the job is done.

    Raises:
        StorageError: the disk refuses.
    """
    job_id = written.job.id
    if not has_job(dataset, job_id):
        write_job(dataset, written.job)
    write_part(dataset, "rejected", job_id, written.rows["rejected"])
    if written.shard is not None:
        publish(written.shard, dataset / "shards" / f"{job_id}.h5")
    write_part(dataset, "clips", job_id, written.rows["clips"])
    write_part(dataset, "sources", job_id, written.rows["sources"])


def clip_id(source_sha256: str, start: int, num: int) -> str:
    """Id of frames [start, start + num) of a source: of its content and the stretch alone."""
    return f"{source_sha256[:16]}-{start:06d}-{num:05d}"


class DatasetWriter:
    """Writes what one job adds to a dataset; use it in a `with` block.

    Clips are spooled to disk as they are added: memory grows by a row each. When the block ends,
    every file gets its final name, whole: the job's record (where there is none yet), rejections,
    the shard, the clips, and the sources last; a job is done when its part of `sources` is there.
    A block that raises publishes nothing and removes its temporary files.

    Args:
        dataset: the dataset's folder; made if missing.
        job_id: names the shard and the parts; those of an earlier job of this id are replaced.
        options: what shaped the arrays, for the record.
        fps: clock rate.
        frame_size: side of the stored crop, px; 0: no frames are stored.
        provenance: feature name -> what made it.
        spool: an existing folder for temporary files, on the dataset's file system; by default
            one that is removed afterwards.
        ingested_at: the time to record; by default, when the block ends.
        publish: gets the dataset's folder and what was written, while temporary files are there.

    Raises:
        StorageError: in any method: the disk is full or not writable.
        ManifestError: an id that could name files elsewhere, or a folder that is a link to outside.
    """

    def __init__(
        self,
        dataset: Path,
        job_id: str,
        *,
        options: Mapping[str, object],
        fps: int,
        frame_size: int,
        provenance: Mapping[str, Provenance],
        spool: Path | None = None,
        ingested_at: datetime | None = None,
        publish: Callable[[Path, Written], None] = publish_written,
    ) -> None:
        check_inside(dataset / "shards", dataset)
        self._dataset, self._job_id, self._fps = dataset, check_id(job_id, dataset), fps
        self._options, self._provenance = dict(options), provenance
        self._ingested_at, self._publish = ingested_at, publish
        self._clips: list[Row] = []
        self._rejected: list[Row] = []
        self._sources: list[Source] = []
        self._num_clips = Counter[str]()
        self._stack = contextlib.ExitStack()
        if spool is None:
            spool = self._make_spool()
        self._shard = self._stack.enter_context(
            ShardWriter(
                spool / "shard.h5",
                fps=fps,
                frame_size=frame_size,
                provenance=provenance,
                options=options,
                spool=spool / "columns",
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if kind is None:
                self._publish(self._dataset, self._finish())

    def add_clip(self, clip: ClipRow) -> None:
        """Append one clip.

        Raises:
            ValueError: an array has the wrong shape or is not finite, or names differ; the writer
                is as it was before, and other clips may follow.
        """
        row: Row = dict.fromkeys(column.name for column in CLIP_COLUMNS)
        if unknown := clip.measured.keys() - row.keys():
            raise ValueError(f"clip {clip.clip_id}: no columns of clips/: {', '.join(unknown)}")
        self._shard.add_clip(
            clip_id=clip.clip_id,
            identity=clip.identity,
            source=clip.source,
            start_frame=clip.start_frame,
            num_frames=clip.num_frames,
            crop=clip.crop,
            intrinsics=clip.intrinsics,
            arrays=clip.arrays,
            pcm=clip.pcm,
            frames=clip.frames,
        )
        row |= clip.measured
        row |= {
            "clip_id": clip.clip_id,
            "identity": clip.identity,
            "source": clip.source,
            "source_sha256": clip.source_sha256,
            "start_frame": clip.start_frame,
            "num_frames": clip.num_frames,
            "source_start": clip.start_frame / self._fps,
            "duration": clip.num_frames / self._fps,
            "fps": self._fps,
            "index": len(self._clips),
        }
        self._clips.append(row)
        self._num_clips[clip.source] += 1

    def add_source(self, source: Source, rejections: Iterable[Rejection] = ()) -> int:
        """Record a source when its clips have been added; returns how many those are."""
        self._sources.append(source)
        for rejection in rejections:
            message = rejection.message.encode("utf-8", "backslashreplace").decode()
            self._rejected.append(
                {
                    "source": source.path,
                    "source_sha256": source.sha256,
                    "start": rejection.start,
                    "duration": rejection.duration,
                    "reason": str(rejection.reason),
                    "message": message,
                }
            )
        return self._num_clips[source.path]

    def _make_spool(self) -> Path:
        """A folder that goes with the block; `ttk validate` names one that a kill left behind."""
        folder = self._dataset / "shards"
        with guard_storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
            spool = tempfile.TemporaryDirectory(".tmp", f".{self._job_id}-", folder)
        return Path(self._stack.enter_context(spool))

    def _finish(self) -> Written:
        job = Job(id=self._job_id, sources=tuple(self._sources), options=self._options)
        of_job = {"job": self._job_id, "ingested_at": self._ingested_at or datetime.now(UTC)}
        if self._clips:
            self._shard.finish()
        of_shard = of_job | self._describe_shard()
        return Written(
            job=job,
            shard=self._shard.path if self._clips else None,
            rows={
                "rejected": [row | of_job for row in self._rejected],
                "clips": [row | of_shard for row in self._clips],
                "sources": [self._describe_source(source) | of_job for source in self._sources],
            },
        )

    def _describe_shard(self) -> Row:
        made = {
            f"{feature}_backend": f"{by.backend} {by.version}".strip()
            for feature, by in self._provenance.items()
        }
        return {
            "shard": f"shards/{self._job_id}.h5",
            "shard_sha256": hash_file(self._shard.path) if self._clips else "",
            "options_digest": digest_record(self._options),
            "schema_version": SCHEMA_VERSION,
            **{name: made.get(name, "none") for name in _BACKENDS},
        }

    def _describe_source(self, source: Source) -> Row:
        return {
            "source": source.path,
            "size": source.size,
            "mtime_ns": source.mtime_ns,
            "sha256": source.sha256,
            "identity": source.identity,
            "duration": source.duration,
            "num_clips": self._num_clips[source.path],
            "moved_at": None,
        }
