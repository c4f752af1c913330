"""One job under way: from each source, through every stage, to its clips in the shard.

    ShardMaker.add_source  one source: probe, sound, faces, clips, features; _add_clip its crops

Each stage is one module; this one only calls them in order.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.clock import SAMPLE_RATE, suits_25
from toolkit.dataset.paths import source_path
from toolkit.dataset.rows import describe_clip
from toolkit.dataset.writer import (
    ClipRow,
    DatasetWriter,
    Rejection,
    Written,
    clip_id,
    publish_written,
)
from toolkit.features.blink import compute_ear
from toolkit.ingest.backends import load_backends
from toolkit.ingest.clips import cut_clips
from toolkit.ingest.crops import encode_crops, read_crops
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
from toolkit.ingest.runners.base import Progress
from toolkit.ingest.sound import extract_sound
from toolkit.ingest.sources import check_unchanged, forget_content
from toolkit.ingest.timeline import lay_out
from toolkit.ingest.track import track_faces
from toolkit.media.picture_store import PictureStore
from toolkit.media.video import Streams
from toolkit.schema import NOMINAL_SIZE, ClipInput, Job, Source, VideoInfo
from toolkit.store.cache import hold

Report = Callable[[Progress], None]


class ShardMaker:
    """One job under way: from each source to its clips in `writer`, which publishes them."""

    def __init__(
        self,
        job: Job,
        dataset: Path,
        spool: Path,
        report: Report,
        publish: Callable[[Path, Written], None] = publish_written,
    ) -> None:
        self.job, self._dataset, self._spool, self._report = job, dataset, spool, report
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
            publish=publish,
        )

    def add_source(self, source: Source, crash: str | None = None) -> None:
        """Ingest one source; whatever is its own fault becomes rows in `rejected`."""
        self._report(Progress("source", self.job.id, source.path))
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
        self._report(Progress("done", self.job.id, source.path, num_clips))

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
                    clip,
                    landmarks=landmarks,
                    pcm=pcm,
                    sharpness=pass2.sharpness,
                    small=pass2.small,
                    info=info,
                ),
            )
        )
        self._report(Progress("stored", self.job.id, source.path, clip.num_frames))
        clip.arrays.clear()
        clip.colors = None

    def _tell_rate(self, source: Source, source_fps: float) -> None:
        if suits_25(source_fps, self._options.fps):
            self._report(Progress("slow", self.job.id, source.path))

    def _count(self, source: Source, info: VideoInfo) -> Callable[[], None]:
        """Called at every decoded frame; reports sixty at a time."""
        count, total = 0, round((info.duration or 0) * info.fps)

        def step() -> None:
            nonlocal count
            count += 1
            if count % 60 == 0:
                self._report(Progress("frames", self.job.id, source.path, 60, total))

        return step
