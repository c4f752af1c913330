"""A manifest of very many clips, made up: what `ttk ingest` leaves of videos of a minute.

`python -m tests.benchmarks.manifests FOLDER JOBS` writes one, with the copy of its tables.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.datasets import OPTIONS, FakeClip, make_row, make_source_row
from toolkit.dataset.digests import add_digests
from toolkit.dataset.job_records import write_job
from toolkit.dataset.manifest import FOLDER, compact_tables, write_part
from toolkit.dataset.table_file import make_schema
from toolkit.schema import Job, Source

CLIPS_OF_SOURCE, SOURCES_OF_JOB = 12, 10
"""Clips of 5 s, and videos of a minute: jobs of ten minutes, as by default."""

FRAMES, STEPS = 150, 47
"""Of a clip: length, and numbers of its fingerprint."""

CLIPS_OF_JOB = CLIPS_OF_SOURCE * SOURCES_OF_JOB


def write_manifest(dataset: Path, num_jobs: int) -> None:
    """Clips, sources, rejections and records of so many jobs, no shards.

    Every hundredth job's first clip is a copy of the first job's; else fingerprints are random.
    """
    (dataset / "shards").mkdir(parents=True)
    template = make_row(FakeClip(num_frames=FRAMES))
    schema = make_schema("clips")
    for name in ("clips", "jobs", "rejected", "sources"):
        (dataset / FOLDER / name).mkdir(parents=True)
    columns = {name: [template[name]] * CLIPS_OF_JOB for name in schema.names}
    first = np.random.default_rng(0).integers(1, 1 << 59, STEPS)
    for number in range(num_jobs):
        job, generator = f"{number:012x}", np.random.default_rng(number)
        names = [f"videos/{number}/{k}.mp4" for k in range(SOURCES_OF_JOB)]
        clips = [
            FakeClip(source=name, identity=f"p{number % 2000}", num_frames=FRAMES) for name in names
        ]
        digests = [clip.source_sha256 for clip in clips]
        starts = [FRAMES * (k % CLIPS_OF_SOURCE) for k in range(CLIPS_OF_JOB)]
        of_source = [k // CLIPS_OF_SOURCE for k in range(CLIPS_OF_JOB)]
        numbers = generator.integers(1, 1 << 59, CLIPS_OF_JOB * STEPS)
        if number % 100 == 0:
            numbers[:STEPS] = first
        ends = np.arange(CLIPS_OF_JOB + 1) * STEPS
        columns |= {
            "clip_id": [f"{digests[k][:16]}-{s:06d}-{FRAMES:05d}"
                        for k, s in zip(of_source, starts, strict=True)],
            "identity": [clips[0].identity] * CLIPS_OF_JOB,
            "source": [names[k] for k in of_source],
            "source_sha256": [digests[k] for k in of_source],
            "start_frame": starts,
            "source_start": [s / 30 for s in starts],
            "shard": [f"shards/{job}.h5"] * CLIPS_OF_JOB,
            "index": list(range(CLIPS_OF_JOB)),
            "job": [job] * CLIPS_OF_JOB,
        }  # fmt: skip
        arrays = [
            pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(numbers))
            if field.name == "fingerprint"
            else pa.array(columns[field.name], field.type)
            for field in schema
        ]
        content = pa.Table.from_arrays(arrays, schema=schema)
        pq.write_table(add_digests(content), dataset / FOLDER / "clips" / f"{job}.parquet")
        write_part(dataset, "rejected", job, [])
        rows = [
            make_source_row([clip], job)
            | {"mtime_ns": 0, "num_clips": CLIPS_OF_SOURCE, "duration": 60.0}
            for clip in clips
        ]
        write_part(dataset, "sources", job, rows)
        sources = tuple(
            Source(path=name, size=1000, mtime_ns=0, sha256=digest, identity=clips[0].identity,
                   duration=60.0)
            for name, digest in zip(names, digests, strict=True)
        )  # fmt: skip
        write_job(dataset, Job(id=job, sources=sources, options=OPTIONS))


if __name__ == "__main__":
    write_manifest(Path(sys.argv[1]), int(sys.argv[2]))
    compact_tables(Path(sys.argv[1]))
