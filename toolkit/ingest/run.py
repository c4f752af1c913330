"""START HERE: raw talking-head videos become shards, a manifest and a report.

    ingest         plan what is new, run it job by job, say what came out
    run_job        one job: its sources, one after another, into one shard; publish it
    _ingest_source one source: probe, sound, faces, clips, features; _add_clip its crops

Each stage is one module; this one only calls them in order.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.dataset.manifest import find_part, write_part
from toolkit.dataset.rows import describe_clip
from toolkit.dataset.shard import ShardWriter, publish
from toolkit.errors import SourceError, ToolkitError
from toolkit.features.blink import compute_ear
from toolkit.ingest.backends import load_backends, one_thread
from toolkit.ingest.clips import Stretch, cut_clips
from toolkit.ingest.crops import encode_crops, read_crops
from toolkit.ingest.jobs import (
    Plan,
    check_inputs,
    digest_options,
    make_plan,
    record_plan,
    source_path,
)
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.prepare import prepare_clip, to_crop
from toolkit.ingest.runners import open_runner
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.processes import check_guard
from toolkit.ingest.track import track_faces
from toolkit.ingest.workspace import lock_dataset, open_workspace, sweep_workspaces
from toolkit.media.audio import SILENCE_DBFS, decode_audio, measure_peak
from toolkit.media.video import Streams, probe
from toolkit.schema import (
    NOMINAL_SIZE,
    SCHEMA_VERSION,
    ClipInput,
    Job,
    Reason,
    Source,
    VideoInfo,
)
from toolkit.storage import guard_storage, hash_file

_NO_MEMORY = (
    "alloc_cpu",
    "can't allocate memory",
    "cannot allocate memory",
    "insufficient memory",
    "can't start new thread",
)
"""How libraries and ffmpeg say, by other errors than MemoryError, that memory is short."""

_MISSING = 0.5
"""Seconds by which picture and sound may both end before the file says: containers round."""

Row = dict[str, Any]
Report = Callable[[Progress], None]


def ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions | None = None,
    *,
    out: Path | str = ".",
    workers: int = 0,
    job_slice: tuple[int, int] = (0, 1),
    retry_rejected: bool = False,
    on_source: Callable[[Path], None] = lambda path: None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_progress: Report = lambda progress: None,
) -> Plan:
    """Turn videos into shards and manifest rows; what is done already is left alone.

    Args:
        inputs: files, folders (searched through) and text lists of paths.
        options: what to make; one dataset has one set of those that shape its arrays.
        out: the dataset's folder; `shards/` and `manifests/` are made in it.
        workers: processes to run in; 0 runs in this one.
        job_slice: (i, n): only jobs whose id mod n is i, so that n machines share a plan.
        retry_rejected: run sources again that gave no clip.
        on_source: told of each source as the plan looks at it.
        on_plan: told the plan before it runs.
        on_progress: told of every step.

    Returns:
        The plan that was carried out; `toolkit.dataset.stats.yield_funnel` says what came of it.

    Raises:
        ToolkitError: what is not one video's fault; everything published stays.
    """
    if workers < 0 or not 0 <= job_slice[0] < job_slice[1]:
        raise ValueError(f"workers={workers}, job_slice={job_slice}: 0 or more; (i, n) with i < n")
    options, dataset = options or IngestOptions(), Path(out)
    check_guard()
    given = [inputs] if isinstance(inputs, (str, Path)) else [*inputs]
    check_inputs(map(Path, given))
    with guard_storage(dataset), contextlib.ExitStack() as stack:
        with lock_dataset(dataset):
            sweep_workspaces(dataset)
            plan = plan_ingest(given, options, dataset, retry_rejected, on_source)
            mine = take_slice(plan, job_slice)
            recorded = IngestOptions.from_arrays(options.of_arrays())  # as the jobs will ask for
            load = functools.partial(load_backends, recorded) if mine.jobs else lambda: None
            run = stack.enter_context(open_runner(min(workers, len(mine.jobs)), load, run_job))
            record_plan(plan, dataset)
        on_plan(mine)
        for progress in run(mine.jobs, dataset):
            on_progress(progress)
    return mine


def plan_ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions,
    dataset: Path,
    retry_rejected: bool = False,
    on_source: Callable[[Path], None] = lambda path: None,
) -> Plan:
    """What `ingest` would do; writes nothing."""
    inputs = [inputs] if isinstance(inputs, (str, Path)) else inputs
    return make_plan(
        [Path(given) for given in inputs],
        dataset,
        options.of_arrays(),
        identity=options.identity,
        shard_minutes=options.shard_minutes,
        retry_rejected=retry_rejected,
        on_source=on_source,
    )


def take_slice(plan: Plan, job_slice: tuple[int, int]) -> Plan:
    """Of a plan, the jobs whose id mod n is i, for a slice (i, n)."""
    index, count = job_slice
    return replace(plan, jobs=tuple(j for j in plan.jobs if int(j.id, 16) % count == index))


def run_job(job: Job, dataset: Path, crashes: Crashes, report: Report) -> None:
    """Run one job and publish what it gives: rejections, shard, clips, then its sources.

    A pure function of the job's record: it gives the same shard wherever and whenever it runs.
    """
    load_backends(IngestOptions.from_arrays(dict(job.options)))  # what one_thread is to limit
    with one_thread(), guard_storage(dataset), open_workspace(dataset, job.id) as spool:
        if spool is None or find_part(dataset, "sources", job.id).is_file():
            report(Progress("busy", job.id))
            return
        maker = ShardMaker(job, dataset, spool, report)
        with maker.shard:
            for source in job.sources:
                maker.add_source(source, crashes.get(source.path))
            maker.publish()


class ShardMaker:
    """One job under way: the shard being written, and the rows that will tell of it."""

    def __init__(self, job: Job, dataset: Path, spool: Path, report: Report) -> None:
        self._job, self._dataset, self._spool, self._report = job, dataset, spool, report
        self._options = IngestOptions.from_arrays(dict(job.options))
        self._backends = load_backends(self._options)
        self._clips: list[Row] = []
        self._rejected: list[Row] = []
        self._sources: list[Row] = []
        self.shard = ShardWriter(
            spool / "shard.h5",
            fps=self._options.fps,
            frame_size=self._options.frame_size,
            provenance=self._backends.provenance(),
            options=self._options.of_arrays(),
            spool=spool / "columns",
        )

    def add_source(self, source: Source, crash: str | None = None) -> None:
        """Ingest one source; whatever is its own fault becomes rows in `rejected`."""
        self._report(Progress("source", self._job.id, source.path))
        before, rejected, duration = len(self._clips), len(self._rejected), 0.0
        try:
            if source.duplicate_of is not None:
                raise SourceError(Reason.DUPLICATE, f"the same content as {source.duplicate_of}")
            if crash is not None:
                raise SourceError(Reason.FAILED, crash)
            duration = self._ingest_source(source)
        except Exception as error:
            reason, message = explain_failure(error, source.path)
            duration = source.duration
            del self._rejected[rejected:]  # stretches of it: it is turned down whole
            self._reject(source, 0.0, duration, reason, message)
        num_clips = len(self._clips) - before
        self._sources.append(
            {
                "source": source.path,
                "size": source.size,
                "mtime_ns": source.mtime_ns,
                "sha256": source.sha256,
                "identity": source.identity,
                "duration": duration,
                "num_clips": num_clips,
            }
        )
        self._report(Progress("done", self._job.id, source.path, num_clips))

    def _ingest_source(self, source: Source) -> float:
        """The journey of one source; returns how long its picture lasts, s."""
        path, fps = source_path(source, self._dataset), self._options.fps
        check_unchanged(path, source)
        info, streams = probe(path)
        sound, mesh = self._spool / "sound.s16", self._spool / "mesh.f32"
        num_samples = decode_audio(path, streams, sound)
        check_silence(sound)
        track = track_faces(
            path, info, streams, mesh=self._backends.mesh, spool=mesh, on_frame=self._count(source)
        )
        info = replace(info, fps=track.mean_fps or info.fps)  # what it claims may be anything
        stretches = cut_clips(
            track,
            fps=fps,
            audio_span=(round((info.audio_start or 0) * SAMPLE_RATE), num_samples),
            min_frames=self._options.min_frames,
            max_frames=self._options.max_frames,
        )
        clips = []
        for stretch in reject_silence(stretches, sound, fps):
            if stretch.reason is not None:
                self._reject_stretch(source, stretch)
                continue
            clip = prepare_clip(
                stretch,
                clip_id=f"{source.sha256[:16]}-{stretch.start:06d}-{stretch.num:05d}",
                path=path,
                info=info,
                streams=streams,
                track=track,
                sound=sound,
                fps=fps,
                focal=self._options.focal,
            )
            clip.arrays["face/valid"] = clip.valid
            clips.append(clip)
        failed = self._backends.extract_source(clips)
        for clip in clips:
            try:
                if clip.clip_id in failed:
                    raise failed[clip.clip_id]
                self._add_clip(source, clip, info, streams)
            except Exception as error:
                reason, message = explain_failure(error, source.path)
                stretch = Stretch(clip.start_frame, clip.num_frames, reason, message)
                self._reject_stretch(source, stretch)
        return self._reject_missing(
            source,
            info,
            end=max(num_samples / SAMPLE_RATE, *((s.start + s.num) / fps for s in stretches)),
        ) + sum(stretch.num / fps for stretch in stretches)

    def _add_clip(self, source: Source, clip: ClipInput, info: VideoInfo, streams: Streams) -> None:
        """Pass 2 and the features of one clip, into the shard and its row."""
        size = self._options.frame_size or NOMINAL_SIZE
        landmarks, pcm = clip.load_landmarks(), clip.load_pcm()
        in_crop = to_crop(landmarks, clip, size)
        pass2 = encode_crops(
            read_crops(clip, info, streams, size),
            in_crop,
            self._spool / "jpegs",
            size=size,
            store=self._options.frame_size > 0,
        )
        clip.colors = pass2.colors
        self._backends.extract_clip(clip)
        clip.arrays |= {
            "face/landmarks": in_crop,
            "face/confidence": np.full(clip.num_frames, np.nan, np.float32),
            "face/ear": compute_ear(landmarks),
            "video/source_time": clip.source_time,
        }
        row = describe_clip(
            clip, landmarks=landmarks, pcm=pcm, sharpness=pass2.sharpness, info=info
        )
        self.shard.add_clip(
            clip_id=clip.clip_id,
            identity=source.identity,
            source=source.path,
            start_frame=clip.start_frame,
            num_frames=clip.num_frames,
            crop=clip.crop,
            intrinsics=clip.intrinsics,
            arrays=clip.arrays,
            pcm=pcm,
            frames=pass2.read_jpegs(),
        )
        self._clips.append(
            row
            | {
                "identity": source.identity,
                "source": source.path,
                "source_sha256": source.sha256,
                "index": len(self._clips),
            }
        )
        clip.arrays.clear()
        clip.colors = None

    def publish(self) -> None:
        """Give everything its final name: first what is told of, last that it is done."""
        job, dataset = self._job, self._dataset
        made = {"job": job.id, "ingested_at": datetime.now(UTC)}
        rows = [row | made for row in self._rejected]
        write_part(dataset, "rejected", job.id, rows)
        shard = dataset / "shards" / f"{job.id}.h5"
        if self._clips:
            self.shard.finish()
            publish(self.shard.path, shard)
        of_shard = made | {
            "shard": f"shards/{shard.name}",
            "shard_sha256": hash_file(shard) if self._clips else "",
            "options_digest": digest_options(job.options),
            "schema_version": SCHEMA_VERSION,
            **self._backends.columns(),
        }
        write_part(dataset, "clips", job.id, [row | of_shard for row in self._clips])
        write_part(dataset, "sources", job.id, [row | made for row in self._sources])

    def _count(self, source: Source) -> Callable[[], None]:
        """What is called at every decoded frame; tells of them sixty at a time."""
        count = 0

        def step() -> None:
            nonlocal count
            count += 1
            if count % 60 == 0:
                self._report(Progress("frames", self._job.id, source.path, 60))

        return step

    def _reject_missing(self, source: Source, info: VideoInfo, end: float) -> float:
        """A row for what a truncated file claims and does not hold; returns how long that is, s."""
        missing = (info.duration or 0.0) - end
        if missing < _MISSING:
            return 0.0
        message = f"the file claims {info.duration:.1f} s and ends after {end:.1f}: is it whole?"
        self._reject(source, end, missing, Reason.UNREADABLE, message)
        return missing

    def _reject_stretch(self, source: Source, stretch: Stretch) -> None:
        fps = self._options.fps
        reason = stretch.reason or Reason.FAILED
        self._reject(source, stretch.start / fps, stretch.num / fps, reason, stretch.message)

    def _reject(
        self, source: Source, start: float, duration: float, reason: Reason, message: str
    ) -> None:
        self._rejected.append(
            {
                "source": source.path,
                "source_sha256": source.sha256,
                "start": start,
                "duration": duration,
                "reason": str(reason),
                "message": message.encode("utf-8", "backslashreplace").decode(),
            }
        )


def explain_failure(error: Exception, name: str) -> tuple[Reason, str]:
    """Reason and message for a row in `rejected`; raises again what is not the video's fault."""
    if isinstance(error, SourceError):
        return error.reason, str(error)
    if isinstance(error, (ToolkitError, MemoryError, OSError)):
        raise error
    text = " ".join(str(error).split()) or "no message"
    if any(words in text.lower() for words in _NO_MEMORY):
        raise MemoryError(f"{name}: {text}") from error
    return Reason.FAILED, f"{type(error).__name__}: {text}"


