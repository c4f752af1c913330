"""What becomes of a source whose content, name or container has changed: every case in a table.

A file is text here: what stands before its bar stands for its packets. `-` gives no clip.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.datasets import FakeClip, make_rejected_row, make_row
from tests.toolkit.ingest.test_jobs import plan, read_marker, record, write
from toolkit.dataset import job_records, table_file
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import read_table, write_part
from toolkit.dataset.stats import yield_funnel
from toolkit.dataset.validate import validate_dataset
from toolkit.ingest import jobs, sources
from toolkit.ingest.jobs import Plan
from toolkit.schema import Job, Reason
from toolkit.storage import hash_file

Files = dict[str, str]
"""Name -> content."""


@dataclass(frozen=True)
class Case:
    """Folders one after another; what the plan for the last one makes of it.

    Attributes:
        folders: each is ingested before the next; the last one is planned.
        fresh: name -> of which it is a copy, of those to run.
        moves: (former name, name now).
        num_done: sources.
        clips: (name, content) that clips name when all is done.
    """

    folders: tuple[Files, ...]
    fresh: dict[str, str | None] = field(default_factory=dict)
    moves: set[tuple[str, str]] = field(default_factory=set)
    num_done: int = 0
    clips: set[tuple[str, str]] = field(default_factory=set)


A1, A2, B1, C1, NO1, NO2 = "A|1", "A|2", "B|1", "C|1", "-N|1", "-N|2"

CASES = {
    "new": Case(({"a": A1},), fresh={"a": None}, clips={("a", A1)}),
    "as it was": Case(({"a": A1}, {"a": A1}), num_done=1, clips={("a", A1)}),
    "other content": Case(
        ({"a": A1}, {"a": B1}), fresh={"a": None}, clips={("a", A1), ("a", B1)}
    ),
    "other content, then as before": Case(
        ({"a": A1}, {"a": B1}, {"a": A1}),
        moves={("a", "a")}, num_done=1, clips={("a", A1), ("a", B1)},
    ),
    "other metadata": Case(({"a": A1}, {"a": A2}), moves={("a", "a")}, num_done=1,
                           clips={("a", A1)}),
    "other metadata, no clip before": Case(({"a": NO1}, {"a": NO2}), fresh={"a": None}),
    "moved": Case(({"a": A1}, {"b": A1}), moves={("a", "b")}, num_done=1, clips={("b", A1)}),
    "moved, new content in its place": Case(
        ({"a": A1}, {"a": B1, "b": A1}),
        fresh={"a": None}, moves={("a", "b")}, num_done=1, clips={("a", B1), ("b", A1)},
    ),
    "moved onto a taken path": Case(
        ({"a": A1, "b": B1}, {"a": B1}),
        moves={("b", "a")}, num_done=1, clips={("a", A1), ("a", B1)},
    ),
    "each moved onto the path before": Case(
        ({"a": A1, "b": B1, "c": C1}, {"a": B1, "b": C1}),
        moves={("b", "a"), ("c", "b")}, num_done=2, clips={("a", A1), ("a", B1), ("b", C1)},
    ),
    "swapped": Case(
        ({"a": A1, "b": B1}, {"a": B1, "b": A1}),
        moves={("a", "b"), ("b", "a")}, num_done=2, clips={("a", B1), ("b", A1)},
    ),
    "in a circle": Case(
        ({"a": A1, "b": B1, "c": C1}, {"b": A1, "c": B1, "a": C1}),
        moves={("a", "b"), ("b", "c"), ("c", "a")}, num_done=3,
        clips={("b", A1), ("c", B1), ("a", C1)},
    ),
    "taken path, and back elsewhere": Case(
        ({"a": A1, "b": B1}, {"a": B1}, {"a": B1, "d": A1}),
        moves={("a", "d")}, num_done=2, clips={("d", A1), ("a", B1)},
    ),
    "copied": Case(({"a": A1}, {"a": A1, "b": A1}), fresh={"b": "a"}, num_done=1,
                   clips={("a", A1)}),
    "copied onto a taken path": Case(
        ({"a": A1, "b": B1}, {"a": B1, "b": B1}),
        fresh={"a": "b"}, num_done=1, clips={("a", A1), ("b", B1)},
    ),
    "moved and copied": Case(
        ({"a": A1}, {"b": A1, "c": A1}),
        fresh={"c": "b"}, moves={("a", "b")}, num_done=1, clips={("b", A1)},
    ),
    "copied in another container": Case(
        ({"a": A1}, {"a": A1, "b": A2}), fresh={"b": "a"}, num_done=1, clips={("a", A1)}
    ),
    "copied in another container, in one plan": Case(
        ({"a": A1, "b": A2, "c": A1},),
        fresh={"a": None, "b": "a", "c": "a"}, clips={("a", A1)},
    ),
    "moved into another container": Case(
        ({"a": A1}, {"b": A2}), moves={("a", "b")}, num_done=1, clips={("b", A1)}
    ),
    "moved, and copied in another container": Case(
        ({"a": A1}, {"b": A2, "c": A1}),
        fresh={"b": "c"}, moves={("a", "c")}, num_done=1, clips={("c", A1)},
    ),
    "copied, then the first removed": Case(
        ({"a": A1}, {"a": A1, "b": A1}, {"b": A1}),
        moves={("a", "b")}, num_done=1, clips={("b", A1)},
    ),
    "copied in another container, then the first removed": Case(
        ({"a": A1, "b": A2}, {"b": A2}), moves={("a", "b")}, num_done=1, clips={("b", A1)}
    ),
    "copied, the first removed, then moved": Case(
        ({"a": A1, "b": A1}, {"b": A1}, {"q": A1}),
        moves={("b", "q")}, num_done=1, clips={("q", A1)},
    ),
    "copied later, the first removed, then moved": Case(
        ({"a": A1}, {"a": A1, "b": A1}, {"b": A1}, {"q": A1}),
        moves={("b", "q")}, num_done=1, clips={("q", A1)},
    ),
    "copied twice, then the first replaced": Case(
        ({"a": A1, "b": A1, "c": A2}, {"a": B1, "b": A1, "c": A2}),
        fresh={"a": None}, moves={("a", "b")}, num_done=2, clips={("a", B1), ("b", A1)},
    ),
    "no clip, as it was": Case(({"a": NO1}, {"a": NO1}), num_done=1),
    "no clip, moved": Case(({"a": NO1}, {"b": NO1}), moves={("a", "b")}, num_done=1),
    "no clip, moved onto a taken path": Case(
        ({"a": A1, "b": NO1}, {"a": NO1}), moves={("b", "a")}, num_done=1, clips={("a", A1)}
    ),
    "no clip, its path taken": Case(
        ({"a": NO1, "b": B1}, {"a": B1}), moves={("b", "a")}, num_done=1, clips={("a", B1)}
    ),
    "no clip, other content, then as before": Case(
        ({"a": NO1}, {"a": B1}, {"a": NO1}),
        moves={("a", "a")}, num_done=1, clips={("a", B1)},
    ),
    "no clip, copied": Case(({"a": NO1}, {"a": NO1, "b": NO1}), fresh={"b": None}, num_done=1),
    "no clip, copied in another container": Case(
        ({"a": NO1}, {"a": NO1, "b": NO2}), fresh={"b": None}, num_done=1
    ),
    "removed": Case(
        ({"a": A1, "b": B1}, {"b": B1}), num_done=1, clips={("a", A1), ("b", B1)}
    ),
    "removed, and back": Case(
        ({"a": A1, "b": B1}, {"b": B1}, {"a": A1, "b": B1}),
        num_done=2, clips={("a", A1), ("b", B1)},
    ),
}  # fmt: skip

MOVING = (
    "each moved onto the path before",
    "in a circle",
    "taken path, and back elsewhere",
    "moved into another container",
    "no clip, other content, then as before",
)


@dataclass(kw_only=True)
class ClipOf(FakeClip):
    """A clip of a file that has this digest."""

    sha256: str

    @property
    def source_sha256(self) -> str:
        return self.sha256


@pytest.fixture(autouse=True)
def _stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "read_duration", lambda path: 9.0)
    monkeypatch.setattr(jobs, "hash_packets", read_marker)


def fill(folder: Path, files: Files) -> None:
    """Make a folder hold these files; what is there already with its content is left alone."""
    for path in folder.glob("*"):
        if path.read_text() != files.get(path.stem):
            path.unlink()
    for name, content in files.items():
        if not (folder / f"{name}.mp4").exists():
            write(folder / f"{name}.mp4", content)


def finish(job: Job, dataset: Path) -> None:
    """Leave what a job leaves that is done, shards aside."""
    now = {"job": job.id, "ingested_at": datetime.now(UTC)}
    clips, rejected, rows = [], [], []
    for source in job.sources:
        text = (dataset / source.path).read_text()
        has_clip = not source.duplicate_of and not text.startswith("-")
        of_file = {"source_sha256": source.sha256, **now}
        if has_clip:
            clips.append(make_row(ClipOf(source=source.path, sha256=source.sha256), job.id) | now)
        else:
            reason = Reason.DUPLICATE if source.duplicate_of else Reason.NO_FACE
            rejected.append(make_rejected_row(source.path, reason, 9.0, job.id) | of_file)
        state = {name: getattr(source, name) for name in ("size", "mtime_ns", "sha256")}
        who = {"identity": source.identity, "duration": 9.0, "num_clips": int(has_clip)}
        rows.append({"source": source.path, "moved_at": None, **state, **who, **now})
    write_part(dataset, "clips", job.id, clips)
    write_part(dataset, "rejected", job.id, rejected)
    write_part(dataset, "sources", job.id, rows)


def run(dataset: Path) -> Plan:
    made = plan(dataset.parent / "v", dataset=dataset)
    record(made, dataset)
    for job in made.jobs:
        finish(job, dataset)
    return made


def list_clips(dataset: Path) -> set[tuple[str, str]]:
    """(name, digest) that the clips name."""
    clips = read_table(dataset, "clips")
    assert clips["clip_id"].is_unique
    return {
        (Path(s).stem, d) for s, d in clips[["source", "source_sha256"]].itertuples(index=False)
    }


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """A case whose folders but the last one are ingested; the last one lies there."""
    chosen = CASES[request.param]
    for files in chosen.folders[:-1]:
        fill(tmp_path / "v", files)
        run(tmp_path / "d")
    fill(tmp_path / "v", chosen.folders[-1])
    return chosen


def digest(content: str, folder: Path) -> str:
    return hash_file(write(folder / "content.txt", content))


@pytest.mark.filterwarnings("ignore")
def test_each_source_is_run_moved_or_done_and_every_clip_names_its_own_file(
    case: Case, tmp_path: Path
) -> None:
    dataset = tmp_path / "d"
    made = run(dataset)
    found = [s for job in made.jobs for s in job.sources]
    assert {Path(s.path).stem: s.duplicate_of and Path(s.duplicate_of).stem for s in found} \
        == case.fresh  # fmt: skip
    assert {(Path(former).stem, Path(s.path).stem) for former, s in made.moved} == case.moves
    assert made.num_done == case.num_done
    assert list_clips(dataset) == {(name, digest(text, tmp_path)) for name, text in case.clips}


@pytest.mark.filterwarnings("ignore")
def test_afterwards_nothing_is_left_to_do_and_the_tables_agree(case: Case, tmp_path: Path) -> None:
    """One row a file, with its state; what gave no clip says why; nothing is damaged."""
    dataset = tmp_path / "d"
    run(dataset)
    again = plan(tmp_path / "v", dataset=dataset)
    assert (again.jobs, again.moved) == ((), ())
    assert again.num_done == len(case.folders[-1])
    rows = read_table(dataset, "sources").set_index("source")
    empty = set()
    for name in case.folders[-1]:
        row, state = rows.loc[f"../v/{name}.mp4"], (tmp_path / "v" / f"{name}.mp4").stat()
        if name in {to for _, to in case.moves}:
            assert (row["size"], row["mtime_ns"]) == (state.st_size, state.st_mtime_ns)
        empty |= set() if row["num_clips"] else {f"../v/{name}.mp4"}
    rejected = set(read_table(dataset, "rejected")["source"])
    assert rejected & {f"../v/{name}.mp4" for name in case.folders[-1]} == empty
    problems = [p.message for p in validate_dataset(dataset) if not p.is_note]
    assert all("missing: put it back" in message for message in problems)  # shards, left out here
    funnel = yield_funnel(dataset)
    assert (funnel.num_sources, funnel.num_clips) == (len(rows), rows["num_clips"].sum())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", MOVING, indirect=True)
def test_a_plan_killed_while_it_writes_paths_ends_as_if_it_had_not_been(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each file that it writes, and run again."""
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / "d", kept)
    run(tmp_path / "d")
    expected = list_clips(tmp_path / "d")
    whole = table_file.write_whole
    for number in range(1, 40):
        dataset = shutil.copytree(kept, tmp_path / f"d{number}")
        left = [number]

        def write_some(path: Path, left: list[int] = left) -> object:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return whole(path)

        for module in (table_file, job_records):
            monkeypatch.setattr(module, "write_whole", write_some)
        try:
            run(dataset)
            break
        except KeyboardInterrupt:
            for module in (table_file, job_records):
                monkeypatch.setattr(module, "write_whole", whole)
        run(dataset)
        assert list_clips(dataset) == expected
        again = plan(tmp_path / "v", dataset=dataset)
        assert (again.jobs, again.moved) == ((), ())
        paths = {source.path for job in read_jobs(dataset) for source in job.sources}
        assert {f"../v/{name}.mp4" for name in case.folders[-1]} <= paths
    assert number > 3


