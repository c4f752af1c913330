"""The copy of small parts: rows are those of the parts, whatever became of either since."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.datasets import FakeClip, make_rejected_row, make_row, make_source_row, write_dataset
from toolkit import storage
from toolkit.dataset import compaction
from toolkit.dataset.manifest import (
    PARTS,
    compact_tables,
    find_part,
    read_fingerprints,
    read_table,
    write_part,
)
from toolkit.errors import ManifestError, StorageError
from toolkit.schema import Reason

JOBS = ("a", "b", "c", "d")
ROWS: tuple[dict[str, object], ...] = (
    {"fingerprint": [1, 2, 3], "blink_onsets": [0.1, 1.5], "blink_offsets": [0.2, 1.7]},
    {"fingerprint": None, "mouth_audio_lag": None},
    {"fingerprint": [7], "blink_onsets": None, "blink_offsets": None, "num_blinks": None},
)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four jobs, one of them without a clip, the manifest alone, and its copy."""
    monkeypatch.setattr(compaction, "MIN_PARTS", 2)
    folder = tmp_path / "d"
    clips = [FakeClip(source=f"ä{i}.mp4", row=row) for i, row in enumerate(ROWS)]
    write_dataset(folder, {"a": clips[:2], "b": clips[2:], "c": []}, shards=False)
    write_job(folder, "d", num_clips=3)
    write_part(folder, "rejected", "d", [make_rejected_row("0d.mp4", Reason.STILL, 1.0, "d")])
    compact_tables(folder)
    return folder


def write_job(dataset: Path, job: str, num_clips: int) -> None:
    """Parts of a job with so many sources of a clip each."""
    clips = [FakeClip(source=f"{i}{job}.mp4", row=ROWS[i % 3]) for i in range(num_clips)]
    rows = [make_row(clip, job, index) for index, clip in enumerate(clips)]
    write_part(dataset, "clips", job, rows)
    write_part(dataset, "rejected", job, [])
    write_part(dataset, "sources", job, [make_source_row([clip], job) for clip in clips])


def find_copy(dataset: Path, table: str = "clips") -> Path:
    return dataset / "manifests" / "compacted" / f"{table}.parquet"


