"""The manifest: parts written whole, read together; the latest job of a source counts."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import ROOT
from tests.datasets import (
    WHEN,
    FakeClip,
    make_rejected_row,
    make_row,
    make_source_row,
    write_dataset,
)
from toolkit import storage
from toolkit.dataset.job_records import move_sources
from toolkit.dataset.manifest import (
    find_part,
    read_history,
    read_split_where,
    read_table,
    write_part,
    write_split,
)
from toolkit.dataset.table_file import LARGE
from toolkit.dataset.where import filter_rows
from toolkit.errors import ManifestError, StorageError
from toolkit.schema import TABLES, Reason, Source

ANN = FakeClip(source="ä\n'b.mp4", row={"blink_onsets": [0.1, 1.5], "blink_offsets": [0.2, 1.7]})
BOB = FakeClip(identity="bob", source="bob.mp4", num_frames=90, row={"face_size": 60.0})
README = ROOT / "manifests" / "README.md"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two jobs with a clip each; the manifest alone."""
    return write_dataset(tmp_path, {"a": [ANN], "b": [BOB]}, shards=False)


def test_rows_come_back_as_they_were_written(dataset: Path) -> None:
    """Every column, lists and times included, parts one after another."""
    table = read_table(dataset, "clips")
    names = [column.name for column in TABLES["clips"] if column.name not in LARGE]
    assert list(table.columns) == names
    for index, (clip, job) in enumerate(((ANN, "a"), (BOB, "b"))):
        found = table.iloc[index].to_dict()
        found |= {n: list(found[n]) for n in ("blink_onsets", "blink_offsets")}
        assert found | {"fingerprint": None} == make_row(
            clip, job, shard_sha256=found["shard_sha256"]
        )
    assert table["ingested_at"].iloc[0].to_pydatetime() == WHEN


@pytest.mark.parametrize("where", [None, "face_size > 100"])
@pytest.mark.parametrize(
    ("table", "columns"), [("clips", ["num_frames", "identity"]), ("sources", ["source"])]
)
def test_some_columns_are_those_of_the_whole_table(
    dataset: Path, table: str, columns: list[str], where: str | None
) -> None:
    where = where if table == "clips" else None
    whole = read_table(dataset, table, where)
    assert read_table(dataset, table, where, columns).equals(whole[columns])


def test_a_frame_is_written_as_its_rows_are(tmp_path: Path) -> None:
    made: dict[str, object] = {"by": "clip", "ratio": "5-1-4", "seed": 0}
    rows = [{"clip_id": name, "split": part, **made} for name, part in ("ä1", "bx")]
    by_rows = write_split(tmp_path, rows, "fps > 1").read_bytes()
    assert write_split(tmp_path, pd.DataFrame(rows), "fps > 1").read_bytes() == by_rows


def test_numbers_that_are_not_known_are_null(tmp_path: Path) -> None:
    """A dataset without AU45 has no number of blinks, which is not zero."""
    nothing: dict[str, object] = {"num_blinks": None, "blink_onsets": None, "yaw_min": None}
    write_part(tmp_path, "clips", "a", [make_row(FakeClip(row=nothing))])
    write_part(tmp_path, "clips", "b", [make_row(BOB)])
    table = read_table(tmp_path, "clips")
    assert table["num_blinks"].isna().tolist() == [True, False]
    assert table["yaw_min"].isna().tolist() == [True, False]


def test_a_part_is_replaced_whole_and_leaves_no_temporary_file(dataset: Path) -> None:
    """Written twice: the second counts, even where it has no rows."""
    write_part(dataset, "clips", "a", [])
    assert read_table(dataset, "clips")["identity"].tolist() == ["bob"]
    assert not [path for path in dataset.rglob(".*") if path.is_file()]


