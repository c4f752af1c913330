"""What a plan will cost, before it runs: disk by what an hour takes, time by a few pictures."""

import contextlib
import itertools
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.dataset.paths import source_path
from toolkit.errors import SourceError
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.backends import load_backends, one_thread
from toolkit.ingest.jobs import Plan
from toolkit.ingest.options import IngestOptions
from toolkit.media.decode import read_frames
from toolkit.media.picture_store import MAX_BYTES
from toolkit.media.video import fit_size, probe
from toolkit.schema import NOMINAL_SIZE, Job, Source
from toolkit.store.cache import hold

NUMBER_BYTES = 7_430
"""Of a frame in a shard, all features and the sound; pictures apart."""

PICTURE_BYTES = 19_500
"""Of a frame's JPEG at 256 px: measured, 18,400 for generated and 20,300 for real videos."""

_GROWTH = 1.4
"""Power of its side with which a JPEG grows, measured from 128 to 512 px."""

_OVERHEAD = 1.35
"""CPU time of a frame over that of decoding it and finding its face, as measured."""

_START_SECONDS = 5.0
_NUM_TIMED, _NUM_PICTURES = 3, 60


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a plan will cost.

    Attributes:
        seconds: until it is done; None where no source could be timed.
        num_bytes: that the dataset will grow by, if everything becomes clips.
        temporary_bytes: that are taken besides while it runs.
        bytes_per_hour: of video, in the dataset.
        free_bytes: on the disk.
    """

    seconds: float | None
    num_bytes: int
    temporary_bytes: int
    bytes_per_hour: int
    free_bytes: int

    @property
    def is_too_large(self) -> bool:
        """Whether the disk is too small for it."""
        return self.num_bytes + self.temporary_bytes > self.free_bytes


def estimate(plan: Plan, options: IngestOptions, dataset: Path, workers: int) -> Estimate:
    """Load the backends, time some pictures, and say what a plan will cost.

    Args:
        plan: at least one job.
        options: as they will be given.
        dataset: the dataset's folder; it need not exist.
        workers: processes; 0 is this one.

    Raises:
        SetupError: a backend cannot work here; says what is missing.
        ValueError: an option does nothing with the backends chosen.
    """
    backends = load_backends(IngestOptions.from_arrays(options.of_arrays()))
    workers = max(1, min(workers, len(plan.jobs)))
    sources = [source for job in plan.jobs for source in job.sources]
    frame_bytes = count_frame_bytes(options.frame_size)
    largest = max(sum(source.duration for source in job.sources) for job in plan.jobs)
    video = sum(source.duration for source in sources if not source.duplicate_of)
    there = next(folder for folder in (dataset, *dataset.absolute().parents) if folder.is_dir())
    return Estimate(
        seconds=_guess_seconds(plan.jobs, dataset, backends.mesh, workers),
        num_bytes=round(video * options.fps * frame_bytes),
        temporary_bytes=round(workers * (largest * options.fps * frame_bytes + MAX_BYTES)),
        bytes_per_hour=3600 * options.fps * frame_bytes,
        free_bytes=shutil.disk_usage(there).free,
    )


def count_frame_bytes(size: int) -> int:
    """Bytes that a frame takes in a shard whose crops are so many px wide; 0 stores none."""
    return NUMBER_BYTES + int(PICTURE_BYTES * float(size / NOMINAL_SIZE) ** _GROWTH)


def _guess_seconds(
    jobs: Sequence[Job], dataset: Path, mesh: FaceMesh, workers: int
) -> float | None:
    """By the mean of three sources: the shortest, one in the middle, the longest."""
    sources = [s for job in jobs for s in job.sources if not s.duplicate_of and not s.problem]
    sources.sort(key=lambda source: source.duration)
    places = {round(k * (len(sources) - 1) / max(1, _NUM_TIMED - 1)) for k in range(_NUM_TIMED)}
    costs = [_time_source(sources[k], dataset, mesh) for k in sorted(places) if k < len(sources)]
    known = [cost for cost in costs if cost is not None]
    if not known:
        return None
    cpu = sum(source.duration for source in sources) * sum(known) / len(known)
    return _START_SECONDS + _OVERHEAD * cpu / workers


def _time_source(source: Source, dataset: Path, mesh: FaceMesh) -> float | None:
    """CPU seconds that a second of a source takes to decode and to find faces in."""
    path = Path(os.path.normpath(source_path(source, dataset.resolve())))  # it may not exist yet
    count = 0
    with contextlib.suppress(SourceError), one_thread(), hold(path):
        info, streams = probe(path)
        mesh.reset()
        with contextlib.closing(read_frames(path, info, streams, size=fit_size)) as frames:
            began = time.process_time()
            for frame in itertools.islice(frames, _NUM_PICTURES):
                mesh.detect(frame.picture)
                count += 1
            return (time.process_time() - began) / max(1, count) * info.fps
    return None
