"""Ingest from a store and to it: the same arrays, whole files, jobs that run twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runs import OPTIONS
from tests.stores import open_memory
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import read_table, write_part
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import BusyError, StorageError, ToolkitError
from toolkit.ingest import ingest
from toolkit.ingest.on_store import CLAIM_SECONDS, open_folders
from toolkit.store.mirror import open_dataset
from toolkit.store.remote import Remote

VIDEOS, ADDRESS = "memory://bucket/videos", "memory://bucket/set"


@pytest.fixture
def memory(tmp_path: Path, videos: Path) -> Iterator[Any]:
    """A store in memory that holds one video."""
    with open_memory(tmp_path / "cache") as files:
        name = "person00/clip00.mp4"
        files.pipe_file(f"/bucket/videos/{name}", (videos / name).read_bytes())
        yield files


def _read_arrays(dataset: Path, source: str) -> dict[str, Any]:
    """Clip's id and array -> values, of one source."""
    clips = read_table(dataset, "clips")
    clips = clips[clips["source"].str.endswith(source)]
    found = {}
    for row in clips.rename(columns={"index": "place"}).itertuples():
        reader = ShardReader(dataset / str(row.shard))
        for name in reader.names:
            if not name.startswith(("clips/", "video/jpeg")):
                found[str(row.clip_id), name] = reader.read(name, int(row.place))
    return found


def _require_whole(memory: Any, reference: Path) -> None:
    """What the store holds is a dataset, equal in its arrays, with nothing temporary beside it."""
    assert not [name for name in memory.find("/bucket") if "/." in name]
    with open_dataset(ADDRESS) as folder:
        assert [p for p in validate_dataset(folder) if not p.is_note] == []
        found, expected = (_read_arrays(d, "person00/clip00.mp4") for d in (folder, reference))
    assert found.keys() == expected.keys()
    assert found
    for key, values in expected.items():
        assert np.array_equal(found[key], values, equal_nan=True), key


def test_a_killed_run_and_the_next_give_what_a_local_run_gives(
    memory: Any, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the line is cut")

    def run() -> int:
        return len(ingest(VIDEOS, OPTIONS, out=ADDRESS).jobs)

    for operation in ("put_file", "cp_file"):  # in the plan's upload
        with monkeypatch.context() as patch, pytest.raises(StorageError, match="is cut"):
            patch.setattr(type(memory), operation, fail)
            run()
        assert not memory.find("/bucket/set/manifests")
    write = type(memory).cp_file

    def fail_late(files: Any, path: str, *rest: object, **more: object) -> None:
        if str(rest[0]).endswith(".parquet"):  # the shard is there by then, no table is
            raise OSError("the line is cut")
        write(files, path, *rest, **more)

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="is cut"):
        patch.setattr(type(memory), "cp_file", fail_late)
        run()
    assert len(memory.find("/bucket/set/shards")) == 1
    assert not memory.find("/bucket/set/manifests/sources")
    assert run() == 1
    _require_whole(memory, reference)
    before = {name: memory.cat_file(name) for name in memory.find("/bucket")}
    assert run() == 0
    assert {name: memory.cat_file(name) for name in memory.find("/bucket")} == before


def _plan_without_running(memory: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Record a plan, run nothing; the job's id."""
    with monkeypatch.context() as patch:
        patch.setattr("toolkit.ingest.run.run_job", lambda *_: None)
        with pytest.raises(ToolkitError, match="ended before they were done"):
            ingest(VIDEOS, OPTIONS, out=ADDRESS)
    (record,) = memory.find("/bucket/set/manifests/jobs")
    return Path(record).stem


def test_a_job_that_another_machine_has_claimed_is_left_to_it(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _plan_without_running(memory, monkeypatch)
    remote = Remote(ADDRESS)
    remote.write(f".claims/{job}", b"0123456789abcdef far-away, process 7")
    with pytest.raises(BusyError, match="1 jobs are claimed by others, as by far-away, process 7"):
        ingest(VIDEOS, OPTIONS, out=ADDRESS)
    assert not memory.find("/bucket/set/shards")
    entry = remote.look_at(f".claims/{job}")
    assert entry is not None
    later = entry.stamp / 1e9 + CLAIM_SECONDS + 1
    started: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr("toolkit.ingest.on_store.time.time", lambda: later)
        patch.setattr("toolkit.ingest.run.run_job", lambda job, *_: started.append(job.id))
        with pytest.raises(ToolkitError, match="ended before"):
            ingest(VIDEOS, OPTIONS, out=ADDRESS)
    assert started == [job]  # the other was not heard of for too long


def test_a_job_that_another_machine_has_done_is_not_run(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _plan_without_running(memory, monkeypatch)

    def finish(folder: Path, *_: object) -> None:
        for table in ("sources", "clips", "rejected"):
            part = write_part(folder, table, job, [])
            memory.pipe_file(f"/bucket/set/manifests/{table}/{job}.parquet", part.read_bytes())
            part.unlink()

    def refuse(*_: object) -> None:
        raise AssertionError("the job is run")

    with open_folders(ADDRESS, [VIDEOS]) as folders:
        finish(folders.dataset)
        record = read_jobs(folders.dataset)[0]
        kinds: list[str] = []
        folders.wrap(refuse)(
            record, folders.dataset, {}, lambda progress: kinds.append(progress.kind)
        )
        folders.refresh([record])
    assert kinds == ["busy"]


def test_a_plan_that_no_longer_applies_is_deleted_with_its_shard(
    memory: Any, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _plan_without_running(memory, monkeypatch)
    memory.pipe_file(f"/bucket/set/shards/{job}.h5", b"of a run that was killed")
    memory.pipe_file(
        "/bucket/videos/person00/clip00.mp4", (videos / "person01" / "clip02.mp4").read_bytes()
    )
    other = list(memory.find("/bucket/set/manifests/jobs"))
    with monkeypatch.context() as patch:
        patch.setattr("toolkit.ingest.run.run_job", lambda *_: None)
        with pytest.raises(ToolkitError, match="ended before"):
            ingest(VIDEOS, OPTIONS, out=ADDRESS)
    assert memory.find("/bucket/set/manifests/jobs") != other
    assert len(memory.find("/bucket/set/manifests/jobs")) == 1
    assert not memory.find("/bucket/set/shards")


def test_two_runs_of_one_machine_exclude_each_other(memory: Any) -> None:
    with open_folders(ADDRESS, [VIDEOS]), pytest.raises(BusyError, match=f"at work on {ADDRESS}"):
        ingest(VIDEOS, OPTIONS, out=ADDRESS)


def test_nothing_at_an_address_and_lists_on_a_store_are_refused(memory: Any) -> None:
    with pytest.raises(ToolkitError, match="memory://bucket/none: no object lies there"):
        ingest("memory://bucket/none", OPTIONS, out=ADDRESS)
    memory.pipe_file("/bucket/list.txt", b"videos/person00/clip00.mp4")
    with pytest.raises(ToolkitError, match=r"list.txt: lists are read from this machine alone"):
        ingest("memory://bucket/list.txt", OPTIONS, out=ADDRESS)


def test_local_folders_stay_as_they_are(tmp_path: Path) -> None:
    with open_folders(tmp_path / "set", [tmp_path]) as folders:
        assert (folders.dataset, folders.inputs) == (tmp_path / "set", [tmp_path])
    with open_folders(f"file://{tmp_path}/set", [f"file://{tmp_path}"]) as folders:
        assert (folders.dataset, folders.inputs) == (tmp_path / "set", [tmp_path])
    assert not (tmp_path / "set").exists()
