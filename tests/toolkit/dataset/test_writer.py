"""Writing a part of a dataset: everything or nothing, in an order that a kill cannot harm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FPS, OPTIONS, PROVENANCE, FakeClip, make_clip, make_job
from toolkit.dataset.job_records import read_done_jobs, read_jobs, write_job
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.validate import validate_dataset
from toolkit.dataset.writer import DatasetWriter, Rejection, clip_id
from toolkit.schema import Job, Reason

CLIPS = [FakeClip(num_frames=20), FakeClip(start_frame=30)]
JOB = make_job("mine", {CLIPS[0].source: CLIPS})


def open_writer(dataset: Path) -> DatasetWriter:
    return DatasetWriter(
        dataset, JOB.id, options=OPTIONS, fps=FPS, frame_size=0, provenance=PROVENANCE
    )


def write_all(writer: DatasetWriter) -> None:
    for seed, clip in enumerate(CLIPS):
        writer.add_clip(make_clip(clip, seed, 0))
    rejection = Rejection(20 / FPS, 10 / FPS, Reason.NO_FACE, "caf\udce9")
    assert writer.add_source(JOB.sources[0], [rejection]) == 2


def list_files(dataset: Path) -> list[str]:
    return sorted(p.relative_to(dataset).as_posix() for p in dataset.rglob("*") if p.is_file())


def test_an_id_is_that_of_content_and_stretch() -> None:
    assert clip_id("0123456789abcdef" * 4, 75, 1800) == "0123456789abcdef-000075-01800"


def test_what_is_added_can_be_read(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        write_all(writer)
    clips, reader = read_table(tmp_path, "clips"), ShardReader(tmp_path / "shards/mine.h5")
    assert [clip.id for clip in reader.clips] == clips["clip_id"].tolist()
    assert clips["index"].tolist() == [0, 1]
    assert clips["source_start"].tolist() == [0, 1.0]
    assert set(clips["au45_backend"]) == {"embedded 1"}
    assert set(clips["pose_backend"]) == {"none"}
    assert read_table(tmp_path, "sources")["num_clips"].tolist() == [2]
    assert read_table(tmp_path, "rejected")["message"].tolist() == ["caf\\udce9"]
    assert [job.options for job in read_jobs(tmp_path)] == [OPTIONS]
    assert not list(validate_dataset(tmp_path))


def test_files_are_published_in_an_order_that_a_kill_cannot_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's record first, its part of `sources` last; before the last it is not done."""
    seen: list[str] = []
    replace_file = Path.replace

    def watch(path: Path, final: Path) -> Path:
        seen.append(final.relative_to(tmp_path).as_posix())
        assert not read_done_jobs(tmp_path)
        return replace_file(path, final)

    monkeypatch.setattr(Path, "replace", watch)
    with open_writer(tmp_path) as writer:
        write_all(writer)
        assert not seen
    assert seen == [
        "manifests/jobs/mine.json",
        "manifests/rejected/mine.parquet",
        "shards/mine.h5",
        "manifests/clips/mine.parquet",
        "manifests/sources/mine.parquet",
    ]
    assert list_files(tmp_path) == sorted(seen)
    assert [p.name for p in (tmp_path / "shards").iterdir()] == ["mine.h5"]


def test_a_block_that_raises_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path) as writer:
        write_all(writer)
        raise KeyboardInterrupt
    assert list_files(tmp_path) == []
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_record_that_is_there_stays(tmp_path: Path) -> None:
    write_job(tmp_path, Job(id=JOB.id, sources=JOB.sources, options=OPTIONS, attempt=3))
    with open_writer(tmp_path) as writer:
        write_all(writer)
    assert [job.attempt for job in read_jobs(tmp_path)] == [3]


def test_a_job_without_clips_has_rows_and_no_shard(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        writer.add_source(JOB.sources[0], [Rejection(0, 1, Reason.SILENT, "x")])
    assert read_done_jobs(tmp_path) == {JOB.id}
    assert list((tmp_path / "shards").iterdir()) == []
    assert read_table(tmp_path, "sources")["num_clips"].tolist() == [0]


def test_a_clip_that_is_refused_leaves_the_writer_as_it_was(tmp_path: Path) -> None:
    good = make_clip(CLIPS[0], 0, 0)
    wrong = replace(good, arrays=dict(good.arrays) | {"face/au45": np.full(20, np.nan)})
    with open_writer(tmp_path) as writer:
        with pytest.raises(ValueError, match="face/au45"):
            writer.add_clip(wrong)
        with pytest.raises(ValueError, match="no columns of clips/: beauty"):
            writer.add_clip(replace(good, measured={"beauty": 1}))
        writer.add_clip(good)
        assert writer.add_source(JOB.sources[0]) == 1
    assert len(read_table(tmp_path, "clips")) == 1