def check_same(dataset: Path) -> None:
    """All tables are what they are without a copy."""
    bare = shutil.copytree(dataset, dataset.parent / "bare")
    shutil.rmtree(bare / "manifests" / "compacted")
    for table in PARTS:
        pd.testing.assert_frame_equal(read_table(dataset, table), read_table(bare, table))
    for with_copy, without in zip(read_fingerprints(dataset), read_fingerprints(bare), strict=True):
        assert list(with_copy) == list(without)
    shutil.rmtree(bare)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that rows are read from."""
    names: list[str] = []
    whole = compaction.read_rows

    def read(dataset: Path, path: Path, *rest: object) -> object:
        names.append(path.name)
        return whole(dataset, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(compaction, "read_rows", read)
    return names


def test_rows_of_the_copy_are_those_of_the_parts(dataset: Path, opened: list[str]) -> None:
    """Lists, nulls, fingerprints and parts without rows; no part is opened."""
    check_same(dataset)
    opened.clear()
    assert len(read_table(dataset, "clips")) == 6
    assert opened == ["clips.parquet"]


def test_a_part_that_is_new_or_changed_is_read_itself(dataset: Path, opened: list[str]) -> None:
    write_job(dataset, "b", 2)
    write_job(dataset, "aa", 1)
    find_part(dataset, "clips", "c").unlink()
    opened.clear()
    jobs = read_table(dataset, "clips")["job"].tolist()
    assert jobs == ["a", "a", "aa", "b", "b", "d", "d", "d"]
    assert opened == ["clips.parquet", "aa.parquet", "b.parquet"]
    check_same(dataset)


CHANGES: dict[str, Callable[[Path, str], None]] = {
    "write": lambda dataset, job: write_job(dataset, job, 2),
    "empty": lambda dataset, job: write_job(dataset, job, 0),
    "delete": lambda dataset, job: [  # type: ignore[func-returns-value]
        find_part(dataset, table, job).unlink(missing_ok=True) for table in PARTS
    ],
    "add": lambda dataset, job: write_job(dataset, job + "x", 1),
    "compact": lambda dataset, job: compact_tables(dataset),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from(JOBS)), max_size=5))
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_written_later_counts(dataset: Path, changes: list[tuple[str, str]]) -> None:
    changed = shutil.copytree(dataset, dataset.parent / "changed")
    for change, job in changes:
        CHANGES[change](changed, job)
    check_same(changed)
    shutil.rmtree(changed)


def test_a_changed_or_damaged_part_is_named_though_the_copy_has_its_rows(dataset: Path) -> None:
    path = find_part(dataset, "clips", "d")
    content = pq.read_table(path)
    place = content.schema.get_field_index("face_size")
    larger = content.set_column(place, content.schema.field(place), [[151.0, 151.0, 151.0]])
    pq.write_table(larger, path)
    with pytest.raises(
        ManifestError, match=r"clips/d\.parquet: damaged \(other values .*face_size"
    ):
        read_table(dataset, "clips")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ManifestError, match=r"clips/d\.parquet: damaged"):
        read_table(dataset, "clips")


@pytest.mark.parametrize("place", range(8))
def test_a_damaged_copy_is_left_aside(dataset: Path, place: int) -> None:
    """A flipped bit anywhere, or an end that was cut off: no other row than those of the parts."""
    path = find_copy(dataset)
    whole = path.read_bytes()
    at = len(whole) * place // 8
    for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
        path.write_bytes(content)
        check_same(dataset)


def test_a_copy_that_another_program_wrote_is_left_aside(dataset: Path) -> None:
    """Without digests nothing says that its values are those that were written."""
    path = find_copy(dataset)
    content = pq.read_table(path)
    notes = {b"parts": content.schema.metadata[b"parts"]}
    sharper = content["sharpness"].combine_chunks().fill_null(0).to_numpy() + 1.0
    place = content.schema.get_field_index("sharpness")
    content = content.set_column(place, "sharpness", [sharper])
    pq.write_table(content.replace_schema_metadata(notes), path)
    check_same(dataset)


@pytest.mark.parametrize(
    "notes", ["", "{}", "[]", '[["a"]]', '[["a", "x", -1], ["b", "x", 7]]', '[["a", "x", 1]]', "1"]
)
def test_notes_that_cannot_be_leave_the_copy_aside(dataset: Path, notes: str) -> None:
    content = pq.read_table(find_copy(dataset)).replace_schema_metadata({b"parts": notes})
    compaction.write_content(find_copy(dataset), content)
    check_same(dataset)


def test_a_copy_is_written_anew_once_many_parts_are_not_in_it(dataset: Path) -> None:
    names = ["a", "b", "c", "d"]
    for job, expected in (("e", names), ("f", [*names, "e", "f"])):
        write_job(dataset, job, 1)
        compact_tables(dataset)
        notes = json.loads(pq.read_schema(find_copy(dataset)).metadata[b"parts"])
        assert [name for name, _, _ in notes] == expected


def test_a_dataset_of_few_parts_has_no_copy(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(dataset / "manifests" / "compacted")
    monkeypatch.setattr(compaction, "MIN_PARTS", 5)
    compact_tables(dataset)
    assert not find_copy(dataset).parent.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_former_copy(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_remove_foreign", lambda path: None)  # links stand for the disk
    path = find_copy(dataset)
    before = path.read_bytes()
    for job in "ef":
        write_job(dataset, job, 1)
    path.with_name(".clips.parquet.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"clips\.parquet: .*disk is full"):
        compact_tables(dataset)
    assert path.read_bytes() == before
    check_same(dataset)


def test_a_copy_that_lies_elsewhere_is_refused(dataset: Path, tmp_path: Path) -> None:
    path = find_copy(dataset)
    path.rename(tmp_path / "clips.parquet")
    path.symlink_to(tmp_path / "clips.parquet")
    with pytest.raises(ManifestError, match="lies outside"):
        read_table(dataset, "clips")