def test_a_row_that_does_not_fit_the_schema_writes_nothing(tmp_path: Path) -> None:
    """A missing column, one too many, a wrong type: named."""
    row = make_row(ANN)
    with pytest.raises(ValueError, match="face_size"):
        write_part(tmp_path, "clips", "a", [{n: v for n, v in row.items() if n != "face_size"}])
    with pytest.raises(ValueError, match="colour"):
        write_part(tmp_path, "clips", "a", [row | {"colour": 1}])
    with pytest.raises(ValueError, match="another type"):
        write_part(tmp_path, "clips", "a", [row | {"num_frames": "many"}])
    with pytest.raises(ValueError, match="no parts"):
        write_part(tmp_path, "split", "a", [])
    assert list(tmp_path.rglob("*.parquet")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The former part stays."""
    monkeypatch.setattr(storage, "_remove_foreign", lambda path: None)  # links stand for the disk
    path = write_part(tmp_path, "clips", "a", [make_row(ANN)])
    path.with_name(".a.parquet.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"a\.parquet: .*disk is full"):
        write_part(tmp_path, "clips", "a", [])
    assert len(read_table(tmp_path, "clips")) == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.parquet"]


# --- what is not there, or damaged --------------------------------------------------------------


def test_no_dataset_says_what_to_run(tmp_path: Path) -> None:
    """An empty folder, and one with a README alone."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "README.md").touch()
    with pytest.raises(ManifestError, match="no dataset here: run ttk ingest"):
        read_table(tmp_path, "clips")


def test_no_split_says_what_to_run(dataset: Path) -> None:
    """A dataset that was never split."""
    with pytest.raises(ManifestError, match=r"split\.parquet: .*run ttk split"):
        read_table(dataset, "split")


def test_a_dataset_of_rejections_alone_has_no_clips(tmp_path: Path) -> None:
    """Not an error: nothing was fit to be a clip."""
    write_part(tmp_path, "rejected", "a", [])
    assert read_table(tmp_path, "clips").empty


@pytest.mark.parametrize("size", [0, 10, 2000])
def test_a_damaged_part_is_named(dataset: Path, size: int) -> None:
    """At any length."""
    path = find_part(dataset, "clips", "b")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ManifestError, match=r"clips/b\.parquet: damaged"):
        read_table(dataset, "clips")


def test_a_part_of_another_table_is_refused(dataset: Path) -> None:
    """The message names the columns that differ."""
    find_part(dataset, "sources", "a").rename(find_part(dataset, "clips", "a"))
    with pytest.raises(
        ManifestError, match=r"clips/a\.parquet: columns of another version.*sha256"
    ):
        read_table(dataset, "clips")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("identity", pa.large_string()), ("num_frames", pa.int32())],
    ids=["as pandas writes texts", "narrower than digests are taken of"],
)
def test_a_part_that_another_program_wrote_is_refused_by_its_types(
    dataset: Path, name: str, kind: pa.DataType
) -> None:
    """The digests of its columns, which it may have kept, are not taken of other types."""
    path = find_part(dataset, "clips", "a")
    table = pq.read_table(path)
    place = table.schema.get_field_index(name)
    pq.write_table(table.set_column(place, name, table[name].cast(kind)), path)
    with pytest.raises(ManifestError, match=rf"another program \({name} as {kind}\): put back"):
        read_table(dataset, "clips")


def test_a_part_made_before_a_column_was_added_has_nulls_in_it(dataset: Path) -> None:
    """Every other column as it is, in the schema's order."""
    path = find_part(dataset, "clips", "a")
    before = read_table(dataset, "clips")
    pq.write_table(pq.read_table(path).drop_columns(["num_pictures"]), path)
    after = read_table(dataset, "clips")
    assert list(after.columns) == list(before.columns)
    assert after["num_pictures"].isna().tolist() == (before["source"] == ANN.source).tolist()
    pq.write_table(pq.read_table(path).drop_columns(["face_size"]), path)
    with pytest.raises(ManifestError, match="face_size"):
        read_table(dataset, "clips")


# --- several jobs for one source ----------------------------------------------------------------


