"""The plan: what is new, in which jobs, by what names; files stand for videos here."""

import dataclasses
import errno
import itertools
import json
import os
import random
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets import FakeClip, make_rejected_row, make_row
from toolkit.dataset import job_records, table_file
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import read_table, write_part
from toolkit.dataset.paths import source_path
from toolkit.errors import ManifestError, OptionsError, ToolkitError
from toolkit.ingest import jobs, sources
from toolkit.ingest.jobs import Plan, make_plan, record_plan
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.workspace import lock_dataset, open_workspace
from toolkit.schema import Job, Reason, Source

OPTIONS = {"fps": 30, "pose": "mesh"}


@pytest.fixture(autouse=True)
def _durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file lasts as many seconds as it has bytes."""
    monkeypatch.setattr(sources, "read_duration", lambda path: float(path.stat().st_size))


_NUM_WRITTEN = itertools.count(10**9)


def write(path: Path, content: str | bytes) -> Path:
    """A file with a time of its own: some systems give one to all that is written in 10 ms."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    ns = 10**9 * next(_NUM_WRITTEN)
    os.utime(path, ns=(ns, ns))
    return path


def write_many(folder: Path, count: int, seconds: int = 40) -> list[Path]:
    return [write(folder / f"v{k:03d}.mp4", f"{k:03d}" * (seconds // 3)) for k in range(count)]


def plan(*inputs: Path, dataset: Path, minutes: float = 1.0, **more: object) -> Plan:
    arguments = {"identity": "parent", "shard_minutes": minutes, **more}
    return make_plan(inputs, dataset, OPTIONS, **arguments)  # type: ignore[arg-type]


def record(made: Plan, dataset: Path) -> None:
    with lock_dataset(dataset):
        record_plan(made, dataset)


def finish(job: Job, dataset: Path, clips: int = 1, when: datetime | None = None) -> None:
    """Leave what a job leaves that is done."""
    made = {"job": job.id, "ingested_at": when or datetime(2026, 1, job.attempt, tzinfo=UTC)}
    rows = [
        {
            "source": source.path,
            "num_clips": 0 if source.duplicate_of else clips,
            **{name: getattr(source, name) for name in ("size", "mtime_ns", "sha256")},
            **{name: getattr(source, name) for name in ("identity", "duration")},
            "moved_at": None,
            **made,
        }
        for source in job.sources
    ]
    found = [
        make_row(FakeClip(source=source.path, start_frame=index), job.id)
        | {"source_sha256": source.sha256}
        for source in job.sources
        for index in range(0 if source.duplicate_of else clips)
    ]
    write_part(dataset, "clips", job.id, found)
    write_part(dataset, "sources", job.id, rows)


def names(made: Plan) -> list[list[str]]:
    return [[Path(source.path).name for source in job.sources] for job in made.jobs]


# --- names --------------------------------------------------------------------------------------


def test_a_name_that_spells_an_escape_is_not_taken_for_one(tmp_path: Path) -> None:
    write(tmp_path / "v" / os.fsdecode(b"a\xff.mp4"), "one")
    write(tmp_path / "v" / "a\\xff.mp4", "two")
    (tmp_path / "d").mkdir()
    made = plan(tmp_path / "v", dataset=tmp_path / "d")
    assert {
        source_path(source, tmp_path / "d").read_bytes()
        for job in made.jobs
        for source in job.sources
    } == {b"one", b"two"}


def test_a_dataset_behind_a_symbolic_link_finds_its_sources(tmp_path: Path) -> None:
    (tmp_path / "far" / "away" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away" / "data")
    video = write(tmp_path / "videos" / "a.mp4", "abc")
    (source,) = plan(video, dataset=tmp_path / "link").jobs[0].sources
    assert source_path(source, tmp_path / "link").read_text() == "abc"
    assert source_path(source, tmp_path / "far" / "away" / "data").read_text() == "abc"


def test_an_identity_that_is_not_utf8_can_be_recorded(tmp_path: Path) -> None:
    write(tmp_path / "v" / os.fsdecode(b"caf\xe9") / "a.mp4", "one")
    write(tmp_path / "v" / os.fsdecode(b"\xff.mp4"), "two")
    made = plan(tmp_path / "v", dataset=tmp_path / "d")
    record(made, tmp_path / "d")
    found = {s.identity for job in read_jobs(tmp_path / "d") for s in job.sources}
    assert found == {"caf\\xe9", "\\xff"}


def test_identities_by_folder_stem_or_table(tmp_path: Path) -> None:
    inside = write(tmp_path / "v" / "ann" / "1.mp4", "1")
    write(tmp_path / "v" / "2.mp4", "2")

    def identities(rule: str) -> dict[str, str]:
        made = plan(tmp_path / "v", dataset=tmp_path / "d", identity=rule)
        return {Path(s.path).name: s.identity for job in made.jobs for s in job.sources}

    assert identities("parent") == {"1.mp4": "ann", "2.mp4": "2"}
    assert identities("stem") == {"1.mp4": "1", "2.mp4": "2"}
    table = write(tmp_path / "who.csv", f"source,identity\nann/1.mp4,Ann\n2,Bob\n{inside}x,No\n")
    assert identities(str(table)) == {"1.mp4": "Ann", "2.mp4": "Bob"}
    table.write_text("source,identity\n1.mp4,Ann\n")
    with pytest.raises(ToolkitError, match=r"2\.mp4.*has no row"):
        identities(str(table))
    with pytest.raises(ManifestError, match="columns source and identity"):
        identities(str(write(tmp_path / "bad.csv", "file;who\n")))
    with pytest.raises(ToolkitError, match="no such file"):
        identities(str(tmp_path / "gone.csv"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"source,identity\n1.mp4\n", "without source or identity"),
        (b"source,identity\n1.mp4,\n", "without source or identity"),
        ("source,identity\n1.mp4,J\u00fcrg\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_a_table_of_identities_with_a_hole_is_refused_before_anything_runs(
    tmp_path: Path, content: bytes, words: str
) -> None:
    table = write(tmp_path / "who.csv", content)
    with pytest.raises(ManifestError, match=rf"who\.csv: .*{words}"):
        plan(write(tmp_path / "1.mp4", "1"), dataset=tmp_path / "d", identity=str(table))


# --- jobs ---------------------------------------------------------------------------------------


def test_jobs_hold_about_as_many_minutes_as_asked_for_and_every_source_once(
    tmp_path: Path,
) -> None:
    videos = write_many(tmp_path / "v", 50, 60)
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=3)
    assert [len(job.sources) for job in made.jobs] == [3] * 16 + [2]
    assert sorted(name for job in names(made) for name in job) == [video.name for video in videos]


def test_little_video_is_divided_so_that_all_workers_have_some(tmp_path: Path) -> None:
    write_many(tmp_path / "v", 32, 60)
    assert [len(j.sources) for j in plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10).jobs] \
        == [2] * 16  # fmt: skip


def test_a_plan_does_not_depend_on_the_order_of_its_inputs(tmp_path: Path) -> None:
    videos = write_many(tmp_path / "v", 9)
    expected = plan(*videos, dataset=tmp_path / "d")
    random.shuffle(videos)
    assert plan(*videos, dataset=tmp_path / "d") == expected
    assert plan(tmp_path / "v", *videos[:3], dataset=tmp_path / "d", identity="stem").num_done == 0


def test_planning_writes_nothing(tmp_path: Path) -> None:
    plan(*write_many(tmp_path / "v", 2), dataset=tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_recorded_jobs_are_run_as_they_were_recorded_whatever_comes_later(tmp_path: Path) -> None:
    write_many(tmp_path / "v", 5)
    first = plan(tmp_path / "v", dataset=tmp_path / "d")
    record(first, tmp_path / "d")
    write(tmp_path / "v" / "a_new.mp4", "new")
    second = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    assert all(job in second.jobs for job in first.jobs)
    assert names(second)[-1] == ["a_new.mp4"]


def test_a_recorded_job_runs_only_where_its_videos_are_given_or_the_datasets_own(
    tmp_path: Path,
) -> None:
    mine = write(tmp_path / "mine.mp4", "private")
    dataset = tmp_path / "d"
    record(plan(mine, dataset=dataset), dataset)
    own = write(dataset / "own.mp4", "own")
    record(plan(own, dataset=dataset, identity="stem"), dataset)
    recorded = {names(Plan(jobs=(job,), num_done=0))[0][0]: job.id for job in read_jobs(dataset)}
    other = write(tmp_path / "v" / "new.mp4", "new")
    with pytest.warns(UserWarning, match="1 jobs that did not end are left alone"):
        made = plan(other, dataset=dataset)
    assert names(made) == [["own.mp4"], ["new.mp4"]]
    assert made.left == (recorded["mine.mp4"],)
    record(made, dataset)
    assert recorded["mine.mp4"] in {job.id for job in read_jobs(dataset)}
    assert ["mine.mp4"] in names(plan(mine, dataset=dataset))


def test_a_record_that_ingest_did_not_write_is_not_run(tmp_path: Path) -> None:
    (video,) = write_many(tmp_path / "v", 1)
    (job,) = plan(video, dataset=tmp_path / "d").jobs
    record(Plan(jobs=(dataclasses.replace(job, id="mine-0"),), num_done=0), tmp_path / "d")
    made = plan(video, dataset=tmp_path / "d")
    assert (names(made), made.left) == ([["v000.mp4"]], ("mine-0",))


@pytest.mark.parametrize("seconds", [40, 90])
def test_a_plan_whose_recording_was_killed_goes_on_with_the_same_jobs(
    seconds: int, tmp_path: Path
) -> None:
    write_many(tmp_path / "v", 60, seconds)  # 40 and 90 min: jobs of a sixteenth of that
    whole = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    assert len(whole.jobs) >= 15
    for recorded in range(len(whole.jobs)):
        dataset = tmp_path / f"d{recorded}"
        record(Plan(jobs=whole.jobs[:recorded], num_done=0), dataset)
        again = plan(tmp_path / "v", dataset=dataset, minutes=10)
        assert {job.id for job in again.jobs} == {job.id for job in whole.jobs}


def test_what_is_done_is_not_planned_again_and_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = write_many(tmp_path / "v", 3)
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    record(made, tmp_path / "d")
    for job in made.jobs:
        finish(job, tmp_path / "d")
    monkeypatch.setattr(sources, "hash_file", lambda path: pytest.fail(f"hashed {path}"))
    assert plan(*videos, dataset=tmp_path / "d") == Plan(jobs=(), num_done=3)
    monkeypatch.undo()
    os.utime(videos[0])  # touched, the same content
    assert plan(*videos, dataset=tmp_path / "d") == Plan(jobs=(), num_done=3)


def test_a_source_with_new_content_is_planned_again(tmp_path: Path) -> None:
    videos = write_many(tmp_path / "v", 2)
    made = plan(*videos, dataset=tmp_path / "d", minutes=10)
    record(made, tmp_path / "d")
    finish(made.jobs[0], tmp_path / "d")
    write(videos[1], "quite another")
    again = plan(*videos, dataset=tmp_path / "d")
    assert names(again) == [["v001.mp4"]]
    assert again.num_done == 1


@pytest.mark.parametrize("change", ["delete", "rewrite", "touch"])
def test_a_recorded_job_whose_source_is_gone_or_changed_is_planned_anew(
    change: str, tmp_path: Path
) -> None:
    videos = write_many(tmp_path / "v", 2, 9)
    dataset = tmp_path / "d"
    first = plan(tmp_path / "v", dataset=dataset)
    record(first, dataset)
    write(dataset / "shards" / f"{first.jobs[0].id}.h5", "published, then killed")
    if change == "delete":
        videos[0].unlink()
    elif change == "rewrite":
        write(videos[0], "changed")
    else:
        os.utime(videos[0], ns=(1, 1))
    again = plan(tmp_path / "v", dataset=dataset)
    record(again, dataset)
    kept = ["v001.mp4"] if change == "delete" else ["v000.mp4", "v001.mp4"]
    assert names(again) == [kept]
    assert [job.id for job in read_jobs(dataset)] == [again.jobs[0].id]
    assert again.jobs[0].id != first.jobs[0].id
    assert not list((dataset / "shards").iterdir())


def test_a_job_that_another_process_runs_is_not_deleted_though_its_source_changed(
    tmp_path: Path,
) -> None:
    (video,) = write_many(tmp_path / "v", 1)
    dataset = tmp_path / "d"
    first = plan(video, dataset=dataset)
    record(first, dataset)
    write(video, "changed")
    with open_workspace(dataset, first.jobs[0].id):
        with pytest.raises(ToolkitError, match="another process runs job"):
            record(plan(video, dataset=dataset), dataset)
        assert [job.id for job in read_jobs(dataset)] == [first.jobs[0].id]
    record(plan(video, dataset=dataset), dataset)
    assert [job.id for job in read_jobs(dataset)] != [first.jobs[0].id]


def test_rejected_sources_are_run_again_when_asked_for_each_time_as_another_job(
    tmp_path: Path,
) -> None:
    videos = write_many(tmp_path / "v", 2, 90)
    dataset, ids = tmp_path / "d", set()
    made = plan(*videos, dataset=dataset)
    record(made, dataset)
    good, bad = made.jobs
    finish(good, dataset)
    finish(bad, dataset, clips=0)
    assert not plan(*videos, dataset=dataset).jobs
    for attempt in range(2, 12):  # ids are digests: some sort before and some behind the last one
        (again,) = plan(*videos, dataset=dataset, retry_rejected=True).jobs
        assert again.attempt == attempt
        assert again.sources == bad.sources
        ids.add(again.id)
        record(Plan(jobs=(again,), num_done=1), dataset)
        finish(again, dataset, clips=0)
    assert len(ids) == 10


# --- duplicates ---------------------------------------------------------------------------------


def test_the_same_content_under_other_names_is_done_once(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", "c/c.mp4"):
        write(tmp_path / "v" / name, "same")
    (job,) = plan(tmp_path / "v", dataset=tmp_path / "d").jobs
    assert [s.duplicate_of for s in job.sources] == [None, "../v/a.mp4", "../v/a.mp4"]


def test_content_that_a_source_held_before_is_not_cut_into_the_same_clips_again(
    tmp_path: Path,
) -> None:
    video = write(tmp_path / "v" / "a.mp4", "first" * 9)

    def run() -> list[tuple[str, str | None]]:
        made = plan(tmp_path / "v", dataset=tmp_path / "d")
        record(made, tmp_path / "d")
        for job in made.jobs:
            finish(job, tmp_path / "d", when=datetime.now(UTC))
        return [(s.path, s.duplicate_of) for job in made.jobs for s in job.sources]

    assert run() == [("../v/a.mp4", None)]
    write(video, "other" * 8)
    assert run() == [("../v/a.mp4", None)]
    write(tmp_path / "v" / "b.mp4", "first" * 9)
    assert run() == []  # moved to b, as far as can be known
    write(video, "first" * 9)
    assert run() == [("../v/a.mp4", "../v/b.mp4")]
    assert run() == []


def test_a_copy_is_in_the_job_of_what_it_is_a_copy_of_and_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many minutes that makes: there it can be looked at where the first gives no clip."""
    monkeypatch.setattr(jobs, "hash_packets", read_marker)
    for name, content in (("a", "p|1"), ("b", "q|1"), ("c", "r|1"), ("d", "p|2"), ("e", "q|2")):
        write(tmp_path / "v" / f"{name}.mp4", content + " " * 60)
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=1)
    assert names(made) == [["a.mp4", "d.mp4"], ["b.mp4", "e.mp4"], ["c.mp4"]]


def test_a_copy_of_what_is_done_or_recorded_is_a_duplicate_later_too(tmp_path: Path) -> None:
    write(tmp_path / "v" / "m.mp4", "same")
    first = plan(tmp_path / "v", dataset=tmp_path / "d")
    record(first, tmp_path / "d")
    write(tmp_path / "v" / "a.mp4", "same")
    for _ in ("recorded", "done"):
        made = plan(tmp_path / "v", dataset=tmp_path / "d")
        assert made.jobs[-1].sources[0].duplicate_of == "../v/m.mp4"
        finish(first.jobs[0], tmp_path / "d")


def read_marker(path: Path, audio_track: int | None = None) -> str:
    """Stands for the digest of packets: what a file holds before its first bar; "" without one."""
    packets, bar, _ = path.read_text().partition("|")
    return f"2:{packets}:0" if bar else ""


def test_the_same_packets_in_another_container_are_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one plan, while a job waits, and when all is done; where unknown, no file's copy."""
    monkeypatch.setattr(jobs, "hash_packets", read_marker)
    for name in ("a.mp4|1", "a.mkv|2", "b.mp4", "c.mp4"):
        write(tmp_path / "v" / name.partition("|")[0], name.replace("a.mp4", "a.mkv"))
    first = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    assert {s.path: s.duplicate_of for job in first.jobs for s in job.sources} == {
        "../v/a.mkv": None, "../v/a.mp4": "../v/a.mkv", "../v/b.mp4": None, "../v/c.mp4": None,
    }  # fmt: skip
    record(first, tmp_path / "d")
    write(tmp_path / "v" / "x.mov", "a.mkv|3")
    for _ in ("recorded", "done"):
        made = plan(tmp_path / "v", dataset=tmp_path / "d")
        assert made.jobs[-1].sources[0].duplicate_of == "../v/a.mkv"
        for job in first.jobs:
            finish(job, tmp_path / "d")


def test_a_copy_in_another_container_takes_the_place_of_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first container could not be read; asked to try again, the second is."""
    monkeypatch.setattr(jobs, "hash_packets", read_marker)
    write(tmp_path / "v" / "a.avi", "same|1")
    write(tmp_path / "v" / "b.mp4", "same|2")
    first = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    record(first, tmp_path / "d")
    for job in first.jobs:
        finish(job, tmp_path / "d", clips=0)
    again = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10, retry_rejected=True)
    copies = [
        [(s.path, s.duplicate_of) for job in p.jobs for s in job.sources] for p in (first, again)
    ]
    assert copies == [
        [("../v/a.avi", None), ("../v/b.mp4", "../v/a.avi")],
        [("../v/b.mp4", None), ("../v/a.avi", "../v/b.mp4")],
    ]


def test_packets_are_read_of_new_content_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        jobs, "hash_packets", lambda path, track: read.append(path.name) or path.name
    )
    write_many(tmp_path / "v", 2)
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    assert read == ["v000.mp4", "v001.mp4"]
    record(made, tmp_path / "d")
    for job in made.jobs:
        finish(job, tmp_path / "d")
    write(tmp_path / "v" / "new.mp4", "new")
    plan(tmp_path / "v", dataset=tmp_path / "d")
    assert read[2:] == ["new.mp4"]


def test_a_record_without_a_digest_of_packets_is_read_as_before(tmp_path: Path) -> None:
    (video,) = write_many(tmp_path / "v", 1)
    made = plan(video, dataset=tmp_path / "d")
    record(made, tmp_path / "d")
    path = tmp_path / "d" / "manifests" / "jobs" / f"{made.jobs[0].id}.json"
    text = json.loads(path.read_text())
    del text["sources"][0]["packets_sha256"]
    path.write_text(json.dumps(text))
    assert plan(video, dataset=tmp_path / "d").jobs == made.jobs


# --- moved --------------------------------------------------------------------------------------


def read_paths(dataset: Path) -> dict[str, list[str]]:
    """The paths of sources that each table and the jobs' records name, sorted."""
    tables = {t: read_table(dataset, t)["source"].tolist() for t in ("clips", "sources")}
    tables["rejected"] = read_table(dataset, "rejected")["source"].tolist()
    tables["jobs"] = [s.path for job in read_jobs(dataset) for s in job.sources]
    return {name: sorted(paths) for name, paths in tables.items()}


def make_done(tmp_path: Path) -> Path:
    """A dataset of three sources: one with clips, a copy of it, one turned down."""
    for name, content in (("a", "same"), ("b", "same"), ("c", "other")):
        write(tmp_path / "v" / "ann" / f"{name}.mp4", content * 9)
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=0.5)
    record(made, tmp_path / "d")
    for job in made.jobs:
        turned_down = [s for s in job.sources if s.path.endswith("c.mp4")]
        finish(job, tmp_path / "d", clips=0 if turned_down else 1)
        rows = [
            make_rejected_row(s.path, Reason.NO_FACE, 1.0, job.id) | {"source_sha256": s.sha256}
            for s in turned_down
        ]
        write_part(tmp_path / "d", "rejected", job.id, rows)
    return tmp_path / "d"


@pytest.mark.parametrize("move", ["videos", "dataset", "both", "copied"])
def test_sources_that_lie_elsewhere_now_are_done_and_tables_say_where(
    move: str, tmp_path: Path
) -> None:
    dataset = make_done(tmp_path)
    videos = tmp_path / "v"
    if move in ("videos", "both"):
        videos = (tmp_path / "v").rename(tmp_path / "w")
    if move == "copied":  # to another disk, which keeps no times
        videos = shutil.copytree(tmp_path / "v", tmp_path / "w", copy_function=shutil.copyfile)
        shutil.rmtree(tmp_path / "v")
    if move in ("dataset", "both"):
        (tmp_path / "x" / "y").mkdir(parents=True)
        dataset = dataset.rename(tmp_path / "x" / "y" / "d")
    made = plan(videos, dataset=dataset)
    assert (made.jobs, made.num_done, len(made.moved)) == ((), 3, 3)
    record(made, dataset)
    paths = [os.path.relpath(videos / "ann" / f"{name}.mp4", dataset) for name in "abc"]
    assert read_paths(dataset) == {
        "clips": paths[:1], "sources": paths, "rejected": paths[2:], "jobs": paths,
    }  # fmt: skip
    assert plan(videos, dataset=dataset) == Plan(jobs=(), num_done=3)


def test_a_killed_update_of_paths_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each file that it writes."""
    (tmp_path / "safe").mkdir()
    kept = shutil.copytree(make_done(tmp_path), tmp_path / "safe" / "d")
    (tmp_path / "v").rename(tmp_path / "w")
    whole = table_file.write_whole
    for number in range(20):
        dataset = shutil.copytree(kept, tmp_path / f"d{number}")
        left = [number]

        def write_some(path: Path, left: list[int] = left) -> object:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return whole(path)

        for module in (table_file, job_records):
            monkeypatch.setattr(module, "write_whole", write_some)
        try:
            record(plan(tmp_path / "w", dataset=dataset), dataset)
        except KeyboardInterrupt:
            for module in (table_file, job_records):
                monkeypatch.setattr(module, "write_whole", whole)
            assert plan(tmp_path / "w", dataset=dataset).num_done == 3
            record(plan(tmp_path / "w", dataset=dataset), dataset)
        paths = [f"../w/ann/{name}.mp4" for name in "abc"]
        assert read_paths(dataset)["clips"] == paths[:1]
        assert read_paths(dataset)["sources"] == read_paths(dataset)["jobs"] == paths
        if left[0]:
            break
    assert number > 4


def test_one_that_was_renamed_keeps_its_rows_and_a_copy_beside_it_is_a_duplicate(
    tmp_path: Path,
) -> None:
    dataset = make_done(tmp_path)
    folder = tmp_path / "v" / "ann"
    (folder / "a.mp4").rename(folder / "z.mp4")
    shutil.copy(folder / "z.mp4", folder / "y.mp4")
    made = plan(tmp_path / "v", dataset=dataset)
    assert [(former, source.path) for former, source in made.moved] == [
        ("../v/ann/a.mp4", "../v/ann/y.mp4")  # either might be it
    ]
    assert [(s.path, s.duplicate_of) for job in made.jobs for s in job.sources] == [
        ("../v/ann/z.mp4", "../v/ann/y.mp4")
    ]


def test_a_copy_of_what_is_still_there_has_not_moved(tmp_path: Path) -> None:
    dataset = make_done(tmp_path)
    shutil.copytree(tmp_path / "v", tmp_path / "w")
    made = plan(tmp_path / "w", dataset=dataset)
    assert not made.moved
    assert [s.duplicate_of for job in made.jobs for s in job.sources][:2] == ["../v/ann/a.mp4"] * 2


def test_a_moved_source_keeps_its_identity_and_is_run_again_when_asked_for(
    tmp_path: Path,
) -> None:
    dataset = make_done(tmp_path)
    (tmp_path / "v" / "ann").rename(tmp_path / "v" / "eve")
    with pytest.warns(UserWarning, match=r"3 sources .* keep their identity, as .*: ann, not eve"):
        record(plan(tmp_path / "v", dataset=dataset), dataset)
    assert set(read_table(dataset, "sources")["identity"]) == {"ann"}
    (tmp_path / "v" / "eve").rename(tmp_path / "v" / "ann")
    made = plan(tmp_path / "v", dataset=dataset, retry_rejected=True)
    ids = {job.id for job in read_jobs(dataset)}
    assert [Path(s.path).name for job in made.jobs for s in job.sources] == ["b.mp4", "c.mp4"]
    assert not ids & {job.id for job in made.jobs}


# --- options ------------------------------------------------------------------------------------


def _changes() -> list[tuple[str, object]]:
    other = {"fps": 25, "frame_size": 0, "clip_seconds": 9.0, "crop_margin": 0.2, "audio_track": 1,
             "crop": "picture",
             "min_frames": 27, "focal": 700.0,
             "deepspeech": "none", "whisper": "tiny-en", "pose": "none", "au45": "none",
             "coefficients": "none",
             "interocular_mm": 90.0, "openface_csv": Path("x"), "openface_binary": Path("x"),
             "weights": Path("x"), "deng_checkpoint": Path("x"), "bfm": Path("x")}  # fmt: skip
    return list(other.items())


@pytest.mark.parametrize(("name", "value"), _changes())
def test_other_options_are_refused_by_name(name: str, value: object, tmp_path: Path) -> None:
    options = IngestOptions()
    (video,) = write_many(tmp_path / "v", 1)
    kwargs = {"identity": "parent", "shard_minutes": 1.0}
    made = make_plan([video], tmp_path / "d", options.of_arrays(), **kwargs)  # type: ignore[arg-type]
    record(made, tmp_path / "d")
    changed = dataclasses.replace(options, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="--" + name.replace("_", "-") + r" .*--out"):
        make_plan([video], tmp_path / "d", changed.of_arrays(), **kwargs)  # type: ignore[arg-type]


def test_a_dataset_older_than_an_option_may_be_gone_on_with(tmp_path: Path) -> None:
    (video,) = write_many(tmp_path / "v", 1)
    options = IngestOptions().of_arrays()
    older = {name: value for name, value in options.items() if name != "crop_margin"}
    kwargs = {"identity": "parent", "shard_minutes": 1.0}
    record(make_plan([video], tmp_path / "d", older, **kwargs), tmp_path / "d")  # type: ignore[arg-type]
    made = make_plan([video], tmp_path / "d", options, **kwargs)  # type: ignore[arg-type]
    assert [dict(job.options) for job in made.jobs] == [older]


@pytest.mark.parametrize("first", ["tiny-en", "none"])
def test_a_dataset_with_a_younger_feature_and_one_without_are_not_mixed(
    first: str, tmp_path: Path
) -> None:
    """The record of one without it is that of a version that did not know the feature."""
    (video,) = write_many(tmp_path / "v", 1)
    kwargs = {"identity": "parent", "shard_minutes": 1.0}
    options = {name: IngestOptions(whisper=name).of_arrays() for name in ("tiny-en", "none")}
    assert "whisper" not in options["none"]
    record(make_plan([video], tmp_path / "d", options[first], **kwargs), tmp_path / "d")  # type: ignore[arg-type]
    other = {"tiny-en": "none", "none": "tiny-en"}[first]
    with pytest.raises(OptionsError, match=f"made with --whisper {first}, not {other}: .*--out"):
        make_plan([video], tmp_path / "d", options[other], **kwargs)  # type: ignore[arg-type]


def test_every_option_that_shapes_arrays_is_compared() -> None:
    options = IngestOptions(whisper="tiny-en", crop="picture")
    assert {name for name, _ in _changes()} == set(options.of_arrays())


@settings(max_examples=50)
@given(st.sampled_from([25, 30]), st.sampled_from([0, 256, 512]), st.integers(1, 75))
def test_options_survive_their_record(fps: int, size: int, frames: int) -> None:
    options = IngestOptions(fps=fps, frame_size=size, min_frames=frames, bfm=Path("a b"))
    assert IngestOptions.from_arrays(json.loads(json.dumps(options.of_arrays()))) == options


@pytest.mark.parametrize(
    "wrong",
    [{"fps": 24}, {"identity": "mother"}, {"frame_size": -1}, {"frame_size": 16},
     {"min_frames": 0}, {"clip_seconds": 1}, {"crop_margin": -0.1}, {"crop_margin": 5.0},
     {"crop": "all"}, {"shard_minutes": 0}, {"focal": -1.0}, {"interocular_mm": 0.0},
     {"clip_seconds": float("nan")}, {"shard_minutes": float("nan")}],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="--" + next(iter(wrong)).split("_")[0]):
        IngestOptions(**wrong)  # type: ignore[arg-type]


# --- trouble ------------------------------------------------------------------------------------


def test_a_damaged_record_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path / "d" / "manifests" / "jobs" / "abc.json", '{"id": "abc"')
    with pytest.raises(ManifestError, match=r"abc\.json: damaged"):
        plan(*write_many(tmp_path / "v", 1), dataset=tmp_path / "d")


@pytest.mark.parametrize("name", ["list.txt", "who.csv"])
def test_an_unreadable_list_or_table_is_named_not_the_dataset(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video,) = write_many(tmp_path, 1)
    given = write(tmp_path / "list.txt", "v000.mp4\n") if name == "list.txt" else video
    table = str(write(tmp_path / "who.csv", "source,identity\nv000.mp4,Ann\n"))

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ToolkitError, match=rf"{name}: it cannot be read \(Permission denied\)"):
        plan(given, dataset=tmp_path / "d", identity=table if name == "who.csv" else "parent")


# --- what cannot be read ------------------------------------------------------------------------


def refuse_to_hash(patch: pytest.MonkeyPatch, name: str, number: int) -> None:
    """Reading the file of this name fails."""
    hash_whole = sources.hash_file

    def hash_file(path: Path) -> str:
        if path.name == name:
            raise OSError(number, os.strerror(number), str(path))
        return hash_whole(path)

    patch.setattr(sources, "hash_file", hash_file)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "it cannot be read (Permission denied): make it readable or leave it out"),
        (errno.EIO, "it cannot be read (Input/output error): make it readable or leave it out"),
        (errno.ENOENT, "it is gone"),
    ],
)
def test_one_file_that_cannot_be_read_is_planned_with_why_and_the_rest_as_ever(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = write_many(tmp_path / "v", 3)
    refuse_to_hash(monkeypatch, "v001.mp4", number)
    made = plan(tmp_path / "v", dataset=tmp_path / "d")
    found = {Path(s.path).name: s for job in made.jobs for s in job.sources}
    assert {name: s.problem for name, s in found.items()} == {
        "v000.mp4": "", "v001.mp4": words, "v002.mp4": "",
    }  # fmt: skip
    bad = found["v001.mp4"]
    assert (bad.size, bad.mtime_ns, bad.sha256, bad.duration) == (0, 0, "", 0.0)
    monkeypatch.undo()
    monkeypatch.setattr(sources, "read_duration", lambda path: float(path.stat().st_size))
    videos[1].unlink()
    without = plan(tmp_path / "v", dataset=tmp_path / "d")
    kept = [s for job in made.jobs for s in job.sources if not s.problem]
    assert kept == [s for job in without.jobs for s in job.sources]


def test_too_many_open_files_are_no_fault_of_a_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many(tmp_path / "v", 1)
    refuse_to_hash(monkeypatch, "v000.mp4", errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        plan(tmp_path / "v", dataset=tmp_path / "d")


def test_a_file_that_can_be_read_again_is_planned_anew_and_one_that_cannot_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_many(tmp_path / "v", 2)
    with pytest.MonkeyPatch.context() as patch:
        refuse_to_hash(patch, "v001.mp4", errno.EACCES)
        made = plan(tmp_path / "v", dataset=tmp_path / "d")
        record(made, tmp_path / "d")
        for job in made.jobs:
            finish(job, tmp_path / "d")
        again = plan(tmp_path / "v", dataset=tmp_path / "d")
        assert (again.jobs, again.num_done) == ((), 2)
    later = plan(tmp_path / "v", dataset=tmp_path / "d")
    assert names(later) == [["v001.mp4"]]
    assert not later.jobs[0].sources[0].problem


def test_what_is_done_and_cannot_be_read_now_stays_done_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (video,) = write_many(tmp_path / "v", 1)
    made = plan(video, dataset=tmp_path / "d")
    record(made, tmp_path / "d")
    finish(made.jobs[0], tmp_path / "d")
    os.utime(video, ns=(1, 1))  # touched: its digest is asked for
    refuse_to_hash(monkeypatch, "v000.mp4", errno.EIO)
    with pytest.warns(UserWarning, match=r"1 sources that are done cannot be read now, as .*v000"):
        again = plan(video, dataset=tmp_path / "d")
    assert (again.jobs, again.num_done) == ((), 1)


def test_fifos_links_to_nothing_and_loops_each_have_a_place_in_the_plan(tmp_path: Path) -> None:
    write_many(tmp_path / "v", 1)
    os.mkfifo(tmp_path / "v" / "pipe.mp4")
    (tmp_path / "v" / "gone.mkv").symlink_to("nowhere.mkv")
    (tmp_path / "v" / "round").symlink_to(tmp_path / "v")
    made = plan(tmp_path / "v", dataset=tmp_path / "d")
    problems = {Path(s.path).name: s.problem for job in made.jobs for s in job.sources}
    assert problems == {
        "v000.mp4": "",
        "pipe.mp4": "a pipe (fifo), no file",
        "gone.mkv": "a link to nowhere.mkv, which is not there: get it first",
        "round": f"a link to {tmp_path / 'v'}, which it lies in",
    }
    record(made, tmp_path / "d")
    again = plan(tmp_path / "v", dataset=tmp_path / "d")  # as after a kill
    assert {job.id for job in again.jobs} == {job.id for job in made.jobs}


def test_a_job_whose_source_is_left_out_now_is_planned_without_it(tmp_path: Path) -> None:
    write_many(tmp_path / "v", 3)
    first = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10)
    record(first, tmp_path / "d")
    made = plan(tmp_path / "v", dataset=tmp_path / "d", minutes=10, exclude=["v001*"])
    assert sorted(name for job in names(made) for name in job) == ["v000.mp4", "v002.mp4"]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.text(max_size=30))
def test_a_jobs_record_reads_back_as_it_was(tmp_path: Path, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    source = Source(path=text, size=1, mtime_ns=2, sha256="3", identity=text, duration=0.1 + 0.2)
    job = Job(id="0" * 12, sources=(source,), options={"focal": 0.1}, attempt=2)
    record(Plan(jobs=(job,), num_done=0), tmp_path)
    assert asdict(read_jobs(tmp_path)[0]) == asdict(job)


def test_done_sources_that_would_now_be_named_otherwise_are_told_of(tmp_path: Path) -> None:
    folder, dataset = tmp_path / "in", tmp_path / "data"
    write(folder / "anna" / "a.mp4", "a")
    made = plan(folder, dataset=dataset)
    record(made, dataset)
    finish(made.jobs[0], dataset)
    with pytest.warns(UserWarning, match=r"keep their identity, as .*a\.mp4: anna, not a;"):
        again = plan(folder, dataset=dataset, identity="stem")
    assert again.jobs == ()
