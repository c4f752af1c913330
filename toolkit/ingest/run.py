"""START HERE: raw talking-head videos become shards, a manifest and a report.

    ingest         plan what is new, run it job by job, say what came out
    run_job        one job: its sources, one after another, into one shard; publish it
    _ingest_source one source: probe, sound, faces, clips, features; _add_clip its crops

Each stage is one module; this one only calls them in order.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.clock import SAMPLE_RATE, suits_25
from toolkit.dataset.manifest import find_part, read_done_jobs
from toolkit.dataset.paths import source_path
from toolkit.dataset.rows import describe_clip
from toolkit.dataset.writer import ClipRow, DatasetWriter, Rejection, clip_id
from toolkit.errors import BusyError, ToolkitError
from toolkit.features.blink import compute_ear
from toolkit.ingest.backends import load_backends, one_thread
from toolkit.ingest.clips import cut_clips
from toolkit.ingest.crops import encode_crops, read_crops
from toolkit.ingest.jobs import Plan, make_plan, record_plan
from toolkit.ingest.on_store import open_folders
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.prepare import prepare_clip, to_crop
from toolkit.ingest.rejected import (
    Stretch,
    check_source,
    explain_failure,
    judge_faces,
    merge_scraps,
    reject_missing,
    reject_silence,
    reject_stuck,
)
from toolkit.ingest.runners import open_runner
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.processes import check_guard
from toolkit.ingest.sound import extract_sound, warn_of_recordings
from toolkit.ingest.sources import check_inputs, check_unchanged, forget_content
from toolkit.ingest.timeline import lay_out
from toolkit.ingest.track import track_faces
from toolkit.ingest.workspace import (
    describe_owner,
    hold_dataset,
    is_running,
    lock_dataset,
    open_workspace,
    sweep_workspaces,
)
from toolkit.media.picture_store import PictureStore
from toolkit.media.video import Streams
from toolkit.schema import NOMINAL_SIZE, ClipInput, Job, Source, VideoInfo
from toolkit.storage import guard_storage
from toolkit.store.cache import hold

Report = Callable[[Progress], None]


def ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions | None = None,
    *,
    out: Path | str = ".",
    workers: int = 0,
    job_slice: tuple[int, int] = (0, 1),
    retry_rejected: bool = False,
    exclude: Iterable[str] = (),
    on_source: Callable[[Path], None] = lambda path: None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_progress: Report = lambda progress: None,
) -> Plan:
    """Turn videos into shards and manifest rows; what is done already is left alone.

    Args:
        inputs: files, folders (searched through) and text lists of paths, or addresses.
        options: what to make; one dataset has one set of those that shape its arrays.
        out: the dataset's folder; `shards/` and `manifests/` are made in it. Or an address.
        workers: processes to run in; 0 runs in this one.
        job_slice: (i, n): only jobs whose id mod n is i, so that n machines share a plan.
        retry_rejected: run sources again that gave no clip.
        exclude: patterns of files and folders to leave out: see `find_sources`.
        on_source: called with the path of each source as the plan looks at it.
        on_plan: called with the plan before it runs.
        on_progress: called with every step.

    Returns:
        The plan that was carried out; `toolkit.dataset.stats.yield_funnel` says what came of it.

    Raises:
        ToolkitError: what is not one video's fault; everything published stays.
        BusyError: another run is at work on the dataset; or, where runs share a plan, on jobs of
            this slice when all others of it are done.
    """
    if workers < 0 or not 0 <= job_slice[0] < job_slice[1]:
        raise ValueError(f"workers={workers}, job_slice={job_slice}: 0 or more; (i, n) with i < n")
    options = options or IngestOptions()
    check_guard()
    given = [inputs] if isinstance(inputs, (str, Path)) else [*inputs]
    is_alone = job_slice[1] == 1
    with contextlib.ExitStack() as stack:
        folders = stack.enter_context(open_folders(out, given))
        dataset = folders.dataset
        check_inputs(folders.inputs)
        stack.enter_context(guard_storage(dataset))
        stack.enter_context(hold_dataset(dataset, alone=is_alone))
        with lock_dataset(dataset):
            sweep_workspaces(dataset)
            sources = folders.inputs
            plan = plan_ingest(sources, options, dataset, retry_rejected, on_source, exclude)
            mine = take_slice(plan, job_slice)
            recorded = IngestOptions.from_arrays(options.of_arrays())  # as the jobs will ask for
            free = [job for job in mine.jobs if not is_running(dataset, job.id)]
            load = functools.partial(load_backends, recorded) if free else lambda: None
            run = stack.enter_context(
                open_runner(min(workers, len(free)), load, folders.wrap(run_job))
            )
            record_plan(plan, dataset)
            folders.record()
        on_plan(mine)
        warn_of_recordings(source_path(s, dataset) for job in mine.jobs for s in job.sources)
        warned: set[str] = set()

        def report(progress: Progress) -> None:
            folders.commit(progress)
            on_progress(progress)
            if progress.kind == "slow" and not warned:
                warned.add(progress.source)
                _warn_of_rate(progress.source)

        run(mine.jobs if free else (), dataset, report)
        folders.refresh(mine.jobs)
        check_finished(dataset, mine)
    return mine


def check_finished(dataset: Path, plan: Plan) -> None:
    """Raise where jobs of a plan that was carried out are left, those that another process took.

    Raises:
        BusyError: it is still at work on them.
        ToolkitError: it ended without finishing them.
    """
    done = read_done_jobs(dataset)
    left = [job.id for job in plan.jobs if job.id not in done]
    if busy := [job_id for job_id in left if is_running(dataset, job_id)]:
        raise BusyError(
            f"{dataset}: work is still under way: {describe_owner(dataset, busy[0])}, has "
            f"{len(busy)} of {len(plan.jobs)} jobs in hand: wait until it ends, then run the same "
            "again to see what came out"
        )
    done = read_done_jobs(dataset)
    if left := [job_id for job_id in left if job_id not in done]:
        raise ToolkitError(
            f"{dataset}: another process began {len(left)} jobs and ended before they were done: "
            "run the same again"
        )


def _warn_of_rate(source: str) -> None:
    """Of the first such source, while there is time to stop; the report counts them."""
    warnings.warn(
        f"{source} has 25 pictures a second, or nearly: on a clock of 30, one frame in six shows "
        "the picture before it again; --fps 25, into another --out, avoids it",
        stacklevel=3,
    )


def plan_ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions,
    dataset: Path,
    retry_rejected: bool = False,
    on_source: Callable[[Path], None] = lambda path: None,
    exclude: Iterable[str] = (),
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
        exclude=exclude,
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
        with maker.writer:
            for source in job.sources:
                maker.add_source(source, crashes.get(source.path))


class ShardMaker:
    """One job under way: from each source to its clips in `writer`, which publishes them."""

    def __init__(self, job: Job, dataset: Path, spool: Path, report: Report) -> None:
        self._job, self._dataset, self._spool, self._report = job, dataset, spool, report
        self._options = IngestOptions.from_arrays(dict(job.options))
        self._backends = load_backends(self._options)
        self._without_clips: dict[str, str] = {}
        self._instead: dict[str, str] = {}
        self.writer = DatasetWriter(
            dataset,
            job.id,
            options=job.options,
            fps=self._options.fps,
            frame_size=self._options.frame_size,
            provenance=self._backends.provenance(),
            spool=spool,
        )

    def add_source(self, source: Source, crash: str | None = None) -> None:
        """Ingest one source; whatever is its own fault becomes rows in `rejected`."""
        self._report(Progress("source", self._job.id, source.path))
        rejections: list[Rejection] = []
        first = source.duplicate_of or ""
        source = self._reconsider(source)
        try:
            check_source(source, crash)
            with hold(source_path(source, self._dataset), source.sha256):
                duration = self._ingest_source(source, rejections)
        except Exception as error:  # turned down whole, whatever was said of stretches of it
            duration = source.duration
            rejections = [Rejection(0.0, duration, *explain_failure(error, source.path))]
            source = forget_content(source, self._dataset)
        num_clips = self.writer.add_source(replace(source, duration=duration), rejections)
        if not num_clips:
            self._without_clips[source.path] = source.sha256
        elif first:
            self._instead[first] = source.path
        self._report(Progress("done", self._job.id, source.path, num_clips))

    def _reconsider(self, source: Source) -> Source:
        """A copy of what gave no clip is looked at itself, until one in another container does."""
        digest = self._without_clips.get(source.duplicate_of or "")
        if source.duplicate_of is None or digest is None:
            return source
        instead = self._instead.get(source.duplicate_of)
        is_same_file = digest == source.sha256
        return replace(source, duplicate_of=source.duplicate_of if is_same_file else instead)

    def _ingest_source(self, source: Source, rejections: list[Rejection]) -> float:
        """The journey of one source; adds to its rejections; length of its picture, s."""
        path, fps = source_path(source, self._dataset), self._options.fps
        check_unchanged(path, source)
        sound, mesh = self._spool / "sound.s16", self._spool / "mesh.f32"
        info, streams, num_samples = extract_sound(path, sound, self._options.audio_track)
        track = track_faces(
            path,
            info,
            streams,
            mesh=self._backends.mesh,
            spool=mesh,
            on_frame=self._count(source, info),
            keep=self._spool / "pictures.yuv",
        )
        info = replace(info, fps=track.mean_fps or info.fps)  # what it claims may be anything
        self._tell_rate(source, info.fps)
        stretches = cut_clips(
            track,
            fps=fps,
            audio_span=(round((info.audio_start or 0) * SAMPLE_RATE), num_samples),
            min_frames=self._options.min_frames,
            max_frames=self._options.max_frames,
        )
        timeline = lay_out(track, fps)
        clips = []
        for stretch in judge_faces(reject_silence(stretches, sound, fps), track, timeline, info):
            if stretch.reason is not None:
                rejections.append(stretch.to_rejection(fps))
                continue
            clip = prepare_clip(
                stretch,
                clip_id=clip_id(source.sha256, stretch.start, stretch.num),
                path=path,
                info=info,
                streams=streams,
                track=track,
                timeline=timeline,
                sound=sound,
                fps=fps,
                focal=self._options.focal,
                margin=self._options.margin,
            )
            clip.arrays["face/valid"] = clip.valid
            clips.append(clip)
        failed = self._backends.extract_source(clips)
        for clip in clips:
            try:
                if clip.clip_id in failed:
                    raise failed[clip.clip_id]
                self._add_clip(source, clip, info, streams, track.store)
            except Exception as error:
                reason, message = explain_failure(error, source.path)
                stretch = Stretch(clip.start_frame, clip.num_frames, reason, message)
                rejections.append(stretch.to_rejection(fps))
        ends = [num_samples / SAMPLE_RATE, *((s.start + s.num) / fps for s in stretches)]
        missing = list(reject_stuck(track))
        missing += reject_missing(info, max(ends) + sum(m.duration for m in missing))
        rejections[:] = merge_scraps([*rejections, *missing])
        return sum(m.duration for m in missing) + sum(s.num / fps for s in stretches)

    def _add_clip(
        self,
        source: Source,
        clip: ClipInput,
        info: VideoInfo,
        streams: Streams,
        store: PictureStore | None,
    ) -> None:
        """Pass 2 and the features of one clip, into the shard and its row."""
        size = self._options.frame_size or NOMINAL_SIZE
        info = replace(info, width=clip.picture_size[0], height=clip.picture_size[1])
        landmarks, pcm = clip.load_landmarks(), clip.load_pcm()
        in_crop = to_crop(landmarks, clip, size)
        pass2 = encode_crops(
            read_crops(clip, info, streams, size, store),
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
        self.writer.add_clip(
            ClipRow(
                clip_id=clip.clip_id,
                identity=source.identity,
                source=source.path,
                source_sha256=source.sha256,
                start_frame=clip.start_frame,
                num_frames=clip.num_frames,
                crop=clip.crop,
                intrinsics=clip.intrinsics,
                arrays=clip.arrays,
                pcm=pcm,
                frames=pass2.read_jpegs(),
                measured=describe_clip(
                    clip, landmarks=landmarks, pcm=pcm, sharpness=pass2.sharpness, info=info
                ),
            )
        )
        self._report(Progress("stored", self._job.id, source.path, clip.num_frames))
        clip.arrays.clear()
        clip.colors = None

    def _tell_rate(self, source: Source, source_fps: float) -> None:
        if suits_25(source_fps, self._options.fps):
            self._report(Progress("slow", self._job.id, source.path))

    def _count(self, source: Source, info: VideoInfo) -> Callable[[], None]:
        """Called at every decoded frame; reports sixty at a time."""
        count, total = 0, round((info.duration or 0) * info.fps)

        def step() -> None:
            nonlocal count
            count += 1
            if count % 60 == 0:
                self._report(Progress("frames", self._job.id, source.path, 60, total))

        return step