def test_of_a_source_run_again_the_latest_job_counts(dataset: Path) -> None:
    """Rejected by job b first, a clip of job c in the end: its rejections are gone."""
    failed = make_rejected_row("bob.mp4", Reason.FAILED, 3.0, "b")
    other = make_rejected_row(ANN.source, Reason.TOO_SHORT, 1.0, "a")
    write_part(dataset, "rejected", "b", [failed])
    write_part(dataset, "rejected", "a", [other])
    assert len(read_table(dataset, "rejected")) == 2
    late = {"ingested_at": WHEN + timedelta(seconds=1), "duration": 9.0}
    write_part(dataset, "sources", "0", [make_source_row([BOB], "0") | late])
    sources = read_table(dataset, "sources").set_index("source")
    assert sources["job"].to_dict() == {ANN.source: "a", "bob.mp4": "0"}
    assert sources.loc["bob.mp4", "duration"] == 9.0
    assert read_table(dataset, "rejected")["source"].tolist() == [ANN.source]


def test_of_two_contents_at_one_path_the_one_that_came_last_counts(dataset: Path) -> None:
    """Bob's video was renamed onto Ann's path; then a third was ingested there."""
    content = read_table(dataset, "sources").set_index("source")["sha256"]
    for source, job in ((ANN.source, "a"), ("bob.mp4", "b")):
        row = make_rejected_row(source, Reason.TOO_SHORT, 1.0, job)
        write_part(dataset, "rejected", job, [row | {"source_sha256": content[source]}])
    bob = Source(path=ANN.source, size=7, mtime_ns=8, sha256=content["bob.mp4"], identity="bob",
                 duration=1.0)  # fmt: skip
    move_sources(dataset, [("bob.mp4", bob)])
    (row,) = read_table(dataset, "sources").to_dict("records")
    assert (row["source"], row["sha256"], row["size"]) == (ANN.source, content["bob.mp4"], 7)
    assert read_table(dataset, "rejected")["source_sha256"].tolist() == [content["bob.mp4"]]
    assert read_history(dataset)["sha256"].tolist() == [content[ANN.source], content["bob.mp4"]]
    third = {"sha256": "3", "ingested_at": row["moved_at"] + timedelta(seconds=1)}
    write_part(dataset, "sources", "0", [make_source_row([ANN], "0") | third])
    assert read_table(dataset, "sources")["sha256"].tolist() == ["3"]
    assert len(read_history(dataset)) == 3


def test_rejections_of_a_job_that_has_not_ended_do_not_count(dataset: Path) -> None:
    """It wrote them, then was killed."""
    write_part(dataset, "rejected", "c", [make_rejected_row("c.mp4", Reason.NO_FACE, 1.0, "c")])
    assert read_table(dataset, "rejected").empty


# --- digests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("face_size", 150.00000000000003), ("face_size", None), ("identity", "ann "),
        ("num_blinks", None), ("num_blinks", 1), ("blink_onsets", None), ("blink_onsets", [0.0]),
        ("ingested_at", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)), ("source", "videos/anm.mp4"),
    ],
)  # fmt: skip
def test_a_changed_value_is_named(dataset: Path, column: str, value: object) -> None:
    path = find_part(dataset, "clips", "a")
    content = pq.read_table(path)
    place, kind = content.schema.get_field_index(column), content.schema.field(column)
    pq.write_table(content.set_column(place, kind, pa.array([value], kind.type)), path)
    with pytest.raises(ManifestError, match=rf"{path.name}: damaged \(other values .*: {column}\)"):
        read_table(dataset, "clips")


def test_values_that_are_written_in_another_way_are_the_same(dataset: Path) -> None:
    """Uncompressed, in one page a row, without a dictionary."""
    path, before = find_part(dataset, "clips", "a"), read_table(dataset, "clips")
    pq.write_table(
        pq.read_table(path), path, compression="none", use_dictionary=False, data_page_version="2.0"
    )
    assert read_table(dataset, "clips").equals(before)


def test_a_split_chosen_by_another_expression_is_damaged(tmp_path: Path) -> None:
    made: dict[str, object] = {"by": "clip", "ratio": "1-1-1", "seed": 0}
    path = write_split(tmp_path, [{"clip_id": "c", "split": "train", **made}], "face_size > 3")
    content = pq.read_table(path)
    notes = content.schema.metadata
    for key in (b"where", b"whery"):
        others = {name: value for name, value in notes.items() if name != b"where"}
        pq.write_table(content.replace_schema_metadata(others | {key: b"face_size > 4"}), path)
        with pytest.raises(ManifestError, match="other values than were written: note where"):
            read_split_where(tmp_path)
    pq.write_table(content, path)
    assert read_split_where(tmp_path) == "face_size > 3"