def test_a_path_that_is_not_given_is_looked_at_before_its_content_counts_as_moved(
    tmp_path: Path,
) -> None:
    """Another file lies there, of as many bytes; b is planned alone."""
    fill(tmp_path / "v", {"a": A1})
    run(tmp_path / "d")
    fill(tmp_path / "v", {"a": B1, "b": A1})
    made = plan(tmp_path / "v" / "b.mp4", dataset=tmp_path / "d")
    assert [(former, source.path) for former, source in made.moved] == [
        ("../v/a.mp4", "../v/b.mp4")
    ]
    assert made.jobs == ()


def test_a_link_whose_file_was_moved_leads_nowhere_and_the_file_is_found(tmp_path: Path) -> None:
    kept = write(tmp_path / "kept" / "a.mp4", A1)
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.mp4").symlink_to(kept)
    run(tmp_path / "d")
    kept.rename(tmp_path / "kept" / "b.mp4")
    made = plan(tmp_path / "kept", dataset=tmp_path / "d")
    assert [(f, s.path) for f, s in made.moved] == [("../v/a.mp4", "../kept/b.mp4")]


def test_a_file_that_cannot_be_looked_at_has_not_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "v", {"a": A1})
    run(tmp_path / "d")
    fill(tmp_path / "v", {"a": B1, "b": A1})
    whole = sources.hash_file

    def refuse(path: Path) -> str:
        if path.name == "a.mp4":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(sources, "hash_file", refuse)
    made = plan(tmp_path / "v" / "b.mp4", dataset=tmp_path / "d")
    assert made.moved == ()
    assert [s.duplicate_of for job in made.jobs for s in job.sources] == ["../v/a.mp4"]


def test_a_dataset_made_before_times_counted_is_done_and_copies_of_it_are_known_by_their_bytes(
    tmp_path: Path,
) -> None:
    """Its parts lack `moved_at`, its records have digests of another kind."""
    fill(tmp_path / "v", {"a": A1, "n": NO1})
    run(tmp_path / "d")
    for path in (tmp_path / "d" / "manifests" / "sources").iterdir():
        pq.write_table(pq.read_table(path).drop_columns(["moved_at"]), path)
    for path in (tmp_path / "d" / "manifests" / "jobs").iterdir():
        path.write_text(path.read_text().replace("2:A:0", "0" * 64).replace("2:-N:0", "1" * 64))
    fill(tmp_path / "v", {"a": A1, "n": NO1})
    assert plan(tmp_path / "v", dataset=tmp_path / "d") == Plan(jobs=(), num_done=2)
    fill(tmp_path / "v", {"b": A1, "c": A1, "m": NO1, "d": A2})
    made = run(tmp_path / "d")
    assert made.num_done == 2
    assert {s.path: s.duplicate_of for job in made.jobs for s in job.sources} == {
        "../v/c.mp4": "../v/b.mp4", "../v/d.mp4": None,
    }  # fmt: skip
