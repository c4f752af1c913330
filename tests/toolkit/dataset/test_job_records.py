"""Records of jobs: written before a job starts, forgotten where it never ended."""

from pathlib import Path

import pytest

from tests.datasets import FakeClip, make_job, write_dataset
from toolkit.dataset.job_records import delete_job, read_done_jobs, read_jobs, write_job
from toolkit.dataset.manifest import find_part, write_part
from toolkit.errors import ManifestError

ANN = FakeClip(source="ä\n'b.mp4")
BOB = FakeClip(identity="bob", source="bob.mp4", num_frames=90)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two jobs with a clip each; the manifest alone."""
    return write_dataset(tmp_path, {"a": [ANN], "b": [BOB]}, shards=False)


def test_jobs_come_back_as_they_were_recorded(tmp_path: Path) -> None:
    """Sorted by id; strange names included."""
    jobs = [make_job("b", {ANN.source: [ANN]}), make_job("a", {BOB.source: [BOB]})]
    assert read_jobs(tmp_path) == []
    for job in jobs:
        write_job(tmp_path, job)
    assert read_jobs(tmp_path) == [jobs[1], jobs[0]]


def test_a_damaged_job_is_named(dataset: Path) -> None:
    """Cut off, or of another version."""
    path = dataset / "manifests/jobs/a.json"
    for text in (path.read_text()[:50], '{"id": "a"}'):
        path.write_text(text)
        with pytest.raises(ManifestError, match=r"jobs/a\.json: damaged"):
            read_jobs(dataset)


def test_a_job_is_done_when_its_sources_are_written(dataset: Path) -> None:
    """Forgetting a job removes what it published."""
    write_job(dataset, make_job("c", {ANN.source: [ANN]}))
    write_part(dataset, "clips", "c", [])
    assert read_done_jobs(dataset) == {"a", "b"}
    delete_job(dataset, "c")
    assert [job.id for job in read_jobs(dataset)] == ["a", "b"]
    assert not find_part(dataset, "clips", "c").exists()