@pytest.mark.parametrize("job", ["../../x", "", None])
def test_a_row_of_no_job_is_refused_with_its_files_name(dataset: Path, job: str | None) -> None:
    path = find_part(dataset, "clips", "a")
    content = pq.read_table(path)
    place = content.schema.get_field_index("job")
    content = content.set_column(place, "job", pa.array([job], "string"))
    pq.write_table(content.replace_schema_metadata(None), path)
    with pytest.raises(ManifestError, match=r"clips/a\.parquet: "):
        read_table(dataset, "clips")


# --- where --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ("face_size > 100", ["ann"]),
        ("identity in ['bob', 'eve'] and num_frames >= 90", ["bob"]),
        ("not (num_frames * 2 < 100) or identity == 'ann'", ["ann", "bob"]),
        ("(face_size < 100) | (num_frames < 5)", ["bob"]),
        ("index == 0 and -1 < mouth_audio_corr", ["ann", "bob"]),
        ("60 <= face_size\n <= 150", ["ann", "bob"]),
    ],
)
def test_where_compares_columns(dataset: Path, where: str, who: list[str]) -> None:
    """As a query, index from 0 again."""
    table = read_table(dataset, "clips", where)
    assert table["identity"].tolist() == who
    assert table.index.tolist() == list(range(len(who)))


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("smile > 1", "no column 'smile': choose from clip_id"),
        ("@x > 1", "no expression"),
        ("identity.str.len() > 1", "not allowed"),
        ("identity.__class__ == 1", "not allowed"),
        ("__import__('os').system('true')", "not allowed"),
        ("[x for x in identity] == 1", "not allowed"),
        ("identity[0] == 'a'", "not allowed"),
        ("(lambda: 1) == 1", "not allowed"),
        ("num_frames", "neither true nor false"),
        ("num_frames >", "no expression"),
        ("identity > 3", "identity > 3"),
        ("num_frames ** 2 > 3", "'Pow' is not allowed"),
        ("num_frames << 3 > 3", "'LShift' is not allowed"),
        ("identity * 3 == 'a'", "'identity * 3' is not allowed"),
        ("identity == 'a' * 3", "\"'a' * 3\" is not allowed"),
        ("num_frames in [1] * 3", "'[1] * 3' is not allowed"),
        ("num_frames > " + "1 + " * 1000 + "1", "characters, 2000 at most"),
        ("", "no expression"),
    ],
)
def test_where_refuses_what_is_no_comparison(dataset: Path, where: str, message: str) -> None:
    """A usage error that names the part which is wrong."""
    with pytest.raises(ValueError, match=re.escape(message)):
        filter_rows(read_table(dataset, "clips"), where)


# --- the split ----------------------------------------------------------------------------------


def test_the_split_remembers_how_its_clips_were_chosen(tmp_path: Path) -> None:
    """None where all were."""
    row = {"clip_id": "x", "split": "val", "by": "clip", "ratio": "5-1-4", "seed": 0}
    write_split(tmp_path, [row], "face_size > 3")
    assert read_split_where(tmp_path) == "face_size > 3"
    assert read_table(tmp_path, "split").iloc[0].to_dict() == row
    write_split(tmp_path, [row])
    assert read_split_where(tmp_path) is None


# --- documentation ------------------------------------------------------------------------------


def test_the_readme_has_every_column_as_the_schema_has_it() -> None:
    """Name, type, unit and meaning, in order, table by table; nothing else."""
    sections = re.split(r"^## ", README.read_text("utf-8"), flags=re.MULTILINE)
    titles = {section.split("\n")[0].strip("`/").split(".")[0]: section for section in sections}
    for table, columns in TABLES.items():
        rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.*?) \| (.+?) \|$", titles[table], re.M)
        assert rows == [(c.name, c.type, c.unit, c.text) for c in columns], table


def test_the_readme_names_every_reason() -> None:
    """Each with what it means."""
    text = README.read_text("utf-8")
    assert [r for r in Reason if not re.search(rf"^\| `{r}` \| \S", text, re.MULTILINE)] == []