def check_unchanged(path: Path, source: Source) -> None:
    """The file must still be what was planned; ToolkitError if not."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ToolkitError(f"{path}: cannot be read any more ({error.strerror})") from error
    if (stat.st_size, stat.st_mtime_ns) != (source.size, source.mtime_ns):
        raise ToolkitError(f"{path}: changed since the plan was made: run again")


def check_silence(sound: Path) -> None:
    """SourceError `silent` where the whole track stays under −60 dBFS."""
    peak = measure_peak(sound)
    if peak < SILENCE_DBFS:
        raise SourceError(Reason.SILENT, f"the peak is {peak:.0f} dBFS, under {SILENCE_DBFS:.0f}")


def reject_silence(stretches: Iterable[Stretch], sound: Path, fps: int) -> Iterator[Stretch]:
    """The stretches, those that would be clips but are silent turned down."""
    for stretch in stretches:
        first = frame_to_sample(stretch.start, fps)
        last = frame_to_sample(stretch.start + stretch.num, fps)
        if stretch.reason is None and measure_peak(sound, first, last) < SILENCE_DBFS:
            message = f"the peak is under {SILENCE_DBFS:.0f} dBFS"
            yield Stretch(stretch.start, stretch.num, Reason.SILENT, message)
        else:
            yield stretch
